//! What `observe` shows besides the routes, and the things that are so without any call.

use kroutes_core::{ErrorKind, NextHop, PodCidr, Route, Target};

use crate::bench::{Bench, find, to};
use crate::{Outcome, Skip};

/// A plan needs both: the next hop to write, and the machine to know its own by.
pub async fn every_range_has_a_next_hop_and_every_worker_a_machine(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    let observation = subject.observe().await;
    for (worker, cidr) in subject.topology.ranges() {
        let hop = observation.next_hops.get(&cidr);
        assert!(matches!(hop, Some(Ok(_))), "`{cidr}` of `{}`: {hop:?}", worker.name);
    }
    for worker in subject.topology.workers() {
        assert!(observation.machines.values().any(|name| *name == worker.name), "no machine for `{}`", worker.name);
    }
    assert!(observation.tables.iter().any(|reading| reading.table.as_ref().is_ok_and(|t| t.id == subject.table)));
    Ok(())
}

/// A machine belongs to a worker by what it is, never by where it stands in an answer.
pub async fn the_order_of_workers_does_not_matter(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    let forwards = subject.observe().await;
    let mut workers = subject.topology.workers().to_vec();
    workers.reverse();
    let backwards = subject.backend.observe(&workers).await.expect("an observation");
    assert_eq!(forwards.machines, backwards.machines);
    for (_, cidr) in subject.topology.ranges() {
        let hops = [&forwards, &backwards].map(|observation| observation.next_hops[&cidr].clone().expect("a hop"));
        assert_eq!(hops[0], hops[1], "`{cidr}`");
    }
    Ok(())
}

/// `destroy` needs the tables, and may have no workers left.
pub async fn without_workers_the_tables_are_read_all_the_same(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    let route = subject.wanted().await.remove(0);
    subject.created(&route).await;
    subject.after_all().await;
    let observation = subject.backend.observe(&[]).await.expect("an observation");
    let table =
        observation.tables.iter().filter_map(|reading| reading.table.as_ref().ok()).find(|t| t.id == subject.table);
    let table = table.expect("the table is read");
    assert!(find(table, &route).is_some(), "{:#?}", table.routes);
    assert!(observation.next_hops.is_empty());
    Ok(())
}

/// One bad worker never hides the others.
pub async fn an_unknown_worker_does_not_hide_the_others(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    let nobody = subject.nobody();
    let mut workers = subject.topology.workers().to_vec();
    workers.insert(1, nobody.clone());
    let observation = subject.backend.observe(&workers).await.expect("an observation");
    let error = observation.next_hops[&nobody.pod_cidrs[0]].as_ref().expect_err("nobody has that name");
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    for (worker, cidr) in subject.topology.ranges() {
        assert!(observation.next_hops[&cidr].is_ok(), "`{}` is hidden", worker.name);
    }
    assert!(observation.tables.iter().all(|reading| reading.table.is_ok()), "the tables are hidden");
    Ok(())
}

/// A terminated machine may be shown for an hour yet (EC2 API Reference, `DescribeInstances`), and is nobody's next hop.
pub async fn a_terminated_worker_is_an_error_in_its_own_place(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    let ended = subject.topology.workers()[0].clone();
    subject.outside.terminate(&ended.name).await?;
    let observation = subject.observe().await;
    match &observation.next_hops[&ended.pod_cidrs[0]] {
        Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound, "{error}"),
        // An address that the topology gives is a next hop whoever has it; that nobody does is then found.
        Ok(NextHop::Address(address)) if ended.addresses.contains(address) => {
            let told = observation.findings.iter().any(|finding| finding.worker.as_ref() == Some(&ended.name));
            assert!(told, "nobody says that the machine is gone: {:#?}", observation.findings);
        }
        Ok(hop) => panic!("its machine is gone, and it leads to `{hop}`"),
    }
    let others = subject.topology.workers().iter().skip(1).flat_map(|worker| &worker.pod_cidrs);
    for cidr in others {
        assert!(observation.next_hops[cidr].is_ok(), "`{cidr}` is hidden");
    }
    Ok(())
}

/// Success in one table hid failure in another, and the other way round.
pub async fn a_table_that_cannot_be_read_does_not_hide_the_others(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh_with_missing_table().await?;
    let observation = subject.observe().await;
    let (read, failed): (Vec<_>, Vec<_>) = observation.tables.iter().partition(|reading| reading.table.is_ok());
    assert!(read.iter().any(|reading| reading.table.as_ref().is_ok_and(|table| table.id == subject.table)), "hidden");
    assert_eq!(failed.len(), 1, "the missing table is an error in its own place: {:#?}", observation.tables);
    assert!(!failed[0].wanted.is_empty(), "it says which table was asked for");
    Ok(())
}

