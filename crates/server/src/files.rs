//! One directory (or embedded list) as a site: versions that swap atomically, assets cut into pieces, and HTTP answers.
//!
//! Open a [`Site`], take [`Site::current`] once per request, [`Version::resolve`] the path and [`respond`] from what it
//! says. A [`Version`] never changes and stays readable while somebody holds it, whatever happens to the directory.

mod asset;
mod background;
mod caching;
mod carve;
mod color;
mod compress;
mod document;
mod early;
mod encodings;
mod entry;
mod error;
mod history;
mod inventory;
mod limits;
mod links;
mod looks;
mod media;
mod mend;
mod mentions;
mod object;
mod path;
mod resolve;
mod respond;
mod scan;
mod script;
mod site;
mod store;
mod style;
mod version;
mod watch;

pub use asset::{Asset, Document, Which};
pub use error::SiteError;
pub use limits::*;
pub use looks::{Look, Looks};
pub use object::Object;
pub use respond::{respond, respond_not_found, respond_redirect};
pub use site::{Addition, EmbeddedFile, Site, SiteOptions, Source};
pub use version::{PieceLocation, Referred, Resolved, Version};

pub(crate) use compress::Coding as FileCoding;
pub(crate) use early::Early;
pub(crate) use respond::{accepted, is_known};
