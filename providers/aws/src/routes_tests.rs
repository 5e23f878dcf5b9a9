use aws_sdk_ec2::types::Tag;
use aws_sdk_ec2::types::builders::RouteBuilder;

use super::*;

struct Alive;

impl Lives for Alive {
    fn by_interface(&self, interface: &str) -> Option<&str> {
        (interface == "eni-worker").then_some("i-worker")
    }

    fn life(&self, _: &str, _: Circumstances<'_>) -> Life {
        Life::Live
    }
}

fn route(cidr: &str) -> RouteBuilder {
    Ec2Route::builder().destination_cidr_block(cidr).origin(RouteOrigin::CreateRoute).state(Ec2State::Active)
}

fn see(route: RouteBuilder) -> ObservedRoute {
    observed(&route.build(), Some("111111111111"), &Alive)
}

fn machine(id: &str) -> Target {
    Target::Machine { id: id.to_owned(), life: Life::Live }
}

#[test]
fn an_instance_route_shows_instance_and_interface_and_leads_to_both() {
    let seen = see(route("10.200.0.0/24").instance_id("i-1").network_interface_id("eni-1").instance_owner_id("1"));
    assert_eq!(seen.next_hops, [NextHop::Instance("i-1".into()), NextHop::Interface("eni-1".into())]);
    assert_eq!((seen.target, seen.origin, seen.deviation), (machine("i-1"), Origin::Static, None));
}

#[test]
fn a_worker_is_recognised_by_its_interface_alone() {
    assert_eq!(see(route("10.200.0.0/24").network_interface_id("eni-worker")).target, machine("i-worker"));
    assert_eq!(see(route("10.200.0.0/24").network_interface_id("eni-1")).target, Target::Detached);
}

/// kubernetes/cloud-provider-aws#627, deckhouse#5185: a route to something that is no node stopped all route work.
#[test]
fn every_other_target_is_listed_with_its_kind() {
    let base = || route("10.0.0.0/8");
    let rows = [
        (base().gateway_id("local"), "local"),
        (base().gateway_id("igw-1"), "internet-gateway"),
        (base().gateway_id("vgw-1"), "virtual-private-gateway"),
        (base().gateway_id("vpce-1"), "vpc-endpoint"),
        (base().gateway_id("new-1"), "gateway"),
        (base().nat_gateway_id("nat-1"), "nat-gateway"),
        (base().transit_gateway_id("tgw-1"), "transit-gateway"),
        (base().vpc_peering_connection_id("pcx-1"), "vpc-peering"),
        (base().egress_only_internet_gateway_id("eigw-1"), "egress-only-internet-gateway"),
        (base().local_gateway_id("lgw-1"), "local-gateway"),
        (base().carrier_gateway_id("cagw-1"), "carrier-gateway"),
        (base().core_network_arn("arn:aws:1"), "core-network"),
    ];
    for (built, kind) in rows {
        let seen = see(built);
        assert_eq!(seen.target, Target::NotAMachine(kind.to_owned()));
        assert_eq!(seen.next_hops.first().map(NextHop::kind), Some(kind));
    }
    assert_eq!(see(base()).target, Target::NotAMachine("unknown".to_owned()));
}

#[test]
fn destinations_are_networks_or_names() {
    assert_eq!(see(route("100.68.0.18/18")).destination, Destination::net("100.68.0.0/18".parse().expect("net")));
    let v6 = Ec2Route::builder().destination_ipv6_cidr_block("fd00:10:64::/64");
    assert_eq!(see(v6).destination, Destination::net("fd00:10:64::/64".parse().expect("net")));
    let list = Ec2Route::builder().destination_prefix_list_id("pl-1");
    assert_eq!(see(list).destination, Destination::Other("pl-1".to_owned()));
}

#[test]
fn only_static_routes_are_as_ours_and_a_propagated_one_loses_against_them() {
    let rows = [
        (RouteOrigin::CreateRoute, Origin::Static, 0, false),
        (RouteOrigin::CreateRouteTable, Origin::Local, 0, true),
        (RouteOrigin::EnableVgwRoutePropagation, Origin::Propagated, 1, true),
        (RouteOrigin::from("Advertisement"), Origin::Other("advertisement".to_owned()), 1, true),
    ];
    for (word, origin, precedence, deviates) in rows {
        let seen = see(route("10.200.0.0/24").instance_id("i-1").origin(word));
        assert_eq!((seen.precedence, seen.deviation.is_some()), (precedence, deviates), "{origin:?}");
        assert_eq!(seen.origin, origin);
    }
}

#[test]
fn states_that_nobody_has_heard_of_are_kept_by_name() {
    for (word, state) in [
        (Ec2State::Active, RouteState::Active),
        (Ec2State::Blackhole, RouteState::Blackhole),
        (Ec2State::from("filtered"), RouteState::Other("filtered".to_owned())),
    ] {
        assert_eq!(see(route("10.200.0.0/24").state(word)).state, state);
    }
}

#[test]
fn the_quota_counts_what_is_not_propagated_by_family() {
    let v6 = Ec2Route::builder().destination_ipv6_cidr_block("fd00::/64").origin(RouteOrigin::CreateRoute);
    let described = RouteTable::builder()
        .route_table_id("rtb-1")
        .routes(route("10.0.0.0/16").gateway_id("local").origin(RouteOrigin::CreateRouteTable).build())
        .routes(route("10.200.0.0/24").instance_id("i-1").build())
        .routes(route("10.9.0.0/16").gateway_id("vgw-1").origin(RouteOrigin::EnableVgwRoutePropagation).build())
        .routes(v6.instance_id("i-1").build())
        .build();
    let used: Vec<_> =
        table(&described, "us-west-2", 500, &Alive).quotas.into_iter().map(|q| (q.ipv6, q.used)).collect();
    assert_eq!(used, [(Some(false), 2), (Some(true), 1)]);
}

#[test]
fn claims_are_read_from_tags() {
    let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build();
    let described = RouteTable::builder()
        .route_table_id("rtb-1")
        .tags(tag("Name", "kubernetes"))
        .tags(tag("kroutes/prod", "10.200.0.0/16 fd00::/48"))
        .tags(tag("kroutes/old", "whatever"))
        .build();
    let claims = table(&described, "us-west-2", 500, &Alive).claims;
    assert_eq!(claims, [Claim::parse("prod", "10.200.0.0/16 fd00::/48"), Claim::parse("old", "whatever")]);
    assert!(claims[0].cidrs.is_ok() && claims[1].cidrs.is_err());
}
