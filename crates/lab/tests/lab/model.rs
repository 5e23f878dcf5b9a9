//! The rules of EC2's routes, as tables.

use std::net::Ipv4Addr;

use kroutes_lab::model::{Destination, Gateway, Origin, Route, Subnet, Target, Vpc};
use kroutes_lab::{Cloud, IdenticalCreate, Options};

use crate::{hard_way_cloud, name};

fn net(text: &str) -> Destination {
    text.parse::<ipnet::IpNet>().expect("a range").into()
}

fn nat() -> Target {
    Target::Gateway(Gateway::Nat, "nat-77".to_owned())
}

fn create(cloud: &mut Cloud, table: &str, to: &str, instance: &str) -> Result<(), (String, String)> {
    let target = cloud.instance_target(instance).map_err(|refusal| (refusal.code, refusal.message))?;
    cloud.create_route(table, net(to), target).map_err(|refusal| (refusal.code, refusal.message))
}

fn shown(cloud: &Cloud, table: &str, to: &str) -> kroutes_lab::model::ShownRoute {
    let routes = &cloud.tables[table].routes;
    cloud.show_route(routes.iter().find(|route| route.destination == net(to)).expect("the route"))
}

#[test]
fn a_route_by_instance_shows_instance_owner_and_interface() {
    let (mut cloud, table, [w0, ..]) = hard_way_cloud(&Options::default());
    create(&mut cloud, &table, "10.200.0.0/24", &w0).expect("created");
    let shown = shown(&cloud, &table, "10.200.0.0/24");
    assert_eq!(shown.instance.as_deref(), Some(w0.as_str()));
    assert_eq!(shown.instance_owner.as_deref(), Some("123456789012"));
    assert_eq!(shown.interface.as_deref(), Some(cloud.interfaces_of(&w0)[0].0));
    assert!(!shown.blackhole);
}

#[test]
fn a_route_by_interface_shows_the_instance_that_holds_it() {
    let (mut cloud, table, [w0, ..]) = hard_way_cloud(&Options::default());
    let second = cloud.add_interface(&w0).expect("an interface");
    let target = cloud.interface_target(&second).expect("a target");
    cloud.create_route(&table, net("10.200.0.0/24"), target).expect("created");
    let shown = shown(&cloud, &table, "10.200.0.0/24");
    assert_eq!((shown.instance, shown.interface), (Some(w0), Some(second)));
}

#[test]
fn a_destination_is_stored_canonical_and_taken_whoever_holds_it() {
    let (mut cloud, table, [w0, w1, _]) = hard_way_cloud(&Options::default());
    create(&mut cloud, &table, "10.200.0.77/24", &w0).expect("created");
    for instance in [&w0, &w1] {
        let message = "The route identified by 10.200.0.0/24 already exists.".to_owned();
        let refused = create(&mut cloud, &table, "10.200.0.0/24", instance);
        assert_eq!(refused, Err(("RouteAlreadyExists".to_owned(), message)));
    }
}

#[test]
fn a_repeated_create_succeeds_where_the_quirk_is_switched_on_and_only_for_the_same_target() {
    let options = Options { identical_create: IdenticalCreate::Accept, ..Options::default() };
    let (mut cloud, table, [w0, w1, _]) = hard_way_cloud(&options);
    create(&mut cloud, &table, "10.200.0.0/24", &w0).expect("created");
    create(&mut cloud, &table, "10.200.0.0/24", &w0).expect("the same again");
    let refused = create(&mut cloud, &table, "10.200.0.0/24", &w1).expect_err("another target");
    assert_eq!(refused.0, "RouteAlreadyExists");
    assert_eq!(cloud.tables[&table].routes.iter().filter(|route| route.destination == net("10.200.0.0/24")).count(), 1);
}

#[test]
fn destinations_that_ec2_refuses_are_refused_in_its_words() {
    let (mut cloud, table, [w0, ..]) = hard_way_cloud(&Options::default());
    let machine = cloud.instance_target(&w0).expect("a target");
    let internet = Target::Gateway(Gateway::Gateway, cloud.internet_gateways.keys().next().expect("one").clone());
    let inside = "The destination CIDR block 10.240.9.0/24 is equal to or more specific than one of this VPC's CIDR \
                  blocks. This route can target only an interface or an instance.";
    let rows: [(&str, &Target, &str, &str); 7] = [
        ("10.240.9.0/24", &internet, "InvalidParameterValue", inside),
        ("10.240.9.0/24", &machine, "InvalidParameterValue", "Route destination doesn't match any subnet CIDR blocks."),
        ("10.240.0.0/16", &machine, "RouteAlreadyExists", "The route identified by 10.240.0.0/16 already exists."),
        ("169.254.168.0/22", &machine, "InvalidParameterValue", "169.254.168.0/22"),
        ("169.254.169.0/24", &machine, "InvalidParameterValue", "169.254.169.0/24"),
        ("10.240.0.0/24", &machine, "", ""),
        ("10.0.0.0/8", &machine, "", ""),
    ];
    for (to, target, code, message) in rows {
        match cloud.create_route(&table, net(to), target.clone()) {
            Ok(()) => assert_eq!(code, "", "{to}"),
            Err(refusal) => {
                assert_eq!(refusal.code, code, "{to}");
                assert!(refusal.message.contains(message), "{to}: {}", refusal.message);
            }
        }
    }
}

