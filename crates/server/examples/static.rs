//! A whole server, with numbers for its operator and an end that waits for answers: `cargo run --example static -- 127.0.0.1:8080 dist`.
#![allow(clippy::print_stdout, reason = "it says where it listens")]

use viral_server::{Listener, Source, Viral, config::Config};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let address = words.next().unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let viral = Viral::open(Source::Directory(words.next().unwrap_or_else(|| "dist".to_owned()).into()), &Config::default()).await?;
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let ends = viral.clone();
    tokio::spawn(async move {
        let _ = tokio::signal::ctrl_c().await;
        ends.shut_down();
    });
    viral.serve(vec![Listener::from(listener)], Vec::new()).await;
    Ok(())
}
