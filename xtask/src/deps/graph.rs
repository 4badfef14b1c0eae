//! Which file uses which, on which lines, and the circles in that.

use std::collections::{BTreeMap, BTreeSet};

/// Files and what they use of each other.
#[derive(Debug, Default)]
pub(super) struct Graph {
    /// By the user and the used: the lines of the user.
    uses: BTreeMap<String, BTreeMap<String, BTreeSet<usize>>>,
    /// Files that count as part of another, with that other.
    parts: BTreeMap<String, String>,
}

/// Files of which each uses each other, if only through others.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Circle {
    files: Vec<String>,
    /// Who uses whom, and on which lines.
    uses: Vec<(String, String, Vec<usize>)>,
}

impl Circle {
    /// In words, with each path below `root`.
    pub(super) fn show(&self, root: &str) -> String {
        let mut lines = vec![format!("a circle of {} files in {root}: {}", self.files.len(), self.files.join(", "))];
        for (from, to, at) in &self.uses {
            let at: Vec<String> = at.iter().map(usize::to_string).collect();
            lines.push(format!("    {root}/{from}:{} uses {to}", at.join(",")));
        }
        lines.join("\n")
    }
}

impl Graph {
    /// A file uses another on this line.
    pub(super) fn add(&mut self, from: &str, to: &str, line: usize) {
        if from != to {
            self.uses.entry(from.to_owned()).or_default().entry(to.to_owned()).or_default().insert(line);
        }
    }

    /// A file counts as part of another.
    pub(super) fn merge(&mut self, part: &str, whole: &str) {
        // A module in braces is in the file of its parent.
        if part != whole {
            self.parts.insert(part.to_owned(), whole.to_owned());
        }
    }

    /// How many files count as part of another.
    pub(super) fn chapters(&self) -> usize {
        self.parts.len()
    }

    /// Every circle, each file in at most one.
    pub(super) fn circles(&self) -> Vec<Circle> {
        let mut wholes: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (from, used) in &self.uses {
            let targets = used.keys().map(|to| self.whole(to));
            wholes.entry(self.whole(from)).or_default().extend(targets);
        }
        let reached: BTreeMap<&str, BTreeSet<&str>> = wholes.keys().map(|from| (*from, reached(&wholes, from))).collect();
        let mut known = BTreeSet::new();
        let mut circles = Vec::new();
        for (from, from_it) in &reached {
            let is_mutual = |other: &&&str| reached.get(**other).is_some_and(|back| back.contains(from));
            let circle: BTreeSet<&str> = from_it.iter().filter(is_mutual).copied().collect();
            if circle.len() > 1 && !known.contains(from) {
                known.extend(circle.iter().copied());
                circles.push(self.circle(&circle));
            }
        }
        circles
    }

    /// The circle of these, their parts among its files.
    fn circle(&self, wholes: &BTreeSet<&str>) -> Circle {
        let mut files = BTreeSet::new();
        let mut uses = Vec::new();
        for (from, used) in &self.uses {
            for (to, at) in used {
                let (whole, other) = (self.whole(from), self.whole(to));
                if whole != other && wholes.contains(whole) && wholes.contains(other) {
                    files.extend([from.clone(), to.clone()]);
                    uses.push((from.clone(), to.clone(), at.iter().copied().collect()));
                }
            }
        }
        Circle { files: files.into_iter().collect(), uses }
    }

    fn whole<'a>(&'a self, file: &'a str) -> &'a str {
        self.parts.get(file).map_or(file, |whole| self.whole(whole))
    }
}

/// Everything that one uses, if only through others.
fn reached<'a>(uses: &BTreeMap<&'a str, BTreeSet<&'a str>>, from: &str) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut left: Vec<&str> = uses.get(from).into_iter().flatten().copied().collect();
    while let Some(next) = left.pop() {
        if found.insert(next) {
            left.extend(uses.get(next).into_iter().flatten());
        }
    }
    found
}

#[cfg(test)]
impl Graph {
    /// Who uses whom, as `from -> to`.
    pub(super) fn arrows(&self) -> Vec<String> {
        let arrows = |(from, used): (&String, &BTreeMap<String, BTreeSet<usize>>)| {
            used.keys().map(|to| format!("{from} -> {to}")).collect::<Vec<_>>()
        };
        self.uses.iter().flat_map(arrows).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(arrows: &[(&str, &str)]) -> Graph {
        let mut graph = Graph::default();
        for (line, (from, to)) in (1..).zip(arrows) {
            graph.add(from, to, line);
        }
        graph
    }

    fn files(graph: &Graph) -> Vec<String> {
        graph.circles().iter().map(|circle| circle.files.join(" ")).collect()
    }

    #[test]
    fn files_that_point_one_way_are_no_circle() {
        assert!(files(&graph(&[("a", "b"), ("a", "c"), ("b", "c"), ("a", "a")])).is_empty());
    }

    #[test]
    fn each_circle_is_found_once_with_the_lines_that_make_it() {
        let graph = graph(&[("a", "b"), ("b", "c"), ("c", "a"), ("c", "d"), ("d", "e"), ("e", "d"), ("f", "a")]);
        assert_eq!(files(&graph), ["a b c", "d e"]);
        assert_eq!(graph.circles()[1].show("x"), "a circle of 2 files in x: d, e\n    x/d:5 uses e\n    x/e:6 uses d");
    }

    #[test]
    fn a_part_and_its_whole_are_one() {
        let mut graph = graph(&[("whole", "part"), ("part", "whole"), ("part", "low")]);
        graph.merge("part", "whole");
        assert!(files(&graph).is_empty());
        graph.add("low", "whole", 9);
        assert_eq!(files(&graph), ["low part whole"]);
    }
}
