//! Paths as they are written: in `use` items and in the tokens of a macro.

use proc_macro2::{TokenStream, TokenTree};
use syn::{Attribute, UseTree, ext::IdentExt};

/// A path, the name by which a `use` makes it known, and its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Used {
    /// `*` is its last word, where everything of it is used.
    pub(super) path: Vec<String>,
    pub(super) name: String,
    pub(super) line: usize,
}

/// The paths of one `use` item.
pub(super) fn used(tree: &UseTree) -> Vec<Used> {
    let mut found = Vec::new();
    walk(tree, &mut Vec::new(), &mut found);
    found
}

fn walk(tree: &UseTree, before: &mut Vec<String>, found: &mut Vec<Used>) {
    let (last, name, line) = match tree {
        UseTree::Path(part) => {
            before.push(part.ident.unraw().to_string());
            walk(&part.tree, before, found);
            before.pop();
            return;
        }
        UseTree::Group(group) => return group.items.iter().for_each(|part| walk(part, before, found)),
        UseTree::Name(part) => (part.ident.unraw().to_string(), part.ident.unraw().to_string(), part.ident.span().start().line),
        UseTree::Rename(part) => (part.ident.unraw().to_string(), part.rename.to_string(), part.ident.span().start().line),
        UseTree::Glob(part) => ("*".to_owned(), "*".to_owned(), part.star_token.spans[0].start().line),
    };
    // `use a::{self}` is `use a`.
    let is_self = last == "self" && !before.is_empty();
    let path: Vec<String> = before.iter().cloned().chain((!is_self).then_some(last)).collect();
    let name = if is_self && name == "self" { path.last().cloned().unwrap_or_default() } else { name };
    found.push(Used { path, name, line });
}

/// Everything in the tokens of a macro that may be a path, with its line.
pub(super) fn in_tokens(tokens: TokenStream) -> Vec<(Vec<String>, usize)> {
    let mut found: Vec<(Vec<String>, usize)> = Vec::new();
    let mut colons = 0;
    for token in tokens {
        match token {
            TokenTree::Group(group) => {
                found.extend(in_tokens(group.stream()));
                colons = 0;
            }
            TokenTree::Ident(ident) => {
                let (word, line) = (ident.unraw().to_string(), ident.span().start().line);
                match found.last_mut().filter(|_| colons == 2) {
                    Some((path, _)) => path.push(word),
                    None => found.push((vec![word], line)),
                }
                colons = 0;
            }
            TokenTree::Punct(punct) => colons = if punct.as_char() == ':' { colons + 1 } else { 0 },
            TokenTree::Literal(_) => colons = 0,
        }
    }
    found
}

/// Whether this is `#[cfg(test)]`, or only compiled where that is.
pub(super) fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let list = attribute.path().is_ident("cfg").then(|| attribute.meta.require_list().ok()).flatten();
        let words: Vec<String> =
            list.map(|list| list.tokens.clone().into_iter().map(|token| token.to_string()).collect()).unwrap_or_default();
        words == ["test"] || (words.first().is_some_and(|word| word == "all") && words[1..].iter().any(|words| words.contains("test")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(text: &str) -> Vec<String> {
        let item: syn::ItemUse = syn::parse_str(text).unwrap();
        used(&item.tree).iter().map(|used| format!("{} as {}", used.path.join("::"), used.name)).collect()
    }

    #[test]
    fn a_use_names_each_of_its_paths() {
        let expected = ["crate::a as a", "crate::a::B as C", "crate::d::* as *"];
        assert_eq!(paths("use crate::{a::{self, B as C}, d::*};"), expected);
        assert_eq!(paths("use self::e;"), ["self::e as e"]);
    }

    #[test]
    fn paths_are_found_in_the_tokens_of_a_macro() {
        let found = in_tokens("x, Some(super::Y(_)) if a::b::c() == 1".parse().unwrap());
        let found: Vec<String> = found.iter().map(|(path, _)| path.join("::")).collect();
        assert_eq!(found, ["x", "Some", "super::Y", "_", "if", "a::b::c"]);
    }

    #[test]
    fn only_what_is_for_tests_alone_is_for_tests() {
        let is_for_tests = |text: &str| is_for_tests(&syn::parse_str::<syn::ItemMod>(text).unwrap().attrs);
        assert!(is_for_tests("#[cfg(test)] mod a;") && is_for_tests("#[cfg(all(test, unix))] mod a;"));
        assert!(!is_for_tests("#[cfg(unix)] mod a;") && !is_for_tests("#[cfg(not(test))] mod a;"));
    }
}
