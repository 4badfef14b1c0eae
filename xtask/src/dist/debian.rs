//! The Debian package, by cargo-deb from `[package.metadata.deb]` in crates/viral/Cargo.toml.

use std::io::Write as _;
use std::path::Path;

use anyhow::bail;
use flate2::{Compression, GzBuilder};

use super::{Release, cargo_subcommand};
use crate::shell::{command, output, root, run};
use crate::tools;

/// Makes the package of what was put together.
pub(super) fn package(release: &Release) -> anyhow::Result<()> {
    if !release.target.contains("linux-gnu") {
        bail!("a Debian package is made on Debian; leave it out with --without-deb");
    }
    let folder = release.stage.join("deb");
    std::fs::create_dir_all(&folder)?;
    for page in std::fs::read_dir(release.stage.join("man"))? {
        let page = page?;
        compress(&page.path(), &folder.join(page.file_name()))?;
    }
    compress(&root().join("CHANGELOG.md"), &folder.join("changelog"))?;
    let date = output(command("date").args(["--utc", "--rfc-email", "--date"]).arg(format!("@{}", release.time)))?;
    write_compressed(changelog(&release.version, date.trim()).as_bytes(), &folder.join("changelog.Debian"))?;
    run(cargo_subcommand(tools::CARGO_DEB, "deb")
        .args(["--package", "viral", "--no-build", "--no-strip", "--quiet", "--output"])
        .arg(&release.out)
        .env("SOURCE_DATE_EPOCH", release.time.to_string()))
}

/// What Debian's own changelog says: that there is another one.
fn changelog(version: &str, date: &str) -> String {
    format!("viral ({version}-1) unstable; urgency=medium\n\n  * See changelog.gz.\n\n -- The viral authors <viral@localhost>  {date}\n")
}

/// Compresses a file to `to` with `.gz` at its end, as Debian wants manual pages and changelogs.
fn compress(from: &Path, to: &Path) -> anyhow::Result<()> {
    write_compressed(&std::fs::read(from)?, to)
}

fn write_compressed(bytes: &[u8], to: &Path) -> anyhow::Result<()> {
    // Neither a name nor a time of its own is in gzip's head.
    let mut compressed = GzBuilder::new().write(Vec::new(), Compression::best());
    compressed.write_all(bytes)?;
    Ok(std::fs::write(format!("{}.gz", to.display()), compressed.finish()?)?)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::GzDecoder;

    use super::*;

    #[test]
    fn the_changelog_has_the_form_of_debians() {
        let expected = "viral (1.2.3-1) unstable; urgency=medium\n\n  * See changelog.gz.\n\n \
                        -- The viral authors <viral@localhost>  Thu, 01 Jan 1970 00:00:00 +0000\n";
        assert_eq!(changelog("1.2.3", "Thu, 01 Jan 1970 00:00:00 +0000"), expected);
    }

    #[test]
    fn what_is_compressed_has_no_time() {
        let folder = tempfile::tempdir().expect("a folder");
        write_compressed(b"text", &folder.path().join("viral.1")).expect("written");
        let bytes = std::fs::read(folder.path().join("viral.1.gz")).expect("a file");
        assert_eq!(bytes[3..8], [0; 5], "RFC 1952: no flags, no time");
        let mut text = String::new();
        GzDecoder::new(bytes.as_slice()).read_to_string(&mut text).expect("text");
        assert_eq!(text, "text");
    }
}
