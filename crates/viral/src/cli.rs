//! What can be said on the command line, and the settings that come of it.
#![allow(rustdoc::bare_urls, rustdoc::broken_intra_doc_links, reason = "a help text is no Markdown")]

use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::{ArgMatches, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use clap_complete::Shell;
use viral_server::config::{Config, ConfigError, load};
use viral_upstream::UpstreamAddr;

use crate::audit::{AUDIT_HELP, AuditArgs};
use crate::doctor::{DOCTOR_HELP, DoctorArgs};
use crate::peer::{GetArgs, SeedArgs};
use crate::simulate::SimulateArgs;

/// The file that `serve` reads without being told.
const DEFAULT_FILE: &str = "viral.toml";

/// What to do.
pub(crate) enum Task {
    /// Serve the demo.
    Demo {
        /// The settings.
        config: Config,
    },
    /// Serve a directory.
    Serve {
        /// The directory.
        dir: PathBuf,
        /// The settings.
        config: Config,
    },
    /// Serve several sites by host.
    Sites {
        /// The settings.
        config: Box<Config>,
        /// Where they come from.
        file: SettingsFile,
    },
    /// Serve in front of another server.
    Proxy {
        /// That server.
        upstream: UpstreamAddr,
        /// The settings.
        config: Config,
    },
    /// Look at a page as two visitors.
    Audit(Box<AuditArgs>),
    /// Find out why visitors take no part.
    Doctor(Box<DoctorArgs>),
    /// Print the commented default settings.
    PrintConfig,
    /// Take an app from its swarm.
    Get(Box<GetArgs>),
    /// Mirror apps for their visitors.
    Seed(Box<SeedArgs>),
    /// Run a crowd in virtual time.
    Simulate(Box<SimulateArgs>),
    /// Print what a shell needs to complete the command line.
    Completions(Shell),
    /// Write the manual pages into a directory.
    Manual(PathBuf),
}

/// Serves a web app that its visitors hand on to each other.
///
/// Without a command: the demo, on http://localhost:8080.
#[derive(Parser)]
#[command(name = "viral", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    settings: Settings,
}

/// What a running server does at which signal.
const SIGNALS_HELP: &str = "\
Signals:
  SIGTERM, SIGINT  answers in flight are finished, then it ends; a second one ends it at once
  SIGHUP           reads the site, or settings and sites, and certificates anew
  SIGUSR1          opens the access log anew, for logrotate
  SIGUSR2          starts a successor on the same sockets: a new binary or other settings, and nobody is refused";

#[derive(Subcommand)]
enum Command {
    /// Serve a directory, or the sites that viral.toml names
    #[command(after_help = SIGNALS_HELP)]
    Serve {
        /// The directory that holds index.html; without it the [[site]] tables of viral.toml are served, each for its host
        #[arg(value_name = "DIR")]
        dir: Option<PathBuf>,
        #[command(flatten)]
        settings: Box<Settings>,
    },
    /// Serve in front of another server: what is the same for everybody travels between visitors, all else is passed on
    #[command(after_help = SIGNALS_HELP)]
    Proxy {
        /// The other server: http://127.0.0.1:3000, https://app.example or unix:/run/app.sock
        #[arg(value_name = "UPSTREAM")]
        upstream: UpstreamAddr,
        #[command(flatten)]
        settings: Box<Settings>,
    },
    /// Look at a page as two visitors: what of it may travel, by which rule, and whether it is the same for both
    #[command(after_help = AUDIT_HELP)]
    Audit(Box<AuditArgs>),
    /// Find out whether visitors of a page can take part, and what to change
    #[command(after_help = DOCTOR_HELP)]
    Doctor(Box<DoctorArgs>),
    /// Print the commented default settings, to be saved as viral.toml
    Config,
    /// Take a page's app, or one asset, through the swarm as a visitor would
    Get(Box<GetArgs>),
    /// Mirror pages and serve them to their visitors until stopped
    Seed(Box<SeedArgs>),
    /// Say what a crowd would do to a server, with viral and without, in virtual time
    Simulate(Box<SimulateArgs>),
    /// Print what a shell needs to complete this command line
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write the manual pages, one for each command, into a directory
    // For who packs the program: `cargo xtask dist`.
    #[command(hide = true)]
    Man {
        /// The directory, which must be there
        #[arg(value_name = "DIR")]
        dir: PathBuf,
    },
}

#[derive(Args)]
struct Settings {
    /// File with settings; `serve` and `proxy` read ./viral.toml if there is one
    #[arg(long, value_name = "FILE", env = "VIRAL_CONFIG")]
    config: Option<PathBuf>,
    #[command(flatten)]
    flags: Config,
}

