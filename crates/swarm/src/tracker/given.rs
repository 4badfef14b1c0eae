//! What one session gave since its day began.

use crate::{limits::REPORTED_BYTES_MAX, upload::DAY_MS};

/// Bytes by its own word.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Given {
    bytes: u64,
    /// When its day is over, in milliseconds; 0 while it gave nothing.
    day_ends_ms: u64,
    is_spent: bool,
}

impl Given {
    /// So much more was given. True if that used the volume of its day up.
    pub(super) fn add(&mut self, now_ms: u64, bytes: u64, volume: u64) -> bool {
        if self.day_ends_ms <= now_ms {
            *self = Self { day_ends_ms: now_ms.saturating_add(DAY_MS), ..Self::default() };
        }
        self.bytes = self.bytes.saturating_add(bytes.min(REPORTED_BYTES_MAX));
        self.bytes >= volume && !std::mem::replace(&mut self.is_spent, true)
    }

    /// Whether the volume of its day is used up.
    pub(super) fn is_spent(self) -> bool {
        self.is_spent
    }

    /// When the next day of one begins whose volume is used up, in milliseconds.
    pub(super) fn due_ms(self) -> Option<u64> {
        self.is_spent.then_some(self.day_ends_ms)
    }
}
