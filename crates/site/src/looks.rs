//! What is seen of a page before anything of it is drawn: the background, the text's colour and the colour scheme, as far as its style sheets say so in plain words.

use std::collections::BTreeMap;

use super::{
    color::color,
    limits::{SHEET_DECLARATIONS_MAX, SHEET_DEPTH_MAX, VARIABLE_NAME_LEN_MAX},
};

/// For whom a rule holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// Everybody.
    All,
    /// Who prefers light colours.
    Light,
    /// Who prefers dark colours.
    Dark,
}

impl Scope {
    /// That of a media query; `None` if it may be one of something else.
    pub(super) fn of_media(query: &str) -> Option<Self> {
        let query: String = query.chars().filter(|character| !character.is_whitespace()).collect::<String>().to_ascii_lowercase();
        let query = query.strip_prefix("screenand").unwrap_or(&query);
        match query {
            "" | "all" | "screen" => Some(Self::All),
            "(prefers-color-scheme:light)" => Some(Self::Light),
            "(prefers-color-scheme:dark)" => Some(Self::Dark),
            _ => None,
        }
    }

    /// Both conditions; `None` if nobody meets them.
    pub(super) fn and(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::All, scope) | (scope, Self::All) => Some(scope),
            _ => (self == other).then_some(self),
        }
    }

    fn holds_for(self, wanted: Self) -> bool {
        self == Self::All || self == wanted
    }
}

/// A property that counts, of the element that it is set on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Property {
    /// Of the root, which hides that of the body.
    RootBackground,
    BodyBackground,
    Color,
    ColorScheme,
    Variable(String),
}

/// The declarations of a style sheet that count, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sheet(Vec<(Scope, Property, String)>);

/// Something that says how a document looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Style {
    /// A style sheet or attribute of its own.
    Here(Sheet),
    /// The file at this relative path.
    Linked(Scope, String),
}

/// What a document, or a style sheet, says of how pages look.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// In order.
    pub(super) styles: Vec<Style>,
    /// Of `<meta name=theme-color>`.
    pub(super) theme_colors: Vec<(Scope, String)>,
    /// Of `<meta name=color-scheme>`.
    pub(super) color_scheme: Option<String>,
}

/// What a page looks like at first, for who prefers light or has no preference, and for who prefers dark colours.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Looks {
    /// For who has no preference.
    pub light: Look,
    /// For who prefers dark colours.
    pub dark: Look,
    /// The content of `<meta name=color-scheme>`.
    pub meta_color_scheme: Option<String>,
}

/// Values that are safe wherever CSS or markup holds values: nothing but letters, digits and `#(),.%/+-` and spaces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Look {
    /// What the empty page is filled with.
    pub background: Option<String>,
    /// The colour of text.
    pub color: Option<String>,
    /// The value of `color-scheme`.
    pub color_scheme: Option<String>,
    /// What the browser gives its own parts.
    pub theme_color: Option<String>,
}

impl Sheet {
    /// Reads a style sheet.
    pub(super) fn read(css: &str, scope: Scope) -> Self {
        let mut sheet = Self::default();
        sheet.rules(css, scope, 0);
        sheet
    }

    /// Reads the `style` attribute of the root (`is_root`) or the body.
    pub(super) fn read_style(style: &str, is_root: bool) -> Self {
        let mut sheet = Self::default();
        sheet.declarations(style, Scope::All, is_root, !is_root);
        sheet
    }

