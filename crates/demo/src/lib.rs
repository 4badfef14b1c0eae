//! The demo app: a procedurally made world on which visitors see how the app reached them, as a list of ready assets.

mod climate;
mod clouds;
mod erosion;
mod grid;
mod limits;
mod noise;
mod places;
mod relief;
mod site;
mod world;

pub use site::{DemoFile, files};
