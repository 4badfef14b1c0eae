//! Which file of a crate uses which.
//!
//! A file uses another where it says so, in a `use`, in any other path or in the tokens of a macro, and where a parent has a method that the other gives its type. A
//! name that is passed on leads to the file that defines it, whoever passes it on; `mod child;` and `pub use child::X;` alone are no uses. Tests are left out.
//!
//! What this cannot see: a method of a *chapter*, a file with nothing that others can name but blocks `impl super::Type { .. }`. It counts as part of the
//! file of its parent, so that a type with chapters is one thing here, however many files it has. Their number has a maximum for that reason. Methods of traits, and
//! what a macro makes, are not followed either.

use std::collections::BTreeMap;

use syn::visit::{self, Visit};
use syn::{Attribute, Expr, ExprCall, Item, ItemImpl, ItemMod, ItemUse, Macro, Path, Stmt, Type, Visibility};

use super::graph::Graph;
use super::modules::{Modules, visibility};
use super::paths::{Used, in_tokens, is_for_tests, used};

/// The files of a crate and what they use of each other.
pub(super) struct Tree {
    pub(super) graph: Graph,
}

/// Reads a crate from its files, by their path below the folder of `lib.rs`.
pub(super) fn read(files: &BTreeMap<String, String>) -> anyhow::Result<Tree> {
    let modules = Modules::read(files)?;
    let mut graph = Graph::default();
    for (own, module) in modules.0.iter().enumerate() {
        let mut reader = Reader { modules: &modules, own, graph: &mut graph, depth: 0, is_chapter: false };
        module.items.iter().for_each(|item| reader.visit_item(item));
        let is_chapter = reader.is_chapter && module.children.is_empty() && !module.items.iter().any(is_nameable);
        if let Some(parent) = module.parent.filter(|_| is_chapter) {
            graph.merge(&module.file, &modules.0[parent].file);
        }
    }
    Ok(Tree { graph })
}

fn is_nameable(item: &Item) -> bool {
    visibility(item).is_some_and(|visibility| !matches!(visibility, Visibility::Inherited))
}

/// Walks through one module.
struct Reader<'a> {
    modules: &'a Modules,
    own: usize,
    graph: &'a mut Graph,
    /// How many functions it is in.
    depth: usize,
    /// It found a block of methods of the parent's type.
    is_chapter: bool,
}

