//! The rules of Compute Engine's routes and operations, as tables.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kroutes_lab::model::Refusal;
use kroutes_lab::model::compute::{Asked, Compute, Failure, Hop, NewRoute, Phase, Route, Status};

const KEY: &str = "us-west1-a/worker-0";

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000 + seconds)
}

fn asked() -> Asked {
    Asked { request_id: None, user: "somebody@example.com".to_owned(), now: at(0) }
}

fn retried() -> Asked {
    Asked { request_id: Some("7a1f6f0e-5f43-4ad1-9c53-0c2f3a1b9d10".to_owned()), ..asked() }
}

fn hop(address: &str) -> Hop {
    Hop::Address(address.parse().expect("an address"))
}

fn to(destination: &str) -> NewRoute {
    let network = "kubernetes".to_owned();
    NewRoute { network, destination: destination.to_owned(), hop: Some(hop("10.240.0.20")), ..NewRoute::default() }
}

/// The networks `kubernetes`, with a dual-stack subnetwork and a worker at 10.240.0.20, and `other`.
fn project(routes_limit: u32) -> Compute {
    let mut compute = Compute::empty("lab", 123_456_789_012, routes_limit, 7);
    compute.add_network("kubernetes");
    compute.add_network("other");
    let range = "10.240.0.0/24".parse().expect("a range");
    let v6 = "fd20:abc::/64".parse().expect("a range");
    let subnetwork = compute.add_subnetwork("us-west1", "kubernetes", "kubernetes", range, Some(v6));
    compute.add_machine("us-west1-a", "worker-0", &subnetwork, "10.240.0.20".parse().expect("an address"));
    compute
}

fn insert(compute: &mut Compute, name: &str, new: NewRoute) -> Result<String, Refusal> {
    compute.insert_route(name, new, asked())
}

/// Inserts and ends: why it failed, if it did.
fn inserted(compute: &mut Compute, name: &str, new: NewRoute) -> Option<Failure> {
    let operation = insert(compute, name, new).expect("a sound request");
    compute.end_operation(&operation, at(1));
    compute.operations[&operation].failure.clone()
}

fn refused<T: std::fmt::Debug>(answer: Result<T, Refusal>) -> (u16, String, String) {
    let refusal = answer.expect_err("a refusal");
    (refusal.status, refusal.code, refusal.message)
}

fn codes(compute: &Compute, route: &str) -> Vec<&'static str> {
    compute.warnings(&compute.routes[route]).into_iter().map(|warning| warning.code).collect()
}

#[test]
fn a_route_is_there_when_its_operation_has_ended_and_not_before() {
    let mut compute = project(10);
    let operation = insert(&mut compute, "r", to("10.200.0.0/24")).expect("accepted");
    assert_eq!(compute.operations[&operation].phase, Phase::Pending);
    compute.begin_operation(&operation, at(1));
    assert_eq!(compute.operations[&operation].phase, Phase::Running);
    assert!(!compute.routes.contains_key("r"));
    compute.end_operation(&operation, at(2));
    let done = &compute.operations[&operation];
    assert_eq!((done.phase, done.started, done.ended, &done.failure), (Phase::Done, Some(at(1)), Some(at(2)), &None));
    assert_eq!(done.target, "projects/lab/global/routes/r");
    let route = &compute.routes["r"];
    assert_eq!((route.id, route.priority, route.created), (done.target_id, 1000, at(0)));
    assert_eq!(route.destination.to_string(), "10.200.0.0/24");
}

