//! Real apps that nobody here wrote, from npm, arranged as sites.
//!
//! `cargo xtask journeys` installs them into `apps/node_modules`. Each page sets `window.app = { done, result, ms }`, with
//! `ms` = `performance.now()` when the app's own result is there.

mod onnx;
mod paper;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::site::{Site, noise};

/// The editor of VS Code with its TypeScript checker in a worker: AMD modules, 25 MB, style sheets, workers.
///
/// # Panics
/// When it is not installed.
#[must_use]
pub fn monaco() -> Site {
    let mut site = Site::empty();
    site.write("/index.html", include_str!("apps/monaco.html"));
    copy(&mut site, &package("monaco-editor").join("min/vs"), "/vs");
    site
}

/// PDF.js drawing a document of 3 MiB: ES modules, a module worker, a canvas.
///
/// # Panics
/// When it is not installed.
#[must_use]
pub fn pdfjs() -> Site {
    let mut site = Site::empty();
    site.write("/index.html", include_str!("apps/pdfjs.html"));
    let package = package("pdfjs-dist");
    for name in ["pdf.min.mjs", "pdf.worker.min.mjs"] {
        let path = package.join("build").join(name);
        copy_file(&mut site, &path, &format!("/build/{name}"));
    }
    copy(&mut site, &package.join("standard_fonts"), "/standard_fonts");
    site.write("/paper.pdf", paper::paper());
    site
}

/// Python compiled to wasm: a script that imports a module, which fetches 14 MB at once: wasm by streaming, and the standard library.
///
/// # Panics
/// When it is not installed.
#[must_use]
pub fn pyodide() -> Site {
    let mut site = Site::empty();
    site.write("/index.html", include_str!("apps/pyodide.html"));
    let package = package("pyodide");
    for name in ["pyodide.js", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip", "pyodide-lock.json"] {
        copy_file(&mut site, &package.join(name), &format!("/pyodide/{name}"));
    }
    site
}

/// `DuckDB` answering a query: 140 modules by an import map, a blob worker that calls `importScripts`, and 34 MB of wasm fetched in it.
///
/// # Panics
/// When it is not installed.
#[must_use]
pub fn duckdb() -> Site {
    let mut site = Site::empty();
    site.write("/index.html", include_str!("apps/duckdb.html"));
    let dist = package("@duckdb/duckdb-wasm").join("dist");
    let bundles = ["duckdb-mvp.wasm", "duckdb-browser-mvp.worker.js", "duckdb-eh.wasm", "duckdb-browser-eh.worker.js"];
    for name in ["duckdb-browser.mjs"].into_iter().chain(bundles) {
        copy_file(&mut site, &dist.join(name), &format!("/duckdb/{name}"));
    }
    copy_only(&mut site, &package("apache-arrow"), "/arrow", Some("mjs"));
    copy_only(&mut site, &package("flatbuffers").join("mjs"), "/flatbuffers", Some("js"));
    copy_file(&mut site, &package("tslib").join("tslib.es6.mjs"), "/tslib/tslib.es6.mjs");
    site
}

/// ONNX Runtime: a module worker that the page starts after `load` fetches 14 MB of wasm and a model of 4 MiB.
///
/// # Panics
/// When it is not installed.
#[must_use]
pub fn onnx() -> Site {
    let mut site = Site::empty();
    site.write("/index.html", include_str!("apps/onnx.html"));
    site.write("/onnx.worker.mjs", include_str!("apps/onnx.worker.mjs"));
    site.write("/model.onnx", onnx::model());
    let dist = package("onnxruntime-web").join("dist");
    for name in ["ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm"] {
        copy_file(&mut site, &dist.join(name), &format!("/ort/{name}"));
    }
    site
}

/// Any app, as its folder holds it.
///
/// # Errors
/// When the folder cannot be read, or has no `index.html`.
pub fn own(folder: &Path) -> anyhow::Result<Site> {
    anyhow::ensure!(folder.join("index.html").is_file(), "{} has no index.html: give the folder of a site", folder.display());
    let mut site = Site::empty();
    copy(&mut site, folder, "");
    Ok(site)
}

/// Puts Workbox's precaching worker into a site, as `/sw.js`: it stores every file, and claims the pages.
///
/// # Panics
/// When node or its packages are missing.
pub fn add_workbox(folder: &Path) {
    make_pwa(&[OsStr::new("workbox"), folder.as_os_str()]);
}

/// A progressive web app as Vite and its plugin build one, with 3 MiB of assets that it loads at once.
///
/// # Panics
/// When node or its packages are missing.
#[must_use]
pub fn pwa() -> Site {
    let mut source = Site::empty();
    source.write("/index.html", include_str!("apps/pwa/index.html"));
    source.write("/main.js", include_str!("apps/pwa/main.js"));
    source.write("/late.js", include_str!("apps/pwa/late.js"));
    for part in 0..6 {
        source.write(&format!("/public/parts/{part}.bin"), noise(part, 512 * 1024));
    }
    let out = tempfile::tempdir().expect("a temporary folder for what is built");
    make_pwa(&[OsStr::new("vite"), source.folder().as_os_str(), out.path().as_os_str()]);
    let mut site = Site::empty();
    copy(&mut site, out.path(), "");
    site
}

fn make_pwa(arguments: &[&OsStr]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("apps/pwa.mjs");
    let output = Command::new("node").arg(script).args(arguments).output().expect("node is on the path");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn package(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("apps/node_modules").join(name);
    assert!(folder.is_dir(), "{name} is not installed: run `cargo xtask journeys`");
    folder
}

fn copy(site: &mut Site, from: &Path, to: &str) {
    copy_only(site, from, to, None);
}

/// Copies a folder, of it only the files with this extension if one is given.
fn copy_only(site: &mut Site, from: &Path, to: &str, extension: Option<&str>) {
    for entry in std::fs::read_dir(from).expect("a folder of the package").flatten() {
        let path = format!("{to}/{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            copy_only(site, &entry.path(), &path, extension);
        } else if extension.is_none_or(|wanted| entry.path().extension().is_some_and(|is| is == wanted)) {
            copy_file(site, &entry.path(), &path);
        }
    }
}

fn copy_file(site: &mut Site, from: &Path, to: &str) {
    site.write(to, std::fs::read(from).expect("a file of the package"));
}
