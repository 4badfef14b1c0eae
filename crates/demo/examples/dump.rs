//! Writes the demo's assets into a folder, to look at them with any static server: `cargo run -p viral-demo --example dump -- DIR`.

use std::path::PathBuf;

use anyhow::Context;

fn main() -> anyhow::Result<()> {
    let folder = PathBuf::from(std::env::args().nth(1).context("name the folder to write into")?);
    for file in viral_demo::files() {
        let path = folder.join(file.path.trim_start_matches('/'));
        let parent = path.parent().context("every asset lies in the folder")?;
        std::fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
        std::fs::write(&path, &file.body).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