    /// Whether it says nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn rules(&mut self, css: &str, scope: Scope, depth: usize) {
        let mut rest = css;
        while let Some(at) = next_of(rest, b";{") {
            let (prelude, after) = (clean(&rest[..at]), &rest[at + 1..]);
            if rest.as_bytes().get(at) == Some(&b';') {
                rest = after;
                continue;
            }
            let end = block_end(after);
            let block = &after[..end];
            rest = after.get(end + 1..).unwrap_or_default();
            if let Some(rule) = prelude.strip_prefix('@') {
                let inner = match rule.split_once(|character: char| !character.is_ascii_alphabetic()).unwrap_or((rule, "")) {
                    ("media", _) => Scope::of_media(rule["media".len()..].trim()).and_then(|inner| inner.and(scope)),
                    ("layer", _) => Some(scope),
                    _ => None,
                };
                if let Some(inner) = inner.filter(|_| depth < SHEET_DEPTH_MAX) {
                    self.rules(block, inner, depth + 1);
                }
                continue;
            }
            let names =
                |wanted: &[&str]| prelude.split(',').any(|selector| wanted.contains(&selector.trim().to_ascii_lowercase().as_str()));
            let (is_root, is_body) = (names(&["html", ":root"]), names(&["body", "html body"]));
            if is_root || is_body {
                self.declarations(block, scope, is_root, is_body);
            }
        }
    }

    fn declarations(&mut self, block: &str, scope: Scope, is_root: bool, is_body: bool) {
        let mut rest = block;
        while !rest.is_empty() {
            let end = next_of(rest, b";{}").unwrap_or(rest.len());
            let declaration = clean(&rest[..end]);
            // What is nested in a rule is another's.
            let skipped = if rest.as_bytes().get(end) == Some(&b'{') { end + 1 + block_end(&rest[end + 1..]) } else { end };
            let is_nested = skipped != end;
            rest = rest.get(skipped + 1..).unwrap_or_default();
            if let Some((name, value)) = declaration.split_once(':').filter(|_| !is_nested) {
                self.declare(name.trim(), value, scope, (is_root, is_body));
            }
        }
    }

    fn declare(&mut self, name: &str, value: &str, scope: Scope, (is_root, is_body): (bool, bool)) {
        let value = value.trim();
        let value = value
            .get(..value.len().saturating_sub("!important".len()))
            .filter(|_| value.to_ascii_lowercase().ends_with("!important"))
            .unwrap_or(value)
            .trim();
        let of_name = name.to_ascii_lowercase();
        let mut add = |property: Property, value: String| {
            let places = self.0.len();
            if places < SHEET_DECLARATIONS_MAX {
                self.0.push((scope, property, value));
            }
        };
        match of_name.as_str() {
            "background" | "background-color" => {
                let Some(value) = background(value) else { return };
                for property in [(is_root, Property::RootBackground), (is_body, Property::BodyBackground)]
                    .into_iter()
                    .filter_map(|(is, property)| is.then_some(property))
                {
                    add(property, value.clone());
                }
            }
            "color" => add_some(simple(value), |value| add(Property::Color, value)),
            "color-scheme" => add_some(color_scheme(value).filter(|_| is_root), |value| add(Property::ColorScheme, value)),
            _ if name.starts_with("--") && name.len() <= VARIABLE_NAME_LEN_MAX => {
                add_some(simple(value), |value| add(Property::Variable(name.to_owned()), value));
            }
            _ => {}
        }
    }
}

fn add_some(value: Option<String>, add: impl FnOnce(String)) {
    value.map(add);
}

impl Seen {
    /// That of a file of CSS.
    pub(super) fn of_css(css: &str) -> Self {
        let sheet = Sheet::read(css, Scope::All);
        Self { styles: if sheet.is_empty() { Vec::new() } else { vec![Style::Here(sheet)] }, ..Self::default() }
    }

    /// What a page looks like at first; `linked` knows what the style sheet at a relative path says.
    pub(super) fn looks<'s>(&'s self, linked: impl Fn(&str) -> Option<&'s Self>) -> Looks {
        let mut sheets = Vec::new();
        for style in &self.styles {
            match style {
                Style::Here(sheet) => sheets.push((Scope::All, sheet)),
                Style::Linked(scope, target) => {
                    let styles = linked(target).map(|seen| &seen.styles).into_iter().flatten();
                    sheets.extend(styles.filter_map(|style| if let Style::Here(sheet) = style { Some((*scope, sheet)) } else { None }));
                }
            }
        }
        let look = |wanted: Scope| {
            let mut theme_colors = self.theme_colors.iter().filter(|(scope, _)| scope.holds_for(wanted));
            Look { theme_color: theme_colors.next().map(|(_, color)| color.clone()), ..Look::of(&sheets, wanted) }
        };
        Looks { light: look(Scope::Light), dark: look(Scope::Dark), meta_color_scheme: self.color_scheme.clone() }
    }
}

