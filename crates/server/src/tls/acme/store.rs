//! Account, certificate and attempts on disk: for this user alone, each file replaced as a whole.

use std::io;
use std::path::{Path, PathBuf};

use super::error::AcmeError;
use super::schedule::Attempts;
use crate::kept_file::{self, replace};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Longest file that is read, in bytes: a certificate of 100 names with its chain has some 10 KiB.
const FILE_LEN_MAX: u64 = 256 * 1024;

/// Where it is kept. Of each certificate authority its own account, of each list of names its own certificate.
#[derive(Debug)]
pub(super) struct Store {
    account: PathBuf,
    certificate: PathBuf,
    attempts: PathBuf,
}

impl Store {
    /// The folder `acme` in `state_dir`, made if need be.
    ///
    /// # Errors
    /// When nothing can be written there.
    pub(super) fn open(state_dir: &Path, directory: &str, names: &[String]) -> Result<Self, AcmeError> {
        let dir = state_dir.join("acme");
        let failed = |error| AcmeError::Store { path: dir.clone(), error };
        viral_site::make_dir(&dir).map_err(failed)?;
        // Whether it can be written is better known now than after a certificate was given.
        kept_file::try_folder(&dir).map_err(failed)?;
        let authority = named(&[directory]);
        let certificate = named(&[&[directory][..], &names.iter().map(String::as_str).collect::<Vec<_>>()].concat());
        Ok(Self {
            account: dir.join(format!("account-{authority}.json")),
            certificate: dir.join(format!("certificate-{certificate}.pem")),
            attempts: dir.join(format!("attempts-{certificate}.json")),
        })
    }

    pub(super) fn account_path(&self) -> &Path {
        &self.account
    }

    pub(super) fn certificate_path(&self) -> &Path {
        &self.certificate
    }

    /// The account, if there is one.
    ///
    /// # Errors
    /// When there is something else in its place.
    pub(super) fn account<T: DeserializeOwned>(&self) -> Result<Option<T>, AcmeError> {
        let fault = |error: String| AcmeError::Account { path: self.account.clone(), error };
        let Some(bytes) = read(&self.account).map_err(|error| fault(error.to_string()))? else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).map_err(|error| fault(error.to_string()))
    }

    pub(super) fn put_account(&self, account: &impl Serialize) -> io::Result<()> {
        replace(&self.account, &serde_json::to_vec(account)?)
    }

    /// The certificate with its key, in PEM form.
    pub(super) fn certificate(&self) -> io::Result<Option<Vec<u8>>> {
        read(&self.certificate)
    }

    pub(super) fn put_certificate(&self, pem: &str) -> io::Result<()> {
        replace(&self.certificate, pem.as_bytes())
    }

    /// What was asked before. Where that cannot be read, as if one order had just failed: it is better to wait than to ask too often.
    /// That is written down at once, so that the wait has an end.
    pub(super) fn attempts(&self, now: std::time::SystemTime) -> Attempts {
        let read = read(&self.attempts).and_then(|bytes| Ok(bytes.map(|bytes| serde_json::from_slice(&bytes)).transpose()?));
        match read {
            Ok(attempts) => attempts.unwrap_or_default(),
            Err(error) => {
                let path = self.attempts.display();
                tracing::warn!(%path, %error, "when the certificate authority was asked last cannot be read; waiting a minute");
                let failed = Attempts::default().beginning(now, 0.0);
                if let Err(error) = self.put_attempts(failed) {
                    tracing::error!(%path, %error, "nor can it be written, so that no certificate is ordered; remove what is there");
                }
                failed
            }
        }
    }

    pub(super) fn put_attempts(&self, attempts: Attempts) -> io::Result<()> {
        replace(&self.attempts, &serde_json::to_vec(&attempts)?)
    }
}

fn named(parts: &[&str]) -> String {
    kept_file::name_of(parts.join("\n").as_bytes())
}

fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match std::fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
        Ok(metadata) if metadata.len() > FILE_LEN_MAX => Err(io::Error::other(format!("{} bytes, limit {FILE_LEN_MAX}", metadata.len()))),
        Ok(_) => std::fs::read(path).map(Some),
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn files_are_for_this_user_alone_and_survive() {
        use std::os::unix::fs::PermissionsExt as _;

        let dir = tempfile::tempdir().unwrap();
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let open = |names: &[String]| Store::open(&dir.path().join("state"), "https://a.example/dir", names).unwrap();
        let store = open(&names(&["a.example"]));
        assert!(store.account::<String>().unwrap().is_none() && store.certificate().unwrap().is_none());
        assert_eq!(store.attempts(SystemTime::now()), Attempts::default());
        store.put_account(&"me").unwrap();
        store.put_certificate("pem").unwrap();
        store.put_attempts(Attempts { failures: 2, not_before: 7, given: 0 }).unwrap();
        let again = open(&names(&["a.example"]));
        assert_eq!(again.account::<String>().unwrap().as_deref(), Some("me"));
        assert_eq!(again.certificate().unwrap().as_deref(), Some(&b"pem"[..]));
        assert_eq!(again.attempts(SystemTime::now()).failures, 2);
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o077;
        assert_eq!((mode(&store.account), mode(&store.certificate), mode(store.account.parent().unwrap())), (0, 0, 0));
        let others = open(&names(&["b.example"]));
        assert!(others.certificate().unwrap().is_none() && others.account::<String>().unwrap().is_some());
    }

    #[test]
    fn what_is_broken_is_said_or_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), "https://a.example/dir", &[]).unwrap();
        for path in [&store.account, &store.attempts] {
            std::fs::write(path, "{").unwrap();
        }
        let said = store.account::<std::collections::BTreeMap<String, String>>().unwrap_err().to_string();
        assert!(said.contains("account-") && said.contains("remove it"), "{said}");
        let now = SystemTime::now();
        assert!(store.attempts(now).next(now) > now);
        let later = now + std::time::Duration::from_secs(61);
        assert!(store.attempts(later).next(later) <= later, "the wait has an end");
        std::fs::write(&store.attempts, r#"{"failures":3,"not_before":7,"of_a_later_version":1}"#).unwrap();
        assert_eq!(store.attempts(now).failures, 3);
        std::fs::File::create(&store.certificate).unwrap().set_len(FILE_LEN_MAX + 1).unwrap();
        assert!(store.certificate().is_err());
        std::fs::File::create(&store.certificate).unwrap().set_len(FILE_LEN_MAX).unwrap();
        assert!(store.certificate().is_ok());
        std::fs::write(dir.path().join("file"), "").unwrap();
        let said = Store::open(&dir.path().join("file"), "", &[]).unwrap_err().to_string();
        assert!(said.contains("give a folder that this user may write"), "{said}");
    }
}
