//! The files of rules of a directory, as they were understood last.

use std::{
    io::{self, Read},
    path::Path,
    sync::Arc,
};

use super::{
    fault::{RuleFault, RuleFaultKind},
    lines::{HEADERS_FILE, REDIRECTS_FILE},
    set::Rules,
};
use crate::limits::RULES_LEN_MAX;

/// See the head of the file.
#[derive(Debug, Default)]
pub(crate) struct RuleFiles {
    last: Option<Arc<Rules>>,
    /// What was logged last, so that each fault is logged once.
    told: Option<RuleFault>,
}

impl RuleFiles {
    /// The rules of both files as they are now, opened by `open`; those from before where a line cannot be followed, with a warning. Blocks.
    ///
    /// # Errors
    /// When there are none from before.
    pub(crate) fn read<F: Read>(&mut self, open: impl Fn(&'static str) -> io::Result<Option<F>>) -> Result<Arc<Rules>, RuleFault> {
        match (read(open), &self.last) {
            (Ok(rules), last) => {
                self.told = None;
                let rules = last.clone().filter(|last| last.digest() == rules.digest()).unwrap_or_else(|| Arc::new(rules));
                self.last = Some(Arc::clone(&rules));
                Ok(rules)
            }
            (Err(fault), None) => Err(fault),
            (Err(fault), Some(last)) => {
                if self.told.as_ref() != Some(&fault) {
                    tracing::warn!(%fault, "the rules from before stay");
                }
                self.told = Some(fault);
                Ok(Arc::clone(last))
            }
        }
    }

    /// The rules from before, if there are any.
    pub(crate) fn last(&self) -> Option<Arc<Rules>> {
        self.last.clone()
    }
}

/// The rules of the folder at `root`, which nobody else writes to. Blocks.
///
/// # Errors
/// At the first line that cannot be followed.
pub(crate) fn of_folder(root: &Path) -> Result<Rules, RuleFault> {
    read(|name| match std::fs::File::open(root.join(name)) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    })
}

fn read<F: Read>(open: impl Fn(&'static str) -> io::Result<Option<F>>) -> Result<Rules, RuleFault> {
    let text = |file: &'static str| {
        let fault = |kind| RuleFault { file, line: 1, kind };
        let unreadable = |error: io::Error| fault(RuleFaultKind::Unreadable(error.to_string()));
        let Some(opened) = open(file).map_err(unreadable)? else { return Ok(None) };
        let mut text = Vec::new();
        opened.take(RULES_LEN_MAX + 1).read_to_end(&mut text).map_err(unreadable)?;
        if text.len() as u64 > RULES_LEN_MAX {
            return Err(fault(RuleFaultKind::FileTooLong { max: RULES_LEN_MAX }));
        }
        Ok(Some(text))
    };
    Rules::parse(text(HEADERS_FILE)?.as_deref(), text(REDIRECTS_FILE)?.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redirects(text: &'static [u8]) -> impl Fn(&'static str) -> io::Result<Option<&'static [u8]>> {
        move |name| Ok((name == REDIRECTS_FILE).then_some(text))
    }

    #[test]
    fn a_faulty_file_is_an_error_first_and_changes_nothing_later() {
        let mut files = RuleFiles::default();
        assert_eq!(files.read(redirects(b"/a")).unwrap_err().line, 1);
        let first = files.read(redirects(b"/a /b")).unwrap();
        assert!(Arc::ptr_eq(&first, &files.read(redirects(b"/a")).unwrap()));
        assert!(Arc::ptr_eq(&first, &files.read(redirects(b"/a /b")).unwrap()));
        let denied = files.read::<&[u8]>(|_| Err(io::ErrorKind::PermissionDenied.into())).unwrap();
        assert!(Arc::ptr_eq(&first, &denied));
        assert!(files.read::<&[u8]>(|_| Ok(None)).unwrap().digest().is_none());
    }

    #[test]
    fn a_file_is_at_most_so_long() {
        let comment = |len: u64| "#\n".repeat(usize::try_from(len / 2).unwrap()) + if len % 2 == 1 { "#" } else { "" };
        let read = |text: &str| read(|name| Ok((name == HEADERS_FILE).then_some(io::Cursor::new(text.to_owned()))));
        assert!(read(&comment(RULES_LEN_MAX)).is_ok());
        assert_eq!(read(&comment(RULES_LEN_MAX + 1)).unwrap_err().kind, RuleFaultKind::FileTooLong { max: RULES_LEN_MAX });
    }
}
