//! Reading an HTML document once, as a browser's tokenizer would: references, title, and where the addition goes.

use std::{cell::RefCell, rc::Rc};

use lol_html::{
    HtmlRewriter, Settings, element,
    html_content::{Element, EndTag, TextChunk},
    text,
};

use super::{
    color::color,
    limits::{DOWNLOADS_MAX, META_CSP_MAX, SHEETS_MAX, STYLE_TEXT_LEN_MAX, THEME_COLORS_MAX, TITLE_LEN_MAX, VIEWPORT_LEN_MAX},
    looks::{self, Scope, Seen, Sheet, Style},
    media,
    references::{Need, Reference, References},
};

/// What the server knows of an HTML document before any browser read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Text of the first `<title>`, trimmed.
    pub title: Option<String>,
    /// Content of the first `<meta name=viewport>`: how wide a phone lays the page out.
    pub viewport: Option<String>,
    /// Whether it is valid UTF-8 and so is sent as `text/html; charset=utf-8`.
    pub utf8: bool,
    /// Content of every `<meta http-equiv=content-security-policy>`, in order.
    pub meta_csp: Vec<String>,
    /// Whether it has an import map.
    pub import_map: bool,
    /// Whether it has a `<meta http-equiv=refresh>`.
    pub meta_refresh: bool,
}

/// What reading a document found.
#[derive(Debug)]
pub(super) struct Analysis {
    /// What others may know of it.
    pub(super) document: Document,
    /// References to the same site, first those needed first.
    pub(super) links: Vec<Reference>,
    /// What it says of how it looks.
    pub(super) seen: Seen,
    /// Files of the same site that it offers for saving.
    pub(super) downloads: Vec<String>,
    /// Byte offset at which the addition's markup goes: before `</body>`, else the end.
    pub(super) insertion: usize,
}

#[derive(Debug, Default)]
struct State {
    links: References,
    rebased: bool,
    title: Option<String>,
    title_ended: bool,
    viewport: Option<String>,
    seen: Seen,
    /// The `style` attributes of root and body, which win over every sheet.
    attributes: Vec<Sheet>,
    /// The scope and the text of the `<style>` that is being read.
    style: Option<(Scope, String)>,
    downloads: Vec<String>,
    meta_csp: Vec<String>,
    import_map: bool,
    meta_refresh: bool,
    insertion: Option<usize>,
    /// Where the outermost element begins that is open and in which a script would be text or not run.
    swallows_from: Option<usize>,
    /// How many of those are open, one in another.
    swallowing: usize,
    /// The head is over, as far as its elements tell.
    in_body: bool,
    /// Inside how many elements whose content a browser with scripts neither shows nor loads.
    inert: usize,
    /// Inside a `<picture>`: whether a source was noted already.
    picture: Option<bool>,
}

type Shared = Rc<RefCell<State>>;

/// Elements whose content is text to a browser, or is not run: nothing may be added in one that is left open.
const SWALLOWING: [&str; 11] =
    ["textarea", "title", "script", "style", "xmp", "iframe", "noembed", "noframes", "noscript", "template", "plaintext"];

/// Elements that do not end the head.
const IN_HEAD: [&str; 10] = ["html", "head", "base", "link", "meta", "noscript", "script", "style", "template", "title"];

/// Reads the HTML document at a relative path. `None` when it is not in an encoding that contains ASCII (UTF-16), so that no
/// markup could be added to it, or when it cannot be parsed.
pub(super) fn analyse(html: &[u8], relative: &str) -> Option<Analysis> {
    if html.starts_with(&[0xfe, 0xff]) || html.starts_with(&[0xff, 0xfe]) || html.iter().take(64).any(|byte| *byte == 0) {
        return None;
    }
    let state = Rc::new(RefCell::new(State { links: References::of(relative), ..State::default() }));
    parse(html, &state).ok()?;
    let state = Rc::try_unwrap(state).ok()?.into_inner();
    let mut links = state.links.into_vec();
    links.sort_by_key(|link| link.need);
    let document = Document {
        title: state.title.map(|title| title.trim().to_owned()).filter(|title| !title.is_empty()),
        utf8: media::is_utf8(html),
        viewport: state.viewport,
        meta_csp: state.meta_csp,
        import_map: state.import_map,
        meta_refresh: state.meta_refresh,
    };
    let mut seen = state.seen;
    seen.styles.extend(state.attributes.into_iter().filter(|sheet| !sheet.is_empty()).map(Style::Here));
    let downloads = state.downloads;
    Some(Analysis { document, links, seen, downloads, insertion: state.insertion.or(state.swallows_from).unwrap_or(html.len()) })
}

