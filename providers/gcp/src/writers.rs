//! Who else writes routes into the network.
//!
//! A range of pods has one writer, or two that undo each other: kroutes leaves alone what does not bear its mark, but no other
//! tool is bound to leave alone what does. Two kinds tell who they are. The route controller of Kubernetes gives its routes
//! the description `k8s-node-route` (kubernetes/cloud-provider-gcp, `providers/gce/gce_routes.go`), and another topology of
//! kroutes gives its own the name of its cluster. Everything else without a mark may be anybody's, and is told as what it
//! is by whoever compares the routes with the pod CIDRs.

use std::collections::BTreeMap;

use ipnet::IpNet;
use kroutes_core::{Check, CheckGroup, ClusterCidr, Finding, Severity, TableId, overlap};

use crate::{routes, wire};

/// The description of the routes that Kubernetes itself makes.
const KUBERNETES: &str = "k8s-node-route";

const KUBERNETES_REMEDY: &str = "let one program write the routes of a range: start the cloud controller manager with \
    `--configure-cloud-routes=false` and delete these routes once ours stand, or leave the range to it and do not run kroutes there";
const CLUSTER_REMEDY: &str = "give the two clusters ranges that share no address; if the other cluster is gone, run `kroutes destroy` with its topology";

/// Every other writer that shows, or that none does. `wanted` are the pod CIDRs that are known, `claimed` the whole ranges.
pub(crate) fn checks(listed: &[wire::Route], mark: &str, claimed: &[ClusterCidr], wanted: &[IpNet]) -> Vec<Check> {
    let inside: Vec<(&wire::Route, IpNet)> = listed
        .iter()
        .filter_map(|route| Some((route, routes::destination(route).as_net()?)))
        .filter(|(_, net)| claimed.iter().any(|cidr| overlap(&cidr.net(), net)))
        .collect();
    let mut checks = Vec::new();
    let of_kubernetes: Vec<_> =
        inside.iter().filter(|(route, _)| route.description.as_deref() == Some(KUBERNETES)).collect();
    if let Some((route, net)) = of_kubernetes.first() {
        let message = format!(
            "{} inside the cluster CIDRs, such as `{}` to `{net}`: the route controller of Kubernetes made them \
             (description `{KUBERNETES}`), and may make and delete more",
            counted(of_kubernetes.len()),
            route.name
        );
        checks.push(Check::warn(CheckGroup::Writers, "kubernetes-routes", message, KUBERNETES_REMEDY));
    }
    let mut clusters: BTreeMap<&str, Vec<(&wire::Route, IpNet)>> = BTreeMap::new();
    for (route, net) in &inside {
        if let Some(cluster) = other_cluster(route, mark) {
            clusters.entry(cluster).or_default().push((route, *net));
        }
    }
    checks.extend(clusters.into_iter().map(|(cluster, theirs)| of_cluster(cluster, &theirs, wanted)));
    if checks.is_empty() {
        let message = "no route in the cluster CIDRs bears the mark of Kubernetes or of another cluster of kroutes";
        checks.push(Check::pass(CheckGroup::Writers, "other-writers", message));
    }
    checks
}

/// Another topology in the same network: in the way where it holds what a worker's pods need, and else next to it.
fn of_cluster(cluster: &str, theirs: &[(&wire::Route, IpNet)], wanted: &[IpNet]) -> Check {
    let in_the_way = theirs.iter().find_map(|(route, net)| Some((route, wanted.iter().find(|own| overlap(own, net))?)));
    let shown = cluster.escape_debug();
    let many = counted(theirs.len());
    let name = "other-cluster";
    if let Some((route, own)) = in_the_way {
        let message = format!(
            "{many} of cluster `{shown}` in our cluster CIDRs, such as `{}` to `{}`, which overlaps pod CIDR `{own}`: two \
             topologies claim one range",
            route.name, route.dest_range
        );
        return Check::fail(CheckGroup::Writers, name, message, CLUSTER_REMEDY);
    }
    let example = theirs.first().map(|(route, net)| format!(", such as `{}` to `{net}`", route.name));
    let message = format!(
        "{many} of cluster `{shown}` in our cluster CIDRs{}: none is in the way of a pod CIDR of ours yet",
        example.unwrap_or_default()
    );
    Check::warn(CheckGroup::Writers, name, message, CLUSTER_REMEDY)
}

/// What a plan and a verdict are told of another topology that claims what ours wants: its routes may lead where ours should,
/// and then all seems well until it is destroyed.
pub(crate) fn finding(listed: &[wire::Route], mark: &str, table: &TableId, wanted: &[IpNet]) -> Option<Finding> {
    let of_another = |route: &&wire::Route| {
        let cluster = other_cluster(route, mark)?;
        let net = routes::destination(route).as_net()?;
        wanted.iter().any(|own| overlap(own, &net)).then(|| (route.name.clone(), cluster.escape_debug().to_string()))
    };
    let theirs: Vec<(String, String)> = listed.iter().filter_map(|route| of_another(&route)).collect();
    let (name, cluster) = theirs.first()?;
    let message = format!(
        "{} of another cluster of kroutes, such as `{name}` of cluster `{cluster}`, in the range of our workers' pods: two \
         topologies claim one range, and what one of them removes the other misses. To mend it, {CLUSTER_REMEDY}",
        counted(theirs.len())
    );
    let (severity, table) = (Severity::Warning, Some(table.clone()));
    Some(Finding { code: "other-cluster", severity, worker: None, table, message, fix: None })
}

