//! The load: `wrk` over keep-alive connections, every one with a request under way at any time.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};

/// Connections at once: a small crowd, of which one thread of either server is never idle.
const CONNECTIONS: &str = "32";

/// What came of a load.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Load {
    /// Answers that came whole, each with status 200 to 399.
    pub(crate) requests: f64,
}

/// Asks for `url` with these headers again and again.
///
/// # Errors
/// When wrk is missing, or any answer is none.
pub(crate) fn load(url: &str, headers: &[(&str, String)], lasts: Duration) -> anyhow::Result<Load> {
    let mut wrk = Command::new("wrk");
    wrk.args(["--threads", "1", "--connections", CONNECTIONS, "--duration"]).arg(format!("{}s", lasts.as_secs()));
    for (name, value) in headers {
        wrk.arg("--header").arg(format!("{name}: {value}"));
    }
    let output = wrk.arg(url).output().context("cannot start wrk; as root run: apt-get install wrk")?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "wrk ended with {}: {said}{}", output.status, String::from_utf8_lossy(&output.stderr));
    read(&said).with_context(|| format!("wrk said of {url}: {said}"))
}

fn read(said: &str) -> anyhow::Result<Load> {
    if let Some(fault) = said.lines().find(|line| line.contains("Non-2xx") || line.contains("Socket errors")) {
        bail!("{}", fault.trim());
    }
    let line = said.lines().find(|line| line.contains(" requests in ")).context("it does not say how many requests were answered")?;
    let requests = line.split_whitespace().next().context("it does not say how many")?.parse()?;
    Ok(Load { requests })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_counted_and_a_fault_among_them_is_one() {
        let said = "Running 1s test @ http://127.0.0.1:1/\n  1 threads and 32 connections\n  42127 requests in 1.10s, 34.19MB read\nRequests/sec: 38300.1\n";
        assert_eq!(read(said).unwrap(), Load { requests: 42_127.0 });
        assert!(read(&format!("{said}  Non-2xx or 3xx responses: 5\n")).is_err());
        assert!(read("").is_err());
    }
}
