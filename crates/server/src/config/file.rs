//! `viral.toml`: reading it under the flags, naming the line of a mistake, and writing the commented default.

use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{ArgMatches, Args as _, FromArgMatches as _};

use serde::Deserialize;
use toml::Spanned;

use super::{Config, FileLine};

/// Why the settings cannot be used. Written for the operator.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {path}: {error} (give another with --config)")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The file is read but says something that is not a setting.
    #[error("{path} line {line}: {message}")]
    Wrong {
        /// The file.
        path: PathBuf,
        /// 1-based line of the mistake.
        line: usize,
        /// What is wrong and what would be right.
        message: String,
    },
    /// A flag or variable is wrong. Clap's own words.
    #[error(transparent)]
    Flags(#[from] clap::Error),
}

/// The settings that hold: flags over environment over `path` over defaults. `matches` are of a command with [`Config`] flattened into it.
///
/// # Errors
/// When the file cannot be read or holds an unknown key or a value of the wrong type: the message names key and line.
pub fn load(matches: &ArgMatches, path: Option<&Path>) -> Result<Config, ConfigError> {
    let flags = Config::from_arg_matches(matches)?;
    let Some(path) = path else { return Ok(flags) };
    let text = std::fs::read_to_string(path).map_err(|error| ConfigError::Unreadable { path: path.to_owned(), error })?;
    let wrong = |error: toml::de::Error| wrong(path, &text, &error);
    let from_file: Config = toml::from_str(&text).map_err(wrong)?;
    let from_file = from_file.with_locality().map_err(|name| twice(path, &text, name))?;
    Ok(with_lines(overlaid(from_file, &flags, matches), path, &text))
}

/// The settings, with the lines in which sites say something of certificates: files that cannot be used are found out later.
fn with_lines(mut config: Config, path: &Path, text: &str) -> Config {
    #[derive(Default, Deserialize)]
    struct Placed {
        #[serde(default)]
        site: Vec<PlacedSite>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "kebab-case")]
    struct PlacedSite {
        tls_cert: Option<Spanned<String>>,
        tls_key: Option<Spanned<String>>,
    }
    let placed: Placed = toml::from_str(text).unwrap_or_default();
    for (site, placed) in config.site.iter_mut().zip(placed.site) {
        let said = placed.tls_cert.or(placed.tls_key);
        site.tls_line = said.map(|said| FileLine { path: path.to_owned(), line: line_at(text, said.span().start) });
    }
    config
}

/// The line in which a byte of `text` stands, from 1 on.
fn line_at(text: &str, byte: usize) -> usize {
    1 + text.as_bytes().iter().take(byte).filter(|byte| **byte == b'\n').count()
}

/// A setting of `[locality]` that is given above it, too.
fn twice(path: &Path, text: &str, name: &str) -> ConfigError {
    let line = text.lines().position(|line| line.trim() == "[locality]").map_or(1, |at| at + 1);
    ConfigError::Wrong { path: path.to_owned(), line, message: format!("{name} is given here and above; leave one of them out") }
}

/// The commented file that `viral config` prints: every key with its manual and default.
#[must_use]
pub fn default_file() -> String {
    let defaults = table(&Config::default());
    let mut out = String::from("# Settings of viral. Every key is also a flag (--key) and an environment variable (VIRAL_KEY).\n");
    for arg in arguments().get_arguments() {
        let Some(key) = arg.get_long() else { continue };
        out.push('\n');
        for line in arg.get_help().map(ToString::to_string).unwrap_or_default().lines() {
            out.push_str("# ");
            out.push_str(line);
            out.push('\n');
        }
        match defaults.get(key) {
            Some(value) => out.push_str(&format!("{key} = {value}\n")),
            None => out.push_str(&format!("# {key} = \"\"\n")),
        }
    }
    out.push_str(LOCALITY);
    out.push_str(SITES);
    out
}

/// How several sites are written, which no flag says.
const SITES: &str = r#"
# Several sites by host, for `viral serve` without DIR. Each has a root or an upstream, and may say of itself alone
# `spa`, `header` (besides those above), `tls-cert`, `tls-key`, `upload-volume`, `quiet-hours`, `share` and `never`. The one with `default = true` has all other hosts, too.
# [[site]]
# host = "app.example"
# root = "/srv/app"
#
# [[site]]
# host = "*.shop.example"
# upstream = "http://127.0.0.1:3000"
# tls-cert = "/etc/ssl/shop.pem"
# tls-key = "/etc/ssl/shop.key"
# share = ["/static/*"]
"#;

