use super::*;

const MARK: &str = "kroutes cluster=kubernetes";
const COMPUTE: &str = "https://www.googleapis.com/compute/v1/projects/p";

fn route(rest: &str) -> wire::Route {
    let text = format!(
        r#"{{"name":"r","network":"{COMPUTE}/global/networks/n","destRange":"10.200.0.0/24","priority":1000{rest}}}"#
    );
    serde_json::from_str(&text).expect("route")
}

fn see(rest: &str) -> ObservedRoute {
    observed(&route(rest), MARK, 1000)
}

fn hop(address: &str) -> NextHop {
    NextHop::Address(address.parse().expect("address"))
}

#[test]
fn our_own_route_is_seen_without_any_deviation() {
    let seen = see(&format!(r#","nextHopIp":"10.240.0.30","description":"{MARK}","routeType":"STATIC""#));
    let expected = ObservedRoute {
        destination: Destination::net("10.200.0.0/24".parse().expect("net")),
        next_hops: vec![hop("10.240.0.30")],
        target: Target::Address,
        state: RouteState::Active,
        origin: Origin::Static,
        marked: true,
        precedence: 1000,
        deviation: None,
        name: Some("r".to_owned()),
    };
    assert_eq!(seen, expected);
}

#[test]
fn only_the_whole_mark_is_the_mark() {
    let cluster: ClusterName = "kubernetes".parse().expect("name");
    assert_eq!(mark(&cluster), MARK);
    for description in ["", "kroutes cluster=kubernetes2", "kroutes cluster=kubernetes ", "Kroutes cluster=kubernetes"]
    {
        assert!(!see(&format!(r#","nextHopIp":"10.0.0.1","description":"{description}""#)).marked, "{description}");
    }
    assert!(!see(r#","nextHopIp":"10.0.0.1""#).marked);
    let subnet = see(&format!(r#","nextHopNetwork":"{COMPUTE}/global/networks/n","description":"{MARK}""#));
    assert!(!subnet.marked, "a subnet's route is nobody's to remove");
}

/// kubernetes/cloud-provider-aws#627, deckhouse#5185: a route to something that is no node stopped all route work.
#[test]
fn every_other_target_is_listed_with_its_kind() {
    let rows = [
        (
            "nextHopGateway",
            "global/gateways/default-internet-gateway",
            "gateway",
            "default-internet-gateway",
            Origin::Static,
        ),
        ("nextHopVpnTunnel", "regions/r/vpnTunnels/t", "vpn-tunnel", "t", Origin::Static),
        ("nextHopIlb", "regions/r/forwardingRules/f", "ilb", "f", Origin::Static),
        ("nextHopNetwork", "global/networks/n", "network", "n", Origin::Local),
        ("nextHopPeering", "peer", "peering", "peer", Origin::Propagated),
        ("nextHopHub", "locations/global/hubs/h", "hub", "h", Origin::Propagated),
        (
            "nextHopInterconnectAttachment",
            "regions/r/interconnectAttachments/a",
            "interconnect-attachment",
            "a",
            Origin::Propagated,
        ),
    ];
    for (field, link, kind, id, origin) in rows {
        let seen = see(&format!(r#","{field}":"{COMPUTE}/{link}""#));
        assert_eq!(seen.next_hops, [NextHop::Other(kind.to_owned(), id.to_owned())]);
        assert_eq!(seen.target, Target::NotAMachine(kind.to_owned()));
        assert_eq!(seen.deviation.is_some(), origin != Origin::Static, "{kind}");
        assert_eq!(seen.origin, origin);
    }
    assert_eq!(see("").target, Target::NotAMachine("unknown".to_owned()));
}

#[test]
fn a_route_to_an_instance_is_known_by_zone_and_name() {
    let seen = see(&format!(r#","nextHopInstance":"{COMPUTE}/zones/us-west1-a/instances/worker-0""#));
    assert_eq!(seen.next_hops, [NextHop::Instance("us-west1-a/worker-0".to_owned())]);
    assert!(matches!(&seen.target, Target::Machine { id, life: Life::Unknown(_) } if id == "us-west1-a/worker-0"));
}

/// Network of type and status that came after this was written are kept by name.
#[test]
fn words_that_nobody_has_heard_of_are_kept() {
    let seen = see(r#","nextHopIp":"10.0.0.1","routeType":"NEW_KIND","routeStatus":"INACTIVE""#);
    assert_eq!(seen.origin, Origin::Other("new_kind".to_owned()));
    assert_eq!(seen.state, RouteState::Other("inactive".to_owned()));
    assert_eq!(see(r#","nextHopIp":"what""#).next_hops, [NextHop::Other("address".to_owned(), "what".to_owned())]);
}

#[test]
fn bgp_routes_are_propagated_and_subnet_routes_local() {
    for (kind, origin) in [("SUBNET", Origin::Local), ("BGP", Origin::Propagated), ("TRANSIT", Origin::Propagated)] {
        assert_eq!(see(&format!(r#","nextHopIp":"10.0.0.1","routeType":"{kind}""#)).origin, origin);
    }
}

/// Compute Engine shows IPv6 in the form of RFC 5952, whatever it was given.
#[test]
fn networks_and_addresses_are_compared_not_texts() {
    let wire = wire::Route {
        dest_range: "fd00:0010:0064:0::/64".to_owned(),
        next_hop_ip: Some("FD20:0:0:0:0:0:0:1".to_owned()),
        ..wire::Route::default()
    };
    let seen = observed(&wire, MARK, 1000);
    assert_eq!(seen.destination, Destination::net("fd00:10:64::/64".parse().expect("net")));
    assert!(seen.leads_to(&hop("fd20::1")));
    let odd = wire::Route { dest_range: "somewhere".to_owned(), ..wire::Route::default() };
    assert_eq!(observed(&odd, MARK, 1000).destination, Destination::Other("somewhere".to_owned()));
}

#[test]
fn another_priority_and_network_tags_deviate() {
    let seen = |rest: &str, wanted| observed(&route(&format!(r#","nextHopIp":"10.0.0.1"{rest}"#)), MARK, wanted);
    assert_eq!(seen("", 900).deviation.as_deref(), Some("priority 1000 instead of 900"));
    assert_eq!(
        seen(r#","tags":["a","b"]"#, 900).deviation.as_deref(),
        Some("priority 1000 instead of 900; only for instances with the network tag `a`, `b`")
    );
    let absent = wire::Route { next_hop_ip: Some("10.0.0.1".to_owned()), ..wire::Route::default() };
    assert_eq!((observed(&absent, MARK, 1000).precedence, observed(&absent, MARK, 1000).deviation), (1000, None));
}

#[test]
fn warnings_of_a_next_hop_that_is_not_there_make_a_black_hole() {
    let rows = [
        ("NEXT_HOP_ADDRESS_NOT_ASSIGNED", RouteState::Blackhole),
        ("NEXT_HOP_INSTANCE_NOT_FOUND", RouteState::Blackhole),
        ("NEXT_HOP_INSTANCE_NOT_ON_NETWORK", RouteState::Blackhole),
        ("NEXT_HOP_INSTANCE_HAS_NO_IPV6_INTERFACE", RouteState::Blackhole),
        ("NEXT_HOP_NOT_RUNNING", RouteState::Blackhole),
        ("NEXT_HOP_CANNOT_IP_FORWARD", RouteState::Active),
        ("SOMETHING_NEW", RouteState::Active),
    ];
    for (code, state) in rows {
        let seen = see(&format!(r#","nextHopIp":"10.0.0.1","warnings":[{{"code":"{code}","message":"m"}}]"#));
        assert_eq!(seen.state, state, "{code}");
        let is_at_rest = code == "NEXT_HOP_NOT_RUNNING";
        assert_eq!(seen.target == Target::AddressAtRest, is_at_rest, "{code}");
        assert_eq!(seen.leads_somewhere(), is_at_rest || state == RouteState::Active, "{code}");
    }
    // Whoever is not on the network is not there, running or not.
    let both = r#","nextHopIp":"10.0.0.1","warnings":[{"code":"NEXT_HOP_NOT_RUNNING","message":"m"},{"code":"NEXT_HOP_INSTANCE_NOT_ON_NETWORK","message":"m"}]"#;
    assert_eq!(see(both).target, Target::Address);
}

fn settings(routes_limit: Option<u32>) -> Resolved {
    let settings = crate::settings::GcpSettings {
        project: Some("p".to_owned()),
        network: Some("n".to_owned()),
        routes_limit,
        ..crate::settings::GcpSettings::default()
    };
    settings.resolve(&|_| None).expect("settings")
}

#[test]
fn a_table_holds_the_routes_of_its_network_alone_and_counts_the_static_ones() {
    let elsewhere = wire::Route { network: format!("{COMPUTE}/global/networks/n2"), ..route("") };
    let same_name = wire::Route {
        network: "https://www.googleapis.com/compute/v1/projects/q/global/networks/n".to_owned(),
        ..route("")
    };
    let listed = [
        route(r#","nextHopIp":"10.0.0.1""#),
        route(r#","nextHopNetwork":"x""#),
        route(r#","nextHopGateway":"x""#),
        elsewhere,
        same_name,
    ];
    let table = super::table(&listed, &settings(Some(250)), MARK);
    assert_eq!((table.id.0.as_str(), table.location.as_str(), table.routes.len()), ("n", "p", 3));
    let quota = Quota { name: "static routes".to_owned(), ipv6: None, limit: 250, used: 2 };
    assert_eq!((table.quotas, table.claims), (vec![quota], Vec::new()));
    assert_eq!(super::table(&listed, &settings(None), MARK).quotas, []);
}
