//! Which headers the operator may give, by a setting or a rule.

use http::{HeaderName, HeaderValue, header};
use viral_wire::limits::{HEADER_LEN_MAX, RECORD_HEADERS_MAX};

use crate::{SiteError, asset::Headers};

/// Headers of the operator's that one answer carries: two places of a record are taken by Cache-Control and X-Content-Type-Options.
pub(crate) const HEADERS_MAX: usize = RECORD_HEADERS_MAX - 2;

/// Refuses headers that contradict what each answer says of itself, or that no record could carry: a policy that only full
/// visitors were under would be worse than none.
pub(crate) fn check_headers(headers: &Headers) -> Result<(), SiteError> {
    if headers.len() > HEADERS_MAX {
        return Err(SiteError::TooManyHeaders { max: HEADERS_MAX });
    }
    headers.iter().try_for_each(|(name, value)| check_header(name, value))
}

/// The same of one header.
pub(crate) fn check_header(name: &HeaderName, value: &HeaderValue) -> Result<(), SiteError> {
    let reserved = [
        header::ACCEPT_RANGES,
        header::CONNECTION,
        header::CONTENT_ENCODING,
        header::CONTENT_LENGTH,
        header::CONTENT_RANGE,
        header::CONTENT_TYPE,
        header::DATE,
        header::ETAG,
        header::LAST_MODIFIED,
        header::LOCATION,
        header::SET_COOKIE,
        header::TRANSFER_ENCODING,
        header::VARY,
    ];
    let text = name.as_str().to_owned();
    if reserved.contains(name) {
        return Err(SiteError::ReservedHeader { name: text });
    }
    if text.len() > HEADER_LEN_MAX || value.len() > HEADER_LEN_MAX || value.to_str().is_err() {
        return Err(SiteError::BadHeader { name: text, max: HEADER_LEN_MAX });
    }
    Ok(())
}