#[test]
fn what_is_wrong_with_a_request_is_told_at_once_in_googles_words() {
    let hides = "Invalid value for field 'resource.destRange': '10.240.0.20/32'. 10.240.0.20/32 hides the address space \
                 of the network (10.240.0.0/24). Cannot change the routing of packets destined for the network.";
    let rows: [(&str, NewRoute, &str, &str); 16] = [
        ("R", to("10.200.0.0/24"), "invalid", "Invalid value for field 'resource.name': 'R'. Must be a match of regex"),
        ("r-", to("10.200.0.0/24"), "invalid", "Invalid value for field 'resource.name': 'r-'."),
        ("", to("10.200.0.0/24"), "invalid", "Invalid value for field 'resource.name': ''."),
        (
            "r",
            NewRoute { network: "lost".into(), ..to("10.200.0.0/24") },
            "invalid",
            "Invalid value for field 'resource.network'",
        ),
        (
            "r",
            NewRoute { hop: None, ..to("10.200.0.0/24") },
            "invalidResourceUsage",
            "Invalid resource usage: 'A Route must specify at least one type of next hop.'.",
        ),
        ("r", to("10.240.0.20/32"), "invalid", hides),
        (
            "r",
            to("10.240.0.0/24"),
            "invalid",
            "Invalid value for field 'resource.destRange': '10.240.0.0/24'. 10.240.0.0/24 hides",
        ),
        (
            "r",
            NewRoute { hop: Some(hop("fd20:abc::5")), ..to("fd20:abc:0:0:1::/80") },
            "invalid",
            "Invalid value for field 'resource.destRange': 'fd20:abc:0:0:1::/80'. fd20:abc:0:0:1::/80 hides",
        ),
        ("r", to("10.200.0.1/24"), "invalid", "Invalid value for field 'resource.destRange': '10.200.0.1/24'."),
        ("r", to("10.200.0.0"), "invalid", "Invalid value for field 'resource.destRange': '10.200.0.0'."),
        (
            "r",
            NewRoute { priority: Some(65_536), ..to("10.200.0.0/24") },
            "invalid",
            "Invalid value for field 'resource.priority': '65536'.",
        ),
        (
            "r",
            NewRoute { priority: Some(-1), ..to("10.200.0.0/24") },
            "invalid",
            "Invalid value for field 'resource.priority': '-1'.",
        ),
        (
            "r",
            NewRoute { hop: Some(hop("fd20:abc::5")), ..to("10.200.0.0/24") },
            "invalid",
            "Invalid value for field 'resource.nextHopIp': 'fd20:abc::5'.",
        ),
        (
            "r",
            NewRoute { hop: Some(Hop::Machine("us-west1-a/lost".into())), ..to("10.200.0.0/24") },
            "invalid",
            "Invalid value for field 'resource.nextHopInstance'",
        ),
        (
            "r",
            NewRoute { tags: vec!["ok".into(), "Not".into()], ..to("10.200.0.0/24") },
            "invalid",
            "Invalid value for field 'resource.tags[1]': 'Not'.",
        ),
        (
            "r",
            NewRoute { hop: Some(Hop::Gateway("lost".into())), ..to("10.200.0.0/24") },
            "invalid",
            "Invalid value for field 'resource.nextHopGateway': 'lost'.",
        ),
    ];
    for (name, new, reason, message) in rows {
        let mut compute = project(10);
        let (status, code, told) = refused(insert(&mut compute, name, new.clone()));
        assert_eq!((status, code.as_str()), (400, reason), "{new:?}");
        assert!(told.starts_with(message), "{told}");
        assert!(compute.operations.is_empty());
    }
}

#[test]
fn a_name_has_up_to_63_characters() {
    let mut compute = project(10);
    let (status, ..) = refused(insert(&mut compute, &"r".repeat(64), to("10.200.0.0/24")));
    assert_eq!(status, 400);
    assert_eq!(inserted(&mut compute, &"r".repeat(63), to("10.200.0.0/24")), None);
}

#[test]
fn a_range_around_a_subnetwork_hides_nothing() {
    let mut compute = project(10);
    assert_eq!(inserted(&mut compute, "around", to("10.240.0.0/16")), None);
    let beside = NewRoute { network: "other".to_owned(), ..to("10.240.0.0/24") };
    assert_eq!(inserted(&mut compute, "in-another-network", beside), None);
}

/// Names are per project: googleapis' description of `Route.name` knows no network.
#[test]
fn a_name_is_taken_whatever_network_holds_it_and_already_while_it_is_being_inserted() {
    let mut compute = project(10);
    let message = "The resource 'projects/lab/global/routes/r' already exists".to_owned();
    let operation = insert(&mut compute, "r", to("10.200.0.0/24")).expect("accepted");
    for network in ["kubernetes", "other"] {
        let new = NewRoute { network: network.to_owned(), ..to("10.200.9.0/24") };
        let taken = (409, "alreadyExists".to_owned(), message.clone());
        assert_eq!(refused(insert(&mut compute, "r", new.clone())), taken, "while pending");
        compute.end_operation(&operation, at(1));
        assert_eq!(refused(insert(&mut compute, "r", new)), taken, "when there");
    }
}

