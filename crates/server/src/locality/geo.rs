//! Networks and countries of addresses, from a file of MaxMind's format in any of the usual layouts.
//!
//! | layout | network | country | continent |
//! |---|---|---|---|
//! | GeoLite2 and DB-IP, ASN | `autonomous_system_number` | | |
//! | GeoLite2 and DB-IP, Country and City | | `country.iso_code` | `continent.code` |
//! | IPinfo Lite | `asn` | `country_code` | `continent_code` |
//! | IPinfo, older files | `asn` | `country` | `continent` |

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::{Duration, SystemTime};

use maxminddb::{LookupResult, PathElement, Reader, WithinOptions};
use viral_swarm::locality::{Code, Region};

/// Records looked at to see what a file is about.
const PROBED_MAX: usize = 10_000;

/// The first second of the year 10000, since 1970.
const YEAR_10000_S: u64 = 253_402_300_800;

/// Where a country stands, the first that is there counts.
const COUNTRY: [&[PathElement<'static>]; 3] =
    [&[PathElement::Key("country"), PathElement::Key("iso_code")], &[PathElement::Key("country_code")], &[PathElement::Key("country")]];

/// Where a continent stands.
const CONTINENT: [&[PathElement<'static>]; 3] =
    [&[PathElement::Key("continent"), PathElement::Key("code")], &[PathElement::Key("continent_code")], &[PathElement::Key("continent")]];

/// One file, whole in memory.
#[derive(Debug)]
pub(crate) struct Geo {
    reader: Reader<Vec<u8>>,
}

type Found<'g> = LookupResult<'g, Vec<u8>>;

impl Geo {
    /// Takes a file in, after a look at all of it: one that was cut off or written over while it was read has broken pointers.
    ///
    /// # Errors
    /// When it is no such file, is damaged, or tells neither networks nor countries.
    pub(crate) fn read(bytes: Vec<u8>) -> Result<Self, String> {
        let broken = |error| format!("is no whole MMDB file ({error}); download it again");
        let reader = Reader::from_source(bytes).map_err(broken)?;
        reader.verify().map_err(broken)?;
        let geo = Self { reader };
        let records = geo.reader.networks(WithinOptions::default()).map_err(broken)?;
        let is_useful =
            records.take(PROBED_MAX).filter_map(Result::ok).any(|found| add_found(Region::default(), &found) != Region::default());
        let kind = &geo.reader.metadata().database_type;
        if is_useful {
            Ok(geo)
        } else {
            Err(format!("is a file of `{kind}`, which tells neither networks nor countries; give one of ASN, Country or City"))
        }
    }

    /// Adds to what is known of an address. What the file does not know, or says in a strange way, stays unknown.
    pub(crate) fn add(&self, known: Region, address: IpAddr) -> Region {
        let address = address.to_canonical();
        // To the reader that would be an error, and a mapped address one that is not there.
        if address.is_ipv6() && self.reader.metadata().ip_version == 4 {
            return known;
        }
        match self.reader.lookup(address) {
            Ok(found) if found.has_data() => add_found(known, &found),
            Ok(_) | Err(_) => known,
        }
    }

    /// What it is, for the log.
    pub(crate) fn described(&self) -> String {
        let metadata = self.reader.metadata();
        // A later one cannot be written.
        let built_s = Some(metadata.build_epoch).filter(|built_s| *built_s < YEAR_10000_S);
        let built = built_s.map(|built_s| httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(built_s)));
        format!("{} of {}", metadata.database_type, built.as_deref().unwrap_or("no date"))
    }
}

fn add_found(known: Region, found: &Found<'_>) -> Region {
    Region {
        site: known.site,
        network: known.network.or_else(|| network(found)),
        country: known.country.or_else(|| code(found, &COUNTRY)),
        continent: known.continent.or_else(|| code(found, &CONTINENT)),
    }
}

fn network(found: &Found<'_>) -> Option<NonZeroU32> {
    let path = [PathElement::Key("autonomous_system_number")];
    // A number is found only as the type in which the file has it, and some writers choose the narrowest that holds it.
    let narrow = || found.decode_path::<u16>(&path).ok().flatten().map(u32::from);
    let wide = || u32::try_from(found.decode_path::<u64>(&path).ok().flatten()?).ok();
    let number = found.decode_path::<u32>(&path).ok().flatten().or_else(narrow).or_else(wide);
    let written = || found.decode_path::<&str>(&[PathElement::Key("asn")]).ok().flatten()?.strip_prefix("AS")?.parse().ok();
    NonZeroU32::new(number.or_else(written)?)
}

fn code(found: &Found<'_>, paths: &[&[PathElement<'_>]]) -> Option<Code> {
    paths.iter().find_map(|path| Code::new(found.decode_path::<&str>(path).ok().flatten()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::locality::mmdb::{Value, file, map, text};

    fn region(network: u32, country: &str, continent: &str) -> Region {
        Region { site: None, network: NonZeroU32::new(network), country: Code::new(country), continent: Code::new(continent) }
    }

    fn known(geo: &Geo, address: &str) -> Region {
        geo.add(Region::default(), address.parse().unwrap())
    }

    #[test]
    fn every_layout_is_understood() {
        let geolite_asn = map([("autonomous_system_number", Value::Number(64_500)), ("autonomous_system_organization", text("Example"))]);
        let names = || map([("en", text("Germany"))]);
        // As writers do that choose a type by the number.
        let narrow = map([("autonomous_system_number", Value::Short(64_500))]);
        let wide = map([("autonomous_system_number", Value::Long(64_500))]);
        let geolite_city = map([
            ("city", map([("names", map([("en", text("Berlin"))]))])),
            ("continent", map([("code", text("EU")), ("names", names())])),
            ("country", map([("iso_code", text("DE")), ("names", names())])),
        ]);
        let ipinfo_lite = map([
            ("asn", text("AS64500")),
            ("continent", text("Europe")),
            ("continent_code", text("EU")),
            ("country", text("Germany")),
            ("country_code", text("DE")),
        ]);
        let ipinfo = map([("asn", text("AS64500")), ("continent", text("EU")), ("country", text("DE"))]);
        for (record, meant) in [
            (geolite_asn, region(64_500, "", "")),
            (narrow, region(64_500, "", "")),
            (wide, region(64_500, "", "")),
            (geolite_city, region(0, "DE", "EU")),
            (ipinfo_lite, region(64_500, "DE", "EU")),
            (ipinfo, region(64_500, "DE", "EU")),
        ] {
            for ip_version in [4, 6] {
                let geo = Geo::read(file(ip_version, &[("203.0.113.0/24", record.clone())])).unwrap();
                for address in ["203.0.113.7", "::ffff:203.0.113.7"] {
                    assert_eq!(known(&geo, address), meant, "{address} in IPv{ip_version}");
                }
                for address in ["203.0.114.7", "2001:db8::1", "::1", "::203.0.113.7"] {
                    let expected = if address == "::203.0.113.7" && ip_version == 6 { meant } else { Region::default() };
                    assert_eq!(known(&geo, address), expected, "{address} in IPv{ip_version}");
                }
            }
        }
        let v6 = Geo::read(file(6, &[("2001:db8::/32", map([("country_code", text("FR"))]))])).unwrap();
        assert_eq!(known(&v6, "2001:db8::1"), region(0, "FR", ""));
    }

    #[test]
    fn the_log_tells_kind_and_date_whatever_the_file_says() {
        let mut bytes = file(4, &[("203.0.113.0/24", map([("country_code", text("DE"))]))]);
        assert_eq!(Geo::read(bytes.clone()).unwrap().described(), "Test of Tue, 14 Nov 2023 22:13:20 GMT");
        let date = bytes.windows(8).position(|window| window == 1_700_000_000_u64.to_be_bytes()).unwrap();
        for (built_s, said) in [(YEAR_10000_S, "Test of no date"), (YEAR_10000_S - 1, "Test of Fri, 31 Dec 9999 23:59:59 GMT")] {
            bytes[date..date + 8].copy_from_slice(&built_s.to_be_bytes());
            assert_eq!(Geo::read(bytes.clone()).unwrap().described(), said);
        }
    }

    #[test]
    fn of_several_files_the_first_that_knows_counts() {
        let asn = Geo::read(file(4, &[("203.0.113.0/24", map([("autonomous_system_number", Value::Number(64_500))]))])).unwrap();
        let lite = Geo::read(file(4, &[("203.0.113.0/24", map([("asn", text("AS64501")), ("country_code", text("DE"))]))])).unwrap();
        let address = "203.0.113.7".parse().unwrap();
        assert_eq!(lite.add(asn.add(Region::default(), address), address), region(64_500, "DE", ""));
    }

    #[test]
    fn what_is_strange_in_a_record_is_not_known() {
        let records = [
            ("192.0.2.0/24", map([("autonomous_system_number", Value::Long(1 << 32 | 64_500))])),
            ("203.0.113.0/25", map([("country", map([("iso_code", text("Germany"))])), ("asn", text("64500"))])),
            (
                "203.0.113.128/25",
                map([("autonomous_system_number", text("64500")), ("continent", Value::Number(7)), ("country_code", text("DE"))]),
            ),
            ("198.51.100.0/24", text("DE")),
        ];
        let geo = Geo::read(file(4, &records)).unwrap();
        assert_eq!(
            ["192.0.2.1", "203.0.113.1", "203.0.113.200", "198.51.100.1"].map(|address| known(&geo, address)),
            [Region::default(), Region::default(), region(0, "DE", ""), Region::default()]
        );
    }

    #[test]
    fn a_file_that_is_cut_off_damaged_or_of_another_kind_is_refused() {
        let whole =
            file(6, &[("203.0.113.0/24", map([("country_code", text("DE"))])), ("2001:db8::/32", map([("country_code", text("FR"))]))]);
        assert!(Geo::read(whole.clone()).is_ok());
        for len in [0, 1, whole.len() / 2, whole.len() - 1] {
            let error = Geo::read(whole[..len].to_vec()).unwrap_err();
            assert!(error.contains("download it again"), "{len}: {error}");
        }
        // As if half of it were written over while it was read.
        for at in [0, 10, 100] {
            let mut damaged = whole.clone();
            damaged[at..at + 40].fill(0xff);
            assert!(Geo::read(damaged).is_err(), "{at}");
        }
        let domains = file(4, &[("203.0.113.0/24", map([("domain", text("example.com"))]))]);
        assert!(Geo::read(domains).unwrap_err().contains("tells neither networks nor countries"));
        assert!(Geo::read(b"name, CIDR\n".to_vec()).is_err());
    }
}
