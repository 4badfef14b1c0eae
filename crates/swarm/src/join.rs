//! Join tickets: who asks for peers of a page shows that a server of this site answered it with that page.
//!
//! A ticket says for how long it holds, and has a keyed hash of that, of the site and of the page: nothing of who it was given to. Everybody who opens the same page in the same hour is
//! given the same one. The host keeps the key, tells the time, and carries tickets to visitors and back.

use std::{fmt, str::FromStr};

use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use viral_wire::Ticket;

use crate::limits::{JOIN_CLOCK_SKEW_S, JOIN_TICKET_AGE_S, JOIN_TICKETS_MAX};

/// Bytes of the key.
pub const JOIN_KEY_LEN: usize = 32;

/// What tickets are made and checked with. All servers of a site have the same.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinKey([u8; JOIN_KEY_LEN]);

/// Leave to register for one page, until it runs out: seconds since 1970 as 4 bytes, then 12 of the hash. In text 32 lower-case hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JoinTicket([u8; 16]);

/// Why somebody may not register for a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JoinRefusal {
    /// It shows no ticket at all.
    #[error("no join ticket: open the page first, and let its cookie viral-join come along")]
    Missing,
    /// Its ticket for this page was good once.
    #[error("the join ticket of this page ran out: ask for the page again")]
    Expired,
    /// Its tickets are for other pages or sites, or of another key.
    #[error("no join ticket is for this page of this site: ask for the page first")]
    Other,
}

/// A page, as tickets name it.
#[derive(Debug, Clone, Copy)]
pub struct JoinPlace<'a> {
    /// Name of the site, the same on each of its servers and on no other site of theirs.
    pub site: &'a str,
    /// Path of the page.
    pub page: &'a str,
}

impl JoinKey {
    /// The key of these bytes, which nobody else knows.
    #[must_use]
    pub const fn new(secret: [u8; JOIN_KEY_LEN]) -> Self {
        Self(secret)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; JOIN_KEY_LEN] {
        &self.0
    }

    /// A ticket that is given out `now_s` seconds after 1970. It holds until the first full hour after [`JOIN_TICKET_AGE_S`].
    #[must_use]
    pub fn ticket(&self, place: JoinPlace<'_>, now_s: u64) -> JoinTicket {
        let expires_s = now_s.saturating_add(JOIN_TICKET_AGE_S).div_ceil(3_600).saturating_mul(3_600);
        let expires = u32::try_from(expires_s).unwrap_or(u32::MAX).to_be_bytes();
        let mut ticket = [0; 16];
        ticket[..4].copy_from_slice(&expires);
        ticket[4..].copy_from_slice(&self.mac(place, expires).finalize().into_bytes()[..12]);
        JoinTicket(ticket)
    }

    /// Whether one of the tickets lets its holder register for the page `now_s` seconds after 1970.
    ///
    /// # Errors
    /// Why none does.
    pub fn check(&self, place: JoinPlace<'_>, now_s: u64, tickets: &[JoinTicket]) -> Result<(), JoinRefusal> {
        let mut refusal = if tickets.is_empty() { JoinRefusal::Missing } else { JoinRefusal::Other };
        for ticket in tickets.iter().take(JOIN_TICKETS_MAX).filter(|ticket| self.is_of(place, **ticket)) {
            if !ticket.is_over(now_s) {
                return Ok(());
            }
            refusal = JoinRefusal::Expired;
        }
        Err(refusal)
    }

    /// What a visitor has from now on who is answered with a page and showed `tickets`: the new one first, then the newest of its others that still hold.
    #[must_use]
    pub fn renewed(&self, place: JoinPlace<'_>, now_s: u64, tickets: &[JoinTicket]) -> Vec<JoinTicket> {
        let others = tickets.iter().take(JOIN_TICKETS_MAX).filter(|ticket| !ticket.is_over(now_s) && !self.is_of(place, **ticket));
        std::iter::once(self.ticket(place, now_s)).chain(others.copied()).take(JOIN_TICKETS_MAX).collect()
    }

    /// Whether this key made the ticket for this page, whenever it runs out.
    fn is_of(&self, place: JoinPlace<'_>, JoinTicket(ticket): JoinTicket) -> bool {
        let [a, b, c, d, mac @ ..] = ticket;
        self.mac(place, [a, b, c, d]).verify_truncated_left(&mac).is_ok()
    }

    fn mac(&self, JoinPlace { site, page }: JoinPlace<'_>, expires: [u8; 4]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("a key may have any length");
        mac.update(b"viral join ticket 1");
        // Its length goes before it, so that no other site and page come to the same.
        mac.update(&(site.len() as u64).to_be_bytes());
        mac.update(site.as_bytes());
        mac.update(page.as_bytes());
        mac.update(&expires);
        mac
    }
}

/// Never shown.
impl fmt::Debug for JoinKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JoinKey")
    }
}

impl JoinTicket {
    fn is_over(self, now_s: u64) -> bool {
        let [a, b, c, d, ..] = self.0;
        u64::from(u32::from_be_bytes([a, b, c, d])) + JOIN_CLOCK_SKEW_S < now_s
    }
}

