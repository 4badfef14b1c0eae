//! The progress bar of `viral get`: how far, how fast, and from whom.

use std::time::Duration;

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use viral_peer::GetProgress;

/// Drawn on stderr while there is something to draw; nothing where stderr is no terminal.
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    pub(crate) fn new(visible: bool) -> Self {
        let bar = if visible { ProgressBar::new(0) } else { ProgressBar::hidden() };
        let template = "{bar:30} {percent:>3} %  {binary_bytes_per_sec}  {msg}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar }
    }

    pub(crate) fn show(&mut self, state: &GetProgress) {
        self.bar.set_length(state.bytes_total);
        self.bar.set_position(state.bytes_held);
        let (peers, origin) = (HumanBytes(state.bytes_from_peers), HumanBytes(state.bytes_from_origin));
        self.bar.set_message(format!("{peers} from {} peers, {origin} from the server", state.peers));
    }

    /// Does something with the terminal while the bar is away.
    pub(crate) fn hidden<T>(&self, what: impl FnOnce() -> T) -> T {
        self.bar.suspend(what)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
