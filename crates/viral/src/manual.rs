//! What the command line says of itself to shells and to man(1), made from the same words as `--help`.

use std::path::Path;

use anyhow::Context as _;
use clap_complete::Shell;

use crate::cli;

/// The script with which a shell completes commands, flags and their values.
pub(crate) fn completions(shell: Shell) -> anyhow::Result<String> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut cli::command(), "viral", &mut script);
    String::from_utf8(script).context("the script is no text")
}

/// Writes viral.1 and a page for each command into a directory.
pub(crate) fn write_pages(dir: &Path) -> anyhow::Result<()> {
    clap_mangen::generate_to(cli::command().disable_help_subcommand(true), dir)
        .with_context(|| format!("cannot write to {}; make that directory first", dir.display()))
}