fn parse(html: &[u8], state: &Shared) -> Result<(), lol_html::errors::RewritingError> {
    let (elements, titles, styles) = (Rc::clone(state), Rc::clone(state), Rc::clone(state));
    let settings = Settings {
        element_content_handlers: vec![
            element!("*", move |found| {
                see(found, &elements);
                Ok(())
            }),
            text!("title", move |chunk| {
                titles.borrow_mut().take_title(chunk);
                Ok(())
            }),
            text!("style", move |chunk| {
                styles.borrow_mut().take_style(chunk);
                Ok(())
            }),
        ],
        strict: false,
        ..Settings::new()
    };
    let mut rewriter = HtmlRewriter::new(settings, |_: &[u8]| {});
    rewriter.write(html)?;
    rewriter.end()
}

fn see(found: &mut Element<'_, '_>, state: &Shared) {
    let name = found.tag_name();
    if SWALLOWING.contains(&name.as_str()) {
        let begins = found.source_location().bytes().start;
        let swallows = |state: &mut State| {
            state.swallowing += 1;
            state.swallows_from.get_or_insert(begins);
        };
        // One that closes itself, as in SVG, has no end and no content.
        if found.end_tag_handlers().is_some() {
            swallows(&mut state.borrow_mut());
        }
        at_end(found, state, |state, _| {
            state.swallowing -= 1;
            if state.swallowing == 0 {
                state.swallows_from = None;
            }
        });
    }
    match name.as_str() {
        "noscript" | "template" => {
            state.borrow_mut().inert += 1;
            at_end(found, state, |state, _| state.inert = state.inert.saturating_sub(1));
        }
        "picture" => {
            state.borrow_mut().picture = Some(false);
            at_end(found, state, |state, _| state.picture = None);
        }
        "body" => at_end(found, state, |state, end| {
            if end.name() == "body" {
                state.insertion = Some(end.source_location().bytes().start);
            }
        }),
        _ => {}
    }
    let mut state = state.borrow_mut();
    state.in_body |= !IN_HEAD.contains(&name.as_str());
    if state.inert == 0 {
        state.see(&name, found);
    }
}