/// Guessing between two machines would send half of the pods' packets to the wrong one.
pub async fn a_name_that_two_machines_bear_is_refused_with_both(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    let worker = subject.topology.workers()[0].clone();
    let ids = subject.outside.add_namesake(&worker.name).await?;
    let observation = subject.observe().await;
    let error = observation.next_hops[&worker.pod_cidrs[0]].as_ref().expect_err("which of the two?");
    let text = format!("{error} {:?}", error.context());
    for id in ids {
        assert!(text.contains(&id), "`{id}` is not named: {text}");
    }
    let others = subject.topology.workers().iter().skip(1).flat_map(|worker| &worker.pod_cidrs);
    for cidr in others {
        assert!(observation.next_hops[cidr].is_ok(), "`{cidr}` is hidden");
    }
    Ok(())
}

/// kubernetes#92783, flannel#447, aws-custom-route-controller#484: EC2 refuses the instance id of a machine with several
/// interfaces.
pub async fn of_several_interfaces_the_primary_one_is_used(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    let worker = subject.topology.workers()[0].clone();
    let primary = subject.outside.add_interface(&worker.name).await?;
    let route = subject.wanted().await.remove(0);
    let listed = subject.created(&route).await;
    assert!(listed.next_hops.iter().any(|hop| hop.id() == primary), "{listed:?} does not go by `{primary}`");
    for finding in subject.observe().await.findings {
        if let (true, Some(fix)) = (finding.worker.as_ref() == Some(&worker.name), finding.fix) {
            subject.backend.fix(&fix).await.expect("the check can be switched off with several interfaces, too");
        }
    }
    Ok(())
}

/// The route is right and packets are dropped all the same.
pub async fn an_instance_that_does_not_run_is_a_finding(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    let worker = subject.first_worker().clone();
    let about = |observation: &kroutes_core::Observation| {
        let found = observation.findings.iter().filter(|finding| finding.worker.as_ref() == Some(&worker));
        found.map(|finding| finding.code).collect::<Vec<_>>()
    };
    let before = about(&subject.observe().await);
    subject.outside.stop(&worker).await?;
    let after = about(&subject.observe().await);
    assert!(after.iter().any(|code| !before.contains(code)), "nothing new is found: {before:?}, then {after:?}");
    Ok(())
}

/// The one sort of failure that is everybody's.
pub async fn refused_credentials_make_the_whole_reading_an_error(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    subject.outside.refuse_credentials().await?;
    let error = subject.backend.observe(subject.topology.workers()).await.expect_err("no credentials");
    assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{error}");
    assert!(!error.is_retryable(), "waiting does not help");
    Ok(())
}

/// Where a route shows a machine, it is by the id under which the observation knows that machine.
pub async fn a_route_of_ours_stands_on_a_machine_that_is_known(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    let route = subject.wanted().await.remove(0);
    let listed = subject.created(&route).await;
    let Target::Machine { id, .. } = &listed.target else {
        return Err(Skip::NotApplicable("routes lead to addresses"));
    };
    assert_eq!(subject.observe().await.machines.get(id), Some(&route.worker));
    Ok(())
}

/// external-dns#2232: changes were made under dry run. What reads cannot write.
pub async fn reading_changes_nothing(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    let before = subject.list().await;
    subject.observe().await;
    subject.observe().await;
    assert_eq!(subject.after_all().await.routes.len(), before.routes.len());
    Ok(())
}

/// A plan is made once, for all of a run.
pub async fn capabilities_are_constant(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    let before = subject.capabilities();
    subject.observe().await;
    assert_eq!(subject.capabilities(), before);
    assert!(!subject.backend.name().is_empty(), "a provider has a name");
    Ok(())
}

/// hcloud-ccm#1280: an IPv6 pod CIDR where unsupported was retried for ever.
pub async fn ipv6_is_refused_where_it_is_not_possible(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    if subject.capabilities().ipv6 {
        return Err(Skip::NotApplicable("IPv6 is possible"));
    }
    let destination: PodCidr = "fd00:10:200::/64".parse().expect("a range");
    let route = Route { destination, ..subject.wanted().await.remove(0) };
    let error = subject.backend.create_route(&subject.table, &route).await.expect_err("no IPv6");
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(!error.is_retryable());
    assert!(to(&subject.after_all().await, &destination).is_empty());
    Ok(())
}
