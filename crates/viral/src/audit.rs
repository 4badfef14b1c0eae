//! `viral audit`: its flags, and the table that a person reads.

use std::io::{IsTerminal as _, Write as _, stderr};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;
use http::HeaderValue;
use url::Url;
use viral_upstream::audit::{Audit, Resource, audit};
use viral_upstream::{Rules, Settings, UpstreamAddr};

use crate::run::{log_to_stderr, say};

/// What follows the flags.
pub(crate) const AUDIT_HELP: &str = "\
Each resource is fetched twice without cookies and once for each visitor. Visitors keep the cookies that answers set.
Exit code: 0 = what caches may keep is the same for everybody, 1 = something differs, 2 = wrong use.

  viral audit http://127.0.0.1:3000/
  viral audit https://app.example/ --cookie-a 'session=alice' --cookie-b 'session=bob' --json";

/// Exit code where something that may travel is not the same for everybody.
const DIFFERS: u8 = 1;

/// Flags of `audit`.
#[derive(Args)]
pub(crate) struct AuditArgs {
    /// The page, at the server that is to be behind viral
    #[arg(value_name = "URL")]
    url: Url,

    /// Cookies of the first visitor, as its browser sends them: `session=1; theme=dark` [default: none]
    #[arg(long, value_name = "COOKIES")]
    cookie_a: Option<String>,

    /// Cookies of the second visitor [default: none]
    #[arg(long, value_name = "COOKIES")]
    cookie_b: Option<String>,

    /// As `viral proxy --share`. May be given more than once
    #[arg(long, value_name = "PATTERN")]
    share: Vec<String>,

    /// As `viral proxy --never`. May be given more than once
    #[arg(long, value_name = "PATTERN")]
    never: Vec<String>,

    /// Print one JSON object on stdout instead of a table
    #[arg(long)]
    json: bool,

    /// What to log on stderr: warn, info, viral_upstream=debug
    #[arg(long, value_name = "FILTER", env = "VIRAL_LOG", default_value = "warn")]
    log: String,
}

/// Runs to the end.
pub(crate) fn run(args: &AuditArgs) -> anyhow::Result<ExitCode> {
    log_to_stderr(&args.log, "viral_server=debug", None)?;
    let (address, path) = target(&args.url)?;
    let cookies = [cookie(args.cookie_a.as_deref(), "--cookie-a")?, cookie(args.cookie_b.as_deref(), "--cookie-b")?];
    let settings = Settings { rules: Rules { share: args.share.clone(), never: args.never.clone() }, ..Settings::at(address) };
    let shows_progress = !args.json && stderr().is_terminal();
    let mut seen = 0;
    let noted = |resource: &Resource| {
        seen += 1;
        if shows_progress {
            // Progress is a courtesy: a closed stderr stops nothing.
            let _ = write!(stderr(), "\r\x1b[K{seen} looked at: {}", viral_peer::printable(&resource.url));
        }
    };
    let runtime = tokio::runtime::Runtime::new().context("cannot start")?;
    let found = runtime.block_on(audit(settings, &path, cookies, noted));
    if shows_progress {
        let _ = write!(stderr(), "\r\x1b[K");
    }
    let found = found?;
    say(&if args.json { format!("{}\n", serde_json::to_string(&found)?) } else { table(&found) })?;
    Ok(if found.differences > 0 { ExitCode::from(DIFFERS) } else { ExitCode::SUCCESS })
}

fn target(url: &Url) -> anyhow::Result<(UpstreamAddr, String)> {
    let Some(host) = url.host_str() else { bail!("`{url}` names no host; give http://HOST:PORT/PATH") };
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let address = format!("{}://{host}{port}", url.scheme()).parse()?;
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    Ok((address, format!("{}{query}", url.path())))
}

fn cookie(text: Option<&str>, flag: &str) -> anyhow::Result<Option<HeaderValue>> {
    let value = |text: &str| HeaderValue::from_str(text).with_context(|| format!("{flag} has characters that no header may have"));
    text.map(value).transpose()
}