fn at_end(found: &mut Element<'_, '_>, state: &Shared, act: impl FnOnce(&mut State, &EndTag<'_>) + 'static) {
    let state = Rc::clone(state);
    if let Some(handlers) = found.end_tag_handlers() {
        handlers.push(Box::new(move |end| {
            act(&mut state.borrow_mut(), end);
            Ok(())
        }));
    }
}

impl State {
    fn see(&mut self, name: &str, found: &Element<'_, '_>) {
        let attribute = |name: &str| found.get_attribute(name).map(|value| unescape(&value));
        let token = |name: &str| attribute(name).map(|value| value.trim().to_ascii_lowercase()).unwrap_or_default();
        match name {
            "base" if !self.rebased => {
                if let Some(href) = attribute("href") {
                    self.links.rebase(&href);
                    self.rebased = true;
                }
            }
            "meta" => match token("http-equiv").as_str() {
                "content-security-policy" if self.meta_csp.len() < META_CSP_MAX => self.meta_csp.extend(attribute("content")),
                "refresh" => self.meta_refresh = true,
                _ => self.see_named_meta(&token("name"), attribute("content"), &token("media")),
            },
            "html" | "body" if self.attributes.len() < SHEETS_MAX => {
                self.attributes.extend(attribute("style").map(|style| Sheet::read_style(&style, name == "html")));
            }
            // Only the text that follows right behind is its own.
            "style" => self.style = Scope::of_media(&token("media")).map(|scope| (scope, String::new())),
            "a" | "area" if found.has_attribute("download") && self.downloads.len() < DOWNLOADS_MAX => {
                self.downloads.extend(attribute("href").and_then(|href| self.links.place(&href)));
            }
            "script" => {
                let kind = token("type");
                self.import_map |= kind == "importmap";
                let runs = matches!(kind.as_str(), "" | "module" | "text/javascript" | "application/javascript");
                if let Some(source) = attribute("src").filter(|_| runs && !found.has_attribute("nomodule")) {
                    let waits = kind != "module" && !found.has_attribute("async") && !found.has_attribute("defer");
                    self.links.add(&source, if waits && !self.in_body { Need::Blocking } else { Need::First });
                }
            }
            "link" => {
                let rel = token("rel");
                let media = token("media");
                if let (Some(href), Some(need)) = (attribute("href"), need_of_link(&rel, &token("as"))) {
                    // Other media are loaded, and nothing waits for them.
                    let need = if media == "print" { need.max(Need::First) } else { need };
                    self.links.add(&href, need);
                    if rel.split_ascii_whitespace().any(|word| word == "stylesheet") && !found.has_attribute("disabled") {
                        self.see_linked_style(&href, &media);
                    }
                }
            }
            "img" if token("loading") != "lazy" && self.picture != Some(true) => {
                let best = attribute("srcset").and_then(|set| first_candidate(&set)).or_else(|| attribute("src"));
                self.note_later(best);
            }
            "source" if self.picture == Some(false) => {
                self.picture = Some(true);
                self.note_later(attribute("srcset").and_then(|set| first_candidate(&set)));
            }
            "video" => self.note_later(attribute("poster")),
            "input" if token("type") == "image" => self.note_later(attribute("src")),
            _ => {}
        }
    }

    fn see_named_meta(&mut self, name: &str, content: Option<String>, media: &str) {
        match (name, content) {
            ("viewport", Some(content)) if content.len() <= VIEWPORT_LEN_MAX => _ = self.viewport.get_or_insert(content),
            ("theme-color", Some(content)) if self.seen.theme_colors.len() < THEME_COLORS_MAX => {
                self.seen.theme_colors.extend(Scope::of_media(media).zip(color(&content)));
            }
            ("color-scheme", Some(content)) if self.seen.color_scheme.is_none() => self.seen.color_scheme = looks::color_scheme(&content),
            _ => {}
        }
    }

    fn see_linked_style(&mut self, href: &str, media: &str) {
        if self.seen.styles.len() < SHEETS_MAX
            && let Some((scope, target)) = Scope::of_media(media).zip(self.links.target(href))
        {
            self.seen.styles.push(Style::Linked(scope, target));
        }
    }

    fn take_style(&mut self, chunk: &TextChunk<'_>) {
        let Some((scope, css)) = self.style.as_mut().filter(|_| self.inert == 0) else { return };
        if css.len() + chunk.as_str().len() <= STYLE_TEXT_LEN_MAX {
            css.push_str(chunk.as_str());
        }
        if chunk.last_in_text_node() {
            let sheet = Sheet::read(css, *scope);
            if !sheet.is_empty() && self.seen.styles.len() < SHEETS_MAX {
                self.seen.styles.push(Style::Here(sheet));
            }
            self.style = None;
        }
    }

    fn note_later(&mut self, reference: Option<String>) {
        if let Some(reference) = reference {
            self.links.add(&reference, Need::Later);
        }
    }

    fn take_title(&mut self, chunk: &TextChunk<'_>) {
        if self.title_ended || self.inert > 0 {
            return;
        }
        let title = self.title.get_or_insert_default();
        title.extend(unescape(chunk.as_str()).chars().take(TITLE_LEN_MAX.saturating_sub(title.len()) / 4));
        self.title_ended = chunk.last_in_text_node();
    }
}

/// How soon what a `<link>` refers to is needed; `None` if browsers do not load it.
fn need_of_link(rel: &str, fetched_as: &str) -> Option<Need> {
    let has = |word: &str| rel.split_ascii_whitespace().any(|found| found == word);
    if has("alternate") {
        return None;
    }
    if has("stylesheet") {
        return Some(Need::Blocking);
    }
    if has("modulepreload") {
        return Some(Need::First);
    }
    has("preload").then_some(if matches!(fetched_as, "script" | "style") { Need::First } else { Need::Later })
}

/// The URL of the first candidate of a `srcset`.
fn first_candidate(set: &str) -> Option<String> {
    let first = set.split_ascii_whitespace().next()?.trim_end_matches(',');
    (!first.is_empty()).then(|| first.to_owned())
}

/// Character references as they occur in attributes and titles; others stay as written, and then match no file.
fn unescape(text: &str) -> String {
    if !text.contains('&') {
        return text.to_owned();
    }
    [("&quot;", "\""), ("&#39;", "'"), ("&apos;", "'"), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")]
        .iter()
        .fold(text.to_owned(), |text, (reference, character)| text.replace(reference, character))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn targets(html: &str) -> Vec<String> {
        analyse(html.as_bytes(), "dir/page.html").unwrap().links.into_iter().map(|link| link.target).collect()
    }

    #[test]
    fn references_come_in_order_of_need() {
        let html = r#"<!doctype html><img src=logo.png><link rel="stylesheet" href="/app.css?v=1"><script type=module src=app.js></script>
            <link rel="modulepreload" href="dep.js"><img srcset="a.webp 1x, b.webp 2x" src=a.png><video poster=p.jpg src=film.mp4></video>"#;
        assert_eq!(targets(html), ["app.css", "dir/app.js", "dir/dep.js", "dir/logo.png", "dir/a.webp", "dir/p.jpg"]);
    }

    #[test]
    fn what_a_browser_would_not_load_is_left_out() {
        let html = r#"<script nomodule src=old.js></script><script type="text/template" src=t.js></script><link rel="alternate stylesheet" href=x.css>
            <noscript><img src=pixel.gif></noscript><template><img src=t.png></template><img loading=lazy src=l.png><!-- <img src=c.png> -->
            <script>"<img src=s.png>"</script><script src="https://elsewhere.example/x.js"></script>
            <picture><source srcset="best.avif"><source srcset="next.webp"><img src="last.jpg"></picture>"#;
        assert_eq!(targets(html), ["dir/best.avif"]);
    }

    #[test]
    fn only_what_rendering_and_the_first_scripts_need_is_needed_first() {
        let html = r#"<link rel=preload as=font href=f.woff2><link rel=preload as=image href=i.png><link rel=preload as=fetch href=d.wasm>
            <link rel=preload as=video href=v.mp4><link rel=preload href=x><link rel=preload as=script href=s.js><link rel=preload as=style href=s.css>
            <link rel=modulepreload href=m.js><link rel=preload as=fetch href=late.js><script src=late.js></script><img src=logo.png>
            <video src=film.mp4><source src=film.webm></video><audio src=a.ogg><source src=a.mp3></audio>"#;
        let links = analyse(html.as_bytes(), "page.html").unwrap().links;
        let of = |need| links.iter().filter(|link| link.need == need).map(|link| link.target.as_str()).collect::<Vec<_>>();
        assert_eq!(of(Need::Blocking), ["late.js"]);
        assert_eq!(of(Need::First), ["s.js", "s.css", "m.js"]);
        assert_eq!(of(Need::Later), ["f.woff2", "i.png", "d.wasm", "v.mp4", "x", "logo.png"]);
    }

    #[test]
    fn nothing_shows_without_style_sheets_and_the_scripts_of_the_head_that_the_parser_waits_for() {
        let html = r#"<!doctype html><html><head><title>x</title><script src=head.js></script><script async src=async.js></script><script defer src=defer.js></script>
            <script type=module src=module.js></script><link rel=stylesheet media=print href=print.css><link rel=stylesheet href=a.css>
            <p>The body begins<link rel=stylesheet href=b.css><script src=end.js></script>"#;
        let links = analyse(html.as_bytes(), "page.html").unwrap().links;
        let of = |need| links.iter().filter(|link| link.need == need).map(|link| link.target.as_str()).collect::<Vec<_>>();
        assert_eq!(of(Need::Blocking), ["head.js", "a.css", "b.css"]);
        assert_eq!(of(Need::First), ["async.js", "defer.js", "module.js", "print.css", "end.js"]);
    }

    #[test]
    fn base_moves_every_reference_after_it() {
        assert_eq!(targets("<base href='/x/'><base href='/y/'><script src=a.js></script>"), ["x/a.js"]);
        assert!(targets("<base href='https://elsewhere.example/'><script src=a.js></script>").is_empty());
    }

    #[test]
    fn head_is_read() {
        let html = "<title> A &amp; B </title><meta http-equiv=Content-Security-Policy content=\"script-src 'self'\">\
            <meta http-equiv=refresh content=5><script type=importmap>{}</script><meta name=Viewport content=\"width=320\"><meta name=viewport content=later><svg><title>no</title></svg>";
        let document = analyse(html.as_bytes(), "a.html").unwrap().document;
        assert_eq!(document.title.as_deref(), Some("A & B"));
        assert_eq!(document.viewport.as_deref(), Some("width=320"));
        assert_eq!(document.meta_csp, ["script-src 'self'"]);
        assert!(document.utf8 && document.import_map && document.meta_refresh);
    }

    #[test]
    fn how_it_looks_at_first_is_read_from_metas_styles_and_attributes() {
        let html = "<html style='color:white'><meta name=theme-color content=#222 media='(prefers-color-scheme: dark)'><meta name=theme-color content='url(x)'>\
            <meta name=color-scheme content='Dark light'><link rel=stylesheet href=/a.css><link rel=stylesheet media=print href=p.css>\
            <style media=print>body{background:red}</style><style>body{background:#111}</style><svg><style>p{color:red}</style></svg>\
            <noscript><style>body{background:blue}</style></noscript><link rel=stylesheet href=/b.css media='(prefers-color-scheme:dark)'>";
        let sheets = [("a.css", "body{background:green}"), ("b.css", "body{background:black}"), ("dir/p.css", "body{background:red}")];
        let sheets = sheets.map(|(path, css)| (path, Seen::of_css(css)));
        let seen = analyse(html.as_bytes(), "dir/a.html").unwrap().seen;
        let looks = seen.looks(|target| sheets.iter().find(|(path, _)| *path == target).map(|(_, seen)| seen));
        assert_eq!((looks.light.background.as_deref(), looks.dark.background.as_deref()), (Some("#111"), Some("black")));
        assert_eq!((looks.light.theme_color.as_deref(), looks.dark.theme_color.as_deref()), (None, Some("#222")));
        assert_eq!((looks.light.color.as_deref(), looks.meta_color_scheme.as_deref()), (Some("white"), Some("dark light")));
    }

    #[test]
    fn what_it_offers_for_saving_is_noted() {
        let html = "<a download href=/page.html>x</a><a href=no.html>x</a><area download=n href='b.html?x#y'><a download href=/>x</a><a download href=https://elsewhere.example/c.html>x</a>";
        assert_eq!(analyse(html.as_bytes(), "dir/a.html").unwrap().downloads, ["page.html", "dir/b.html", ""]);
    }

    #[test]
    fn addition_goes_before_the_real_end_of_the_body() {
        for (html, expected) in [
            ("<body>x</body></html>", 7),
            ("<p>no body", 10),
            ("<body><script>'</body>'</script></BODY>", 32),
            ("<body><!-- </body> -->", 22),
            ("<body>x<textarea>left open</body></html>", 7),
            ("x<textarea>y</textarea><title>left open", 23),
            ("x<noscript><template>left open", 1),
            ("x<noscript><p></noscript>", 25),
            ("<svg><style/><title/></svg>", 27),
            ("", 0),
        ] {
            assert_eq!(analyse(html.as_bytes(), "a.html").unwrap().insertion, expected, "{html}");
        }
    }

    #[test]
    fn other_encodings_are_noticed() {
        assert!(!analyse(b"<p>\xfc", "a.html").unwrap().document.utf8);
        assert!(analyse(b"\xff\xfe<\0p\0>\0", "a.html").is_none());
        assert!(analyse(b"<\0p\0>\0", "a.html").is_none());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_fault(html in prop::collection::vec(any::<u8>(), 0..200), tags in "(</?(body|title|picture|img src=x|template|base href=/)>?|[<>\"'!-]|x){0,30}") {
            for html in [html, tags.into_bytes()] {
                if let Some(analysis) = analyse(&html, "a.html") {
                    prop_assert!(analysis.insertion <= html.len());
                }
            }
        }
    }
}