impl fmt::Display for JoinTicket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ticket(self.0).fmt(f)
    }
}

impl FromStr for JoinTicket {
    type Err = <Ticket as FromStr>::Err;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(|Ticket(bytes)| Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: JoinKey = JoinKey::new([7; JOIN_KEY_LEN]);
    const A: JoinPlace<'_> = JoinPlace { site: "viral", page: "/a" };
    const NOW: u64 = 1_800_000_000;

    #[test]
    fn a_ticket_is_for_its_page_its_site_and_its_key_alone() {
        let ticket = KEY.ticket(A, NOW);
        assert_eq!(KEY.check(A, NOW, &[ticket]), Ok(()));
        for other in [JoinPlace { page: "/b", ..A }, JoinPlace { site: "other", ..A }, JoinPlace { site: "viral/", page: "a" }] {
            assert_eq!(KEY.check(other, NOW, &[ticket]), Err(JoinRefusal::Other), "{other:?}");
        }
        assert_eq!(JoinKey::new([8; JOIN_KEY_LEN]).check(A, NOW, &[ticket]), Err(JoinRefusal::Other));
        assert_eq!(KEY.check(A, NOW, &[]), Err(JoinRefusal::Missing));
    }

    #[test]
    fn a_ticket_holds_for_hours_and_is_then_said_to_have_run_out() {
        let ticket = KEY.ticket(A, NOW);
        let end = (NOW + JOIN_TICKET_AGE_S).div_ceil(3_600) * 3_600 + JOIN_CLOCK_SKEW_S;
        assert_eq!(KEY.check(A, end, &[ticket]), Ok(()));
        assert_eq!(KEY.check(A, end + 1, &[ticket]), Err(JoinRefusal::Expired));
        assert_eq!(KEY.check(A, end + 1, &KEY.renewed(A, end + 1, &[ticket])), Ok(()));
    }

    #[test]
    fn clocks_may_differ_by_ten_minutes() {
        let end = (NOW + JOIN_TICKET_AGE_S).div_ceil(3_600) * 3_600;
        for (given, checked) in [(NOW, NOW + 600), (NOW + 600, NOW), (NOW, NOW - 600), (NOW, end + 600)] {
            assert_eq!(KEY.check(A, checked, &[KEY.ticket(A, given)]), Ok(()), "given at {given}, shown at {checked}");
        }
    }

    #[test]
    fn whoever_comes_in_the_same_hour_is_given_the_same() {
        let hour = NOW.div_ceil(3_600) * 3_600;
        assert_eq!(KEY.ticket(A, hour + 1), KEY.ticket(A, hour + 3_600));
        assert_ne!(KEY.ticket(A, hour), KEY.ticket(A, hour + 1));
    }

    #[test]
    fn a_visitor_keeps_the_tickets_of_its_newest_pages() {
        let pages: Vec<String> = (0..=JOIN_TICKETS_MAX).map(|n| format!("/{n}")).collect();
        let at = |n: usize| JoinPlace { site: "viral", page: &pages[n] };
        let mut tickets = Vec::new();
        for n in 0..=JOIN_TICKETS_MAX {
            tickets = KEY.renewed(at(n), NOW, &tickets);
        }
        assert_eq!(tickets.len(), JOIN_TICKETS_MAX);
        assert_eq!(KEY.check(at(0), NOW, &tickets), Err(JoinRefusal::Other), "the oldest gave way");
        assert!((1..=JOIN_TICKETS_MAX).all(|n| KEY.check(at(n), NOW, &tickets).is_ok()));
        let again = KEY.renewed(at(1), NOW + 7_200, &tickets);
        assert_eq!((again.len(), again[0]), (JOIN_TICKETS_MAX, KEY.ticket(at(1), NOW + 7_200)), "one for each page");
        let later = NOW + 2 * JOIN_TICKET_AGE_S;
        assert_eq!(KEY.renewed(at(1), later, &tickets), [KEY.ticket(at(1), later)], "what ran out is left out");
    }

    #[test]
    fn of_a_long_list_only_the_first_are_looked_at() {
        let mut list = vec![KEY.ticket(JoinPlace { page: "/b", ..A }, NOW); JOIN_TICKETS_MAX];
        list.push(KEY.ticket(A, NOW));
        assert_eq!(KEY.check(A, NOW, &list), Err(JoinRefusal::Other));
    }

    proptest! {
        #[test]
        fn a_changed_ticket_is_refused_and_every_one_is_read_as_it_is_written(bit in 0..128_usize, page in "/[a-z]{0,9}") {
            let place = JoinPlace { page: &page, ..A };
            let ticket = KEY.ticket(place, NOW);
            prop_assert_eq!(ticket.to_string().parse::<JoinTicket>().ok(), Some(ticket));
            let mut changed = ticket;
            changed.0[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(KEY.check(place, NOW, &[changed]), Err(JoinRefusal::Other));
        }
    }
}