impl Reader<'_> {
    fn file(&self, module: usize) -> &str {
        &self.modules.0[module].file
    }

    fn note(&mut self, path: &[String], line: usize) {
        if let Some(target) = self.modules.target(self.own, path) {
            self.graph.add(&self.modules.0[self.own].file, &self.modules.0[target.module].file, line);
        }
    }

    /// A path in code. One word alone may be that of a variable: it counts only where it is written like a type or a constant, or `is_called`.
    fn note_in_code(&mut self, path: &[String], line: usize, is_called: bool) {
        let is_one = path.len() == 1;
        let is_variable = is_one && !is_called && !path[0].starts_with(char::is_uppercase);
        let is_item = self.modules.target(self.own, path).is_some_and(|target| target.is_item);
        if !is_variable && (is_item || !is_one) {
            self.note(path, line);
        }
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        if self.depth == 0 && !matches!(item.vis, Visibility::Inherited) {
            return;
        }
        for Used { path, line, .. } in used(&item.tree) {
            self.note(&path, line);
        }
    }

    fn visit_path(&mut self, path: &'ast Path) {
        self.note_in_code(&words(path), line_of(path), false);
        visit::visit_path(self, path);
    }

    fn visit_expr_call(&mut self, call: &'ast ExprCall) {
        if let Expr::Path(called) = &*call.func {
            self.note_in_code(&words(&called.path), line_of(&called.path), true);
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_macro(&mut self, found: &'ast Macro) {
        for (path, line) in in_tokens(found.tokens.clone()) {
            self.note_in_code(&path, line, false);
        }
        visit::visit_macro(self, found);
    }

    fn visit_item_impl(&mut self, block: &'ast ItemImpl) {
        if is_for_tests(&block.attrs) {
            return;
        }
        if let (None, Type::Path(of)) = (&block.trait_, &*block.self_ty) {
            let target = self.modules.target(self.own, &words(&of.path));
            let parent = self.modules.0[self.own].parent;
            if let Some(target) = target.filter(|target| target.module != self.own) {
                let (from, to) = (self.file(target.module).to_owned(), self.file(self.own).to_owned());
                self.graph.add(&from, &to, block.impl_token.span.start().line);
                self.is_chapter |= Some(target.module) == parent;
            }
        }
        visit::visit_item_impl(self, block);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if !is_for_tests(&item.attrs) {
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_stmt(&mut self, statement: &'ast Stmt) {
        self.depth += 1;
        visit::visit_stmt(self, statement);
        self.depth -= 1;
    }

    /// A module in braces is one of its own.
    fn visit_item_mod(&mut self, _: &'ast ItemMod) {}

    /// `pub(super)` uses nothing of the parent.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}

    fn visit_attribute(&mut self, _: &'ast Attribute) {}
}

fn words(path: &Path) -> Vec<String> {
    path.segments.iter().map(|segment| segment.ident.to_string()).collect()
}

fn line_of(path: &Path) -> usize {
    path.segments.first().map_or(0, |segment| segment.ident.span().start().line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> Tree {
        let files = files.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned())).collect();
        read(&files).unwrap()
    }

    fn arrows(files: &[(&str, &str)]) -> Vec<String> {
        tree(files).graph.arrows()
    }

    fn has_circle(files: &[(&str, &str)]) -> bool {
        !tree(files).graph.circles().is_empty()
    }

    const ROOT: (&str, &str) = ("lib.rs", "mod a; mod b; pub use b::B;");

    #[test]
    fn a_use_a_path_and_the_tokens_of_a_macro_are_uses() {
        assert_eq!(arrows(&[ROOT, ("a.rs", "use crate::b::B;"), ("b.rs", "pub struct B;")]), ["a.rs -> b.rs"]);
        assert_eq!(arrows(&[ROOT, ("a.rs", "fn a(_: super::b::B) {}"), ("b.rs", "pub struct B;")]), ["a.rs -> b.rs"]);
        assert_eq!(arrows(&[ROOT, ("a.rs", "fn a() { use super::b; b::f(); }"), ("b.rs", "pub fn f() {}")]), ["a.rs -> b.rs"]);
        assert_eq!(arrows(&[ROOT, ("a.rs", "fn a() { vec![crate::b::B]; }"), ("b.rs", "pub struct B;")]), ["a.rs -> b.rs"]);
    }

    #[test]
    fn what_is_passed_on_leads_to_who_defines_it() {
        let defined =
            [("lib.rs", "mod a; mod b;"), ("b.rs", "mod c; pub use c::C as D; pub use c::*;"), ("b/c.rs", "pub struct C; pub fn f() {}")];
        let with = |a| arrows(&[("a.rs", a), defined[0], defined[1], defined[2]]);
        assert_eq!(with("use crate::b::D;"), ["a.rs -> b/c.rs"]);
        assert_eq!(with("fn a() { crate::b::f() }"), ["a.rs -> b/c.rs"]);
        assert_eq!(with("use crate::b;"), ["a.rs -> b.rs"]);
    }

    #[test]
    fn declaring_a_child_and_passing_on_what_it_has_is_no_use_but_using_that_is() {
        let child = ("a.rs", "use super::B; pub struct A;");
        let sibling = ("b.rs", "pub struct B;");
        assert_eq!(arrows(&[("lib.rs", "mod a; mod b; pub use b::B; pub use a::A;"), child, sibling]), ["a.rs -> b.rs"]);
        let using = ("lib.rs", "mod a; mod b; pub use b::B;\n\nstruct S { b: Option<B> }");
        assert_eq!(arrows(&[using, child, sibling]), ["a.rs -> b.rs", "lib.rs -> b.rs"]);
    }

    #[test]
    fn a_child_and_its_parent_that_use_each_other_are_a_circle() {
        let parent = ("lib.rs", "mod a;\nuse a::A;\npub struct P(A);");
        let circles = tree(&[parent, ("a.rs", "use super::P; pub struct A(Box<P>);")]).graph.circles();
        assert_eq!(
            circles[0].show("src"),
            "a circle of 2 files in src: a.rs, lib.rs\n    src/a.rs:1 uses lib.rs\n    src/lib.rs:2,3 uses a.rs"
        );
        assert!(!has_circle(&[parent, ("a.rs", "pub struct A;")]));
    }

    #[test]
    fn tests_visibilities_and_variables_use_nothing() {
        let a = "pub(super) fn a(b: u8) -> u8 { b }\n#[cfg(test)] mod tests { use super::super::b::B; }\n#[cfg(test)] mod more;\n\
                 impl X { #[cfg(test)] fn t() { crate::b::f(); } }\nstruct X;";
        assert!(arrows(&[("lib.rs", "mod a; mod b; use b::f as b2;"), ("a.rs", a), ("b.rs", "pub fn f() {}")]) == ["lib.rs -> b.rs"]);
    }

    #[test]
    fn a_chapter_counts_as_part_of_its_parent_only_while_it_has_nothing_else_to_name() {
        let root = ("lib.rs", "mod a; mod b;\nuse b::B;\npub struct P(B);");
        let chapter = ("a.rs", "use super::P; const K: u8 = 1; impl P { pub(super) fn f(&self) -> u8 { K } }");
        let tree = tree(&[root, chapter, ("b.rs", "pub struct B;")]);
        assert!(tree.graph.circles().is_empty());
        assert_eq!(tree.graph.chapters(), 1);
        // Its parent has its methods, so that it is above everything that its parent uses.
        assert!(has_circle(&[root, chapter, ("b.rs", "pub struct B; fn f(p: &super::P) {}")]));
        let with_type = ("a.rs", "use super::P; pub struct Q; impl P { fn f(&self) {} }");
        assert!(has_circle(&[root, with_type, ("b.rs", "pub struct B;")]));
    }

    #[test]
    fn methods_for_a_siblings_type_are_a_use_by_the_sibling() {
        let files = [("lib.rs", "mod a; mod b;"), ("a.rs", "use super::b::B; impl B { pub fn f() {} }"), ("b.rs", "pub struct B;")];
        assert_eq!(arrows(&files), ["a.rs -> b.rs", "b.rs -> a.rs"]);
    }

    #[test]
    fn a_module_in_braces_is_of_its_file() {
        let files = [
            ("lib.rs", "mod a { pub mod b { use super::super::c::C; } pub use c::C; } mod c;"),
            ("c.rs", "use crate::a::b; pub struct C;"),
        ];
        assert_eq!(arrows(&files), ["c.rs -> lib.rs", "lib.rs -> c.rs"]);
    }

    #[test]
    fn a_file_that_is_not_there_is_an_error() {
        assert!(read(&[("lib.rs".to_owned(), "mod a;".to_owned())].into()).is_err());
    }
}
