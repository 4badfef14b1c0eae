//! When a timer that moves with every packet is looked at: a timer that was set stays set, and no time is set twice.

use viral_netsim::link::Nanos;

/// The looks at one timer.
#[derive(Debug, Default)]
pub(super) struct Looks {
    /// The next one, as far as it was planned since the last.
    next: Option<Nanos>,
    /// All that are set, the latest first: at most one for each time, however often the timer moves back and forth.
    set: Vec<Nanos>,
}

impl Looks {
    /// The timer is due then. True: a look is to be set for that time; otherwise one comes early enough.
    pub(super) fn plan(&mut self, at: Nanos) -> bool {
        if self.next.is_some_and(|next| next <= at) {
            return false;
        }
        self.next = Some(at);
        let place = self.set.partition_point(|set| *set > at);
        let is_new = self.set.get(place) != Some(&at);
        if is_new {
            self.set.insert(place, at);
        }
        is_new
    }

    /// The first look that was set is due.
    pub(super) fn handle_due(&mut self) {
        self.next = None;
        self.set.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_earlier_time_is_set_and_a_later_one_waits_for_the_next_look() {
        let mut looks = Looks::default();
        assert!(looks.plan(20));
        assert!(!looks.plan(30));
        assert!(looks.plan(10));
        looks.handle_due();
        assert!(looks.plan(30));
        looks.handle_due();
        assert_eq!(looks.set, [30]);
    }

    #[test]
    fn a_time_that_is_set_is_not_set_again() {
        let mut looks = Looks::default();
        assert!(looks.plan(20) && looks.plan(10));
        looks.handle_due();
        assert!(!looks.plan(20), "the look from before comes then");
        looks.handle_due();
        assert!(looks.plan(20) && looks.set == [20]);
    }
}
