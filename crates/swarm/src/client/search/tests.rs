//! Searches in virtual time; the stories are traces for the other implementations.

use serde::Serialize;
use serde_json::{Value, json};

use super::*;
use crate::replay;

/// One call, as it stands in a trace.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(tag = "call", rename_all = "kebab-case")]
enum Input {
    Change { met: Met, misses: bool },
    Timeout { met: Met, misses: bool },
}

#[derive(Default)]
struct Traced {
    search: Search,
    steps: Vec<Value>,
}

impl Traced {
    /// How many peers are asked for after this call.
    fn call(&mut self, now: u64, input: Input) -> Option<u8> {
        match input {
            Input::Change { met, misses } => self.search.handle_change(now, met, misses),
            Input::Timeout { met, misses } => self.search.handle_timeout(now, met, misses),
        }
        let output = self.search.poll();
        assert_eq!(self.search.poll(), None);
        let outputs: Vec<_> = output.iter().copied().collect();
        let timeout = self.search.poll_timeout();
        self.steps.push(json!({ "now": now, "input": input, "outputs": outputs, "timeout": timeout }));
        output.map(|SearchOutput::Find { count }| count)
    }

    fn change(&mut self, now: u64, met: Met) -> Option<u64> {
        assert_eq!(self.call(now, Input::Change { met, misses: true }), None);
        self.search.poll_timeout()
    }

    fn timeout(&mut self, now: u64, met: Met) -> Option<u8> {
        self.call(now, Input::Timeout { met, misses: true })
    }

    fn check(&self, name: &str) {
        replay::check("session/search", name, &json!({}), &self.steps);
    }
}

fn met(opened: usize, hopeful: usize, late: usize) -> Met {
    Met { opened, hopeful, late }
}

#[test]
fn who_misses_something_and_knows_nobody_asks_at_once() {
    let mut traced = Traced::default();
    assert_eq!(traced.change(5, met(0, 0, 0)), Some(5));
    assert_eq!(traced.timeout(5, met(0, 0, 0)), Some(4));
    traced.check("alone");
}

#[test]
fn who_misses_nothing_asks_nobody() {
    let mut traced = Traced::default();
    let change = Input::Change { met: met(0, 0, 0), misses: false };
    assert_eq!((traced.call(0, change), traced.search.poll_timeout()), (None, None));
    traced.change(1, met(0, 0, 0));
    let timeout = Input::Timeout { met: met(0, 0, 0), misses: false };
    assert_eq!((traced.call(1, timeout), traced.search.poll_timeout()), (None, None), "everything came meanwhile");
    traced.check("content");
}

#[test]
fn where_nobody_comes_pauses_double_up_to_a_quarter_of_a_minute() {
    let mut traced = Traced::default();
    let mut at = traced.change(0, met(0, 0, 0)).unwrap();
    let mut pauses = Vec::new();
    for _ in 0..6 {
        assert_eq!(traced.timeout(at, met(0, 0, 0)), Some(4));
        let next = traced.search.poll_timeout().unwrap();
        pauses.push(next - at);
        at = next;
    }
    assert_eq!(pauses, [2_000, 4_000, 8_000, FIND_MS_MAX, FIND_MS_MAX, FIND_MS_MAX]);
    traced.check("pauses");
}

#[test]
fn a_search_that_was_made_a_moment_ago_is_not_hurried_by_what_changes() {
    let mut traced = Traced::default();
    traced.change(0, met(0, 0, 0));
    traced.timeout(0, met(0, 0, 0));
    assert_eq!(traced.change(500, met(1, 0, 0)), Some(2_000), "the one that is planned comes first");
    assert_eq!(traced.timeout(1_999, met(1, 0, 0)), None);
    assert_eq!(traced.timeout(2_000, met(1, 0, 0)), Some(3));
    traced.check("planned");
}

#[test]
fn dials_that_may_still_open_count_and_late_ones_do_not() {
    let mut traced = Traced::default();
    assert_eq!(traced.change(0, met(1, 3, 0)), Some(DIAL_HOPED_MS), "it is looked again whether they opened");
    assert_eq!(traced.timeout(DIAL_HOPED_MS, met(2, 0, 2)), Some(2));
    traced.check("late-dials");
}

#[test]
fn who_has_enough_open_connections_looks_for_no_more() {
    let mut traced = Traced::default();
    assert_eq!(traced.change(0, met(4, 0, 0)), None);
    assert_eq!(traced.change(1, met(5, 0, 0)), None);
    assert_eq!(traced.change(2, met(3, 0, 0)), Some(2), "one is gone");
    assert_eq!(traced.timeout(2, met(3, 0, 0)), Some(1));
    traced.check("enough");
}

#[test]
fn pauses_begin_anew_once_enough_connections_opened() {
    let mut traced = Traced::default();
    traced.change(0, met(0, 0, 0));
    traced.timeout(0, met(0, 0, 0));
    assert_eq!(traced.timeout(2_000, met(4, 0, 0)), None);
    assert_eq!(traced.search.poll_timeout(), None);
    assert_eq!(traced.change(9_000, met(3, 0, 0)), Some(9_000), "the next one is at once again");
    traced.check("anew");
}

#[test]
fn dials_that_never_open_do_not_end_the_pauses() {
    let mut traced = Traced::default();
    traced.change(0, met(0, 0, 0));
    traced.timeout(0, met(0, 0, 0));
    assert_eq!(traced.timeout(2_000, met(0, 4, 0)), None, "four are on their way");
    assert_eq!(traced.search.poll_timeout(), Some(2_000 + DIAL_HOPED_MS));
    assert_eq!(traced.timeout(4_500, met(0, 0, 4)), Some(4));
    assert_eq!(traced.search.poll_timeout(), Some(4_500 + 4_000), "and not 1 s as at first");
    traced.check("never-open");
}
