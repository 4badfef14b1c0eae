//! The coded forms of one object: each made once, however many ask, and none that is not worth it.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::watch;

use viral_wire::Digest;

use super::{
    background,
    compress::{Coding, Effort, compress},
    limits::{ENCODE_LEN_MAX, ENCODE_LEN_MIN, ENCODED_PERMILLE_MAX, QUICK_LEN_MAX, THOROUGH_DELAY},
    store::{Blob, BlobWriter, Store},
};

/// The coded body, or `None` when it would not be smaller by enough.
type Outcome = Option<Arc<Blob>>;

/// A coded form of an object, ready to be sent.
#[derive(Debug, Clone)]
pub(super) struct Encoded {
    /// How it is coded.
    pub(super) coding: Coding,
    /// How hard was tried: two efforts give different bytes and so need different entity tags.
    pub(super) effort: Effort,
    /// The coded bytes.
    pub(super) blob: Arc<Blob>,
}

#[derive(Debug, Default)]
enum Slot {
    #[default]
    Untried,
    Running(watch::Receiver<Option<Outcome>>),
    Done(Outcome),
}

/// What one look at the coded forms tells.
struct Look {
    /// The smallest form made so far in one of the codings asked about.
    smallest: Option<Encoded>,
    /// Whether the site came with any of them.
    is_any_given: bool,
    is_thorough_given: bool,
    is_thorough_begun: bool,
    is_thorough_done: bool,
}

/// Coded forms made so far of one content, by coding and effort.
#[derive(Debug)]
pub(super) struct Encodings {
    store: Arc<Store>,
    /// The digest of the content.
    digest: Digest,
    /// The content.
    plain: Arc<Blob>,
    slots: Mutex<[[Slot; 3]; 3]>,
}

impl Encodings {
    /// No coded form yet of this content; they will live in `store`.
    pub(super) fn new(store: &Arc<Store>, digest: Digest, plain: Arc<Blob>) -> Self {
        Self { store: Arc::clone(store), digest, plain, slots: Mutex::default() }
    }

    fn with<T>(&self, coding: Coding, effort: Effort, use_slot: impl FnOnce(&mut Slot) -> T) -> T {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        use_slot(&mut slots[coding as usize][effort as usize])
    }

    /// Takes a form that the site came with; its bytes must be those of the object in this coding.
    pub(super) fn give(&self, coding: Coding, blob: Arc<Blob>) {
        self.with(coding, Effort::Given, |slot| *slot = Slot::Done(Some(blob)));
    }

    /// Forgets a form whose file is gone: it is made anew when somebody asks.
    pub(super) fn forget(&self, coding: Coding, effort: Effort) {
        self.with(coding, effort, |slot| *slot = Slot::Untried);
    }

    /// Whether the site came with a form in this coding.
    pub(super) fn has_given(&self, coding: Coding) -> bool {
        self.with(coding, Effort::Given, |slot| matches!(slot, Slot::Done(_)))
    }

    /// What there is for who accepts these codings, and how far the thorough form in `thorough` is.
    fn look(&self, accepted: &[Coding], thorough: Coding) -> Look {
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = |coding: Coding, effort: Effort| &slots[coding as usize][effort as usize];
        let is_given = |coding: Coding| matches!(slot(coding, Effort::Given), Slot::Done(Some(_)));
        let form = |coding: Coding, effort: Effort| match slot(coding, effort) {
            Slot::Done(Some(blob)) => Some((coding, effort, blob)),
            Slot::Done(None) | Slot::Untried | Slot::Running(_) => None,
        };
        let forms = accepted.iter().flat_map(|coding| [Effort::Given, Effort::Thorough, Effort::Quick].map(|effort| form(*coding, effort)));
        // Not always the one that took longest.
        let smallest = forms.flatten().min_by_key(|(.., blob)| blob.len());
        Look {
            smallest: smallest.map(|(coding, effort, blob)| Encoded { coding, effort, blob: Arc::clone(blob) }),
            is_any_given: accepted.iter().any(|coding| is_given(*coding)),
            is_thorough_given: is_given(thorough),
            is_thorough_begun: !matches!(slot(thorough, Effort::Thorough), Slot::Untried),
            is_thorough_done: matches!(slot(thorough, Effort::Thorough), Slot::Done(_)),
        }
    }

    /// Forgets quick forms that a thorough one of `len` bytes replaces. A client that accepts none but theirs gets a new one.
    fn drop_quick_forms_over(&self, len: u64) {
        for &coding in Coding::OFFERED {
            self.with(coding, Effort::Quick, |slot| {
                if matches!(slot, Slot::Done(Some(blob)) if blob.len() >= len) {
                    *slot = Slot::Untried;
                }
            });
        }
    }
}

