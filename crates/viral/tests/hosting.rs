//! Several sites in one program, as its settings file names them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader, Lines, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::Arc;

use rustix::process::{Pid, Signal, kill_process};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

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
        let address = |line: usize| lines[line].split("://").nth(1).unwrap().parse().unwrap();
        let said = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { public: address(0), admin: address(1), said, child }
    }

    /// Reads the settings anew, and returns once it says this.
    fn reload(&mut self, folder: &Path, sites: &str, until: &str) -> String {
        write(folder, sites);
        kill_process(Pid::from_child(&self.child), Signal::HUP).unwrap();
        self.receive(until)
    }

    /// The next line that says this.
    fn receive(&mut self, until: &str) -> String {
        self.said.find_map(|line| line.ok().filter(|line| line.contains(until))).unwrap()
    }

    /// Whether whoever asks for a name over TLS is shown this certificate, which is for it.
    fn shows(&self, name: &str, certificate: &CertificateDer<'static>) -> bool {
        let mut roots = RootCertStore::empty();
        roots.add(certificate.clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
        let client = builder.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots).with_no_client_auth();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let mut connection = ClientConnection::new(Arc::new(client), name).unwrap();
        let mut stream = TcpStream::connect(self.public).unwrap();
        while connection.is_handshaking() {
            if connection.complete_io(&mut stream).is_err() {
                return false;
            }
        }
        connection.peer_certificates().unwrap()[0] == *certificate
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

/// Writes a certificate for these names as `FILE.pem`, and its key as `FILE.key`.
fn certify(folder: &Path, file: &str, names: &[&str]) -> CertificateDer<'static> {
    let key = rcgen::KeyPair::generate().unwrap();
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let certificate = rcgen::CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
    std::fs::write(folder.join(format!("{file}.pem")), certificate.pem()).unwrap();
    std::fs::write(folder.join(format!("{file}.key")), key.serialize_pem()).unwrap();
    certificate.der().clone()
}

/// A site with a certificate of its own, in these files.
fn certified(host: &str, root: &str, certificate: &str, key: &str) -> String {
    format!("[[site]]\nhost = \"{host}\"\nroot = \"{root}\"\ntls-cert = \"{certificate}.pem\"\ntls-key = \"{key}.key\"\n")
}

#[test]
fn each_site_shows_its_certificate_and_a_reload_exchanges_them() {
    let dir = folder();
    let all = certify(dir.path(), "all", &["c.test", "a.test"]);
    let (a, b) = (certify(dir.path(), "a", &["a.test"]), certify(dir.path(), "b", &["b.test"]));
    let top = "tls-cert = \"all.pem\"\ntls-key = \"all.key\"\n";
    let bare = "[[site]]\nhost = \"c.test\"\nroot = \"b\"\n";
    let of_a = certified("a.test", "a", "a", "a");
    let mut server = Server::start(dir.path(), &format!("{top}{of_a}{bare}"));
    assert!(server.shows("a.test", &a) && server.shows("c.test", &all));

    let with_b = |key: &str| format!("{top}{of_a}{bare}{}", certified("b.test", "b", "b", key));
    server.reload(dir.path(), &with_b("b"), "the sites are as the settings say");
    assert!(server.shows("a.test", &a) && server.shows("b.test", &b));
    // A bad one changes nothing, whatever else there is.
    let said = server.reload(dir.path(), &with_b("a").replace("c.test", "d.test"), "the sites from before stay");
    assert!(said.contains("site b.test (viral.toml line 16): the key in a.key"), "{said}");
    assert!(server.shows("b.test", &b) && server.shows("c.test", &all));
    let said = server.reload(dir.path(), &format!("{top}{}", certified("a.test", "a", "b", "b")), "is for other hosts");
    assert!(said.contains("site a.test (viral.toml line 8)") && said.contains("b.test"), "{said}");
    server.receive("the sites are as the settings say");

    let renewed = certify(dir.path(), "a", &["a.test"]);
    server.reload(dir.path(), &format!("{top}{of_a}"), "the sites are as the settings say");
    assert!(server.shows("a.test", &renewed) && !server.shows("a.test", &a));
    server.reload(dir.path(), &format!("{top}{bare}"), "the sites are as the settings say");
    assert!(server.shows("a.test", &all), "the site is gone, and its certificate with it");
}

#[test]
fn certificates_of_sites_begin_tls_and_nothing_takes_the_last_one_away() {
    let dir = folder();
    let a = certify(dir.path(), "a", &["a.test"]);
    let of_a = certified("a.test", "a", "a", "a");
    let mut server = Server::start(dir.path(), &of_a);
    assert!(server.shows("a.test", &a));
    let said = server.reload(dir.path(), A, "the sites from before stay");
    assert!(said.contains("no site has a certificate any more"), "{said}");
    assert!(server.shows("a.test", &a));
    let mut plain = Server::start(dir.path(), A);
    let said = plain.reload(dir.path(), &of_a, "the sites from before stay");
    assert!(said.contains("site a.test (viral.toml line 6)") && said.contains("this server began without TLS; restart it"), "{said}");
    assert!(plain.asked("a.test", "/").contains("<title>a</title>"));
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
        (&format!("{A}tls-key = \"a.key\"\n"), "site a.test (viral.toml line 7): a certificate needs its key"),
        (&certified("a.test", "a", "none", "none"), "site a.test (viral.toml line 6): none.pem cannot be read"),
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
