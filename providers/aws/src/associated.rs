//! Which table serves which worker.
//!
//! A packet of a pod is looked up in the table of its worker's subnet: the one that is associated with the subnet, else the
//! VPC's main table, whose use by a subnet no association shows ("Configure route tables", Amazon VPC User Guide). So
//! `"associated"` needs one listing of the whole VPC, and what it means is every table that serves a worker and no other.
//!
//! A table that serves no worker any more is not among them, whatever routes of ours it still holds; where it bears our
//! claim that can be told, and is.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_ec2::types::{RouteTable, RouteTableAssociation, RouteTableAssociationStateCode};
use kroutes_core::{Cluster, Error, ErrorKind, Finding, Result, Severity, TableId, Worker, WorkerName};

use crate::ec2::{Ec2, filter};
use crate::machine::Machine;
use crate::routes::claims;
use crate::tables::{Resolved, is_main};

/// The tables that serve workers.
#[derive(Debug)]
pub(crate) struct Associated {
    /// Each once, and in its own place each subnet that has none.
    pub(crate) tables: Vec<Resolved>,
    pub(crate) serves: HashMap<WorkerName, TableId>,
    pub(crate) findings: Vec<Finding>,
    /// Tables that bear our claim and were not looked at.
    pub(crate) out_of_reach: Vec<Error>,
}

/// Reads the tables of the workers' VPC in one listing.
pub(crate) async fn tables(
    ec2: &Ec2,
    cluster: &Cluster,
    vpc: Option<&str>,
    workers: &[Worker],
    machines: &[Result<Machine>],
) -> Result<Associated> {
    let listed = match vpc {
        Some(vpc) => ec2.route_tables(vec![filter("vpc-id", [vpc])]).await,
        None => Err(machines.iter().find_map(|machine| machine.as_ref().err()).map_or_else(nobody, unknown)),
    };
    match listed {
        Ok(listed) => Ok(sort_out(cluster, &listed, workers, machines)),
        Err(error) if matches!(error.kind(), ErrorKind::Unauthenticated | ErrorKind::Interrupted) => Err(error),
        Err(error) => {
            let unread = Resolved { wanted: "\"associated\"".to_owned(), table: Err(error) };
            Ok(Associated {
                tables: vec![unread],
                serves: HashMap::new(),
                findings: Vec::new(),
                out_of_reach: Vec::new(),
            })
        }
    }
}

fn nobody() -> Error {
    Error::new(ErrorKind::Invalid, "there is no worker whose route table could be looked for")
        .help("name the route table in the topology: `route-table = \"rtb-…\"`")
}

fn unknown(first: &Error) -> Error {
    Error::new(first.kind(), "no worker was found, so the route tables that serve them are not known")
        .with_retryable(first.is_retryable())
        .with_source(first.clone())
        .help("see to the workers first, or name the route table in the topology: `route-table = \"rtb-…\"`")
}

fn sort_out(cluster: &Cluster, listed: &[RouteTable], workers: &[Worker], machines: &[Result<Machine>]) -> Associated {
    let mut serves = HashMap::new();
    let mut serving: BTreeMap<&str, &RouteTable> = BTreeMap::new();
    let mut bare: BTreeMap<&str, &Worker> = BTreeMap::new();
    for (worker, machine) in workers.iter().zip(machines) {
        let Ok(machine) = machine else { continue };
        let table = serving_table(listed, &machine.subnet);
        match table.and_then(|table| Some((table.route_table_id()?, table))) {
            Some((id, table)) => {
                serves.insert(worker.name.clone(), TableId(id.to_owned()));
                serving.insert(id, table);
            }
            None => drop(bare.entry(machine.subnet.as_str()).or_insert(worker)),
        }
    }
    let left = listed.iter().filter(|table| !serving.contains_key(table.route_table_id().unwrap_or_default()));
    let (findings, out_of_reach) = left.filter_map(|table| left_behind(cluster, table)).unzip();
    let found = serving.into_iter().map(|(id, table)| Resolved { wanted: id.to_owned(), table: Ok(table.clone()) });
    let missing = bare.into_iter().map(|(subnet, worker)| Resolved {
        wanted: format!("table of `{subnet}`"),
        table: Err(without_table(subnet, worker)),
    });
    Associated { tables: found.chain(missing).collect(), serves, findings, out_of_reach }
}

