//! The modules of a crate, and which of them a path leads to.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, bail};
use syn::{Attribute, Ident, Item, Visibility};

use super::paths::{Used, is_for_tests, used};

/// So many names may stand for each other in a row.
const NAMES_MAX: usize = 16;

/// One module: a file, or a part of one in braces.
pub(super) struct Module {
    /// Its file, by its path below the crate's folder.
    pub(super) file: String,
    pub(super) parent: Option<usize>,
    pub(super) children: BTreeMap<String, usize>,
    pub(super) items: Vec<Item>,
    /// What a `use` makes known here, or passes on.
    uses: Vec<Used>,
    /// What is defined here.
    names: BTreeSet<String>,
}

/// The modules of one crate; the first is its root.
#[derive(Default)]
pub(super) struct Modules(pub(super) Vec<Module>);

/// Where a path leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) module: usize,
    /// It is something in that module, not the module itself.
    pub(super) is_item: bool,
}

impl Modules {
    /// The modules of a crate from its files, tests left out.
    pub(super) fn read(files: &BTreeMap<String, String>) -> anyhow::Result<Self> {
        let mut modules = Self::default();
        modules.read_file(files, "lib.rs", "", None)?;
        Ok(modules)
    }

    fn read_file(&mut self, files: &BTreeMap<String, String>, file: &str, folder: &str, parent: Option<usize>) -> anyhow::Result<usize> {
        let text = files.get(file).with_context(|| format!("there is no {file}"))?;
        let items = syn::parse_file(text).with_context(|| format!("reading {file}"))?.items;
        self.read_module(files, file, folder, parent, items)
    }

    fn read_module(
        &mut self,
        files: &BTreeMap<String, String>,
        file: &str,
        folder: &str,
        parent: Option<usize>,
        items: Vec<Item>,
    ) -> anyhow::Result<usize> {
        let own = self.0.len();
        let mut items: Vec<Item> = items.into_iter().filter(|item| !is_for_tests(parts(item).2)).collect();
        let uses = items.iter().filter_map(|item| if let Item::Use(item) = item { Some(used(&item.tree)) } else { None });
        let (uses, names) = (uses.flatten().collect(), items.iter().filter_map(name_of).collect());
        self.0.push(Module { file: file.to_owned(), parent, children: BTreeMap::new(), items: Vec::new(), uses, names });
        for item in &mut items {
            let Item::Mod(child) = item else { continue };
            if child.attrs.iter().any(|attribute| attribute.path().is_ident("path")) {
                bail!("{file}: a module with a path of its own is not understood");
            }
            let name = child.ident.to_string();
            let below = format!("{folder}{name}/");
            let index = match &mut child.content {
                Some((_, items)) => self.read_module(files, file, &below, Some(own), std::mem::take(items))?,
                None => self.read_file(files, &format!("{folder}{name}.rs"), &below, Some(own))?,
            };
            self.0[own].children.insert(name, index);
        }
        self.0[own].items = items;
        Ok(own)
    }

    /// Where a path leads that is written in a module; `None` out of the crate, or to something of a function.
    pub(super) fn target(&self, from: usize, path: &[String]) -> Option<Target> {
        self.follow(from, path, NAMES_MAX)
    }

    fn follow(&self, from: usize, path: &[String], names_left: usize) -> Option<Target> {
        let names_left = names_left.checked_sub(1)?;
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => self.walk(0, rest, names_left),
            "self" => self.walk(from, rest, names_left),
            "super" => self.walk(self.0[from].parent?, rest, names_left),
            // Every other first word may be another crate's, or everybody's.
            _ => self.step(from, first, rest, names_left),
        }
    }

    /// On from a module.
    fn walk(&self, at: usize, rest: &[String], names_left: usize) -> Option<Target> {
        let Some((first, rest)) = rest.split_first() else { return Some(Target { module: at, is_item: false }) };
        match first.as_str() {
            "super" => self.walk(self.0[at].parent?, rest, names_left),
            // Where everything is used, and what is made by a macro, is in the module itself.
            _ => self.step(at, first, rest, names_left).or(Some(Target { module: at, is_item: first != "*" })),
        }
    }

    /// What a name stands for in a module: something of it, a module below it, or what a `use` says.
    fn step(&self, at: usize, name: &str, rest: &[String], names_left: usize) -> Option<Target> {
        let module = &self.0[at];
        let child = module.children.get(name).copied();
        if let Some(child) = child.filter(|_| !rest.is_empty()) {
            return self.walk(child, rest, names_left);
        }
        if module.names.contains(name) {
            return Some(Target { module: at, is_item: true });
        }
        let named = module.uses.iter().find(|used| used.name == name).map(|used| used.path.iter().chain(rest).cloned().collect::<Vec<_>>());
        if let Some(path) = named {
            return self.follow(at, &path, names_left);
        }
        if let Some(child) = child {
            return Some(Target { module: child, is_item: false });
        }
        // Of what is used altogether only that which is really there.
        module.uses.iter().filter(|used| used.name == "*").find_map(|used| {
            let names_left = names_left.checked_sub(1)?;
            let module = self.follow(at, used.path.split_last()?.1, names_left)?.module;
            self.step(module, name, rest, names_left)
        })
    }
}

/// The name of what an item defines, but for modules.
fn name_of(item: &Item) -> Option<String> {
    let is_other = matches!(item, Item::Mod(_) | Item::Use(_));
    parts(item).0.filter(|_| !is_other).map(Ident::to_string)
}

/// Who else may name an item; `None` for what has no name of its own.
pub(super) fn visibility(item: &Item) -> Option<&Visibility> {
    parts(item).1
}

/// Name, visibility and attributes of an item, as far as it has them.
fn parts(item: &Item) -> (Option<&Ident>, Option<&Visibility>, &[Attribute]) {
    match item {
        Item::Const(item) => (Some(&item.ident), Some(&item.vis), &item.attrs),
        Item::Enum(item) => (Some(&item.ident), Some(&item.vis), &item.attrs),
        Item::Fn(item) => (Some(&item.sig.ident), Some(&item.vis), &item.attrs),
        Item::Impl(item) => (None, None, &item.attrs),
        Item::Macro(item) => (item.ident.as_ref(), None, &item.attrs),
        Item::Mod(item) => (Some(&item.ident), Some(&item.vis), &item.attrs),
        Item::Static(item) => (Some(&item.ident), Some(&item.vis), &item.attrs),
        Item::Struct(item) => (Some(&item.ident), Some(&item.vis), &item.attrs),
        Item::Trait(item) => (Some(&item.ident), Some(&item.vis), &item.attrs),
        Item::Type(item) => (Some(&item.ident), Some(&item.vis), &item.attrs),
        Item::Union(item) => (Some(&item.ident), Some(&item.vis), &item.attrs),
        Item::Use(item) => (None, Some(&item.vis), &item.attrs),
        // Items of other languages, and what syn does not know yet.
        Item::ExternCrate(_) | Item::ForeignMod(_) | Item::TraitAlias(_) | Item::Verbatim(_) | _ => (None, None, &[]),
    }
}
