//! What an empty page shows until the app is there: the app's own colours.

use super::looks::{Look, Looks};

/// Markup that gives the empty page the app's own colours, so that nothing flashes.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct FirstSight {
    /// Elements for the head.
    pub head: String,
    /// Attributes of the body.
    pub body: String,
}

/// The first sight of a site that looks so. The colours hold no character that ends a declaration or an attribute. Where the page's policy forbids styles in a page there still is the old attribute, which
/// knows neither preferences nor functions.
#[must_use]
pub fn first_sight(looks: &Looks, are_styles_allowed: bool) -> FirstSight {
    let Looks { light, dark, meta_color_scheme } = looks;
    let mut sight = FirstSight::default();
    if let Some(scheme) = meta_color_scheme {
        sight.head += &format!("<meta name=\"color-scheme\" content=\"{scheme}\">");
    }
    let is_shared = light.theme_color == dark.theme_color;
    for (look, media) in [(light, "light"), (dark, "dark")].into_iter().take(if is_shared { 1 } else { 2 }) {
        let Some(color) = &look.theme_color else { continue };
        let media = if is_shared { String::new() } else { format!(" media=\"(prefers-color-scheme:{media})\"") };
        sight.head += &format!("<meta name=\"theme-color\" content=\"{color}\"{media}>");
    }
    let (rule, dark_rule) = (rule(light), rule(dark));
    if !are_styles_allowed {
        let plain = light.background.as_ref().filter(|color| {
            !(color.contains('(') || color.starts_with('#') && matches!(color.len(), 5 | 9)) && light.background == dark.background
        });
        sight.body = plain.map(|color| format!(" bgcolor=\"{color}\"")).unwrap_or_default();
    } else if rule == dark_rule {
        sight.head += &if rule.is_empty() { rule } else { format!("<style>{rule}</style>") };
    } else {
        sight.head +=
            &format!("<style>@media(prefers-color-scheme:light){{{rule}}}@media(prefers-color-scheme:dark){{{dark_rule}}}</style>");
    }
    sight
}

/// Of no weight: the loader keeps it until the app's own style sheets are there.
fn rule(look: &Look) -> String {
    let declarations = [("background", &look.background), ("color", &look.color), ("color-scheme", &look.color_scheme)];
    let declarations: Vec<String> =
        declarations.into_iter().filter_map(|(property, value)| Some(format!("{property}:{}", value.as_ref()?))).collect();
    if declarations.is_empty() { String::new() } else { format!(":where(html){{{}}}", declarations.join(";")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_empty_page_has_the_colours_of_the_app() {
        let some = |text: &str| Some(text.to_owned());
        let look = Look { background: some("#111"), color: some("white"), color_scheme: some("dark"), theme_color: some("#222") };
        let both = Looks { light: look.clone(), dark: look.clone(), meta_color_scheme: some("dark light") };
        let metas = "<meta name=\"color-scheme\" content=\"dark light\"><meta name=\"theme-color\" content=\"#222\">";
        assert_eq!(
            first_sight(&both, true).head,
            format!("{metas}<style>:where(html){{background:#111;color:white;color-scheme:dark}}</style>")
        );
        assert_eq!(first_sight(&both, false), FirstSight { head: metas.to_owned(), body: " bgcolor=\"#111\"".to_owned() });
        let apart = Looks { light: Look { background: some("#fff"), ..Look::default() }, dark: look, meta_color_scheme: None };
        assert_eq!(
            first_sight(&apart, true).head,
            "<meta name=\"theme-color\" content=\"#222\" media=\"(prefers-color-scheme:dark)\"><style>@media(prefers-color-scheme:light){:where(html){background:#fff}}\
             @media(prefers-color-scheme:dark){:where(html){background:#111;color:white;color-scheme:dark}}</style>"
        );
        assert_eq!(first_sight(&apart, false).body, "", "the attribute knows no preferences");
        assert_eq!(first_sight(&Looks::default(), true), FirstSight::default());
    }
}
