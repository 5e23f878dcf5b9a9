use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

const USUAL: &str = "{cluster}-route-{destination}";
const NETWORK: &str = "projects/p/global/networks/kubernetes";

fn names_by(template: &str, cluster: &str) -> RouteNames {
    RouteNames::new(&template.parse().expect("template"), &cluster.parse().expect("cluster"), NETWORK)
}

fn names(cluster: &str) -> RouteNames {
    names_by(USUAL, cluster)
}

fn cidr(text: &str) -> PodCidr {
    text.parse().expect("cidr")
}

fn address(text: &str) -> NextHop {
    NextHop::Address(text.parse().expect("address"))
}

/// `^[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?$`
fn is_valid(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=63).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && !name.ends_with('-')
        && name.chars().all(allowed)
}

#[test]
fn the_default_gives_the_names_of_kubernetes_the_hard_way() {
    let default = RouteNames::new(&Template::default(), &"kubernetes".parse().expect("cluster"), NETWORK);
    assert_eq!(default.usual(&cidr("10.200.0.0/24")), "kubernetes-route-10-200-0-0-24");
    assert_eq!(Template::default().to_string(), USUAL);
}

/// Names are found again by later versions, so these must never change.
#[test]
fn names_stay_the_same_for_ever() {
    let rows = [
        ("kubernetes", "10.200.0.0/24", "kubernetes-route-10-200-0-0-24"),
        ("kubernetes", "fd00:10:64::/64", "kubernetes-route-fd00-10-64-0-64"),
        ("kubernetes", "fd00:10:64::/48", "kubernetes-route-fd00-10-64-48"),
        ("Prod.EU_1", "10.200.0.0/24", "prod-eu-1-route-10-200-0-0-24-6cd70a"),
        ("9lives", "10.200.0.0/24", "r-9lives-route-10-200-0-0-24-71efeb"),
    ];
    for (cluster, destination, expected) in rows {
        assert_eq!(names(cluster).usual(&cidr(destination)), expected);
    }
    let other = names("kubernetes").other(&cidr("10.200.0.0/24"), &address("10.240.0.30"));
    assert_eq!(other, "kubernetes-route-10-200-0-0-24-f9eae4");
}

#[test]
fn clusters_whose_names_look_alike_in_a_route_name_get_different_hashes() {
    let range = cidr("10.200.0.0/24");
    let all: Vec<String> =
        ["Prod.eu", "prod.eu", "prod_eu", "PROD-eu", "prod-eu"].map(|c| names(c).usual(&range)).into();
    for (index, name) in all.iter().enumerate() {
        assert!(is_valid(name) && name.starts_with("prod-eu-route-10-200-0-0-24"), "{name}");
        assert!(!all[..index].contains(name), "{name}");
    }
    assert_eq!(all[4], "prod-eu-route-10-200-0-0-24", "nothing is lost, so nothing is added");
}

#[test]
fn a_long_cluster_name_is_cut_and_the_destination_is_not() {
    let long = "a".repeat(63);
    let name = names(&long).usual(&cidr("10.200.0.0/24"));
    assert!(name.contains("aaa-route-10-200-0-0-24-") && is_valid(&name), "{name}");
    let as_long = format!("{}b", &long[1..]);
    assert_ne!(names(&as_long).usual(&cidr("10.200.0.0/24")), name);
    let fits = "a".repeat(63 - "-route-10-200-0-0-24".len());
    assert_eq!(names(&fits).usual(&cidr("10.200.0.0/24")), format!("{fits}-route-10-200-0-0-24"));
}

#[test]
fn a_name_that_is_taken_gets_a_hash_of_network_destination_and_next_hop() {
    let range = cidr("10.200.0.0/24");
    let name = names("kubernetes").other(&range, &address("10.240.0.30"));
    let stem = name.strip_prefix("kubernetes-route-10-200-0-0-24-").expect("the usual name comes first");
    assert!(stem.len() == 6 && stem.chars().all(|c| c.is_ascii_hexdigit()), "{name}");
    let elsewhere = RouteNames { network_path: "projects/p/global/networks/x".to_owned(), ..names("kubernetes") };
    assert_ne!(elsewhere.other(&range, &address("10.240.0.30")), name);
    assert_ne!(names("kubernetes").other(&range, &address("10.240.0.31")), name);
    assert_ne!(names("kubernetes").other(&cidr("10.200.0.0/25"), &address("10.240.0.30"))[..30], name[..30]);
    let hop = address("10.240.0.30");
    let nth: Vec<String> = (0..4).map(|number| names("kubernetes").nth(&range, &hop, number)).collect();
    assert_eq!(nth[..2], [names("kubernetes").usual(&range), name.clone()]);
    assert!(nth.iter().enumerate().all(|(index, one)| is_valid(one) && !nth[..index].contains(one)), "{nth:?}");
    let long = names(&"a".repeat(63)).other(&range, &address("10.240.0.30"));
    assert!(is_valid(&long) && long.contains("-10-200-0-0-24-"), "{long}");
}

