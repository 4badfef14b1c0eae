//! `SHA256SUMS`, as sha256sum(1) writes and checks it.

use std::path::Path;

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};

const FILE: &str = "SHA256SUMS";

/// Writes the digests of all files of a folder.
pub(super) fn write(folder: &Path) -> anyhow::Result<()> {
    let mut lines = String::new();
    for name in names(folder)? {
        let digest = Sha256::digest(std::fs::read(folder.join(&name))?);
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        lines.push_str(&format!("{digest}  {name}\n"));
    }
    Ok(std::fs::write(folder.join(FILE), lines)?)
}

/// The files of a folder, in order, without the digests themselves.
pub(super) fn names(folder: &Path) -> anyhow::Result<Vec<String>> {
    let found = std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    let mut names = found.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect::<anyhow::Result<Vec<_>>>()?;
    names.retain(|name| name != FILE);
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_written_as_sha256sum_does() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("b"), "abc").expect("a file");
        std::fs::write(folder.path().join("a"), "").expect("a file");
        write(folder.path()).expect("sums");
        write(folder.path()).expect("sums once more, which are not among them");
        // FIPS 180-4: the digests of nothing and of `abc`.
        let expected = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  a\n\
                        ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  b\n";
        assert_eq!(std::fs::read_to_string(folder.path().join(FILE)).expect("sums"), expected);
    }
}
