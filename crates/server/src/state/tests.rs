//! What survives a restart, and what a broken file costs.

use viral_swarm::pageset::{PageSet, PageSetConfig, Report, ReportKind};

use super::*;
use crate::Viral;
use crate::config::Config;
use crate::testing::{answer, report, visit};
use viral_site::Source;

/// A page whose HTML names a small script; what it loads by it is large.
fn site() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("index.html"), "<!doctype html><script src=app.js></script>").unwrap();
    fs::write(dir.path().join("app.js"), "1").unwrap();
    fs::write(dir.path().join("late.wasm"), vec![7; 30_000]).unwrap();
    dir
}

/// Everything that a visit to it uses.
const USED: [&str; 2] = ["/app.js", "/late.wasm"];

fn config(state: &Path) -> Config {
    Config { min_app_bytes: 20_000, state_dir: Some(state.to_owned()), ..Config::default() }
}

async fn open(site: &Path, state: &Path) -> Viral {
    Viral::open(Source::Directory(site.to_owned()), &config(state)).await.unwrap()
}

/// Ends a server as a signal does.
async fn end(viral: Viral) {
    viral.shut_down();
    viral.serve(Vec::new(), Vec::new()).await;
}

/// Files of page sets. The key of the join tickets lies beside them.
fn files_in(state: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(state).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect()
}

fn file_in(state: &Path) -> PathBuf {
    files_in(state).remove(0)
}

#[tokio::test]
async fn what_was_learned_of_a_page_survives_a_restart() {
    let (site, dir) = (site(), tempfile::tempdir().unwrap());
    let state = dir.path().join("new/state");
    let before = open(site.path(), &state).await;
    assert_eq!(answer(&visit(&before, "/", &[]).await), "full; reason=learning");
    report(&before, "/", &USED);
    end(before).await;
    let after = open(site.path(), &state).await;
    assert_eq!(answer(&visit(&after, "/", &[]).await), "full; reason=no-peer-near", "nothing is left to learn");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&state), mode(&file_in(&state))), (0o700, 0o600));
    }
}

#[tokio::test]
async fn a_new_version_inherits_what_it_still_has_and_pages_that_are_gone_are_forgotten() {
    let (site, state) = (site(), tempfile::tempdir().unwrap());
    let before = open(site.path(), state.path()).await;
    visit(&before, "/", &[]).await;
    report(&before, "/", &USED);
    end(before).await;
    fs::remove_file(site.path().join("app.js")).unwrap();
    fs::write(site.path().join("index.html"), "<!doctype html><script src=app.2.js></script>").unwrap();
    fs::write(site.path().join("app.2.js"), "2").unwrap();
    let after = open(site.path(), state.path()).await;
    visit(&after, "/", &[]).await;
    let current = after.app.site.current();
    let manifest = after.app.hub.page(&current, current.asset("/index.html").unwrap()).unwrap().manifest;
    let manifest = viral_wire::Manifest::decode(&after.app.hub.manifest(&manifest).unwrap()).unwrap();
    let paths: Vec<_> = manifest.assets.iter().map(|asset| asset.path.as_str()).collect();
    assert_eq!(paths, ["/", "/.viral/addition.js", "/app.2.js", "/late.wasm"]);
    drop(after);
    fs::rename(site.path().join("index.html"), site.path().join("other.html")).unwrap();
    assert_eq!(open(site.path(), state.path()).await.app.hub.page_states().0, []);
}

#[tokio::test]
async fn every_site_has_a_file_of_its_own() {
    let (one, two, state) = (site(), site(), tempfile::tempdir().unwrap());
    for site in [&one, &two, &one] {
        let viral = open(site.path(), state.path()).await;
        visit(&viral, "/", &[]).await;
        report(&viral, "/", &USED);
        end(viral).await;
    }
    assert_eq!(files_in(state.path()).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_change_is_written_a_while_later_without_an_end() {
    let (site, state) = (site(), tempfile::tempdir().unwrap());
    let viral = open(site.path(), state.path()).await;
    visit(&viral, "/", &[]).await;
    tokio::time::sleep(2 * STATE_PAUSE).await;
    assert_eq!(files_in(state.path()).len(), 0, "nothing was learned");
    report(&viral, "/", &USED);
    tokio::time::sleep(2 * STATE_PAUSE).await;
    // The lock is held while a thread writes.
    drop(viral.app.state.as_ref().unwrap().written.lock().await);
    assert_eq!(files_in(state.path()).len(), 1);
}

#[tokio::test]
async fn a_file_that_is_broken_or_of_another_format_is_ignored_and_replaced() {
    let (site, state) = (site(), tempfile::tempdir().unwrap());
    let viral = open(site.path(), state.path()).await;
    visit(&viral, "/", &[]).await;
    report(&viral, "/", &USED);
    end(viral).await;
    let path = file_in(state.path());
    let good = fs::read_to_string(&path).unwrap();
    let half = good[..good.len() / 2].to_owned();
    let next = good.replace("\"version\":1", "\"version\":2");
    let more = good.replace("\"path\"", "\"place\"");
    for broken in ["", "null", "\0\0", &half, &next, &more, &"[".repeat(100_000), &" ".repeat(STATE_LEN_MAX + 1)] {
        fs::write(&path, broken).unwrap();
        let viral = open(site.path(), state.path()).await;
        assert_eq!(answer(&visit(&viral, "/", &[]).await), "full; reason=learning");
        report(&viral, "/", &USED);
        end(viral).await;
        let again = open(site.path(), state.path()).await;
        assert_eq!(answer(&visit(&again, "/", &[]).await), "full; reason=no-peer-near");
    }
}

#[tokio::test]
async fn a_directory_that_cannot_be_used_is_named_with_what_to_do() {
    let site = site();
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = async |state: PathBuf| {
        let opened = Viral::open(Source::Directory(site.path().to_owned()), &config(&state)).await;
        opened.err().map(|error| error.to_string()).unwrap_or_default()
    };
    let unwritable = error(file.path().join("state")).await;
    assert!(unwritable.contains("cannot be written") && unwritable.contains("--state-dir"), "{unwritable}");
    let served = error(site.path().join("state")).await;
    assert!(served.contains("would be served") && served.contains("--state-dir"), "{served}");
}

#[test]
fn what_does_not_fit_the_file_is_left_out_from_the_end() {
    let served = |_: &str| Some(1);
    let mut set = PageSet::new(PageSetConfig::default(), "/", &[], &served);
    let paths = (0..500).map(|number| format!("/{number:0>900}")).collect();
    set.handle_report(0, Report { voter: 1, address: [127, 0, 0, 1].into(), kind: ReportKind::Full, paths }, &served);
    let pages: Vec<_> = (0..40).map(|number| (format!("/{number}"), set.state())).collect();
    let text = encode(pages);
    assert!(text.len() <= STATE_LEN_MAX && text.len() > STATE_LEN_MAX - 2_000_000);
    let contents: Contents = serde_json::from_str(&text).unwrap();
    assert!(contents.pages.len() < 40 && contents.pages[0].path == "/0");
}
