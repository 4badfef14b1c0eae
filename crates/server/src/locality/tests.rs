use std::num::NonZeroU32;

use viral_swarm::locality::{Code, SiteId};

use super::*;

fn written(dir: &Path, name: &str, content: &[u8]) -> PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, content).unwrap();
    path
}

#[cfg(feature = "geo")]
fn asn() -> Vec<u8> {
    use super::mmdb::{Value, file, map, text};
    let record = map([("autonomous_system_number", Value::Number(64_500)), ("country_code", text("DE"))]);
    file(6, &[("203.0.113.0/24", record.clone()), ("10.0.0.0/8", record)])
}

async fn refused(config: Config) -> String {
    Whereabouts::open(&config, None).await.unwrap_err().to_string()
}

#[cfg(feature = "geo")]
#[tokio::test]
async fn an_address_has_its_site_and_its_geography() {
    let dir = tempfile::tempdir().unwrap();
    let sites = written(dir.path(), "sites.csv", b"Berlin, 10.1.0.0/16\nVPN, 10.1.9.0/24, off\n");
    let geo = written(dir.path(), "asn.mmdb", &asn());
    let config = Config { sites: Some(sites), geo: vec![geo], ..Config::default() };
    let whereabouts = Whereabouts::open(&config, None).await.unwrap();
    let known = Region { network: NonZeroU32::new(64_500), country: Code::new("DE"), ..Region::default() };
    let of = |address: &str| whereabouts.of(address.parse().unwrap());
    assert_eq!(of("203.0.113.7"), (known, SharePolicy::On));
    assert_eq!(of("::ffff:10.1.2.3"), (Region { site: Some(SiteId::of("Berlin")), ..known }, SharePolicy::On));
    assert_eq!(of("10.1.9.3"), (Region { site: Some(SiteId::of("VPN")), ..known }, SharePolicy::Off));
    assert_eq!(of("2001:db8::1"), (Region::default(), SharePolicy::On));
    assert!(Arc::ptr_eq(&whereabouts, &Whereabouts::open(&config, None).await.unwrap()), "sites of one server share them");
}

#[tokio::test]
async fn a_file_that_cannot_be_used_is_named_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let sites = |name, content: &[u8]| Config { sites: Some(written(dir.path(), name, content)), ..Config::default() };
    assert!(refused(sites("a.csv", b"# offices\nBerlin, 10.1.0.1/16\n")).await.contains("a.csv: line 2: 10.1.0.1/16 has bits behind"));
    assert!(refused(sites("b.toml", b"\n[[site]]\nname = 1\n")).await.contains("b.toml: line 3: "));
    assert!(refused(sites("c.csv", b"a, 10.0.0.0/8\n\xff\n")).await.contains("line 2: this is not UTF-8"));
    let inside = Config { sites: Some(written(dir.path(), "d.csv", b"a, 10.0.0.0/8\n")), ..Config::default() };
    let served = Whereabouts::open(&inside, Some(dir.path())).await.unwrap_err().to_string();
    assert!(served.contains("d.csv: lies in the site and would be served"), "{served}");
    let none = refused(Config { sites: Some(dir.path().join("none.csv")), ..Config::default() }).await;
    assert!(none.contains("none.csv: cannot be read") && none.contains("--sites"), "{none}");
    let geo = refused(Config { geo: vec![written(dir.path(), "x.mmdb", b"nothing")], ..Config::default() }).await;
    assert!(geo.contains("x.mmdb") && geo.contains("--geo"), "{geo}");
}

#[cfg(feature = "geo")]
#[tokio::test]
async fn a_truncated_file_is_an_error_at_the_start_and_refused_later() {
    let dir = tempfile::tempdir().unwrap();
    let whole = asn();
    let cut = &whole[..whole.len() - 30];
    let path = written(dir.path(), "asn.mmdb", cut);
    let config = Config { geo: vec![path.clone()], ..Config::default() };
    assert!(refused(config.clone()).await.contains("is no whole MMDB file"));
    std::fs::write(&path, &whole).unwrap();
    let whereabouts = Whereabouts::open(&config, None).await.unwrap();
    let network = || whereabouts.of("203.0.113.7".parse().unwrap()).0.network;
    std::fs::write(&path, cut).unwrap();
    (0..3).for_each(|_| whereabouts.look());
    assert_eq!(network(), NonZeroU32::new(64_500), "what was read before stays");
    let other = super::mmdb::file(4, &[("203.0.113.0/24", super::mmdb::map([("asn", super::mmdb::text("AS64501"))]))]);
    std::fs::write(&path, other).unwrap();
    (0..3).for_each(|_| whereabouts.look());
    assert_eq!(network(), NonZeroU32::new(64_501));
}

#[tokio::test(start_paused = true)]
async fn sites_are_followed_without_being_asked() {
    let dir = tempfile::tempdir().unwrap();
    let path = written(dir.path(), "sites.csv", b"Berlin, 10.1.0.0/16\n");
    let whereabouts = Whereabouts::open(&Config { sites: Some(path.clone()), ..Config::default() }, None).await.unwrap();
    let site = || whereabouts.of("10.1.2.3".parse().unwrap()).0.site;
    assert_eq!(site(), Some(SiteId::of("Berlin")));
    std::fs::write(&path, "Hamburg & Berlin, 10.1.0.0/16\n").unwrap();
    while site() == Some(SiteId::of("Berlin")) {
        tokio::time::sleep(LOCALITY_LOOK).await;
    }
    assert_eq!(site(), Some(SiteId::of("Hamburg & Berlin")));
}