/// The other place of some of them.
const LOCALITY: &str = r#"
# `sites`, `geo` and `tier` may also stand in a table of their own.
# [locality]
# sites = "sites.csv"
# geo = ["GeoLite2-ASN.mmdb", "GeoLite2-Country.mmdb"]
# tier = ["anyone=off"]
"#;

/// Keys of `[[site]]` that are no settings above it.
const SITE_KEYS: [&str; 4] = ["host", "default", "root", "upstream"];

/// `file` with every setting replaced that was given as flag or variable.
fn overlaid(file: Config, flags: &Config, matches: &ArgMatches) -> Config {
    let (mut merged, flags) = (table(&file), table(flags));
    for arg in arguments().get_arguments() {
        let given = matches!(matches.value_source(arg.get_id().as_str()), Some(ValueSource::CommandLine | ValueSource::EnvVariable));
        if let (true, Some(key)) = (given, arg.get_long())
            && let Some(value) = flags.get(key)
        {
            merged.insert(key.to_owned(), value.clone());
        }
    }
    merged.try_into().expect("a table made of two valid settings holds valid settings")
}

/// A command that has the settings as arguments and nothing else.
fn arguments() -> clap::Command {
    Config::augment_args(clap::Command::new("viral"))
}

fn table(config: &Config) -> toml::Table {
    toml::Table::try_from(config).expect("settings are numbers, booleans, text and lists of text")
}

fn wrong(path: &Path, text: &str, error: &toml::de::Error) -> ConfigError {
    let start = error.span().map_or(0, |span| span.start);
    let line = line_at(text, start);
    let message = error.message().replace("unknown field", "unknown key");
    let message = match key_before(text.get(..start).unwrap_or_default()) {
        Some(key) if !message.contains(&format!("`{key}`")) => format!("{key}: {message}"),
        Some(_) | None => message,
    };
    ConfigError::Wrong { path: path.to_owned(), line, message }
}