#[test]
fn a_second_route_for_a_destination_is_allowed_under_another_name() {
    let mut compute = project(10);
    for name in ["a", "b"] {
        assert_eq!(inserted(&mut compute, name, to("10.200.0.0/24")), None);
    }
    assert_eq!(compute.routes["a"].destination, compute.routes["b"].destination);
    assert_ne!(compute.routes["a"].id, compute.routes["b"].id);
}

#[test]
fn an_ipv6_destination_is_shown_in_its_short_form() {
    let mut compute = project(10);
    let new = NewRoute { hop: Some(hop("FD20:0ABC:0::5")), ..to("FD00:010:0200:0:0::/64") };
    assert_eq!(inserted(&mut compute, "r", new), None);
    let route = &compute.routes["r"];
    assert_eq!(route.destination.to_string(), "fd00:10:200::/64");
    assert_eq!(route.hop, hop("fd20:abc::5"));
}

#[test]
fn a_request_that_comes_again_gets_its_operation_and_changes_nothing() {
    let mut compute = project(10);
    let first = compute.insert_route("r", to("10.200.0.0/24"), retried()).expect("accepted");
    let again = |compute: &mut Compute| compute.insert_route("r", to("10.200.0.0/24"), retried());
    assert_eq!(again(&mut compute).as_ref(), Ok(&first), "while pending");
    compute.end_operation(&first, at(1));
    assert_eq!(again(&mut compute).as_ref(), Ok(&first), "when done");
    compute.remove_route("r");
    assert_eq!(again(&mut compute).as_ref(), Ok(&first), "when undone by somebody");
    assert_eq!((compute.operations.len(), compute.routes.contains_key("r")), (1, false));
    assert_eq!(compute.operations[&first].client_operation_id, retried().request_id);
}

#[test]
fn a_request_id_is_a_uuid_other_than_zero() {
    let mut compute = project(10);
    for id in ["", "r-1", "00000000-0000-0000-0000-000000000000"] {
        let asked = Asked { request_id: Some(id.to_owned()), ..asked() };
        let (status, code, _) = refused(compute.insert_route("r", to("10.200.0.0/24"), asked));
        assert_eq!((status, code.as_str()), (400, "invalid"), "{id}");
    }
}

/// kubernetes#17627: the quota is not seen in the answer to the request.
#[test]
fn a_full_network_is_told_by_the_operation_with_the_numbers() {
    let mut compute = project(1);
    let full = ["a", "b"].map(|name| inserted(&mut compute, name, to("10.200.0.0/24")));
    assert_eq!(full[0], None, "routes that Compute made itself take no room");
    let failure = full[1].as_ref().expect("a failure");
    assert_eq!((failure.code.as_str(), failure.status), ("QUOTA_EXCEEDED", 403));
    assert_eq!(failure.message, "Quota 'STATIC_ROUTES_PER_NETWORK' exceeded.  Limit: 1.0 globally.");
    let metric = "compute.googleapis.com/static_routes_per_vpc_network".to_owned();
    assert_eq!(failure.quota, Some((metric, 1)));
    assert!(!compute.routes.contains_key("b"));
    let elsewhere = NewRoute { network: "other".to_owned(), ..to("10.200.0.0/24") };
    assert_eq!(inserted(&mut compute, "c", elsewhere), None, "room is per network");
    let operation = compute.delete_route("a", asked()).expect("accepted");
    compute.end_operation(&operation, at(1));
    assert_eq!(inserted(&mut compute, "b", to("10.200.0.0/24")), None, "a deletion makes room");
}

#[test]
fn an_insert_whose_name_was_taken_meanwhile_fails_in_its_operation() {
    let mut compute = project(10);
    assert_eq!(inserted(&mut compute, "a", to("10.200.0.0/24")), None);
    let operation = insert(&mut compute, "b", to("10.200.0.0/24")).expect("accepted");
    let rival = Route { description: "theirs".to_owned(), ..compute.routes["a"].clone() };
    compute.put_route("b", rival);
    compute.end_operation(&operation, at(1));
    let failure = compute.operations[&operation].failure.as_ref().expect("a failure");
    assert_eq!((failure.code.as_str(), failure.status), ("RESOURCE_ALREADY_EXISTS", 409));
    assert_eq!(compute.routes["b"].description, "theirs");
}

