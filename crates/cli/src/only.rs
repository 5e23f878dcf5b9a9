//! `--only`: what a part of a cluster is called, and which ranges that is.
//!
//! A part is meant as ranges and never as workers. If it were workers, every route of the others would seem to be nobody's,
//! and a filter would be a deletion. So a worker's name stands for the ranges that it has now, and outside of the ranges
//! nothing is wanted, nothing is seen, and nothing can become of it. A worker that got another range has left its old one
//! outside: that is for a run without the option.
//!
//! What cannot mean what its author wanted is refused: a name that nobody has, a range outside of the cluster, and a piece
//! of a worker's range, since the worker's route is one and lies outside of the piece.

use kroutes_core::{PodCidr, Topology};
use kroutes_driver::suggest;

use crate::failure::Failure;

/// The topology of which only this is looked at, and how its parts are called; all of it without any.
pub(crate) fn narrow(topology: Topology, only: &[String]) -> Result<(Topology, Vec<String>), Failure> {
    if only.is_empty() {
        return Ok((topology, Vec::new()));
    }
    let mut names: Vec<String> = Vec::new();
    let mut scope = Vec::new();
    for part in only {
        let (name, ranges) = meaning(&topology, part).map_err(|why| Failure::Usage(format!("--only: {why}")))?;
        scope.extend(ranges);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let scope: Vec<_> = scope.iter().map(PodCidr::net).collect();
    Ok((topology.narrowed_to(&scope), names))
}

/// A part in one spelling, and its ranges.
fn meaning(topology: &Topology, part: &str) -> Result<(String, Vec<PodCidr>), String> {
    if let Some(worker) = topology.workers().iter().find(|worker| worker.name.as_str() == part) {
        return Ok((part.to_owned(), worker.pod_cidrs.clone()));
    }
    if let Some(one) = topology.left_out().iter().find(|one| one.name.as_str() == part) {
        if one.pod_cidrs.is_empty() {
            return Err(format!("`{part}` has no range that is known: {}", one.why));
        }
        return Ok((part.to_owned(), one.pod_cidrs.clone()));
    }
    if !part.contains('/') && part.parse::<std::net::IpAddr>().is_err() {
        return Err(nobody(topology, part));
    }
    let given: PodCidr = part.parse().map_err(|error| format!("{error}{}", around(topology, part)))?;
    let net = given.net();
    if !topology.cluster().contains(&net) {
        let claim: Vec<String> = topology.cluster().pod_cidrs.iter().map(|cidr| format!("`{cidr}`")).collect();
        return Err(format!("`{net}` is not inside the cluster's pod CIDR {}", claim.join(", ")));
    }
    match topology.ranges().find(|(_, range)| range.net() != net && range.net().contains(&net)) {
        Some((worker, range)) => Err(format!(
            "`{net}` is a piece of `{range}`, for which worker `{name}` has one route: say --only {name}",
            name = worker.name
        )),
        None => Ok((given.to_string(), vec![given])),
    }
}

fn nobody(topology: &Topology, part: &str) -> String {
    let workers = topology.workers().iter().map(|worker| worker.name.as_str());
    let names: Vec<&str> = workers.chain(topology.left_out().iter().map(|one| one.name.as_str())).collect();
    let wrong = format!("`{part}` is neither a worker nor a range such as `10.200.0.0/24`");
    match suggest(part, &names) {
        Some(meant) => format!("{wrong}; did you mean `{meant}`? A worker that is gone is named by its range"),
        None if names.is_empty() => format!("{wrong}: there are no workers"),
        None => wrong,
    }
}

/// The range that an address without a length lies in, where one is known.
fn around(topology: &Topology, part: &str) -> String {
    let Ok(address) = part.parse::<std::net::IpAddr>() else { return String::new() };
    let found = topology.ranges().find(|(_, range)| range.net().contains(&address));
    found.map_or_else(String::new, |(worker, range)| format!("; `{range}` of worker `{}` has it", worker.name))
}

#[cfg(test)]
mod tests {
    use kroutes_core::{Cluster, Error, ErrorKind, LeftOut, MachineRef, Worker};

    use super::*;

    fn topology() -> Topology {
        let cluster = Cluster {
            name: "kubernetes".parse().expect("name"),
            pod_cidrs: vec!["10.200.0.0/16".parse().expect("cidr"), "fd00:200::/48".parse().expect("cidr")],
            service_cidrs: Vec::new(),
        };
        let ranges = |texts: &[&str]| texts.iter().map(|text| text.parse().expect("cidr")).collect();
        let worker = |name: &str, texts: &[&str]| Worker {
            name: name.parse().expect("name"),
            pod_cidrs: ranges(texts),
            addresses: Vec::new(),
            machine: MachineRef::Name(name.to_owned()),
        };
        let left_out = |name: &str, texts: &[&str]| LeftOut {
            name: name.parse().expect("name"),
            pod_cidrs: ranges(texts),
            why: Error::new(ErrorKind::Invalid, format!("`{name}` is going away")),
            is_fault: false,
        };
        let workers = vec![
            worker("worker-0", &["10.200.0.0/24", "fd00:200::/64"]),
            worker("worker-1", &["10.200.1.0/24"]),
            worker("rack/7", &["10.200.7.0/24"]),
        ];
        let topology = Topology::new(cluster, workers).expect("sound");
        topology.leaving_out(vec![left_out("leaving", &["10.200.9.0/24"]), left_out("rangeless", &[])])
    }

    #[test]
    fn a_part_is_a_worker_or_a_machine_that_is_left_out_or_a_range() {
        for (part, ranges) in [
            ("worker-0", &["10.200.0.0/24", "fd00:200::/64"][..]),
            ("rack/7", &["10.200.7.0/24"]),
            ("leaving", &["10.200.9.0/24"]),
            ("10.200.1.0/24", &["10.200.1.0/24"]),
            ("10.200.0.0/20", &["10.200.0.0/20"]),
            ("10.200.77.128/25", &["10.200.77.128/25"]),
            ("10.200.0.0/16", &["10.200.0.0/16"]),
            ("FD00:200:0000::/60", &["fd00:200::/60"]),
        ] {
            let (_, found) = meaning(&topology(), part).expect(part);
            assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), ranges, "{part}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_what_would_be_right() {
        for (part, words) in [
            ("worker-2", "did you mean `worker-"),
            ("Worker-1", "did you mean `worker-1`?"),
            ("somebody-else-altogether", "is neither a worker nor a range"),
            ("", "is neither a worker nor a range"),
            ("rangeless", "`rangeless` is going away"),
            ("10.200.1.7/24", "the range is `10.200.1.0/24`"),
            ("10.200.1.7", "`10.200.1.0/24` of worker `worker-1` has it"),
            ("10.200.99.7", "has no prefix length"),
            ("10.201.0.0/24", "is not inside the cluster's pod CIDR `10.200.0.0/16`, `fd00:200::/48`"),
            ("10.0.0.0/8", "is not inside the cluster's pod CIDR"),
            ("0.0.0.0/0", "is every address there is"),
            ("10.200.1.0/25", "say --only worker-1"),
            ("10.200.1/24", "is not a CIDR range"),
            ("10.200.1.0/33", "is not a CIDR range"),
        ] {
            let error = meaning(&topology(), part).expect_err(part);
            assert!(error.contains(words), "{part}: {error}");
        }
    }

    #[test]
    fn parts_are_told_once_in_one_spelling_and_mean_all_of_their_ranges() {
        let only = ["FD00:200::/64", "worker-1", "worker-1", "fd00:200:0::/64"].map(str::to_owned);
        let (narrowed, names) = narrow(topology(), &only).expect("parts");
        assert_eq!(names, ["fd00:200::/64", "worker-1"]);
        let inside = |net: &str| narrowed.is_in_scope(&net.parse().expect("net"));
        assert!(
            inside("10.200.1.0/24") && inside("fd00:200::/64") && !inside("10.200.0.0/24") && !inside("10.200.7.0/24")
        );
        let (whole, names) = narrow(topology(), &[]).expect("all");
        assert!(names.is_empty() && !whole.is_narrowed());
    }
}