/// The best form to send now among `accepted` codings (all equally welcome to the client); `None` is identity.
///
/// Asking begins a thorough form in the background; once it exists the smallest is sent. Until then small content is coded quickly,
/// which the first to ask waits for, and large content goes out as it is.
pub(super) async fn choose(encodings: &Arc<Encodings>, accepted: &[Coding]) -> Option<Encoded> {
    let len = encodings.plain.len();
    let is_made = (ENCODE_LEN_MIN..=ENCODE_LEN_MAX).contains(&len);
    let thorough = Coding::OFFERED.iter().copied().find(|coding| accepted.contains(coding))?;
    let look = encodings.look(accepted, thorough);
    let is_wanted = is_made && !look.is_thorough_given;
    if is_wanted && !look.is_thorough_begun {
        drop(begin(encodings, thorough, Effort::Thorough));
    }
    if look.is_any_given || look.is_thorough_done {
        return look.smallest;
    }
    if !is_made {
        return None;
    }
    let by_speed = [Coding::Zstd, Coding::Gzip, Coding::Brotli];
    let coding = by_speed.into_iter().find(|coding| accepted.contains(coding))?;
    if len > QUICK_LEN_MAX {
        return None;
    }
    let mut receiver = begin(encodings, coding, Effort::Quick);
    let outcome = receiver.wait_for(Option::is_some).await.ok()?.clone().flatten();
    outcome.map(|blob| Encoded { coding, effort: Effort::Quick, blob })
}

/// Begins to make one coded form, unless somebody did; the receiver tells the outcome.
fn begin(encodings: &Arc<Encodings>, coding: Coding, effort: Effort) -> watch::Receiver<Option<Outcome>> {
    encodings.with(coding, effort, |slot| match slot {
        Slot::Running(receiver) => receiver.clone(),
        Slot::Done(outcome) => watch::channel(Some(outcome.clone())).1,
        Slot::Untried => {
            let (sender, receiver) = watch::channel(None);
            *slot = Slot::Running(receiver.clone());
            tokio::spawn(make(Arc::clone(encodings), coding, effort, sender));
            receiver
        }
    })
}

async fn make(encodings: Arc<Encodings>, coding: Coding, effort: Effort, sender: watch::Sender<Option<Outcome>>) {
    if effort == Effort::Thorough {
        tokio::time::sleep(THOROUGH_DELAY).await;
    }
    let store = Arc::clone(&encodings.store);
    let permits = match effort {
        Effort::Quick => &store.quick,
        Effort::Thorough | Effort::Given => &store.thorough,
    };
    let permit = Arc::clone(permits).acquire_owned().await;
    let blob = Arc::clone(&encodings.plain);
    let work = move || encode(&store, &blob, coding, effort);
    let result = match effort {
        Effort::Quick => tokio::task::spawn_blocking(work).await.map_err(io::Error::other),
        Effort::Thorough | Effort::Given => background::run(work).await,
    };
    let outcome = match result.and_then(|result| result) {
        Ok(outcome) => outcome,
        Err(error) => {
            tracing::warn!(digest = %encodings.digest, coding = coding.token(), %error, "asset could not be compressed; it is sent as it is");
            None
        }
    };
    drop(permit);
    if let (Effort::Thorough, Some(blob)) = (effort, &outcome) {
        encodings.drop_quick_forms_over(blob.len());
    }
    encodings.with(coding, effort, |slot| *slot = Slot::Done(outcome.clone()));
    drop(sender.send(Some(outcome)));
}

/// Blocks.
fn encode(store: &Arc<Store>, blob: &Blob, coding: Coding, effort: Effort) -> io::Result<Outcome> {
    let mut writer = BlobWriter::new(store);
    compress(coding, effort, blob.len(), &mut blob.reader(0)?, &mut writer)?;
    if writer.len().saturating_mul(1000) > blob.len().saturating_mul(ENCODED_PERMILLE_MAX) {
        return Ok(None);
    }
    writer.finish().map(|coded| Some(Arc::new(coded)))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn encodings(store: &Arc<Store>, bytes: Vec<u8>) -> Arc<Encodings> {
        Arc::new(Encodings::new(store, Digest::of(&bytes), Arc::new(Blob::given(Bytes::from(bytes)))))
    }

    fn store() -> Arc<Store> {
        Store::open(None, u64::MAX).unwrap()
    }

    #[tokio::test]
    async fn a_hundred_first_requests_compress_once() {
        let encodings = encodings(&store(), b"all the same ".repeat(5000));
        let asks = (0..100).map(|_| async { choose(&encodings, &[Coding::Gzip]).await.unwrap().blob });
        let blobs = futures_util::future::join_all(asks).await;
        assert!(blobs.iter().all(|blob| Arc::ptr_eq(blob, &blobs[0])));
    }

    #[tokio::test]
    async fn thorough_form_replaces_the_quick_one_once_it_is_made() {
        let encodings = encodings(&store(), b"all the same ".repeat(500));
        assert_eq!(choose(&encodings, Coding::OFFERED).await.unwrap().effort, Effort::Quick);
        begin(&encodings, Coding::Brotli, Effort::Thorough).wait_for(Option::is_some).await.unwrap();
        let best = choose(&encodings, Coding::OFFERED).await.unwrap();
        assert_eq!((best.coding, best.effort), (Coding::Brotli, Effort::Thorough));
    }

    #[tokio::test]
    async fn content_that_does_not_shrink_is_sent_as_it_is() {
        let mut state = 1_u32;
        let noise = (0..10_000)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                state.to_be_bytes()[0]
            })
            .collect();
        assert!(choose(&encodings(&store(), noise), Coding::OFFERED).await.is_none());
        assert!(choose(&encodings(&store(), vec![b'a'; 100]), Coding::OFFERED).await.is_none(), "too short to gain");
    }
}