/// The table, and below it what it means.
fn table(audit: &Audit) -> String {
    let base_len = audit.resources.first().map_or(0, |first| first.url.match_indices('/').nth(2).map_or(0, |(at, _)| at));
    let mut text =
        format!("{}\n\n{:<11} {:<13} {:>6} {:>10}  path\n", viral_peer::printable(&audit.url), "verdict", "rule", "status", "bytes");
    for resource in &audit.resources {
        let Resource { url, verdict, rule, status, bytes, differs } = resource;
        let path = url.get(base_len..).unwrap_or(url);
        text.push_str(&format!("{verdict:<11} {rule:<13} {status:>6} {bytes:>10}  {}\n", viral_peer::printable(path)));
        for difference in differs {
            let mark = if resource.is_different() { "!" } else { " " };
            text.push_str(&format!(
                "  {mark} visitor {} gets other content: {}\n",
                difference.visitor,
                viral_peer::printable(&difference.what)
            ));
        }
    }
    let shared: Vec<&Resource> = audit.resources.iter().filter(|resource| resource.verdict == "shared").collect();
    let (all, travels) = (bytes_of(audit.resources.iter()), bytes_of(shared.iter().copied()));
    text.push_str(&format!(
        "\n{} of {} resources may travel: {travels} of {all} bytes ({:.0} %).\n",
        shared.len(),
        audit.resources.len(),
        100.0 * ratio(travels, all)
    ));
    if audit.is_cut {
        text.push_str("There are more resources than were looked at.\n");
    }
    text.push_str(&match audit.differences {
        0 => "Nothing that says that caches may keep it differs between the visitors.\n".to_owned(),
        count => format!(
            "{count} that caches may keep {} not the same for everybody, marked with !. Let the server say `Cache-Control: private` for them,\n\
             or keep them where they are with `viral proxy --never PATTERN`.\n",
            if count == 1 { "is" } else { "are" }
        ),
    });
    text
}

fn bytes_of<'r>(resources: impl Iterator<Item = &'r Resource>) -> u64 {
    resources.map(|resource| resource.bytes).sum()
}

/// Bytes are far below 2^52.
#[expect(clippy::cast_precision_loss, reason = "a share is shown without digits behind the point")]
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use viral_upstream::audit::Difference;

    use super::*;

    fn resource(path: &str, verdict: &'static str, rule: &'static str, differs: Vec<Difference>) -> Resource {
        Resource { url: format!("http://a.example:1{path}"), verdict, rule, status: 200, bytes: 50, differs }
    }

    #[test]
    fn the_table_says_what_travels_and_what_differs() {
        let differs = vec![Difference { visitor: "b", what: "the body".to_owned() }];
        let resources = vec![resource("/", "not-shared", "set-cookie", Vec::new()), resource("/me.json", "shared", "explicit", differs)];
        let text = table(&Audit { url: "http://a.example:1/".to_owned(), resources, differences: 1, is_cut: false });
        assert!(text.contains("not-shared  set-cookie       200         50  /\n"), "{text}");
        assert!(text.contains("  /me.json\n  ! visitor b gets other content: the body\n"), "{text}");
        assert!(text.contains("1 of 2 resources may travel: 50 of 100 bytes (50 %)"), "{text}");
        assert!(text.contains("--never PATTERN"), "{text}");
    }

    #[test]
    fn an_address_is_a_server_and_a_path() {
        let (address, path) = target(&"https://a.example/x/y?z=1".parse().expect("a URL")).expect("a server");
        assert_eq!((address.to_string().as_str(), path.as_str()), ("https://a.example", "/x/y?z=1"));
        assert!(target(&"ftp://a.example/".parse().expect("a URL")).is_err());
        assert!(cookie(Some("a=1\n"), "--cookie-a").is_err());
    }
}
