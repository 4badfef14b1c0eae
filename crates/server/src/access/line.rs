//! One line of the access log, as text that can neither end early nor say anything to a terminal.

use std::net::IpAddr;
use std::time::SystemTime;

use http::{Method, Version};
use httpdate::fmt_http_date;

use crate::config::AccessLogFormat;
use crate::stats::Cause;

/// Bytes kept of a path: what an asset's may have.
pub(super) const PATH_LEN_MAX: usize = viral_wire::limits::PATH_LEN_MAX;
/// Bytes kept of the page that a request came from.
pub(super) const REFERER_LEN_MAX: usize = 1024;
/// Bytes kept of a browser's name: the longest ones have some 300.
pub(super) const AGENT_LEN_MAX: usize = 512;
/// Bytes kept of a method: those that are registered have 17 at most.
const METHOD_LEN_MAX: usize = 32;

/// What is known of one answer.
pub(super) struct Entry {
    /// When its request was read.
    pub(super) came: SystemTime,
    /// None where it is not to be written.
    pub(super) client: Option<IpAddr>,
    pub(super) method: Method,
    /// Without its query, which may hold what is nobody's business.
    pub(super) path: Vec<u8>,
    pub(super) has_query: bool,
    pub(super) version: Version,
    /// 0 where nobody was left to answer.
    pub(super) status: u16,
    /// Of the body, as it left.
    pub(super) bytes: u64,
    /// What they are for.
    pub(super) cause: Cause,
    /// From the request's head to the body's end.
    pub(super) ms: u64,
    pub(super) referer: Option<Vec<u8>>,
    pub(super) agent: Option<Vec<u8>>,
    /// The `viral-answer` header.
    pub(super) answer: Option<String>,
}

/// The first bytes of a text.
pub(super) fn cut(text: &[u8], len_max: usize) -> Vec<u8> {
    text.get(..len_max).unwrap_or(text).to_vec()
}

/// An address up to its query or fragment. That there was one shows.
pub(super) fn without_query(mut url: Vec<u8>) -> Vec<u8> {
    if let Some(at) = url.iter().position(|byte| matches!(byte, b'?' | b'#')) {
        url.truncate(at + 1);
    }
    url
}

impl Entry {
    /// The line, with its end.
    pub(super) fn line(&self, format: AccessLogFormat) -> String {
        match format {
            AccessLogFormat::Combined => self.combined(),
            AccessLogFormat::Json => self.json(),
        }
    }

    /// The combined format of common servers, then the answer, the milliseconds and the cause of the bytes.
    fn combined(&self) -> String {
        let quoted = |text: &Option<Vec<u8>>| text.as_deref().map_or_else(|| "-".to_owned(), escaped);
        let (kind, reason) = self.answer();
        let answer = if kind.is_empty() { "-".to_owned() } else { format!("{kind};{reason}") };
        format!(
            "{} - - [{}] \"{} {}{} {:?}\" {} {} \"{}\" \"{}\" \"{}\" {} {}\n",
            self.client.map_or_else(|| "-".to_owned(), |client| client.to_string()),
            common_date(self.came),
            escaped(&cut(self.method.as_str().as_bytes(), METHOD_LEN_MAX)),
            escaped(&self.path),
            if self.has_query { "?" } else { "" },
            self.version,
            self.status,
            self.bytes,
            quoted(&self.referer),
            quoted(&self.agent),
            escaped(answer.as_bytes()),
            self.ms,
            self.cause.name(),
        )
    }

    fn json(&self) -> String {
        let quoted = |text: &Option<Vec<u8>>| text.as_deref().map_or_else(|| "null".to_owned(), json_text);
        let (kind, reason) = self.answer();
        let said = |text: &str| if text.is_empty() { "null".to_owned() } else { json_text(text.as_bytes()) };
        format!(
            "{{\"time\":\"{}\",\"client\":{},\"method\":{},\"path\":{},\"has_query\":{},\"protocol\":\"{:?}\",\"status\":{},\"bytes\":{},\"cause\":\"{}\",\"ms\":{},\
             \"referer\":{},\"agent\":{},\"answer\":{},\"reason\":{}}}\n",
            json_date(self.came),
            self.client.map_or_else(|| "null".to_owned(), |client| format!("\"{client}\"")),
            json_text(&cut(self.method.as_str().as_bytes(), METHOD_LEN_MAX)),
            json_text(&self.path),
            self.has_query,
            self.version,
            self.status,
            self.bytes,
            self.cause.name(),
            self.ms,
            quoted(&self.referer),
            quoted(&self.agent),
            said(kind),
            said(reason),
        )
    }

