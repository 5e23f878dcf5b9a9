use aws_sdk_ec2::types::builders::{InstanceBuilder, InstanceNetworkInterfaceBuilder};
use aws_sdk_ec2::types::{
    InstanceIpv6Address, InstanceNetworkInterface, InstanceNetworkInterfaceAttachment, InstanceState,
    InstanceStateName, Placement, Tag,
};
use kroutes_core::NextHop;

use super::*;

const HERE: Place<'static> = Place { vpc: Some("vpc-1"), region: "us-west-2" };

fn instance(id: &str, name: &str, state: &str) -> InstanceBuilder {
    Instance::builder()
        .instance_id(id)
        .vpc_id("vpc-1")
        .private_ip_address("10.240.0.30")
        .placement(Placement::builder().availability_zone("us-west-2a").build())
        .state(InstanceState::builder().name(InstanceStateName::from(state)).build())
        .source_dest_check(true)
        .tags(Tag::builder().key("Name").value(name).build())
}

fn interface(id: &str, device: i32, card: Option<i32>) -> InstanceNetworkInterfaceBuilder {
    let attachment =
        InstanceNetworkInterfaceAttachment::builder().device_index(device).set_network_card_index(card).build();
    InstanceNetworkInterface::builder().network_interface_id(id).attachment(attachment).source_dest_check(false)
}

#[test]
fn a_name_that_fits_several_is_refused_with_all_of_them() {
    let (a, b) = (instance("i-a", "w", "running").build(), instance("i-b", "w", "stopped").build());
    let error = HERE.by_name("w", &[&a, &b]).expect_err("ambiguous");
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(
        error.message(),
        "the Name tag `w` fits 2 instances: `i-a` (10.240.0.30, running, us-west-2a), `i-b` (10.240.0.30, stopped, us-west-2a)"
    );
}

#[test]
fn instances_that_end_have_ended_or_are_elsewhere_do_not_count() {
    let ended = instance("i-a", "w", "terminated").build();
    let ending = instance("i-b", "w", "shutting-down").build();
    let elsewhere = instance("i-c", "w", "running").vpc_id("vpc-2").build();
    let other_case = instance("i-d", "W", "running").build();
    let here = instance("i-e", "w", "pending").build();
    let all = [&ended, &ending, &elsewhere, &other_case, &here];
    assert_eq!(HERE.by_name("w", &all).expect("one").id, "i-e");
    let error = HERE.by_name("w", &all[..4]).expect_err("none");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(error.message(), "no instance with the Name tag `w` in `vpc-1`, region `us-west-2`");
}

#[test]
fn an_instance_named_by_id_says_what_is_wrong_with_it() {
    let elsewhere = instance("i-a", "w", "running").vpc_id("vpc-2").build();
    let ended = instance("i-a", "w", "terminated").build();
    let rows = [
        (None, ErrorKind::NotFound, "no instance `i-a` in region `us-west-2`"),
        (Some(&ended), ErrorKind::NotFound, "instance `i-a` is `terminated`"),
        (Some(&elsewhere), ErrorKind::Invalid, "instance `i-a` is in VPC `vpc-2`, the route table in `vpc-1`"),
    ];
    for (found, kind, message) in rows {
        let error = HERE.by_id("i-a", found).expect_err(message);
        assert_eq!((error.kind(), error.message()), (kind, message));
    }
}

/// kubernetes#92783, flannel#447, aws-custom-route-controller#484: EC2 refuses an instance of several interfaces.
#[test]
fn of_several_interfaces_the_primary_one_is_the_next_hop_and_has_the_check() {
    let several = instance("i-a", "w", "running")
        .network_interfaces(interface("eni-second", 1, None).build())
        .network_interfaces(interface("eni-card", 0, Some(1)).build())
        .network_interfaces(interface("eni-first", 0, Some(0)).build())
        .build();
    let found = machine(&several);
    assert_eq!(found.next_hop, NextHop::Interface("eni-first".to_owned()));
    assert_eq!(found.source_dest_check, Some(false));

    let one = instance("i-a", "w", "running").network_interfaces(interface("eni-first", 0, None).build()).build();
    let found = machine(&one);
    assert_eq!(found.next_hop, NextHop::Instance("i-a".to_owned()));
    assert_eq!(found.source_dest_check, Some(true));
    assert_eq!(found.interfaces, ["eni-first"]);
}

#[test]
fn addresses_of_both_families_are_known() {
    let v6 = InstanceIpv6Address::builder().ipv6_address("fd00::1").build();
    let built = instance("i-a", "w", "running")
        .network_interfaces(interface("eni-1", 0, None).private_ip_address("10.240.0.30").ipv6_addresses(v6).build())
        .build();
    let expected: Vec<IpAddr> = ["10.240.0.30", "fd00::1"].iter().map(|text| text.parse().expect("address")).collect();
    assert_eq!(machine(&built).addresses, expected);
}

#[test]
fn a_name_that_no_filter_can_hold_is_that_workers_own_fault() {
    assert!(fits(&"a".repeat(255)) && !fits(&"a".repeat(256)) && !fits(&"*".repeat(128)));
    assert_eq!(HERE.by_name(&"*".repeat(128), &[]).expect_err("too long").kind(), ErrorKind::Invalid);
}

#[test]
fn two_workers_that_are_one_instance_are_both_refused() {
    let worker = |name: &str| Worker {
        name: name.parse().expect("name"),
        pod_cidrs: Vec::new(),
        addresses: Vec::new(),
        machine: MachineRef::Id("i-a".to_owned()),
    };
    let found = machine(&instance("i-a", "w", "running").build());
    let mut machines = vec![Ok(found.clone()), Ok(found)];
    refuse_shared(&[worker("a"), worker("b")], &mut machines);
    for machine in machines {
        assert_eq!(machine.expect_err("shared").message(), "workers `a` and `b` are one instance, `i-a`");
    }
    let many: Vec<Worker> = (0..5).map(|n| worker(&format!("w-{n}"))).collect();
    let mut machines: Vec<_> = many.iter().map(|_| Ok(machine(&instance("i-a", "w", "running").build()))).collect();
    refuse_shared(&many, &mut machines);
    let expected = "workers `w-0`, `w-1`, `w-2` and 2 more are one instance, `i-a`";
    assert_eq!(machines[4].as_ref().expect_err("shared").message(), expected);
}

#[test]
fn workers_of_two_vpcs_are_refused_with_workers_of_each() {
    let worker = |name: &str| Worker {
        name: name.parse().expect("name"),
        pod_cidrs: Vec::new(),
        addresses: Vec::new(),
        machine: MachineRef::Name(name.to_owned()),
    };
    let in_vpc = |id: &str, vpc: &str| Ok(machine(&instance(id, "w", "running").vpc_id(vpc).build()));
    let workers: Vec<Worker> = (0..6).map(|n| worker(&format!("w-{n}"))).collect();
    let mut machines: Vec<Result<Machine>> = (0..5).map(|n| in_vpc(&format!("i-{n}"), "vpc-1")).collect();
    machines.push(in_vpc("i-5", "vpc-2"));
    let error = one_vpc(&workers, &machines).expect_err("two");
    let expected = "the workers are in several VPCs: `w-0`, `w-1`, `w-2` and 2 more in `vpc-1`; `w-5` in `vpc-2`";
    assert_eq!(error.message(), expected);
    machines[5] = Err(Error::new(ErrorKind::NotFound, "no"));
    assert_eq!(one_vpc(&workers, &machines).expect("one"), Some("vpc-1".to_owned()));
}
