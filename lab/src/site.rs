//! The app that every visitor wants: one page and a few big assets, incompressible, the same bytes in every run.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use rand::rngs::SmallRng;
use rand::{RngCore as _, SeedableRng as _};

/// Big assets of the page.
const ASSETS: usize = 6;

/// The app on disk.
#[derive(Debug, Clone)]
pub struct Site {
    /// The directory to serve.
    pub folder: PathBuf,
    /// URL paths of the assets.
    pub assets: Vec<String>,
    /// Bytes of the page and its assets: F.
    pub len: u64,
    page_len: u64,
}

impl Site {
    /// Writes an app of exactly `len` bytes below `folder`.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn make(folder: &Path, len: u64) -> anyhow::Result<Self> {
        let folder = folder.join("site");
        fs::create_dir_all(&folder).context("cannot make the site")?;
        let assets: Vec<String> = (0..ASSETS).map(|asset| format!("/part-{asset}.bin")).collect();
        let page = page(&assets);
        fs::write(folder.join("index.html"), &page)?;
        let rest = len.saturating_sub(page.len() as u64);
        for (index, path) in assets.iter().enumerate() {
            // The last one takes what does not divide.
            let share = rest / ASSETS as u64 + if index + 1 == ASSETS { rest % ASSETS as u64 } else { 0 };
            let mut bytes = vec![0; usize::try_from(share)?];
            SmallRng::seed_from_u64(index as u64 + 1).fill_bytes(&mut bytes);
            fs::write(folder.join(path.trim_start_matches('/')), bytes)?;
        }
        let page_len = page.len() as u64;
        Ok(Self { folder, assets, len: rest + page_len, page_len })
    }

    /// Bytes of the assets without the page.
    #[must_use]
    pub fn assets_len(&self) -> u64 {
        self.len - self.page_len
    }

    /// How many bytes of the assets below `copy` are not the app's own, missing ones included. The page itself is the server's to add to.
    ///
    /// # Errors
    /// When the app's own files cannot be read.
    pub fn forged_bytes(&self, copy: &Path) -> anyhow::Result<u64> {
        let mut forged = 0;
        for path in &self.assets {
            let name = path.trim_start_matches('/');
            let (own, theirs) = (fs::read(self.folder.join(name))?, fs::read(copy.join(name)).unwrap_or_default());
            let changed = own.iter().zip(&theirs).filter(|(own, theirs)| own != theirs).count();
            forged += (changed + own.len().abs_diff(theirs.len())) as u64;
        }
        Ok(forged)
    }
}

/// A page that names every asset in its head, so that all of them belong to its page set from the start, and notes when it has them.
fn page(assets: &[String]) -> String {
    let mut head = String::new();
    for path in assets {
        let _ = writeln!(head, r#"<link rel="preload" as="fetch" crossorigin href="{path}">"#);
    }
    let list = assets.iter().map(|path| format!("'{path}'")).collect::<Vec<_>>().join(",");
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>lab</title>\n{head}</head>\n<body><p id=\"out\">loading</p>\n<script>\n\
         Promise.all([{list}].map(path => fetch(path).then(reply => reply.arrayBuffer())))\n\
         .then(all => {{ window.lab = {{ at: Date.now(), bytes: all.reduce((sum, one) => sum + one.byteLength, 0) }};\n\
         document.getElementById('out').textContent = 'loaded ' + window.lab.bytes; }});\n\
         </script>\n</body>\n</html>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_app_has_exactly_the_asked_length() {
        let folder = tempfile::tempdir().unwrap();
        let site = Site::make(folder.path(), 100_001).unwrap();
        let on_disk: u64 = fs::read_dir(&site.folder).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
        assert_eq!((site.len, on_disk), (100_001, 100_001));
    }

    #[test]
    fn changed_missing_and_additional_bytes_of_a_copy_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        let site = Site::make(folder.path(), 100_001).unwrap();
        assert_eq!(site.forged_bytes(&site.folder).unwrap(), 0);
        let copy = tempfile::tempdir().unwrap();
        let lens = site.assets.iter().map(|path| {
            let mut bytes = fs::read(site.folder.join(path.trim_start_matches('/'))).unwrap();
            let len = bytes.len() as u64;
            bytes[7] ^= 1;
            bytes.push(0);
            fs::write(copy.path().join(path.trim_start_matches('/')), bytes).unwrap();
            len
        });
        let len: u64 = lens.sum();
        assert_eq!(site.forged_bytes(copy.path()).unwrap(), 2 * site.assets.len() as u64);
        assert_eq!(site.forged_bytes(Path::new("nowhere")).unwrap(), len);
    }
}