impl Look {
    fn of(sheets: &[(Scope, &Sheet)], wanted: Scope) -> Self {
        let mut last = BTreeMap::new();
        let sheets = sheets.iter().filter(|(scope, _)| scope.holds_for(wanted));
        for (scope, property, value) in sheets.flat_map(|(_, sheet)| &sheet.0) {
            if scope.holds_for(wanted) {
                last.insert(property, value.as_str());
            }
        }
        let value = |property: &Property| {
            let mut value = *last.get(property)?;
            // A variable may name another one.
            for _ in 0..4 {
                let Some((name, other)) = variable(value) else { return color(value) };
                value = last.get(&Property::Variable(name.to_owned())).copied().or(other)?;
            }
            None
        };
        Self {
            background: value(&Property::RootBackground).or_else(|| value(&Property::BodyBackground)),
            color: value(&Property::Color),
            color_scheme: last.get(&Property::ColorScheme).map(|value| (*value).to_owned()),
            theme_color: None,
        }
    }
}

/// The value of `background` or `background-color`: a colour, alone or the only one among other words. What sets none ("none", "transparent") is kept: it overrides.
fn background(value: &str) -> Option<String> {
    simple(value).or_else(|| {
        let mut words = words(value).into_iter().filter_map(simple);
        words.next().filter(|_| words.next().is_none())
    })
}

/// A colour, or a variable that may be one; also what is neither but one word, and so overrides.
fn simple(value: &str) -> Option<String> {
    let is_word = matches!(value.to_ascii_lowercase().as_str(), "transparent" | "none" | "inherit" | "initial" | "unset");
    color(value).or_else(|| (is_word || variable(value).is_some()).then(|| value.to_owned()))
}

/// Name and fallback of a `var()` that is the whole value.
fn variable(value: &str) -> Option<(&str, Option<&str>)> {
    let inner = value.strip_prefix("var(")?.strip_suffix(')')?;
    let (name, other) = inner.split_once(',').map_or((inner, None), |(name, other)| (name, Some(other.trim())));
    let name = name.trim();
    let is_name = name.starts_with("--")
        && name.len() <= VARIABLE_NAME_LEN_MAX
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    is_name.then_some((name, other.filter(|other| other.len() <= VARIABLE_NAME_LEN_MAX)))
}

/// The value of `color-scheme`, of the known words only.
pub(super) fn color_scheme(value: &str) -> Option<String> {
    let value = value.trim().to_ascii_lowercase();
    let words: Vec<&str> = value.split_ascii_whitespace().collect();
    let is_known = (1..=3).contains(&words.len()) && words.iter().all(|word| matches!(*word, "light" | "dark" | "only" | "normal"));
    is_known.then(|| words.join(" "))
}

/// The parts of a value that white space divides, functions in one.
fn words(value: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    let is_border = move |character: char| {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && character.is_whitespace()
    };
    value.split(is_border).filter(|word| !word.is_empty()).collect()
}

/// Without comments and white space around.
fn clean(text: &str) -> String {
    let mut cleaned = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("/*") {
        cleaned.push_str(before);
        rest = after.split_once("*/").map_or("", |(_, after)| after);
    }
    cleaned.push_str(rest);
    cleaned.trim().to_owned()
}

/// Where the block ends whose content `text` begins with.
fn block_end(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut from = 0;
    while let Some(at) = next_of(&text[from..], b"{}") {
        let at = from + at;
        if text.as_bytes().get(at) == Some(&b'{') {
            depth += 1;
        } else if depth == 0 {
            return at;
        } else {
            depth -= 1;
        }
        from = at + 1;
    }
    text.len()
}

