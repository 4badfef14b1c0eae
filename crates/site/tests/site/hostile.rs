//! Requests and directories made by somebody who wants out of the directory.

use proptest::prelude::*;

use super::*;

#[cfg(unix)]
#[tokio::test]
async fn symbolic_links_are_followed_inside_the_directory_only() {
    use std::os::unix::fs::symlink;

    let outside = directory(&[("secret.txt", b"secret"), ("sub/deep.txt", b"secret")]);
    let dir = directory(&[("real/a.txt", b"a"), ("..data/b.txt", b"b")]);
    let at = |name: &str| dir.path().join(name);
    symlink(outside.path().join("secret.txt"), at("file.txt")).unwrap();
    symlink(outside.path(), at("out")).unwrap();
    symlink("../../../../../../../../etc/passwd", at("passwd")).unwrap();
    symlink("..", at("real/up")).unwrap();
    symlink("../..", at("real/higher")).unwrap();
    symlink(".", at("loop")).unwrap();
    symlink("nowhere", at("dangling")).unwrap();
    symlink("self", at("self")).unwrap();
    symlink("real", at("inside")).unwrap();
    symlink(outside.path(), at("..data/out")).unwrap();
    symlink("..data/b.txt", at("b.txt")).unwrap();
    symlink("/dev/zero", at("zero")).unwrap();
    let site = open(dir.path(), SiteOptions::default()).await;
    let version = site.current();
    let paths: Vec<_> = version.assets().map(|asset| asset.path().to_owned()).collect();
    assert_eq!(paths, ["/b.txt", "/inside/a.txt", "/real/a.txt"]);
    for path in ["/file.txt", "/out/secret.txt", "/out/sub/deep.txt", "/passwd", "/real/up/real/a.txt", "/zero", "/..data/b.txt"] {
        assert_eq!(fetched(&version, path).await.0, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn directories_are_followed_down_to_the_limit() {
    let dir = directory(&[(&format!("{}a.txt", "d/".repeat(63)), b"a"), (&format!("{}b.txt", "d/".repeat(64)), b"b")]);
    let version = open(dir.path(), SiteOptions::default()).await.current();
    assert_eq!(version.assets().count(), 1);
}

#[cfg(unix)]
#[tokio::test]
async fn a_web_of_links_ends_at_the_limit_instead_of_never() {
    use std::os::unix::fs::symlink;

    let dir = directory(&[("d0/a.txt", b"a")]);
    for from in 0..6 {
        let here = dir.path().join(format!("d{from}"));
        fs::create_dir_all(&here).unwrap();
        (0..6).filter(|to| *to != from).for_each(|to| symlink(format!("../d{to}"), here.join(format!("l{to}"))).unwrap());
    }
    let opened = DirectorySite::open(dir.path().to_owned(), SiteOptions { entries_max: 1000, ..SiteOptions::default() }).await;
    assert!(matches!(opened, Err(viral_site::SiteError::TooManyEntries { .. })));
}

#[cfg(unix)]
#[tokio::test]
async fn names_that_no_url_can_carry_and_things_that_are_no_files_are_left_out() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _, os::unix::net::UnixListener};

    let dir = directory(&[
        ("a.txt", b"a"),
        ("back\\slash.txt", b"b"),
        (".env", b"secret"),
        (".git/config", b"secret"),
        ("sub/.htpasswd", b"secret"),
    ]);
    fs::write(dir.path().join(OsStr::from_bytes(b"\xff.txt")), b"x").unwrap();
    let _socket = UnixListener::bind(dir.path().join("socket")).unwrap();
    let site = open(dir.path(), SiteOptions::default()).await;
    let version = site.current();
    assert_eq!(version.assets().map(|asset| asset.path()).collect::<Vec<_>>(), ["/a.txt"]);
    for path in ["/.env", "/.git/config", "/sub/.htpasswd", "/%2eenv", "/%2Egit/config", "/socket", "/back%5Cslash.txt"] {
        assert_eq!(fetched(&version, path).await.0, StatusCode::NOT_FOUND, "{path}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_path_whatever_leaves_the_site(
        paths in prop::collection::vec(prop_oneof!["/?([.%/\\\\a-f2500eEfFcC~;]|%2e|%2f|%5c|%00|\\.\\.|a\\.txt|sub|secret){0,12}", ".{0,40}"], 20)
    ) {
        let (runtime, _dir, version) = fixture();
        for path in paths {
            if let Resolved::Asset(asset) = version.resolve(&path) {
                prop_assert!(["/a.txt", "/sub/b.txt"].contains(&asset.path()), "{}", path);
            }
            if let Some(asset) = version.asset(&path) {
                let content = runtime.block_on(asset.object(Which::Raw).read()).unwrap();
                prop_assert!(content != b"secret"[..]);
            }
        }
    }
}

/// A site of two files with a secret beside it, made once.
fn fixture() -> &'static (tokio::runtime::Runtime, tempfile::TempDir, Arc<Version>) {
    static FIXTURE: std::sync::OnceLock<(tokio::runtime::Runtime, tempfile::TempDir, Arc<Version>)> = std::sync::OnceLock::new();
    FIXTURE.get_or_init(|| {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let dir = directory(&[("site/a.txt", b"a"), ("site/sub/b.txt", b"b"), ("secret", b"secret"), ("site/.secret", b"secret")]);
        let version = runtime.block_on(open(&dir.path().join("site"), SiteOptions::default())).current();
        (runtime, dir, version)
    })
}
