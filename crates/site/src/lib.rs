//! A site: versions that swap atomically, assets cut into pieces, and HTTP answers.
//!
//! Open a [`DirectorySite`] or an [`EmbeddedSite`], or implement [`Site`]. Take [`Site::current`] once per request, [`Version::resolve`] the path and
//! [`respond`] from what it says. A [`Version`] never changes and stays readable while somebody holds it, whatever happens to where it came from.
//!
//! | feature | on by default | without it |
//! |---|---|---|
//! | `brotli` | yes | The coding `br` is neither made nor offered. A file `x.js.br` is served as it is, under its own name only. |
//! | `zstd` | yes | The same of the coding `zstd` and of files `x.js.zst`. |
//! | `watch` | yes | A directory is read once, and again after [`Site::reread`]. |
//!
//! `gzip` is always there.

mod answered;
mod asset;
mod background;
mod blocking;
mod cache_control;
mod caching;
mod chunking;
mod color;
mod compress;
mod contents;
pub mod csp;
mod directory;
mod document;
mod early;
mod embedded;
mod encodings;
mod entry;
mod error;
mod first_sight;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod hashed_name;
mod history;
mod inserted;
mod inventory;
mod limits;
mod listing;
mod looks;
mod maker;
mod media;
mod mend;
mod mentions;
mod object;
mod operator_headers;
mod options;
mod path;
mod private;
mod references;
mod resolve;
mod respond;
mod rules;
mod scan;
mod script;
mod site;
mod small;
mod source;
mod store;
mod style;
mod version;
mod versions;
mod watch;

pub use answered::{Answered, Content};
pub use asset::{Asset, Which};
pub use caching::is_of_pattern;
pub use compress::Coding;
pub use directory::DirectorySite;
pub use document::Document;
pub use early::Early;
pub use embedded::EmbeddedSite;
pub use error::SiteError;
pub use first_sight::{FirstSight, first_sight};
pub use inserted::HeadInsertion;
pub use limits::*;
pub use listing::first_stretch;
pub use looks::{Look, Looks};
pub use maker::VersionMaker;
pub use object::Object;
pub use options::{Addition, EmbeddedFile, SiteOptions};
pub use private::make_dir;
pub use resolve::exact_name;
pub use respond::{Accepted, accepted, is_known, respond, respond_not_found, respond_redirect};
pub use rules::{Redirect, RuleFault, RuleFaultKind};
pub use script::begins_with_import;
pub use site::{Claim, Site};
pub use small::{Ending, encode_best, encode_quick, encode_quick_before};
pub use source::{OpenSite, Opening, Source};
pub use version::{PieceLocation, Referred, Resolved, Version};