/// Where one of these ASCII characters comes first outside of comments, strings and parentheses.
fn next_of(text: &str, wanted: &[u8]) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut at, mut parentheses) = (0, 0_usize);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'/' if bytes.get(at + 1) == Some(&b'*') => {
                at = text[at + 2..].find("*/").map_or(bytes.len(), |end| at + 2 + end + 2);
                continue;
            }
            b'\\' => at += 1,
            b'"' | b'\'' => {
                at += 1;
                while let Some(inner) = bytes.get(at).filter(|inner| *inner != byte && **inner != b'\n') {
                    at += if *inner == b'\\' { 2 } else { 1 };
                }
            }
            b'(' => parentheses += 1,
            b')' => parentheses = parentheses.saturating_sub(1),
            // A parenthesis that is left open must not hide the rest of the sheet.
            b'{' | b'}' => parentheses = 0,
            _ => {}
        }
        if parentheses == 0 && wanted.contains(byte) {
            return Some(at);
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn looks(css: &[&str]) -> Looks {
        let styles = css.iter().map(|css| Style::Here(Sheet::read(css, Scope::All))).collect();
        Seen { styles, ..Seen::default() }.looks(|_| None)
    }

    fn backgrounds(css: &[&str]) -> (Option<String>, Option<String>) {
        let Looks { light, dark, .. } = looks(css);
        (light.background, dark.background)
    }

    fn same(color: &str) -> (Option<String>, Option<String>) {
        (Some(color.to_owned()), Some(color.to_owned()))
    }

    #[test]
    fn the_background_of_root_and_body_is_found_as_the_cascade_has_it() {
        for (css, expected) in [
            ("body { background: #111 }", same("#111")),
            ("html,body{margin:0;background-color:RGB(1, 2, 3) !important}", same("rgb(1, 2, 3)")),
            ("html{background:#222}body{background:#333}", same("#222")),
            ("html{background:none}body{background:#333}", same("#333")),
            ("body{background:red}/* body{background:blue} */ p{background:green}", same("red")),
            ("@charset \"utf-8\"; @import 'x.css';body{content:'}';background:#444 url(data:image/png;base64,x) no-repeat}", same("#444")),
            (":root{--bg:#123456;--page:var(--bg)}body{background:var(--page)}", same("#123456")),
            ("body{background:var(--gone, #555)}", same("#555")),
            ("@layer base{body{background:#666}}@supports (x:y){body{background:#777}}@media print{body{background:white}}", same("#666")),
            ("body{p{background:red}background:#888}", same("#888")),
            ("body{background:#999;background:linear-gradient(red,blue)}", same("#999")),
        ] {
            assert_eq!(backgrounds(&[css]), expected, "{css}");
        }
        assert_eq!(backgrounds(&["body{background:#111}", "body{background:#222}"]), same("#222"), "a later sheet wins");
    }

    #[test]
    fn who_prefers_dark_colours_has_a_look_of_their_own() {
        let css = "body{background:#fff;color:black}@media (prefers-color-scheme: dark){:root{color-scheme:dark}body{background:#000;color:white}}";
        let looks = looks(&[css]);
        assert_eq!((looks.light.background.as_deref(), looks.dark.background.as_deref()), (Some("#fff"), Some("#000")));
        assert_eq!((looks.light.color.as_deref(), looks.dark.color.as_deref()), (Some("black"), Some("white")));
        assert_eq!((looks.light.color_scheme.as_deref(), looks.dark.color_scheme.as_deref()), (None, Some("dark")));
        let variables = ":root{--bg:white}@media screen and (prefers-color-scheme:dark){:root{--bg:#0d1117}}body{background:var(--bg)}";
        assert_eq!(backgrounds(&[variables]), (Some("white".to_owned()), Some("#0d1117".to_owned())));
    }

    #[test]
    fn nothing_is_found_where_nothing_is_plain() {
        for css in [
            "",
            "body",
            "body{",
            "body{background:url(x.png)}",
            "body{background:linear-gradient(#111,#222)}",
            "main{background:#111}",
            "body.dark{background:#111}",
            ":root{--a:var(--b);--b:var(--a)}body{background:var(--a)}",
        ] {
            assert_eq!(backgrounds(&[css]), (None, None), "{css}");
        }
        let many: String = (0..=SHEET_DECLARATIONS_MAX).map(|at| format!(":root{{--v{at}:#111}}")).collect();
        assert_eq!(Sheet::read(&many, Scope::All).0.len(), SHEET_DECLARATIONS_MAX);
        assert_eq!(backgrounds(&[&"@layer a{".repeat(10_000)]), (None, None));
    }

    #[test]
    fn an_attribute_says_it_too() {
        let sheets = [Sheet::read_style("background:#111;color:white", true), Sheet::read_style("background:#222", false)];
        let looks = Seen { styles: sheets.map(Style::Here).into(), ..Seen::default() }.looks(|_| None);
        assert_eq!((looks.light.background.as_deref(), looks.light.color.as_deref()), (Some("#111"), Some("white")));
    }

    proptest! {
        #[test]
        fn any_text_is_read_and_only_colours_come_out(css in "(body|html|:root|--a:|var\\(--a\\)|background:|#111|@media (prefers-color-scheme:dark)|[{};:\"'()\\\\/*]|\\PC){0,40}") {
            let Looks { light, dark, .. } = looks(&[&css]);
            for value in [light.background, light.color, dark.background, dark.color].into_iter().flatten() {
                prop_assert!(color(&value).is_some(), "{value}");
            }
        }
    }
}
