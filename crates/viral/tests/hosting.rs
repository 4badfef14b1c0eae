//! Several sites in one program, as its settings file names them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader, Lines, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

const HEAD: &str = "listen = \"127.0.0.1:0\"\nadmin-listen = \"127.0.0.1:0\"\n";

struct Server {
    child: Child,
    public: SocketAddr,
    admin: SocketAddr,
    said: Lines<BufReader<ChildStderr>>,
}

impl Server {
    fn start(folder: &Path, sites: &str) -> Self {
        write(folder, sites);
        let mut child = command(folder).spawn().unwrap();
        let lines: Vec<_> = BufReader::new(child.stdout.as_mut().unwrap()).lines().take(2).map(Result::unwrap).collect();
        let address = |line: usize| lines[line].split("http://").nth(1).unwrap().parse().unwrap();
        let said = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { public: address(0), admin: address(1), said, child }
    }

    /// Reads the settings anew, and returns once it says this.
    fn reload(&mut self, folder: &Path, sites: &str, until: &str) -> String {
        write(folder, sites);
        kill_process(Pid::from_child(&self.child), Signal::HUP).unwrap();
        self.said.find_map(|line| line.ok().filter(|line| line.contains(until))).unwrap()
    }

    fn asked(&self, host: &str, path: &str) -> String {
        asked(self.public, host, path)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn write(folder: &Path, sites: &str) {
    std::fs::write(folder.join("viral.toml"), format!("{HEAD}{sites}")).unwrap();
}

fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_viral"));
    command.arg("serve").current_dir(folder).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn asked(address: SocketAddr, host: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// A folder with the sites `a` and `b`.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for site in ["a", "b"] {
        std::fs::create_dir(dir.path().join(site)).unwrap();
        std::fs::write(dir.path().join(site).join("index.html"), format!("<!doctype html><title>{site}</title>")).unwrap();
    }
    dir
}

const A: &str = "[[site]]\nhost = \"a.test\"\nroot = \"a\"\nheader = [\"X-Site: a\"]\n";
const B: &str = "[[site]]\nhost = \"*.b.test\"\nroot = \"b\"\nspa = true\ndefault = true\n";

#[test]
fn each_host_has_its_site_and_a_reload_exchanges_them() {
    let dir = folder();
    let mut server = Server::start(dir.path(), &format!("{A}{B}"));
    let first = server.asked("a.test", "/");
    assert!(first.contains("<title>a</title>") && first.contains("x-site: a"), "{first}");
    assert!(server.asked("x.b.test", "/route").contains("<title>b</title>"));
    assert!(server.asked("other.test", "/").contains("<title>b</title>"), "it is the default");
    let stats = asked(server.admin, "localhost", "/stats");
    assert!(stats.contains("\"a.test\":{") && stats.contains("\"*.b.test\":{"), "{stats}");
    assert!(asked(server.admin, "localhost", "/stats?site=a.test").contains("\"uptime_s\":"));

    let said = server.reload(dir.path(), "[[site]]\nhost = \"a.test\"\nroot = \"none\"\n", "the sites from before stay");
    assert!(said.contains("site a.test") && said.contains("none does not exist"), "{said}");
    let said = server.reload(dir.path(), &format!("{A}wrong = 1\n"), "the sites from before stay");
    assert!(said.contains("viral.toml line 7: unknown key `wrong`"), "{said}");
    assert!(server.asked("x.b.test", "/").contains("<title>b</title>"));

    let moved = B.replace("*.b.test", "c.test").replace("default = true\n", "");
    server.reload(dir.path(), &format!("{A}{moved}"), "the sites are as the settings say");
    assert!(server.asked("c.test", "/").contains("<title>b</title>"));
    assert!(server.asked("x.b.test", "/").starts_with("HTTP/1.1 421 "));
    assert!(server.asked("a.test", "/").contains("<title>a</title>"));
}

#[test]
fn a_site_may_be_another_server() {
    let dir = folder();
    let behind = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = behind.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in behind.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ =
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\nbehind");
        }
    });
    let server = Server::start(dir.path(), &format!("{A}[[site]]\nhost = \"p.test\"\nupstream = \"http://{address}\"\n"));
    assert!(server.asked("p.test", "/api").ends_with("behind"));
    assert!(server.asked("a.test", "/").contains("<title>a</title>"));
}

#[test]
fn what_cannot_be_served_is_said_with_what_to_do() {
    let dir = folder();
    for (sites, said) in [
        ("", "give DIR, or [[site]] tables in viral.toml"),
        ("[[site]]\nhost = \"a.test\"\n", "site a.test: it has neither root nor upstream"),
        ("[[site]]\nhost = \"a.test\"\nroot = \"a\"\nupstream = \"http://a\"\n", "it has both root and upstream"),
        (&format!("{A}{A}"), "two sites have the host a.test"),
        (&format!("{B}{}", B.replace("*.b", "c")), "more than one site has default"),
        (&format!("base = \"/x/\"\n{A}"), "leave base out"),
    ] {
        write(dir.path(), sites);
        let out = command(dir.path()).output().unwrap();
        let text = String::from_utf8(out.stderr).unwrap();
        assert!(!out.status.success() && text.contains(said), "{sites}: {text}");
    }
    write(dir.path(), A);
    let out = command(dir.path()).arg("a").output().unwrap();
    assert!(String::from_utf8(out.stderr).unwrap().contains("leave DIR out"));
}