/// All that the command line knows.
pub(crate) fn command() -> clap::Command {
    Cli::command()
}

/// Reads the command line, the environment and the settings file. Help and version end the program here.
pub(crate) fn parse() -> anyhow::Result<Task> {
    let matches = command().get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    match cli.command {
        None => Ok(Task::Demo { config: load(&matches, cli.settings.config.as_deref())? }),
        Some(Command::Config) => Ok(Task::PrintConfig),
        Some(Command::Get(args)) => Ok(Task::Get(args)),
        Some(Command::Seed(args)) => Ok(Task::Seed(args)),
        Some(Command::Simulate(args)) => Ok(Task::Simulate(args)),
        Some(Command::Completions { shell }) => Ok(Task::Completions(shell)),
        Some(Command::Man { dir }) => Ok(Task::Manual(dir)),
        Some(Command::Serve { dir, settings }) => {
            let file = SettingsFile::of(matches.subcommand_matches("serve").unwrap_or(&matches), *settings);
            let config = file.load()?;
            match (dir, config.site.is_empty()) {
                (Some(dir), true) => Ok(Task::Serve { dir, config }),
                (None, false) => Ok(Task::Sites { config: Box::new(config), file }),
                (None, true) => bail!("nothing is to be served; give DIR, or [[site]] tables in viral.toml"),
                (Some(_), false) => {
                    bail!("viral.toml has [[site]] tables; leave DIR out to serve them, or give another file with --config")
                }
            }
        }
        Some(Command::Proxy { upstream, settings }) => {
            let config = SettingsFile::of(matches.subcommand_matches("proxy").unwrap_or(&matches), *settings).load()?;
            if !config.site.is_empty() {
                bail!("viral.toml has [[site]] tables; serve them with `viral serve`, or give another file with --config");
            }
            Ok(Task::Proxy { upstream, config })
        }
        Some(Command::Audit(args)) => Ok(Task::Audit(args)),
        Some(Command::Doctor(args)) => Ok(Task::Doctor(args)),
    }
}

/// The settings of a command that reads the file without being told, as often as they are asked for.
pub(crate) struct SettingsFile {
    matches: ArgMatches,
    file: Option<PathBuf>,
}

impl SettingsFile {
    fn of(matches: &ArgMatches, settings: Settings) -> Self {
        let file = settings.config.or_else(|| Path::new(DEFAULT_FILE).exists().then(|| PathBuf::from(DEFAULT_FILE)));
        Self { matches: matches.clone(), file }
    }

    /// What flags, environment and file say now.
    ///
    /// # Errors
    /// As [`load`].
    pub(crate) fn load(&self) -> Result<Config, ConfigError> {
        load(&self.matches, self.file.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn serve_takes_a_directory_and_every_flag() {
        let cli = Cli::try_parse_from(["viral", "serve", "dist", "--listen", "127.0.0.1:0", "--min-app-bytes", "0", "--spa"])
            .unwrap_or_else(|error| panic!("{error}"));
        let Some(Command::Serve { dir, settings }) = cli.command else { panic!("not serve") };
        assert_eq!(dir.as_deref(), Some(Path::new("dist")));
        let listen = settings.flags.listen.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!((listen, settings.flags.min_app_bytes, settings.flags.spa), (vec!["127.0.0.1:0".to_owned()], 0, true));
    }

    #[test]
    fn get_and_seed_take_rates_and_addresses() {
        let cli = Cli::try_parse_from([
            "viral",
            "get",
            "http://localhost:8080/",
            "-o",
            "out",
            "--json",
            "--bind",
            "127.0.0.1",
            "--up-limit",
            "0",
        ]);
        let Some(Command::Get(args)) = cli.unwrap_or_else(|error| panic!("{error}")).command else { panic!("not get") };
        assert!(args.json && args.network.up_limit == Some(viral_peer::Rate(0)));
        let seed = ["viral", "seed", "https://a.example/", "https://b.example/", "--disk-limit", "2G", "--down-limit", "10Mbit"];
        let Some(Command::Seed(args)) = Cli::try_parse_from(seed).unwrap_or_else(|error| panic!("{error}")).command else {
            panic!("not seed")
        };
        assert_eq!((args.urls.len(), args.disk_limit), (2, Some(viral_peer::Size(2 << 30))));
        for wrong in [["viral", "get", "no url"].as_slice(), &["viral", "seed"], &["viral", "get", "http://a/", "--up-limit", "fast"]] {
            assert!(Cli::try_parse_from(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn no_argument_means_the_demo() {
        let cli = Cli::try_parse_from(["viral"]).unwrap_or_else(|error| panic!("{error}"));
        assert!(cli.command.is_none());
    }
}