#[test]
fn a_deletion_takes_the_route_that_it_was_asked_for_and_no_later_one_of_its_name() {
    let mut compute = project(10);
    assert_eq!(inserted(&mut compute, "r", to("10.200.0.0/24")), None);
    let operation = compute.delete_route("r", asked()).expect("accepted");
    assert!(compute.routes.contains_key("r"));
    let not_ready = "The resource 'projects/lab/global/routes/r' is not ready".to_owned();
    assert_eq!(refused(compute.delete_route("r", asked())), (400, "resourceNotReady".to_owned(), not_ready));
    let again = compute.routes["r"].clone();
    compute.put_route("r", again);
    compute.end_operation(&operation, at(1));
    let failure = compute.operations[&operation].failure.as_ref().expect("a failure");
    assert_eq!((failure.code.as_str(), failure.status), ("RESOURCE_NOT_FOUND", 404));
    assert!(compute.routes.contains_key("r"));
}

#[test]
fn an_absent_route_cannot_be_deleted_nor_can_a_subnet_route() {
    let mut compute = project(10);
    let message = "The resource 'projects/lab/global/routes/r' was not found".to_owned();
    assert_eq!(refused(compute.delete_route("r", asked())), (404, "notFound".to_owned(), message));
    let subnet_routes: Vec<String> = compute
        .routes
        .iter()
        .filter(|(_, it)| matches!(it.hop, Hop::Network(_)))
        .map(|(name, _)| name.clone())
        .collect();
    assert_eq!(subnet_routes.len(), 2, "one per family");
    for name in subnet_routes {
        let refusal = (400, "badRequest".to_owned(), "The local route cannot be deleted.".to_owned());
        assert_eq!(refused(compute.delete_route(&name, asked())), refusal);
    }
}

#[test]
fn networks_come_with_the_routes_that_google_gives_them() {
    let compute = project(10);
    let mut shown: Vec<_> = compute
        .routes
        .iter()
        .map(|(name, it)| {
            assert!(name.starts_with("default-route-") && name.len() == 30, "{name}");
            (it.network.as_str(), it.destination.to_string(), it.priority, it.description.as_str())
        })
        .collect();
    shown.sort_unstable();
    let internet = "Default route to the Internet.";
    assert_eq!(
        shown,
        [
            ("kubernetes", "0.0.0.0/0".to_owned(), 1000, internet),
            ("kubernetes", "10.240.0.0/24".to_owned(), 0, "Default local route to the subnetwork 10.240.0.0/24."),
            ("kubernetes", "fd20:abc::/64".to_owned(), 0, "Default local route to the subnetwork fd20:abc::/64."),
            ("other", "0.0.0.0/0".to_owned(), 1000, internet),
        ]
    );
}

#[test]
fn an_operation_that_is_made_to_fail_does_nothing_and_one_that_is_done_stays_so() {
    let mut compute = project(10);
    let failure = Failure { code: "INTERNAL_ERROR".into(), message: "oh".into(), status: 503, quota: None };
    let operation = insert(&mut compute, "r", to("10.200.0.0/24")).expect("accepted");
    compute.fail_operation(&operation, failure.clone(), at(1));
    compute.end_operation(&operation, at(2));
    compute.begin_operation(&operation, at(3));
    let done = &compute.operations[&operation];
    assert_eq!((done.phase, done.ended, done.failure.as_ref()), (Phase::Done, Some(at(1)), Some(&failure)));
    assert!(!compute.routes.contains_key("r"));
    assert_eq!(inserted(&mut compute, "r", to("10.200.0.0/24")), None, "the name is free again");
}

