use super::*;

const GOOD: &str = r#"
about = "as small as it gets"
[app]
mb = 1.5
[origin]
up_mbit = 10
[[office]]
name = "hq"
down_mbit = 50
[[group]]
visitors = 3
arrive = { within_s = 2 }
down_mbit = 50
up_mbit = 10
[[group]]
office = "hq"
arrive = { per_hour = 60, hours = 2 }
down_mbit = 100
up_mbit = 100
stay = { mean_s = 54 }
"#;

#[test]
fn what_is_left_out_has_a_default() {
    let scenario = Scenario::parse(GOOD).unwrap();
    assert_eq!((scenario.seed, scenario.fidelity, scenario.network.queue_ms), (1, None, 100.0));
    assert_eq!(scenario.group[1].stay, Some(Stay { mean_s: 54.0, shape: 0.7 }));
    assert_eq!((scenario.group[0].client, scenario.group[0].role), (Client::Browser, Role::Honest));
}

#[test]
fn nonsense_is_named_by_line_and_key() {
    let table = [
        ("mb = 1.5", "mb = -1", "line 4: `mb` is -1; it must be 0.001 to 1000 MB"),
        ("mb = 1.5", "mb = nan", "line 4: `mb` is NaN"),
        ("mb = 1.5", "mb = \"big\"", "line 4: invalid type: string"),
        ("mb = 1.5", "megabytes = 3", "line 4: unknown field `megabytes`"),
        ("mb = 1.5", "mb = 0.001", "line 3: `document_kb` is more than the whole app"),
        ("up_mbit = 10\n[[office]]", "up_mbit = 0\n[[office]]", "line 6: with an uplink of 0"),
        ("visitors = 3\n", "", "line 11: say how many come"),
        ("visitors = 3", "visitors = 3000000", "line 2: 3000120 visitors are more than the 1000000"),
        ("office = \"hq\"", "office = \"hr\"", "line 16: there is no office `hr`"),
        ("hours = 2", "hours = 1000", "line 17: `arrive` is 1000; it must be 0 to 168 hours"),
        ("per_hour = 60, hours = 2", "every = 2", "line 17: data did not match any variant"),
        ("down_mbit = 100\nup_mbit = 100", "down_mbit = 100\nup_mbit = 0", "line 19: with `up_mbit` at 0"),
        ("mean_s = 54", "mean_s = inf", "line 20: `stay` is inf"),
        ("[app]", "[app", "line 3:"),
    ];
    for (from, to, expected) in table {
        assert!(GOOD.contains(from), "{from}");
        let error = Scenario::parse(&GOOD.replace(from, to)).unwrap_err().to_string();
        let first = expected.split(": ").next().unwrap();
        assert!(
            error.starts_with(expected) || (expected.starts_with("line 2:") && error.contains(&expected[8..])),
            "{to}: {error} ({first})"
        );
    }
    assert!(Scenario::parse("").unwrap_err().to_string().contains("missing field `app`"));
    let nobody = "[app]\nmb = 1\n[origin]\nup_mbit = 1\n";
    assert!(Scenario::parse(nobody).unwrap_err().to_string().contains("nobody comes"));
}