/// The setting whose value begins where `text` ends.
fn key_before(text: &str) -> Option<String> {
    let known: Vec<String> = arguments().get_arguments().filter_map(clap::Arg::get_long).map(str::to_owned).collect();
    let mut names = text.lines().rev().filter_map(|line| line.split_once('=')).map(|(key, _)| key.trim().trim_matches('"').to_owned());
    names.find(|name| known.contains(name) || SITE_KEYS.contains(&name.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(args: &[&str]) -> ArgMatches {
        arguments().get_matches_from(std::iter::once(&"viral").chain(args))
    }

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    #[test]
    fn sites_are_read_and_a_mistake_in_one_is_named() {
        let sites = "[[site]]\nhost = \"a.example\"\nroot = \"a\"\n[[site]]\nhost = \"*.b.example\"\nupstream = \"http://127.0.0.1:1\"\ndefault = true\n";
        let read = load(&matches(&["--spa"]), Some(file(sites).path())).unwrap();
        assert_eq!(read.site.iter().map(|site| site.host.to_string()).collect::<Vec<_>>(), ["a.example", "*.b.example"]);
        assert!(read.spa && read.site[1].default && read.site[0].root.is_some());
        for (text, said) in [
            ("[[site]]\nhost = \"a b\"\n", "line 2: host: `a b` is no host of a site"),
            ("[[site]]\nroot = \"a\"\n", "missing field `host`"),
            ("[[site]]\nhost = \"a\"\nlisten = \"x\"\n", "line 3: unknown key `listen`"),
        ] {
            let fault = load(&matches(&[]), Some(file(text).path())).unwrap_err().to_string();
            assert!(fault.contains(said), "{fault}");
        }
        let example: String = SITES
            .lines()
            .filter_map(|line| line.strip_prefix("# "))
            .filter(|line| line.starts_with("[[") || line.contains(" = "))
            .filter(|line| !line.starts_with('`'))
            .map(|line| format!("{line}\n"))
            .collect();
        assert_eq!(toml::from_str::<Config>(&example).unwrap().site.len(), 2, "{example}");
    }

    #[test]
    fn a_site_knows_in_which_line_its_certificate_is_named() {
        let text = "spa = true\n\n[[site]]\nhost = \"a\"\n\n[[site]]\nhost = \"b\"\ntls-key = \"b.key\"\ntls-cert = \"b.pem\"\n[[site]]\nhost = \"c\"\ntls-key = \"c.key\"\n";
        let file = file(text);
        let read = load(&matches(&["--hsts", "1"]), Some(file.path())).unwrap();
        let lines: Vec<_> = read.site.iter().map(|site| site.tls_line.as_ref().map(|at| at.line)).collect();
        assert_eq!(lines, [None, Some(9), Some(12)]);
        let at = read.site[1].tls_line.as_ref().unwrap().to_string();
        assert_eq!(at, format!("{} line 9", file.path().display()));
    }

    #[test]
    fn a_table_of_locality_says_what_flags_say() {
        let text = "spa = true\n\n[locality]\nsites = \"offices.csv\"\ngeo = \"asn.mmdb\"\ntier = [\"country=off\"]\n";
        let read = load(&matches(&[]), Some(file(text).path())).unwrap();
        let flags = load(&matches(&["--spa", "--sites", "offices.csv", "--geo", "asn.mmdb", "--tier", "country=off"]), None).unwrap();
        assert_eq!(read, flags);
        assert_eq!(load(&matches(&["--sites", "other.csv"]), Some(file(text).path())).unwrap().sites, Some("other.csv".into()));
        for (text, said) in [
            ("sites = \"a\"\n[locality]\nsites = \"b\"\n", "line 2: sites is given here and above"),
            ("[locality]\nsight = \"b\"\n", "line 2: unknown key `sight`"),
            ("[locality]\ntier = [\"country=maybe\"]\n", "line 2: "),
        ] {
            let fault = load(&matches(&[]), Some(file(text).path())).unwrap_err().to_string();
            assert!(fault.contains(said), "{fault}");
        }
        let example: String = LOCALITY.lines().filter_map(|line| line.strip_prefix("# ")).skip(1).map(|line| format!("{line}\n")).collect();
        assert!(!toml::from_str::<Config>(&example).unwrap().locality.is_empty(), "{example}");
    }

    #[test]
    fn the_printed_default_file_parses_back_to_the_defaults() {
        let text = default_file();
        assert_eq!(toml::from_str::<Config>(&text).unwrap(), Config::default(), "{text}");
        let keys = arguments().get_arguments().filter_map(clap::Arg::get_long).map(str::to_owned).collect::<Vec<_>>();
        for key in keys {
            assert!(text.contains(&format!("{key} =")), "{key} is missing");
        }
    }

    #[test]
    fn no_flag_means_the_default() {
        assert_eq!(load(&matches(&[]), None).unwrap(), Config::default());
    }

    #[test]
    fn every_flag_has_an_environment_variable_of_its_name() {
        for arg in arguments().get_arguments() {
            let Some(key) = arg.get_long() else { continue };
            let expected = format!("VIRAL_{}", key.replace('-', "_").to_uppercase());
            assert_eq!(arg.get_env().and_then(|name| name.to_str()), Some(expected.as_str()));
        }
    }

    #[test]
    fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
        let file = file("spa = true\nmin-app-bytes = 5\nheader = [\"a: b\"]\n");
        let config = load(&matches(&["--min-app-bytes", "7", "--trust-proxy", "10.0.0.0/8"]), Some(file.path())).unwrap();
        assert!(config.spa);
        assert_eq!(config.min_app_bytes, 7);
        assert_eq!(config.header[0].to_string(), "a: b");
        assert_eq!(config.trust_proxy[0].to_string(), "10.0.0.0/8");
        assert_eq!(config.reach, Config::default().reach);
    }

    #[test]
    fn the_former_names_of_the_page_set_are_understood_and_shown_nowhere() {
        let file = file("boot-set-bytes-max = 5\nboot-set-assets-max = 6\n");
        let config = load(&matches(&["--boot-set-assets-max", "7"]), Some(file.path())).unwrap();
        assert_eq!((config.page_set_bytes_max, config.page_set_assets_max), (5, 7));
        assert!(!default_file().contains("boot-set") && !arguments().render_long_help().to_string().contains("boot-set"));
    }

    #[test]
    fn what_is_tried_out_is_the_same_in_the_file_and_in_flags() {
        let file = file("holdout = \"5%\"\nramp = \"12.5%\"\nmode = \"shadow\"\n");
        let read = load(&matches(&[]), Some(file.path())).unwrap();
        assert_eq!(read, load(&matches(&["--holdout", "5%", "--ramp", "12.50%", "--mode", "shadow"]), None).unwrap());
        assert_eq!(load(&matches(&["--holdout", "0%"]), Some(file.path())).unwrap().holdout.to_string(), "0%");
        for (flags, said) in [
            (["--holdout", "150%"], "`150%` is no share of visitors: it must be from 0% to 100%"),
            (["--ramp", "abc"], "`abc` is no share of visitors: write it in percent, as 5% or 0.5%"),
            (["--mode", "ghost"], "[possible values: live, shadow]"),
        ] {
            let fault = arguments().try_get_matches_from(std::iter::once("viral").chain(flags)).unwrap_err().to_string();
            assert!(fault.contains(said), "{fault}");
        }
    }

    #[test]
    fn what_visitors_give_is_the_same_in_the_file_and_in_flags_and_each_site_has_its_own() {
        let file = file("upload-volume = \"2048M\"\nquiet-hours = \"22:00-06:00+02:00\"\n");
        let read = load(&matches(&[]), Some(file.path())).unwrap();
        assert_eq!(read, load(&matches(&["--upload-volume", "2G", "--quiet-hours", "22:00-06:00+02:00"]), None).unwrap());
        assert_eq!(load(&matches(&["--upload-volume", "off"]), Some(file.path())).unwrap().upload_volume.0, 0);
        let site: crate::config::SiteConfig =
            toml::from_str("host = \"a\"\nupload-volume = \"1M\"\nquiet-hours = \"01:00-02:00\"").unwrap();
        let own = read.of_site(&site);
        assert_eq!((own.upload_volume.to_string(), own.quiet_hours.unwrap().to_string()), ("1M".to_owned(), "01:00-02:00 UTC".to_owned()));
        let other = read.of_site(&toml::from_str("host = \"b\"").unwrap());
        assert_eq!((other.upload_volume, other.quiet_hours), (read.upload_volume, read.quiet_hours));
    }

    #[test]
    fn a_switch_of_the_file_can_be_turned_off_by_a_flag() {
        let file = file("spa = true\n");
        assert!(!load(&matches(&["--spa=false"]), Some(file.path())).unwrap().spa);
        assert!(load(&matches(&["--spa"]), None).unwrap().spa);
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line() {
        let file = file("# comment\nspa = true\nmin-app-bites = 5\n");
        let message = load(&matches(&[]), Some(file.path())).unwrap_err().to_string();
        assert!(message.contains("line 3: unknown key `min-app-bites`"), "{message}");
    }

    #[test]
    fn a_value_of_the_wrong_type_is_named_with_its_key_and_line() {
        for (text, expected) in [
            ("\nlisten = \"nowhere\"\n", "line 2: listen: "),
            ("spa = true\nmin-app-bytes = \"x\"\n", "line 2: min-app-bytes: "),
            ("holdout = \"150%\"\n", "line 1: holdout: `150%` is no share of visitors: it must be from 0% to 100%"),
            ("ramp = \"10\"\n", "line 1: ramp: `10` is no share of visitors: write it in percent, as 5% or 0.5%"),
            ("mode = \"ghost\"\n", "line 1: mode: unknown variant `ghost`, expected `live` or `shadow`"),
            ("upload-volume = \"5MB\"\n", "line 1: upload-volume: `5MB` is no volume: write it as 500M, 2G, a number of bytes, or `off`"),
            ("spa = true\nquiet-hours = \"22-6\"\n", "line 2: quiet-hours: `22-6` are no quiet hours: `22` is no time of day"),
            (
                "[[site]]\nhost = \"a\"\nquiet-hours = \"22:00\"\n",
                "line 3: quiet-hours: `22:00` are no quiet hours: write them as 22:00-06:00",
            ),
            ("reach = \"any\"\nheader = [\n  \"a: b\",\n  \"nocolon\",\n]\n", "header: "),
        ] {
            let file = file(text);
            let message = load(&matches(&[]), Some(file.path())).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
    }
}
