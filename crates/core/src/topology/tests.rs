use super::*;

fn worker(name: &str, cidr: &str, address: &str) -> Worker {
    Worker {
        name: name.parse().expect("name"),
        pod_cidrs: vec![cidr.parse().expect("cidr")],
        addresses: (!address.is_empty()).then(|| address.parse().expect("address")).into_iter().collect(),
        machine: MachineRef::Name(name.to_owned()),
    }
}

fn judge(workers: Vec<Worker>) -> Vec<String> {
    let cluster = Cluster {
        name: "kubernetes".parse().expect("name"),
        pod_cidrs: vec!["10.200.0.0/16".parse().expect("cidr")],
        service_cidrs: vec!["10.32.0.0/24".parse().expect("cidr")],
    };
    match Topology::new(cluster, workers) {
        Ok(_) => Vec::new(),
        Err(faults) => faults.into_iter().map(|fault| fault.message).collect(),
    }
}

#[test]
fn a_sound_topology_passes() {
    let faults = judge(vec![worker("a", "10.200.0.0/24", "10.240.0.1"), worker("b", "10.200.1.0/24", "10.240.0.2")]);
    assert_eq!(faults, Vec::<String>::new());
}

/// kubernetes#29058: two nodes with one pod CIDR.
#[test]
fn two_workers_with_one_pod_cidr_are_refused_with_both_names() {
    let faults = judge(vec![worker("a", "10.200.0.0/24", ""), worker("b", "10.200.0.0/24", "")]);
    assert_eq!(faults, ["workers `a` and `b` have the same pod CIDR `10.200.0.0/24`"]);
}

#[test]
fn every_fault_is_told_at_once() {
    let faults = judge(vec![
        worker("a", "10.200.0.0/23", "10.240.0.1"),
        worker("a", "10.200.1.0/24", "10.240.0.1"),
        worker("c", "10.201.0.0/24", "10.200.1.7"),
    ]);
    assert_eq!(
        faults,
        [
            "two workers are called `a`",
            "`10.200.1.0/24` of worker `a` overlaps `10.200.0.0/23` of worker `a`",
            "`10.201.0.0/24` of worker `c` is not inside the cluster's pod CIDR `10.200.0.0/16`",
            "workers `a` and `a` share the address `10.240.0.1`",
            "the address `10.200.1.7` of worker `c` lies inside the pod CIDR `10.200.1.0/24` of worker `a`",
        ]
    );
}

#[test]
fn cluster_names_keep_to_what_a_tag_key_can_hold() {
    assert!("prod-eu_1.x".parse::<ClusterName>().is_ok());
    assert!("a".repeat(63).parse::<ClusterName>().is_ok());
    for bad in ["", "a b", "ü", "a/b", "a=b"] {
        assert!(bad.parse::<ClusterName>().is_err(), "{bad}");
    }
    assert!("a".repeat(64).parse::<ClusterName>().is_err());
}