/// kubernetes#92783, flannel#447: EC2 refuses the id of an instance with several interfaces.
#[test]
fn an_instance_with_several_interfaces_is_refused_by_its_id() {
    let (mut cloud, table, [w0, ..]) = hard_way_cloud(&Options::default());
    cloud.add_interface(&w0).expect("an interface");
    let message = format!(
        "There are multiple interfaces attached to instance '{w0}'. Please specify an interface ID for the operation \
         instead."
    );
    let refused = create(&mut cloud, &table, "10.200.0.0/24", &w0);
    assert_eq!(refused, Err(("InvalidInstanceID".to_owned(), message.clone())));
    let refused = cloud.set_source_dest_check(&w0, false).expect_err("ambiguous");
    assert_eq!((refused.code.as_str(), refused.message), ("InvalidInstanceID", message));
}

#[test]
fn a_route_turns_black_when_its_instance_stops_or_ends_and_back_when_it_runs() {
    use kroutes_lab::model::Life;
    let (mut cloud, table, [w0, ..]) = hard_way_cloud(&Options::default());
    create(&mut cloud, &table, "10.200.0.0/24", &w0).expect("created");
    let black = |cloud: &Cloud| shown(cloud, &table, "10.200.0.0/24").blackhole;
    cloud.set_life(&w0, Life::Stopped).expect("stopped");
    assert!(black(&cloud));
    cloud.set_life(&w0, Life::Running).expect("started");
    assert!(!black(&cloud));
    cloud.terminate(&w0);
    assert!(cloud.interfaces_of(&w0).is_empty(), "the interface goes with the instance");
    assert_eq!(create(&mut cloud, &table, "10.200.9.0/24", &w0).expect_err("ended").0, "IncorrectInstanceState");
    let ended = shown(&cloud, &table, "10.200.0.0/24");
    assert!(ended.blackhole);
    assert_eq!((ended.instance.as_deref(), ended.instance_owner.is_some()), (Some(w0.as_str()), true));
    cloud.forget_instance(&w0);
    let forgotten = shown(&cloud, &table, "10.200.0.0/24");
    assert!(forgotten.blackhole);
    assert_eq!((forgotten.instance.as_deref(), forgotten.instance_owner), (Some(w0.as_str()), None));
}

#[test]
fn the_target_must_be_in_the_tables_vpc() {
    let (mut cloud, table, _) = hard_way_cloud(&Options::default());
    let other = cloud.add_vpc(None, Vpc { cidrs: vec!["172.31.0.0/16".parse().expect("a range")], ..Vpc::default() });
    let subnet = Subnet {
        vpc: other,
        cidr: "172.31.0.0/24".parse().expect("a range"),
        ipv6_cidr: None,
        zone: "us-west-2a".to_owned(),
        tags: name("far"),
    };
    let subnet = cloud.add_subnet(None, subnet);
    let launch = kroutes_lab::model::Launch { subnet, ..Default::default() };
    let stranger = cloud.launch(launch).expect("launched");
    let interface = cloud.interfaces_of(&stranger)[0].0.to_owned();
    let message = format!("route table {table} and interface {interface} belong to different networks");
    let refused = create(&mut cloud, &table, "10.200.0.0/24", &stranger);
    assert_eq!(refused, Err(("InvalidParameterValue".to_owned(), message)));
}

/// kubernetes#17627: quota exhausted.
#[test]
fn the_quota_counts_each_family_apart_and_leaves_propagated_routes_out() {
    // The local and the default route are two already.
    let (mut cloud, table, [w0, ..]) = hard_way_cloud(&Options { routes_limit: 4, ..Options::default() });
    let vgw = Target::Gateway(Gateway::Gateway, "vgw-1".to_owned());
    let propagated =
        Route { destination: net("192.168.0.0/16"), target: vgw, origin: Origin::EnableVgwRoutePropagation };
    cloud.put_route(&table, propagated);
    for to in ["10.200.0.0/24", "10.200.1.0/24", "fd00::/64", "fd00:0:0:1::/64", "fd00:0:0:2::/64", "fd00:0:0:3::/64"] {
        create(&mut cloud, &table, to, &w0).unwrap_or_else(|refusal| panic!("{to}: {refusal:?}"));
    }
    for to in ["10.200.2.0/24", "fd00:0:0:4::/64"] {
        assert_eq!(create(&mut cloud, &table, to, &w0).expect_err("full").0, "RouteLimitExceeded", "{to}");
    }
}

