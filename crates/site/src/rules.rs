//! The rules that a site brings along in its files `_headers` and `_redirects`, as Netlify and Cloudflare Pages read them.

mod fault;
mod files;
mod headers;
mod lines;
mod pattern;
mod redirects;
mod set;

pub use self::fault::{RuleFault, RuleFaultKind};
pub use self::redirects::Redirect;

pub(crate) use self::files::{RuleFiles, of_folder};
pub(crate) use self::lines::{HEADERS_FILE, REDIRECTS_FILE};
pub(crate) use self::redirects::Outcome;
pub(crate) use self::set::Rules;
