//! What an answer to a visit says of itself: its kind and reason, and the boot block of a thin one.

use super::{ThinBoot, decode};
use crate::limits::BOOT_VERSION;

/// Where the boot block of a thin answer begins.
pub const BOOT_HEAD: &str = "<script type=\"application/json\" id=\"viral-boot\">";

/// Where it ends.
const BOOT_TAIL: &str = "</script>";

/// The value of `viral-answer` in two: `thin; reason=peer-near` says kind and reason.
#[must_use]
pub fn kind_and_reason(value: &str) -> (&str, &str) {
    let (kind, rest) = value.split_once(';').unwrap_or((value, ""));
    (kind.trim(), rest.trim().strip_prefix("reason=").unwrap_or_default())
}

/// The boot block of a thin answer, if it is one that we understand.
#[must_use]
pub fn boot_of(html: &[u8]) -> Option<ThinBoot> {
    let html = std::str::from_utf8(html).ok()?;
    let (_, rest) = html.split_once(BOOT_HEAD)?;
    let (json, _) = rest.split_once(BOOT_TAIL)?;
    let boot: ThinBoot = decode(json.as_bytes()).ok()?;
    (boot.version == BOOT_VERSION).then_some(boot)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOT: &str = "{\"version\":1,\"page\":\"/\",\"manifest\":\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\",\
        \"bytes\":7,\"critical\":1,\"ticket\":\"00000000000000000000000000000000\",\"offers\":[],\"deploy\":\"write\"}";

    #[test]
    fn the_boot_block_is_found_among_the_loader() {
        let html = format!("<!doctype html>{BOOT_HEAD}{BOOT}{BOOT_TAIL}<script>loader()</script>");
        assert_eq!(boot_of(html.as_bytes()).map(|boot| boot.bytes), Some(7));
    }

    #[test]
    fn a_boot_block_of_another_version_or_none_is_not_understood() {
        let html = format!("{BOOT_HEAD}{}{BOOT_TAIL}", BOOT.replace("\"version\":1", "\"version\":2"));
        assert_eq!(boot_of(html.as_bytes()), None);
        assert_eq!(boot_of(b"<!doctype html>"), None);
        assert_eq!(boot_of(&[0xff, 0xfe]), None);
    }

    #[test]
    fn an_answer_says_kind_and_reason() {
        assert_eq!(kind_and_reason("thin; reason=peer-near"), ("thin", "peer-near"));
        assert_eq!(kind_and_reason("full"), ("full", ""));
    }
}
