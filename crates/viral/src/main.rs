//! The `viral` command line: the demo, `serve`, `proxy`, `audit`, `doctor`, `config`, `get`, `seed`, `simulate` and `completions`.

mod audit;
mod bind;
mod cli;
mod doctor;
mod given;
mod hosting;
mod manual;
mod peer;
mod progress;
mod run;
mod served;
mod simulate;
mod stun;
mod successor;
mod systemd;
mod tls;
mod traces;
mod upstream;

use std::io::{Write as _, stderr};
use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Many short lives of many sizes: glibc's keeps the room that sockets had while they were awake (docs/adr/0097).
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Exit code where the command line or the settings are wrong; clap uses the same.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let task = match cli::parse() {
        Ok(task) => task,
        Err(error) => return fail(&error, USAGE),
    };
    match run::run(task) {
        Ok(code) => code,
        Err(error) => fail(&error, 1),
    }
}

/// One line that says what is wrong and what to do.
fn fail(error: &anyhow::Error, code: u8) -> ExitCode {
    // Servers and peers say things, too; only the lines are ours.
    let said: Vec<String> = format!("{error:#}").lines().map(|line| viral_peer::printable(line).into_owned()).collect();
    // If even stderr is closed there is nobody to tell.
    let _ = writeln!(stderr(), "viral: {}", said.join("\n"));
    ExitCode::from(code)
}