fn without_table(subnet: &str, worker: &Worker) -> Error {
    let message = format!("no route table serves subnet `{subnet}`, where worker `{}` is", worker.name);
    Error::new(ErrorKind::NotFound, message)
        .help("associate the subnet with a route table, or give its VPC a main one; or allow `ec2:DescribeRouteTables` on all")
}

fn left_behind(cluster: &Cluster, table: &RouteTable) -> Option<(Finding, Error)> {
    claims(table).find(|(name, _)| *name == cluster.name.as_str())?;
    let id = table.route_table_id()?;
    let message = format!("table `{id}` bears our claim and serves no worker, so it was not looked at");
    let error =
        Error::new(ErrorKind::Unavailable, message).help("name it in `route-table` by its id to have it emptied");
    let finding = Finding {
        code: "serves-no-worker",
        severity: Severity::Warning,
        worker: None,
        table: Some(TableId(id.to_owned())),
        message: format!(
            "`{id}` bears this cluster's claim and serves no worker any more: what is ours in it is left; to remove it, name the table in `route-table` and destroy"
        ),
        fix: None,
    };
    Some((finding, error))
}

/// The table that a subnet's packets are looked up in.
fn serving_table<'a>(listed: &'a [RouteTable], subnet: &str) -> Option<&'a RouteTable> {
    let explicit = listed.iter().find(|table| is_associated(table, subnet));
    explicit.or_else(|| listed.iter().find(|table| is_main(table)))
}

fn is_associated(table: &RouteTable, subnet: &str) -> bool {
    table.associations().iter().any(|one| one.subnet_id() == Some(subnet) && holds(one))
}

/// Whether an association is in force, or is about to be.
fn holds(association: &RouteTableAssociation) -> bool {
    use RouteTableAssociationStateCode as Code;
    let code = association.association_state().and_then(|state| state.state());
    !matches!(code, Some(Code::Disassociated | Code::Failed))
}