#[test]
fn a_wrong_template_says_what_is_right() {
    let rows = [
        ("{cluster}-route", "lacks `{destination}`: every route needs a name of its own"),
        ("", "lacks `{destination}`"),
        ("{cluster}-{worker}-{destination}", "`{worker}` is no placeholder; there are `{cluster}` and `{destination}`"),
        ("{cluster}-{destinaton}", "did you mean `{destination}`?"),
        ("{Cluster}-{destination}", "did you mean `{cluster}`?"),
        ("{cluster-{destination}", "a brace has no partner"),
        ("cluster}-{destination}", "a brace has no partner"),
        ("{cluster}-{destination", "a brace has no partner"),
        ("{cluster}_{destination}", "there is `_`: route names have lower-case letters"),
        ("Route-{destination}", "there is `R`"),
        ("{destination}", "begins with a letter"),
        ("9-{destination}", "begins with a letter"),
        ("r-{destination}-", "does not end with a dash"),
        ("r-{destination}-{destination}", "has `{destination}` twice"),
    ];
    for (text, expected) in rows {
        let error = text.parse::<Template>().expect_err(text);
        assert!(error.contains(expected), "{text}: {error}");
    }
    for text in ["r{destination}", "{cluster}{destination}", "a-{destination}-{cluster}-{cluster}"] {
        assert_eq!(text.parse::<Template>().expect(text).to_string(), text);
    }
}

fn clusters() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(b"abyzAZ019.._--".to_vec()), 1..=63)
        .prop_map(|bytes| String::from_utf8(bytes).expect("ASCII"))
}

fn templates() -> impl Strategy<Value = String> {
    let piece = || {
        prop::sample::select(vec!["", "-", "r", "-route-", "9", "{cluster}", "abcdefghijklmnopqrstuvwxyz0123456789"])
    };
    (piece(), piece(), piece(), piece())
        .prop_map(|(a, b, c, d)| format!("{a}{b}{{destination}}{c}{d}"))
        .prop_filter("a template", |text| text.parse::<Template>().is_ok())
        .boxed()
        .prop_union(Just(USUAL.to_owned()).boxed())
}

/// Ranges with few bits set, so that likenesses are frequent.
fn ranges() -> impl Strategy<Value = PodCidr> {
    let octets = || prop::sample::select(vec![0_u8, 1, 10]);
    let v4 = (octets(), octets(), octets(), octets(), prop::sample::select(vec![8_u8, 16, 24, 31, 32]))
        .prop_map(|(a, b, c, d, length)| format!("{a}.{b}.{c}.{d}/{length}"));
    let group = || prop::sample::select(vec![0_u16, 0, 1, 0xfd00]);
    let v6 = (prop::array::uniform8(group()), prop::sample::select(vec![16_u8, 24, 32, 48, 52, 64, 112, 128]))
        .prop_map(|(groups, length)| format!("{}/{length}", std::net::Ipv6Addr::from(groups)));
    prop_oneof![v4, v6]
        .prop_filter_map("a pod CIDR", |text| PodCidr::new(text.parse::<IpNet>().expect("net").trunc()).ok())
}

proptest! {
    #[test]
    fn every_name_is_valid(template in templates(), cluster in clusters(), range in ranges(), hop in any::<u32>()) {
        let names = names_by(&template, &cluster);
        let hop = NextHop::Address(std::net::Ipv4Addr::from(hop).into());
        let (usual, other) = (names.usual(&range), names.other(&range, &hop));
        prop_assert!(is_valid(&usual), "{usual}");
        prop_assert!(is_valid(&other), "{other}");
        prop_assert_ne!(usual, other);
    }

    #[test]
    fn distinct_destinations_of_one_cluster_never_share_a_usual_name(
        template in templates(),
        cluster in clusters(),
        ranges in prop::collection::hash_set(ranges(), 2..60),
    ) {
        let names = names_by(&template, &cluster);
        let mut seen = HashMap::new();
        for range in ranges {
            let name = names.usual(&range);
            if let Some(before) = seen.insert(name.clone(), range) {
                prop_assert!(false, "{before} and {range} are both {name}");
            }
        }
    }
}