/// The cluster of kroutes, other than ours, that has marked a route.
fn other_cluster<'a>(route: &'a wire::Route, mark: &str) -> Option<&'a str> {
    route.description.as_deref().filter(|text| *text != mark)?.strip_prefix(routes::MARK)
}

fn counted(count: usize) -> String {
    if count == 1 { "1 route".to_owned() } else { format!("{count} routes") }
}

#[cfg(test)]
mod tests {
    use kroutes_core::CheckStatus;

    use super::*;

    const OURS: &str = "kroutes cluster=ours";

    fn route(name: &str, range: &str, description: &str) -> wire::Route {
        let description = Some(description.to_owned());
        wire::Route { name: name.to_owned(), dest_range: range.to_owned(), description, ..wire::Route::default() }
    }

    fn judged(listed: &[wire::Route]) -> Vec<(CheckStatus, String, String)> {
        let claimed = ["10.200.0.0/16".parse().expect("cidr")];
        let wanted = ["10.200.0.0/24".parse().expect("net"), "10.200.1.0/24".parse().expect("net")];
        let found = checks(listed, OURS, &claimed, &wanted);
        assert!(found.iter().all(|check| check.group == CheckGroup::Writers));
        assert!(found.iter().all(|check| check.remedy.is_some() == (check.status != CheckStatus::Pass)));
        found.into_iter().map(|check| (check.status, check.name, check.message)).collect()
    }

    #[test]
    fn ours_and_what_lies_elsewhere_and_what_bears_no_mark_is_no_other_writer() {
        let found = judged(&[
            route("a", "10.200.0.0/24", OURS),
            route("b", "10.201.0.0/24", "k8s-node-route"),
            route("c", "10.201.1.0/24", "kroutes cluster=theirs"),
            route("d", "10.200.2.0/24", ""),
            route("e", "10.200.3.0/24", "k8s-node-route of old"),
            route("f", "not a range", "k8s-node-route"),
        ]);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].0, found[0].1.as_str()), (CheckStatus::Pass, "other-writers"));
    }

    #[test]
    fn routes_of_kubernetes_are_counted_and_one_is_shown() {
        let found =
            judged(&[route("a", "10.200.7.0/24", "k8s-node-route"), route("b", "10.200.0.0/25", "k8s-node-route")]);
        assert_eq!((found.len(), found[0].0, found[0].1.as_str()), (1, CheckStatus::Warn, "kubernetes-routes"));
        assert!(
            found[0].2.starts_with("2 routes inside the cluster CIDRs, such as `a` to `10.200.7.0/24`"),
            "{found:?}"
        );
    }

    #[test]
    fn what_another_topology_has_of_our_range_is_a_finding_and_what_lies_beside_is_none() {
        let table = TableId("net".to_owned());
        let wanted = ["10.200.0.0/24".parse().expect("net")];
        let told = |listed: &[wire::Route]| finding(listed, OURS, &table, &wanted).map(|finding| finding.message);
        assert_eq!(told(&[route("a", "10.200.0.0/24", OURS), route("b", "10.200.9.0/24", "kroutes cluster=x")]), None);
        let message = told(&[route("c", "10.200.0.0/24", "kroutes cluster=theirs")]).expect("told");
        assert!(
            message.starts_with("1 route of another cluster of kroutes, such as `c` of cluster `theirs`"),
            "{message}"
        );
    }

    #[test]
    fn another_topology_is_in_the_way_only_where_it_holds_what_a_worker_needs() {
        let found = judged(&[
            route("a", "10.200.9.0/24", "kroutes cluster=beside"),
            route("b", "10.200.8.0/24", "kroutes cluster=against"),
            route("c", "10.200.1.128/25", "kroutes cluster=against"),
            route("d", "10.0.0.0/8", "kroutes cluster=around"),
        ]);
        let short: Vec<_> = found.iter().map(|(status, name, _)| (*status, name.as_str())).collect();
        let other = "other-cluster";
        assert_eq!(short, [(CheckStatus::Fail, other), (CheckStatus::Fail, other), (CheckStatus::Warn, other)]);
        let expected = "2 routes of cluster `against` in our cluster CIDRs, such as `c` to `10.200.1.128/25`, which overlaps \
                        pod CIDR `10.200.1.0/24`: two topologies claim one range";
        assert_eq!(found[0].2, expected);
        assert!(found[1].2.contains("cluster `around`") && found[2].2.contains("cluster `beside`"), "{found:?}");
    }
}
