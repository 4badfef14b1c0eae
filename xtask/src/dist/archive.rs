//! An archive that is the same, byte for byte, whenever and wherever it is made.

use flate2::{Compression, GzBuilder};

/// One file of an archive.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    /// Below the archive's folder, with `/`.
    pub(super) path: String,
    /// What it holds.
    pub(super) bytes: Vec<u8>,
    /// Whether it is a program.
    pub(super) is_program: bool,
}

/// The files as a .tar.gz below one folder: in order of their paths, owned by root, all as old as `time` (seconds since 1970).
pub(super) fn pack(folder: &str, mut entries: Vec<Entry>, time: u64) -> anyhow::Result<Vec<u8>> {
    entries.sort();
    // Neither a name nor a time of its own is in gzip's head.
    let mut archive = tar::Builder::new(GzBuilder::new().write(Vec::new(), Compression::best()));
    for entry in entries {
        let mut header = tar::Header::new_ustar();
        header.set_size(entry.bytes.len() as u64);
        header.set_mode(if entry.is_program { 0o755 } else { 0o644 });
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(time);
        header.set_username("root")?;
        header.set_groupname("root")?;
        archive.append_data(&mut header, format!("{folder}/{}", entry.path), entry.bytes.as_slice())?;
    }
    Ok(archive.into_inner()?.finish()?)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::GzDecoder;

    use super::*;

    fn entry(path: &str, bytes: &str, is_program: bool) -> Entry {
        Entry { path: path.to_owned(), bytes: bytes.as_bytes().to_vec(), is_program }
    }

    #[test]
    fn the_order_of_files_makes_no_difference() {
        let there = || vec![entry("viral", "program", true), entry("README.md", "text", false)];
        let back = there().into_iter().rev().collect();
        let packed = pack("viral-1", there(), 7).expect("packed");
        assert_eq!(packed, pack("viral-1", back, 7).expect("packed"));
        assert_ne!(packed, pack("viral-1", there(), 8).expect("packed"), "the time is in it");
    }

    #[test]
    fn files_come_out_as_they_went_in() {
        let packed = pack("viral-1", vec![entry("viral", "program", true), entry("man/viral.1", "text", false)], 7).expect("packed");
        let mut archive = tar::Archive::new(GzDecoder::new(packed.as_slice()));
        let found = archive.entries().expect("entries").map(|entry| {
            let mut entry = entry.expect("an entry");
            let mut text = String::new();
            entry.read_to_string(&mut text).expect("text");
            let header = entry.header();
            let facts = [header.uid(), header.gid(), header.mtime()].map(|fact| fact.expect("a number"));
            (entry.path().expect("a path").display().to_string(), text, header.mode().expect("a mode"), facts)
        });
        let expected = [
            ("viral-1/man/viral.1".to_owned(), "text".to_owned(), 0o644, [0, 0, 7]),
            ("viral-1/viral".to_owned(), "program".to_owned(), 0o755, [0, 0, 7]),
        ];
        assert_eq!(found.collect::<Vec<_>>(), expected);
    }
}
