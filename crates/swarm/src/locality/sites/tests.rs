use ipnet::IpNet;
use proptest::prelude::*;

use super::*;
use crate::limits::SITE_RANGES_MAX;

fn csv(text: &str) -> Result<Sites, SitesError> {
    Sites::parse(text, SitesFormat::Csv)
}

fn toml(text: &str) -> Result<Sites, SitesError> {
    Sites::parse(text, SitesFormat::Toml)
}

fn of(sites: &Sites, address: &str) -> Option<(SiteId, SharePolicy)> {
    sites.of(address.parse().unwrap())
}

fn site(name: &str, policy: SharePolicy) -> Option<(SiteId, SharePolicy)> {
    Some((SiteId::of(name), policy))
}

const OFFICES: &str = "\u{feff}# our offices
name, CIDR, policy

Berlin, 10.1.0.0/16
 \"Berlin, annex\" , 10.1.9.0/24 , leech
  # the gateway of those at home
VPN, 10.1.200.0/24, off
Berlin, 2001:db8:1::/48, on
Reception, 10.1.9.7
Mapped, ::ffff:192.0.2.0/120, on
";

#[test]
fn the_smallest_range_of_an_address_counts() {
    let sites = csv(OFFICES).unwrap();
    assert_eq!(sites.len(), 6);
    for (address, meant) in [
        ("10.1.0.1", site("Berlin", SharePolicy::On)),
        ("10.1.9.6", site("Berlin, annex", SharePolicy::Leech)),
        ("10.1.9.7", site("Reception", SharePolicy::On)),
        ("10.1.9.8", site("Berlin, annex", SharePolicy::Leech)),
        ("10.1.10.0", site("Berlin", SharePolicy::On)),
        ("10.1.200.255", site("VPN", SharePolicy::Off)),
        ("10.1.255.255", site("Berlin", SharePolicy::On)),
        ("10.2.0.0", None),
        ("10.0.255.255", None),
        ("2001:db8:1:ffff::1", site("Berlin", SharePolicy::On)),
        ("2001:db8:2::1", None),
        ("::ffff:10.1.9.7", site("Reception", SharePolicy::On)),
        ("192.0.2.255", site("Mapped", SharePolicy::On)),
    ] {
        assert_eq!(of(&sites, address), meant, "{address}");
    }
}

#[test]
fn toml_says_the_same() {
    let sites = toml(
        "[[site]]\nname = \"Berlin\"\ncidr = [\"10.1.0.0/16\", \"2001:db8:1::/48\"]\n\n[[site]]\nname = \"VPN\"\ncidr = [\"10.1.200.0/24\"]\npolicy = \"off\"\n",
    )
    .unwrap();
    assert_eq!(of(&sites, "2001:db8:1::1"), site("Berlin", SharePolicy::On));
    assert_eq!(of(&sites, "10.1.200.1"), site("VPN", SharePolicy::Off));
}

#[test]
fn a_mistake_is_named_with_its_line_and_what_to_write() {
    for (line, said) in [
        ("Berlin", "line 4: a line is `name, CIDR, policy`"),
        ("Berlin, 10.0.0.0/8, on, more", "and this one has 4 fields"),
        (", 10.0.0.0/8", "line 4: a site needs a name"),
        ("Berlin, 10.0.0.0/33", "line 4: `10.0.0.0/33` is no range of addresses; write 10.1.0.0/16"),
        ("Berlin, 10.0.0/8", "is no range of addresses"),
        ("Berlin, berlin.example", "is no range of addresses"),
        ("Berlin, 10.0.0.1/8", "line 4: 10.0.0.1/8 has bits behind its prefix; write 10.0.0.0/8"),
        ("Berlin, 2001:db8::1/64", "write 2001:db8::/64"),
        ("Berlin, 0.0.0.0/0", "line 4: 0.0.0.0/0 is no site"),
        ("Berlin, ::/0", "is no site"),
        ("Berlin, ::ffff:0:0/96", "0.0.0.0/0 is no site"),
        ("Berlin, 224.0.0.0/4", "is no site"),
        ("Berlin, 10.0.0.0/8, maybe", "line 4: `maybe` is no policy; write on, leech or off"),
        ("Hamburg, 192.0.2.0/24", "line 4: 192.0.2.0/24 is `Bremen, on` in line 2 already"),
        ("Bremen, 192.0.2.0/24, off", "is `Bremen, on` in line 2 already"),
        ("Hamburg, ::ffff:192.0.2.0/120", "192.0.2.0/24 is `Bremen, on` in line 2 already"),
    ] {
        let error = csv(&format!("# \nBremen, 192.0.2.0/24\n\n{line}\nVPN, 198.51.100.0/24\n")).unwrap_err().to_string();
        assert!(error.contains(said), "{line}: {error}");
    }
    for (text, said) in [
        ("[[site]]\nname = \"a\"\ncidr = [\n  \"10.0.0.0/8\",\n  \"10.0.0.1/8\",\n]\n", "line 5: 10.0.0.1/8 has bits"),
        ("[[site]]\nname = \"a\"\ncidr = []\nplace = 1\n", "line 4: unknown field `place`"),
        ("[[site]]\ncidr = []\n", "missing field `name`"),
        ("[[site]]\nname = \"a\"\ncidr = \"10.0.0.0/8\"\n", "line 3: invalid type: string"),
        ("[[site]\n", "line 1: "),
        ("a, 10.0.0.0/8\n", "line 1: "),
    ] {
        let error = toml(text).unwrap_err().to_string();
        assert!(error.contains(said), "{text}: {error}");
    }
    assert!(csv("\"Berlin, 10.0.0.0/8\nHamburg, 10.1.0.0/16\n").is_err(), "a quote without an end");
}

