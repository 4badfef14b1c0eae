//! What becomes of a reading.

use super::*;
use crate::versions::tests::{numbers, versions};

fn unreadable() -> SiteError {
    SiteError::Unreadable { path: "dist".into(), error: std::io::ErrorKind::PermissionDenied.into() }
}

fn exhausted() -> SiteError {
    SiteError::Exhausted { path: "dist".into(), error: std::io::Error::other("too many open files") }
}

#[test]
fn only_a_reading_that_began_after_the_question_forgets_what_was_before() {
    let (versions, assets) = versions();
    let now = Instant::now();
    assert_eq!(carry_out(Ok(assets("2")), Why::News, &versions, now), Done::Published);
    assert_eq!(numbers(&versions), [2, 1]);
    assert_eq!(carry_out(Ok(assets("3")), Why::Asked, &versions, now), Done::Published);
    assert_eq!(numbers(&versions), [3]);
    carry_out(Ok(assets("4")), Why::News, &versions, now);
    assert_eq!(carry_out(Ok(assets("4")), Why::Asked, &versions, now), Done::Published);
    assert_eq!(numbers(&versions), [4], "also where nothing changed");
}

#[test]
fn what_is_empty_or_cannot_be_read_is_withdrawn_for_who_asked_and_stays_otherwise() {
    for emptied in [|| Ok(Contents::default()), || Err(unreadable())] {
        let (versions, _) = versions();
        assert!(matches!(carry_out(emptied(), Why::News, &versions, Instant::now()), Done::Kept(_)));
        assert_eq!(numbers(&versions), [1]);
        assert_eq!(carry_out(emptied(), Why::Asked, &versions, Instant::now()), Done::Published);
        assert_eq!(numbers(&versions), [2]);
        assert!(versions.current().is_empty());
    }
}

#[test]
fn a_system_out_of_descriptors_says_nothing_of_the_site_and_the_question_stays_open() {
    let (versions, assets) = versions();
    carry_out(Ok(assets("2")), Why::News, &versions, Instant::now());
    assert!(matches!(carry_out(Err(exhausted()), Why::Asked, &versions, Instant::now()), Done::Kept(_)));
    assert_eq!(numbers(&versions), [2, 1]);
}