#[test]
fn replace_never_creates_and_delete_never_forgives() {
    let (mut cloud, table, [w0, ..]) = hard_way_cloud(&Options::default());
    let target = cloud.instance_target(&w0).expect("a target");
    let absent = cloud.replace_route(&table, &net("10.200.77.0/24"), target.clone()).expect_err("absent");
    assert_eq!(
        (absent.code.as_str(), absent.message.as_str()),
        (
            "InvalidParameterValue",
            "There is no route defined for '10.200.77.0/24' in the route table. Use CreateRoute instead."
        )
    );
    let absent = cloud.delete_route(&table, &net("10.200.77.0/24")).expect_err("absent");
    let message = format!("no route with destination-cidr-block 10.200.77.0/24 in route table {table}");
    assert_eq!((absent.code.as_str(), absent.message), ("InvalidRoute.NotFound", message));
    let local = cloud.delete_route(&table, &net("10.240.0.0/16")).expect_err("local");
    let message = format!("cannot remove local route 10.240.0.0/16 in route table {table}");
    assert_eq!((local.code.as_str(), local.message), ("InvalidParameterValue", message));

    cloud.create_route(&table, net("10.200.0.0/24"), nat()).expect("created");
    cloud.replace_route(&table, &net("10.200.0.0/24"), target).expect("replaced");
    assert_eq!(shown(&cloud, &table, "10.200.0.0/24").instance, Some(w0));
    cloud.delete_route(&table, &net("10.200.0.0/24")).expect("deleted");
}

#[test]
fn a_static_route_may_stand_beside_a_propagated_one_and_only_it_can_be_deleted() {
    let (mut cloud, table, [w0, ..]) = hard_way_cloud(&Options::default());
    let vgw = Target::Gateway(Gateway::Gateway, "vgw-1".to_owned());
    let propagated =
        Route { destination: net("10.200.0.0/24"), target: vgw, origin: Origin::EnableVgwRoutePropagation };
    cloud.put_route(&table, propagated);
    assert_eq!(cloud.delete_route(&table, &net("10.200.0.0/24")).expect_err("not ours").code, "InvalidRoute.NotFound");
    create(&mut cloud, &table, "10.200.0.0/24", &w0).expect("beside it");
    cloud.delete_route(&table, &net("10.200.0.0/24")).expect("deleted");
    assert_eq!(cloud.tables[&table].routes.last().map(|route| route.origin), Some(Origin::EnableVgwRoutePropagation));
}

#[test]
fn source_dest_check_is_one_thing_seen_from_instance_and_interface() {
    let (mut cloud, _, [w0, ..]) = hard_way_cloud(&Options::default());
    cloud.set_source_dest_check(&w0, false).expect("changed");
    let (interface, seen) = cloud.interfaces_of(&w0)[0];
    assert!(!seen.source_dest_check);
    let interface = interface.to_owned();
    cloud.set_interface_check(&interface, true).expect("changed");
    assert!(cloud.interfaces_of(&w0)[0].1.source_dest_check);
}

#[test]
fn tags_are_deleted_by_key_or_only_with_their_value() {
    let (mut cloud, table, _) = hard_way_cloud(&Options::default());
    let on = [table.clone()];
    cloud
        .create_tags(&on, &[("a", "1"), ("b", "2"), ("c", "3")].map(|(k, v)| (k.to_owned(), v.to_owned())).into())
        .expect("tagged");
    let del = |key: &str, value: Option<&str>| (key.to_owned(), value.map(str::to_owned));
    cloud
        .delete_tags(&on, &[del("a", None), del("b", Some("other")), del("c", Some("3")), del("absent", None)])
        .expect("deleted");
    let left: Vec<_> = cloud.tables[&table].tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(left, ["Name=kubernetes", "b=2"]);
    let many = (0..49).map(|n| (format!("k{n}"), String::new())).collect();
    assert_eq!(cloud.create_tags(&on, &many).expect_err("too many").code, "TagLimitExceeded");
}

#[test]
fn the_same_seed_makes_the_same_cloud() {
    let (one, ..) = hard_way_cloud(&Options::default());
    let (same, ..) = hard_way_cloud(&Options::default());
    let (other, ..) = hard_way_cloud(&Options { seed: 1, ..Options::default() });
    let ids = |cloud: &Cloud| cloud.interfaces.keys().cloned().collect::<Vec<_>>();
    assert_eq!(ids(&one), ids(&same));
    assert_ne!(ids(&one), ids(&other));
    assert_eq!(one.interfaces.values().map(|it| it.private_ip).max(), Some(Ipv4Addr::new(10, 240, 0, 22)));
}
