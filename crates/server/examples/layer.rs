//! A site in front of any service: `cargo run --example layer -- 127.0.0.1:8080 dist`.
#![allow(clippy::print_stdout, reason = "it says where it listens")]

use std::net::SocketAddr;

use axum::{Router, http::Uri};
use viral_server::{Source, Viral, config::Config};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let address = words.next().unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let viral = Viral::open(Source::Directory(words.next().unwrap_or_else(|| "dist".to_owned()).into()), &Config::default()).await?;
    // What the site does not have comes here.
    let app = Router::new().fallback(|uri: Uri| async move { format!("the program answers {uri}") }).layer(viral.layer());
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await?;
    Ok(())
}