#[test]
fn a_next_hop_is_remarked_upon_for_as_long_as_packets_would_be_dropped() {
    let mut compute = project(10);
    assert_eq!(inserted(&mut compute, "r", to("10.200.0.0/24")), None);
    assert_eq!(codes(&compute, "r"), [""; 0]);
    compute.machines.get_mut(KEY).expect("the worker").can_ip_forward = false;
    assert_eq!(codes(&compute, "r"), ["NEXT_HOP_CANNOT_IP_FORWARD"]);
    compute.set_status(KEY, Status::Terminated);
    assert_eq!(codes(&compute, "r"), ["NEXT_HOP_CANNOT_IP_FORWARD", "NEXT_HOP_NOT_RUNNING"]);
    compute.delete_machine(KEY);
    assert_eq!(codes(&compute, "r"), ["NEXT_HOP_ADDRESS_NOT_ASSIGNED"]);
}

/// hcloud-ccm#470: the same private address outside the network.
#[test]
fn only_a_primary_address_in_the_routes_own_network_counts() {
    let mut compute = project(10);
    let nic = &mut compute.machines.get_mut(KEY).expect("the worker").nics[0];
    nic.aliases.push("10.240.0.64/28".parse().expect("a range"));
    nic.ipv6 = Some("fd20:abc::5".parse().expect("an address"));
    let rows = [
        ("by-alias", to("10.200.1.0/24"), "10.240.0.65", true),
        ("elsewhere", NewRoute { network: "other".to_owned(), ..to("10.200.0.0/24") }, "10.240.0.20", true),
        ("by-ipv6", to("fd00::/64"), "fd20:abc::5", false),
    ];
    for (name, new, address, remarked) in rows {
        assert_eq!(inserted(&mut compute, name, NewRoute { hop: Some(hop(address)), ..new }), None);
        let expected: &[&str] = if remarked { &["NEXT_HOP_ADDRESS_NOT_ASSIGNED"] } else { &[] };
        assert_eq!(codes(&compute, name), expected, "{name}");
    }
}

#[test]
fn a_route_by_machine_follows_its_machine() {
    let mut compute = project(10);
    let by_machine = Some(Hop::Machine(KEY.to_owned()));
    for (name, destination) in [("r", "10.200.0.0/24"), ("six", "fd00::/64")] {
        let new = NewRoute { hop: by_machine.clone(), ..to(destination) };
        assert_eq!(inserted(&mut compute, name, new), None);
    }
    assert_eq!(codes(&compute, "six"), ["NEXT_HOP_INSTANCE_HAS_NO_IPV6_INTERFACE"]);
    compute.set_address(KEY, "10.240.0.99".parse().expect("an address"));
    assert_eq!(codes(&compute, "r"), [""; 0]);
    compute.machines.get_mut(KEY).expect("the worker").nics[0].network = "other".to_owned();
    assert_eq!(codes(&compute, "r"), ["NEXT_HOP_INSTANCE_NOT_ON_NETWORK"]);
    compute.delete_machine(KEY);
    assert_eq!(codes(&compute, "r"), ["NEXT_HOP_INSTANCE_NOT_FOUND"]);
}

#[test]
fn a_machine_is_moved_on_by_zonal_operations() {
    let mut compute = project(10);
    assert_eq!(compute.machine_named("worker-0").as_deref(), Some(KEY));
    for (status, kind) in [(Some(Status::Terminated), "stop"), (Some(Status::Running), "start"), (None, "delete")] {
        let operation = compute.ask_machine(KEY, status, asked()).expect("accepted");
        assert_eq!(refused(compute.ask_machine(KEY, status, asked())).1, "resourceNotReady");
        compute.end_operation(&operation, at(1));
        let done = &compute.operations[&operation];
        assert_eq!((done.kind.as_str(), done.zone.as_deref()), (kind, Some("us-west1-a")));
        assert_eq!(done.target, "projects/lab/zones/us-west1-a/instances/worker-0");
        assert_eq!(compute.machines.get(KEY).map(|machine| machine.status), status);
    }
    assert_eq!(refused(compute.ask_machine(KEY, None, asked())).0, 404);
}

#[test]
fn one_seed_gives_one_project() {
    let name = |compute: &mut Compute| insert(compute, "r", to("10.200.0.0/24")).expect("accepted");
    let (mut one, mut two) = (project(10), project(10));
    assert_eq!(name(&mut one), name(&mut two));
    assert_eq!(one.routes.keys().collect::<Vec<_>>(), two.routes.keys().collect::<Vec<_>>());
    assert_eq!(one.machines[KEY].id, two.machines[KEY].id);
}
