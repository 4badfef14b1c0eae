//! `viral doctor`: its flags, and what a person or a script reads of it.

use std::net::IpAddr;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use url::Url;
use viral_peer::{Diagnosis, DoctorOptions, Finding, Health, doctor, printable};

use crate::run::{log_to_stderr, say};

/// What follows the flags.
pub(crate) const DOCTOR_HELP: &str = "\
What a browser alone can tell is tried at /.viral/doctor of the site, in that browser.
Exit code: 0 = visitors can take part, 1 = they cannot, 2 = wrong use.

  viral doctor https://app.example/
  viral doctor http://127.0.0.1:8080/ --json";

/// Width of a verdict and of a check's name, in characters.
const COLUMNS: (usize, usize) = (8, 15);

/// Flags of `doctor`.
#[derive(Args)]
pub(crate) struct DoctorArgs {
    /// The page, as visitors know it
    #[arg(value_name = "URL")]
    url: Url,

    /// Address that every socket leaves from [default: any of this machine's]
    #[arg(long, value_name = "ADDR")]
    bind: Option<IpAddr>,

    /// Follow redirects to another origin; one from https to http is never followed
    #[arg(long)]
    other_origin: bool,

    /// Print one JSON object on stdout instead of a list
    #[arg(long)]
    json: bool,

    /// What to log on stderr: warn, info, viral_peer=debug
    #[arg(long, value_name = "FILTER", env = "VIRAL_LOG", default_value = "error")]
    log: String,
}

/// Runs to the end.
pub(crate) fn run(args: &DoctorArgs) -> anyhow::Result<ExitCode> {
    log_to_stderr(&args.log, "viral_peer=debug", None)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
    let options = DoctorOptions { url: args.url.clone(), bind: args.bind, other_origin: args.other_origin };
    let found = runtime.block_on(doctor(&options));
    say(&if args.json { format!("{}\n", serde_json::to_string(&found)?) } else { list(&found) })?;
    Ok(if found.healthy { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The list, and below it what it comes to.
fn list(diagnosis: &Diagnosis) -> String {
    let (verdicts, checks) = COLUMNS;
    let mut text = format!("{}\n\n", printable(&diagnosis.url));
    for Finding { check, verdict, found, change } in &diagnosis.findings {
        let verdict = match verdict {
            Health::Bad => "bad",
            Health::Limited => "limited",
            Health::Good => "good",
        };
        text.push_str(&format!("{verdict:<verdicts$} {check:<checks$} {}\n", printable(found)));
        if !change.is_empty() {
            text.push_str(&format!("{:width$} -> {}\n", "", printable(change), width = verdicts + checks));
        }
    }
    text.push_str(if diagnosis.healthy {
        "\nVisitors can take the page from each other, as far as can be told from here.\n"
    } else {
        "\nVisitors cannot take the page from each other until what is bad is mended; they get it from the server.\n"
    });
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_reads_what_is_wrong_and_what_to_do() {
        let finding = |check, verdict, change: &str| Finding { check, verdict, found: "Something.".to_owned(), change: change.to_owned() };
        let findings = vec![finding("websocket", Health::Bad, "Mend\u{1b}[2J it."), finding("answer", Health::Good, "")];
        let text = list(&Diagnosis { url: "http://a.example/".to_owned(), healthy: false, findings });
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[2], "bad      websocket       Something.");
        assert!(lines[3].ends_with("-> Mend\\u{1b}[2J it.") && !text.contains('\u{1b}'), "{text}");
        assert_eq!(lines[4], "good     answer          Something.");
        assert!(text.ends_with("they get it from the server.\n"));
    }
}
