//! What visitors are asked to give: nothing in quiet hours, and a volume for each day.

use viral_swarm::tracker::ClientAddr;
use viral_wire::signal::{Counts, PeerNumber, PeerToTracker, TrackerToPeer};

use crate::Viral;
use crate::hub::{Outgoing, OutgoingReceiver, keep_quiet, unix_s};
use crate::testing::{SITE, answer, seeder, viral, visit};

const NOTHING: [u8; 0] = [];

/// Hours that began one ago and last for two, as the setting is written.
fn hours_of_now() -> String {
    let time = |minute: u64| format!("{:02}:{:02}", minute / 60 % 24, minute % 60);
    let minute = unix_s() / 60 + 24 * 60;
    format!("{}-{}", time(minute - 60), time(minute + 60))
}

/// The slots that a session was told of since the last time, with its welcome.
fn slots_told(outgoing: &mut OutgoingReceiver) -> Vec<u8> {
    let mut told = Vec::new();
    while let Some(sent) = outgoing.try_recv() {
        match sent {
            Outgoing::Signal(signal) => {
                if let TrackerToPeer::Welcome { slots, .. } | TrackerToPeer::Limits { slots, .. } = *signal {
                    told.push(slots);
                }
            }
            Outgoing::Close(reason) => panic!("{reason:?}"),
        }
    }
    told
}

fn gave(viral: &Viral, peer: PeerNumber, bytes_to_peers: u64) {
    viral.app.hub.message(peer, PeerToTracker::Counts(Counts { bytes_to_peers, ..Counts::default() }));
}

#[tokio::test]
async fn in_quiet_hours_pages_come_whole_and_nobody_new_gives() {
    let viral = viral(&SITE, |config| config.quiet_hours = Some(hours_of_now().parse().unwrap())).await;
    // What its own task does sooner or later.
    let telling = tokio::spawn(keep_quiet(std::sync::Arc::clone(&viral.app.hub), viral.app.quiet_hours.unwrap().0));
    tokio::task::yield_now().await;
    let (_peer, mut outgoing) = seeder(&viral, "/");
    assert_eq!(answer(&visit(&viral, "/", &[]).await), "full; reason=quiet-hours");
    assert_eq!(answer(&visit(&viral, "/", &[("save-data", "on")]).await), "plain; reason=save-data");
    let hub = &viral.app.hub;
    let (browser, mut told) = hub.join(ClientAddr::at([192, 0, 2, 1].into()));
    hub.message(browser, PeerToTracker::Register { page: "/".to_owned(), manifest: None, ticket: None, slots: 4 });
    assert_eq!(slots_told(&mut told), [0]);
    assert_eq!(slots_told(&mut outgoing), NOTHING, "it was welcomed without slots, too");
    let (native, mut told) = hub.join(ClientAddr { is_native: true, ..ClientAddr::at([192, 0, 2, 2].into()) });
    hub.message(native, PeerToTracker::Register { page: "/".to_owned(), manifest: None, ticket: None, slots: 4 });
    assert_eq!(slots_told(&mut told), [4]);
    telling.abort();
}

#[tokio::test]
async fn when_quiet_hours_begin_those_who_are_there_stop() {
    let viral = viral(&SITE, |_| ()).await;
    let (_peer, mut outgoing) = seeder(&viral, "/");
    assert_eq!(answer(&visit(&viral, "/", &[]).await), "thin; reason=peer-near");
    let telling = tokio::spawn(keep_quiet(std::sync::Arc::clone(&viral.app.hub), hours_of_now().parse().unwrap()));
    let told = tokio::time::timeout(std::time::Duration::from_secs(10), async {
        loop {
            match slots_told(&mut outgoing).as_slice() {
                [] => tokio::task::yield_now().await,
                told => break told.to_vec(),
            }
        }
    });
    assert_eq!(told.await.unwrap(), [0]);
    assert_eq!(answer(&visit(&viral, "/", &[]).await), "full; reason=no-peer-near", "the site itself has no such hours");
    telling.abort();
}

#[tokio::test]
async fn whoever_gave_its_volume_is_introduced_to_nobody() {
    let viral = viral(&SITE, |config| config.upload_volume = "1M".parse().unwrap()).await;
    let (peer, mut outgoing) = seeder(&viral, "/");
    gave(&viral, peer, (1 << 20) - 1);
    assert_eq!(slots_told(&mut outgoing), NOTHING);
    assert_eq!(answer(&visit(&viral, "/", &[]).await), "thin; reason=peer-near");
    gave(&viral, peer, 1);
    assert_eq!(slots_told(&mut outgoing), [0]);
    assert_eq!(answer(&visit(&viral, "/", &[]).await), "full; reason=no-peer-near");
}
