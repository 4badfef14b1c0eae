//! A certificate of this machine, and browsers that trust it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

/// The certificate and its key in a folder, in PEM form.
#[must_use]
pub fn files(folder: &Path) -> [PathBuf; 2] {
    ["cert.pem", "key.pem"].map(|name| folder.join(name))
}

/// Makes both, of the kind that Let's Encrypt gives today: ECDSA on P-256.
///
/// # Errors
/// When openssl is missing.
pub fn make(folder: &Path) -> anyhow::Result<()> {
    let [certificate, key] = files(folder);
    let mut openssl = Command::new("openssl");
    openssl.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "30",
        "-subj",
        "/CN=localhost",
    ]);
    openssl.args(["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]);
    run(openssl.arg("-out").arg(certificate).arg("-keyout").arg(key), "openssl")
}

/// Has Chromium trust a certificate: its files are in the home folder that it is given.
///
/// # Errors
/// When certutil is missing or refuses the certificate.
pub(crate) fn trust(home: &Path, certificate: &Path) -> anyhow::Result<()> {
    let folder = home.join(".pki/nssdb");
    std::fs::create_dir_all(&folder)?;
    let database = format!("sql:{}", folder.display());
    run(Command::new("certutil").args(["-N", "--empty-password", "-d", &database]), "libnss3-tools")?;
    run(Command::new("certutil").args(["-A", "-t", "C,,", "-n", "ours", "-d", &database, "-i"]).arg(certificate), "libnss3-tools")
}

fn run(command: &mut Command, package: &str) -> anyhow::Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let done = command.output().with_context(|| format!("cannot start {program}; as root run: apt-get install {package}"))?;
    ensure!(done.status.success(), "{program} ended with {}: {}", done.status, String::from_utf8_lossy(&done.stderr));
    Ok(())
}
