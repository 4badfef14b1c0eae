//! What a style sheet refers to: `@import` and `url()`, but for fonts: which of them a page shows only its visitors tell.

use super::references::{Need, References};

/// Notes the references of a style sheet in `links`.
///
/// Of the alternatives within one declaration (`background: image-set(url(a.avif) 1x, url(a.png) 1x)`) only the first is noted: browsers load
/// one of them, and authors put the best first. What stands in a `@font-face` is not noted.
pub(super) fn references(css: &str, links: &mut References) {
    let mut rest = css;
    let mut imports = false;
    let mut in_font = false;
    let mut noted_in_declaration = false;
    while let Some(at) = rest.find(['/', '"', '\'', '@', 'u', 'U', ';', '{', '}']) {
        rest = &rest[at..];
        if let Some(comment) = rest.strip_prefix("/*") {
            rest = comment.split_once("*/").map_or("", |(_, after)| after);
        } else if starts_with_word(rest, "@import") {
            imports = true;
            rest = &rest["@import".len()..];
        } else if starts_with_word(rest, "@font-face") {
            in_font = true;
            rest = &rest["@font-face".len()..];
        } else if starts_with_word(rest, "url(") {
            let (reference, after) = url_body(&rest["url(".len()..]);
            if !noted_in_declaration && !in_font {
                links.add(reference, if imports { Need::First } else { Need::Later });
                noted_in_declaration = true;
            }
            rest = after;
        } else if rest.starts_with(['"', '\'']) {
            let (text, after) = string_body(rest);
            if imports && !noted_in_declaration {
                links.add(text, Need::First);
                noted_in_declaration = true;
            }
            rest = after;
        } else {
            if rest.starts_with([';', '{', '}']) {
                imports = false;
                noted_in_declaration = false;
                in_font &= !rest.starts_with('}');
            }
            rest = skip_char(rest);
        }
    }
}

fn starts_with_word(text: &str, word: &str) -> bool {
    text.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word))
}

/// The reference of a `url(` and what follows its `)`.
fn url_body(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    if text.starts_with(['"', '\'']) {
        let (reference, after) = string_body(text);
        return (reference, after.split_once(')').map_or("", |(_, after)| after));
    }
    let (reference, after) = text.split_once(')').unwrap_or((text, ""));
    (reference.trim(), after)
}

/// The content of the string `text` begins with, escapes left as they are, and what follows it.
fn string_body(text: &str) -> (&str, &str) {
    let Some(quote) = text.chars().next() else { return ("", "") };
    let body = &text[quote.len_utf8()..];
    let mut escaped = false;
    for (at, character) in body.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if character == quote => return (&body[..at], &body[at + quote.len_utf8()..]),
            _ => {}
        }
    }
    (body, "")
}

fn skip_char(text: &str) -> &str {
    let mut characters = text.chars();
    characters.next();
    characters.as_str()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(css: &str) -> Vec<(String, Need)> {
        let mut links = References::of("css/a.css");
        references(css, &mut links);
        links.into_vec().into_iter().map(|link| (link.target, link.need)).collect()
    }

    #[test]
    fn imports_come_before_what_is_shown() {
        let css = r#"@charset "utf-8"; @import "b.css"; @import url( '../c.css' ) screen; /* url(no.png) */
            body { background: URL(d.png) } p::after { content: "url(no2.png)"; } i { mask: url("e)f.svg#part") }"#;
        let expected = [("css/b.css", Need::First), ("c.css", Need::First), ("css/d.png", Need::Later), ("css/e)f.svg", Need::Later)];
        assert_eq!(found(css), expected.map(|(target, need)| (target.to_owned(), need)));
    }

    #[test]
    fn of_alternatives_only_the_first_is_taken() {
        let css = "i{background:image-set(url(a.avif) 1x,url(a.png) 1x)}b{background:url(b.png)}";
        let targets: Vec<_> = found(css).into_iter().map(|(target, _)| target).collect();
        assert_eq!(targets, ["css/a.avif", "css/b.png"]);
    }

    #[test]
    fn fonts_are_left_to_what_visitors_load() {
        let css = "@font-face{src:url(a.woff2)format('woff2'),url(a.woff);unicode-range:U+0400-04FF}@font-face { src: url(b.woff2) } i{mask:url(c.svg)}";
        let targets: Vec<_> = found(css).into_iter().map(|(target, _)| target).collect();
        assert_eq!(targets, ["css/c.svg"]);
    }

    proptest! {
        #[test]
        fn any_text_is_scanned_to_its_end(css in "(@import |url\\(|['\"\\\\)/*;{}ü]|\\PC){0,40}") {
            found(&css);
        }
    }
}