/// A worker whose own packets are surely looked up in none of these tables, though they were all read. Where one of them
/// is the main table it may serve the subnet or not; finding out would cost a listing of the VPC, and is left.
pub(crate) fn served_elsewhere(tables: &[Resolved], worker: &Worker, machine: &Machine) -> Option<Finding> {
    let all: Option<Vec<&RouteTable>> = tables.iter().map(|one| one.table.as_ref().ok()).collect();
    let serves = |table: &&RouteTable| is_main(table) || is_associated(table, &machine.subnet);
    if machine.subnet.is_empty() || all?.iter().any(serves) {
        return None;
    }
    Some(Finding {
        code: "other-table",
        severity: Severity::Warning,
        worker: Some(worker.name.clone()),
        table: None,
        message: format!(
            "its subnet `{}` uses a route table that is not written to: packets of its own pods do not follow these routes",
            machine.subnet
        ),
        fix: None,
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::{RouteTableAssociationState, Tag};
    use kroutes_core::{MachineRef, NextHop};

    use super::*;

    fn table(id: &str, main: bool, subnets: &[&str]) -> RouteTable {
        let of = |subnet: &&str| RouteTableAssociation::builder().main(false).subnet_id(*subnet).build();
        let main = main.then(|| RouteTableAssociation::builder().main(true).build());
        let associations: Vec<_> = subnets.iter().map(of).chain(main).collect();
        RouteTable::builder().route_table_id(id).vpc_id("vpc-1").set_associations(Some(associations)).build()
    }

    fn cluster() -> Cluster {
        let pod_cidrs = vec!["10.200.0.0/16".parse().expect("cidr")];
        Cluster { name: "kubernetes".parse().expect("name"), pod_cidrs, service_cidrs: Vec::new() }
    }

    fn worker(name: &str) -> Worker {
        let machine = MachineRef::Name(name.to_owned());
        Worker { name: name.parse().expect("name"), pod_cidrs: Vec::new(), addresses: Vec::new(), machine }
    }

    fn machine(subnet: &str) -> Machine {
        Machine {
            id: format!("i-{subnet}"),
            state: "running".to_owned(),
            vpc: "vpc-1".to_owned(),
            subnet: subnet.to_owned(),
            addresses: Vec::new(),
            next_hop: NextHop::Instance(format!("i-{subnet}")),
            source_dest_check: Some(false),
            interfaces: Vec::new(),
        }
    }

    #[test]
    fn the_associated_table_serves_a_subnet_and_else_the_main_one() {
        let claimed = Tag::builder().key("kroutes/kubernetes").value("10.200.0.0/16").build();
        let mut idle = table("rtb-idle", false, &["subnet-c"]);
        idle.tags = Some(vec![claimed]);
        let listed = [table("rtb-main", true, &[]), table("rtb-a", false, &["subnet-a"]), idle];
        let workers = [worker("w-0"), worker("w-1"), worker("w-2")];
        let machines = [Ok(machine("subnet-a")), Ok(machine("subnet-b")), Err(nobody())];
        let found = sort_out(&cluster(), &listed, &workers, &machines);
        let ids: Vec<&str> = found.tables.iter().map(|one| one.wanted.as_str()).collect();
        assert_eq!(ids, ["rtb-a", "rtb-main"]);
        let serves = |name: &str| found.serves.get(&name.parse::<WorkerName>().expect("name")).map(|id| id.0.as_str());
        assert_eq!((serves("w-0"), serves("w-1"), serves("w-2")), (Some("rtb-a"), Some("rtb-main"), None));
        let told: Vec<&str> = found.findings.iter().map(|finding| finding.message.as_str()).collect();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with("`rtb-idle` bears this cluster's claim and serves no worker any more"), "{told:?}");
        let unread: Vec<&str> = found.out_of_reach.iter().map(Error::message).collect();
        assert_eq!(unread, ["table `rtb-idle` bears our claim and serves no worker, so it was not looked at"]);
    }

    #[test]
    fn a_subnet_that_no_table_serves_is_an_error_in_its_own_place() {
        let listed = [table("rtb-a", false, &["subnet-a"])];
        let workers = [worker("w-0"), worker("w-1")];
        let found = sort_out(&cluster(), &listed, &workers, &[Ok(machine("subnet-a")), Ok(machine("subnet-b"))]);
        assert!(found.tables[0].table.is_ok());
        let error = found.tables[1].table.as_ref().expect_err("none");
        assert_eq!(error.message(), "no route table serves subnet `subnet-b`, where worker `w-1` is");
    }

    #[test]
    fn an_association_that_was_undone_does_not_count() {
        let state = RouteTableAssociationState::builder().state(RouteTableAssociationStateCode::Disassociated).build();
        let undone = RouteTableAssociation::builder().subnet_id("subnet-a").association_state(state).build();
        let old = RouteTable::builder().route_table_id("rtb-old").associations(undone).build();
        let listed = [old, table("rtb-main", true, &[])];
        assert_eq!(serving_table(&listed, "subnet-a").and_then(|table| table.route_table_id()), Some("rtb-main"));
    }

    #[test]
    fn a_worker_that_named_tables_do_not_serve_is_told_where_that_is_certain() {
        let resolved = |table: Result<RouteTable>| Resolved { wanted: "k".to_owned(), table };
        let told = |tables: &[Resolved]| served_elsewhere(tables, &worker("w-0"), &machine("subnet-a")).is_some();
        assert!(told(&[resolved(Ok(table("rtb-b", false, &["subnet-b"])))]));
        assert!(!told(&[resolved(Ok(table("rtb-a", false, &["subnet-a"])))]));
        assert!(!told(&[resolved(Ok(table("rtb-main", true, &["subnet-b"])))]));
        assert!(!told(&[resolved(Ok(table("rtb-b", false, &["subnet-b"]))), resolved(Err(nobody()))]));
    }
}
