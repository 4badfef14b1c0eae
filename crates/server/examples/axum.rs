//! A site as the fallback of an axum program's own routes: `cargo run --example axum -- 127.0.0.1:8080 dist`.
#![allow(clippy::print_stdout, reason = "it says where it listens")]

use std::net::SocketAddr;

use axum::{Router, routing::get};
use viral_server::{Source, Viral, config::Config};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let address = words.next().unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let viral = Viral::open(Source::Directory(words.next().unwrap_or_else(|| "dist".to_owned()).into()), &Config::default()).await?;
    let app = Router::new().route("/api/hello", get(|| async { "hello" })).fallback_service(viral.service());
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    // Visitors' addresses decide who is near whom.
    axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await?;
    Ok(())
}
