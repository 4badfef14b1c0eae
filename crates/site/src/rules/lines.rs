//! The lines of a file of rules.

use super::fault::{RuleFault, RuleFaultKind};

/// The file of header rules, beside `index.html`.
pub(crate) const HEADERS_FILE: &str = "_headers";

/// The file of redirect rules, beside `index.html`.
pub(crate) const REDIRECTS_FILE: &str = "_redirects";

/// The lines of a file without comments and empty ones, with their numbers from 1.
///
/// # Errors
/// When the file or a line is too long, or not UTF-8.
pub(super) fn lines(file: &'static str, text: &[u8], line_len_max: usize) -> Result<Vec<(usize, String)>, RuleFault> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut lines = Vec::new();
    for (number, line) in (1..).zip(text.split(|byte| *byte == b'\n')) {
        let fault = |kind| RuleFault { file, line: number, kind };
        let line = line.trim_ascii_end();
        if line.len() > line_len_max {
            return Err(fault(RuleFaultKind::LineTooLong { len: line.len(), max: line_len_max }));
        }
        let line = str::from_utf8(line).map_err(|_| fault(RuleFaultKind::NotUtf8))?;
        if !line.trim_start().is_empty() && !line.trim_start().starts_with('#') {
            lines.push((number, line.to_owned()));
        }
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_other_line_ends_are_no_lines() {
        let found = lines(HEADERS_FILE, b"\xef\xbb\xbf# x\r\n\r\n/a\r\n  # y\n  B: c  ", 9).unwrap();
        assert_eq!(found, [(3, "/a".to_owned()), (5, "  B: c".to_owned())]);
        assert_eq!(lines(HEADERS_FILE, b"\n/\xff", 9).unwrap_err().to_string(), "_headers line 2: it is not UTF-8; save the file as UTF-8");
        assert!(lines(HEADERS_FILE, &[b'#'; 9], 9).is_ok() && lines(HEADERS_FILE, &[b'#'; 10], 9).is_err());
    }
}