#[test]
fn what_repeats_another_line_is_no_contradiction() {
    assert_eq!(csv("a, 10.0.0.0/8\na, 10.0.0.0/8\nb, 10.0.0.0/9\n").map(|sites| sites.len()), Ok(2));
    assert_eq!(csv("").map(|sites| sites.is_empty()), Ok(true));
}

#[test]
fn a_file_has_a_limit_in_bytes_and_ranges() {
    let lines = |count: u32| (0..count).map(|number| format!("a,{}\n", std::net::Ipv4Addr::from(0x0a00_0000 + number))).collect::<String>();
    let max = u32::try_from(SITE_RANGES_MAX).unwrap();
    assert_eq!(csv(&lines(max)).map(|sites| sites.len()), Ok(SITE_RANGES_MAX));
    assert_eq!(csv(&lines(max + 1)).unwrap_err(), SiteFault::TooMany.at(SITE_RANGES_MAX + 1));
    let comment = |len: usize| "#".repeat(len);
    assert!(csv(&comment(SITES_FILE_LEN_MAX)).is_ok());
    assert_eq!(csv(&comment(SITES_FILE_LEN_MAX + 1)).unwrap_err(), SitesError::TooLong { len: SITES_FILE_LEN_MAX + 1 });
}

/// Ranges that often lie in each other, and addresses in and around them.
fn ranges() -> impl Strategy<Value = Vec<(IpNet, u8, SharePolicy)>> {
    let v4 = (0_u32..64, 24_u8..=32).prop_map(|(bits, len)| IpNet::new(IpAddr::from((0x0a00_0000 + bits).to_be_bytes()), len).unwrap());
    let v6 =
        (0_u128..64, 120_u8..=128).prop_map(|(bits, len)| IpNet::new(IpAddr::from((1_u128 << 125 | bits).to_be_bytes()), len).unwrap());
    let edge =
        prop_oneof![Just("255.255.255.255/32".parse().unwrap()), Just("128.0.0.0/1".parse().unwrap()), Just("8000::/1".parse().unwrap())];
    let policy = prop_oneof![Just(SharePolicy::On), Just(SharePolicy::Leech), Just(SharePolicy::Off)];
    let range = prop_oneof![8 => v4, 4 => v6, 1 => edge].prop_map(|range: IpNet| range.trunc());
    proptest::collection::vec((range, 0_u8..4, policy), 0..40)
}

proptest! {
    #[test]
    fn what_is_found_is_what_a_scan_of_all_ranges_finds(ranges in ranges()) {
        let mut distinct = std::collections::BTreeMap::new();
        for (range, name, policy) in ranges {
            distinct.entry(range).or_insert((name.to_string(), policy));
        }
        let text: String = distinct.iter().map(|(range, (name, policy))| format!("{name}, {range}, {}\n", policy.name())).collect();
        let sites = csv(&text).unwrap();
        let scan = |address: IpAddr| {
            let around = distinct.iter().filter(|(range, _)| range.contains(&address));
            around.max_by_key(|(range, _)| range.prefix_len()).map(|(_, (name, policy))| (SiteId::of(name), *policy))
        };
        let v4 = (0..=80_u32).map(|bits| IpAddr::from((0x0a00_0000 + bits - 8).to_be_bytes()));
        let v6 = (0..=80_u128).map(|bits| IpAddr::from(((1_u128 << 125) + bits).to_be_bytes()));
        let edges = ["255.255.255.255", "0.0.0.0", "127.255.255.255", "128.0.0.0", "::", "7fff::", "8000::", "ffff::"].map(|text| text.parse().unwrap());
        for address in v4.chain(v6).chain(edges) {
            prop_assert_eq!(sites.of(address), scan(address), "{} of\n{}", address, text);
        }
    }

    #[test]
    fn whatever_a_file_says_it_is_read_or_its_line_is_named(text in "([a-z\"#, \n./:0-9\\[\\]=]|off|10.0.0.0/8){0,60}") {
        for format in [SitesFormat::Csv, SitesFormat::Toml] {
            if let Err(SitesError::At { line, .. }) = Sites::parse(&text, format) {
                prop_assert!((1..=text.lines().count().max(1) + 1).contains(&line), "line {} of {:?}", line, text);
            }
        }
    }
}