    /// Kind and reason; empty where it is no answer of a page.
    fn answer(&self) -> (&str, &str) {
        self.answer.as_deref().map_or(("", ""), |answer| answer.split_once("; reason=").unwrap_or((answer, "")))
    }
}

/// `29/Nov/2026:20:46:59 +0000`
fn common_date(time: SystemTime) -> String {
    let date = fmt_http_date(time);
    let mut parts = date.split(' ').skip(1);
    let mut part = || parts.next().unwrap_or_default();
    format!("{}/{}/{}:{} +0000", part(), part(), part(), part())
}

/// `2026-11-29T20:46:59Z`
fn json_date(time: SystemTime) -> String {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let date = fmt_http_date(time);
    let mut parts = date.split(' ').skip(1);
    let mut part = || parts.next().unwrap_or_default();
    let (day, month, year, clock) = (part(), part(), part(), part());
    let month = MONTHS.find(month).map_or(0, |at| at / 3 + 1);
    format!("{year}-{month:02}-{day}T{clock}Z")
}

/// Printable ASCII as it is, but for quotation marks and backslashes; every other byte as `\xHH`, as other servers do.
fn escaped(text: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text {
        match byte {
            b'"' | b'\\' => out.push_str(&format!("\\x{byte:02X}")),
            b' '..=b'~' => out.push(char::from(*byte)),
            _ => out.push_str(&format!("\\x{byte:02X}")),
        }
    }
    out
}

/// A JSON string of printable ASCII alone.
fn json_text(text: &[u8]) -> String {
    let mut out = String::from("\"");
    for character in String::from_utf8_lossy(text).chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            ' '..='~' => out.push(character),
            _ => character.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}"))),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn entry() -> Entry {
        Entry {
            came: SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_985_219),
            client: Some([192, 0, 2, 7].into()),
            method: Method::GET,
            path: b"/a%20b".to_vec(),
            has_query: false,
            version: Version::HTTP_11,
            status: 200,
            bytes: 11_492,
            cause: Cause::Loader,
            ms: 12,
            referer: None,
            agent: Some("Mozilla/5.0 \"x\"\n\u{1b}[31mü\\".as_bytes().to_vec()),
            answer: Some("thin; reason=peer-near".to_owned()),
        }
    }

    #[test]
    fn a_combined_line_is_one_line_whatever_its_fields_say() {
        let expected = "192.0.2.7 - - [29/Nov/2026:20:46:59 +0000] \"GET /a%20b HTTP/1.1\" 200 11492 \"-\" \
                        \"Mozilla/5.0 \\x22x\\x22\\x0A\\x1B[31m\\xC3\\xBC\\x5C\" \"thin;peer-near\" 12 loader\n";
        assert_eq!(entry().line(AccessLogFormat::Combined), expected);
        let asset = Entry { answer: None, has_query: true, ..entry() };
        assert!(
            asset.line(AccessLogFormat::Combined).contains("\"GET /a%20b? HTTP/1.1\"")
                && asset.line(AccessLogFormat::Combined).ends_with("\"-\" 12 loader\n")
        );
    }

    #[test]
    fn a_json_line_is_an_object_of_printable_ascii() {
        let line = entry().line(AccessLogFormat::Json);
        assert!(line.trim_end().bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{line}");
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        let expected = serde_json::json!({
            "time": "2026-11-29T20:46:59Z", "client": "192.0.2.7", "method": "GET", "path": "/a%20b", "has_query": false, "protocol": "HTTP/1.1",
            "status": 200, "bytes": 11_492, "cause": "loader", "ms": 12, "referer": null, "agent": "Mozilla/5.0 \"x\"\n\u{1b}[31mü\\", "answer": "thin", "reason": "peer-near",
        });
        assert_eq!(value, expected);
        let nobody: serde_json::Value = serde_json::from_str(&Entry { client: None, ..entry() }.line(AccessLogFormat::Json)).unwrap();
        assert!(nobody["client"].is_null());
    }

    #[test]
    fn what_is_long_is_cut_and_queries_are_left_out() {
        assert_eq!(cut(b"abc", 2), b"ab");
        assert_eq!(cut(b"abc", 3), b"abc");
        for (url, kept) in [("https://a/b?c#d", "https://a/b?"), ("https://a/b#c", "https://a/b#"), ("https://a/b", "https://a/b")] {
            assert_eq!(without_query(url.into()), kept.as_bytes());
        }
    }
}
