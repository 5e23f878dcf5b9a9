//! Which route tables a topology means.
//!
//! All references of one sort share one listing, so a run over a dozen tables by id reads them in a single call. A
//! reference that fits several tables is refused with all of them; one that fits none is an error in its own place and
//! hides no other. What `"associated"` means follows from the workers and is not found here.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_ec2::types::{Filter, RouteTable};
use futures_util::future::join_all;
use kroutes_core::{Error, ErrorKind, Result};

use crate::ec2::{Ec2, VALUES_PER_FILTER, filter, literally};
use crate::exports::Asked;
use crate::table_refs::TableRef;

/// One table as a topology names it, described or not.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub(crate) wanted: String,
    pub(crate) table: Result<RouteTable>,
}

/// Finds every table, in the order of the references. One that two references mean comes once.
///
/// # Errors
///
/// Where no table could be read because nothing can be.
pub(crate) async fn resolve(ec2: &Ec2, named: &[TableRef], exports: &Asked<'_>) -> Result<Vec<Resolved>> {
    let mut found: HashMap<usize, Result<RouteTable>> = HashMap::new();
    let mut wanted = named.to_vec();
    for (index, table) in wanted.iter_mut().enumerate() {
        match exports.table(table) {
            Ok(meant) => *table = meant,
            Err(error) => drop(found.insert(index, Err(error))),
        }
    }
    let wanted = wanted.as_slice();
    let listings = listings(wanted);
    let answers = join_all(listings.into_iter().map(|(filters, refs)| async move {
        let answer = ec2.route_tables(filters).await;
        (refs, answer)
    }))
    .await;
    let mut unserved = Vec::new();
    for (refs, answer) in answers {
        for index in refs {
            match &answer {
                Ok(tables) => match choose(&wanted[index], tables, &ec2.region) {
                    // A subnet without an association of its own is served by its VPC's main table.
                    Err(error)
                        if error.kind() == ErrorKind::NotFound && matches!(wanted[index], TableRef::Subnet(_)) =>
                    {
                        unserved.push(index);
                    }
                    chosen => {
                        found.insert(index, chosen);
                    }
                },
                Err(error) => {
                    found.insert(index, Err(error.clone()));
                }
            }
        }
    }
    found.extend(main_of_subnets(ec2, wanted, unserved).await);

    let mut resolved: Vec<Resolved> = Vec::new();
    for (index, named) in named.iter().enumerate() {
        let Some(table) = found.remove(&index) else { continue };
        let id = |table: &Result<RouteTable>| table.as_ref().ok().and_then(|table| table.route_table_id.clone());
        let again = id(&table).is_some() && resolved.iter().any(|earlier| id(&earlier.table) == id(&table));
        if !again {
            let table = match named {
                TableRef::Export(export) => table.map_err(|error| error.with("export", export)),
                _ => table,
            };
            resolved.push(Resolved { wanted: named.to_string(), table });
        }
    }
    worth_something(&resolved)?;
    one_vpc(&resolved)?;
    Ok(resolved)
}

/// The listings that are needed, each with the references that it answers.
fn listings(wanted: &[TableRef]) -> Vec<(Vec<Filter>, Vec<usize>)> {
    let mut sorts: BTreeMap<&str, Vec<(usize, String)>> = BTreeMap::new();
    let mut listings = Vec::new();
    for (index, table) in wanted.iter().enumerate() {
        let (sort, value) = match table {
            TableRef::Id(id) => ("route-table-id", id.clone()),
            TableRef::Name(name) => ("tag:Name", literally(name)),
            TableRef::Vpc(id) => ("vpc-id", id.clone()),
            TableRef::Subnet(id) => ("association.subnet-id", id.clone()),
            // An export that is left here stands for nothing that could be listed.
            TableRef::Export(_) | TableRef::Associated => continue,
            TableRef::Tags(tags) => {
                let filters =
                    tags.iter().map(|(key, value)| filter(&format!("tag:{key}"), [literally(value)])).collect();
                listings.push((filters, vec![index]));
                continue;
            }
        };
        sorts.entry(sort).or_default().push((index, value));
    }
    for (sort, members) in sorts {
        for batch in members.chunks(VALUES_PER_FILTER) {
            let mut filters = vec![filter(sort, batch.iter().map(|(_, value)| value.clone()))];
            if sort == "vpc-id" {
                filters.push(filter("association.main", ["true"]));
            }
            listings.push((filters, batch.iter().map(|(index, _)| *index).collect()));
        }
    }
    listings
}

/// Whether a table is what a reference means. Judged here again, so that no filter's quirk can pick another.
fn means(wanted: &TableRef, table: &RouteTable) -> bool {
    let tag = |key: &str, value: &str| {
        table.tags().iter().any(|tag| tag.key() == Some(key) && tag.value().unwrap_or_default() == value)
    };
    match wanted {
        TableRef::Id(id) => table.route_table_id() == Some(id),
        TableRef::Name(name) => tag("Name", name),
        TableRef::Tags(tags) => tags.iter().all(|(key, value)| tag(key, value)),
        TableRef::Vpc(id) => is_main(table) && table.vpc_id() == Some(id),
        TableRef::Subnet(id) => table.associations().iter().any(|one| one.subnet_id() == Some(id)),
        TableRef::Export(_) | TableRef::Associated => false,
    }
}

pub(crate) fn is_main(table: &RouteTable) -> bool {
    table.associations().iter().any(|association| association.main() == Some(true))
}

/// The one table among the listed that a reference means.
fn choose(wanted: &TableRef, tables: &[RouteTable], region: &str) -> Result<RouteTable> {
    let candidates: Vec<&RouteTable> = tables.iter().filter(|table| means(wanted, table)).collect();
    match candidates.as_slice() {
        [one] => Ok((*one).clone()),
        [] => Err(none(wanted, region)),
        several => {
            let listed: Vec<String> = several
                .iter()
                .map(|table| {
                    format!("`{}` ({})", table.route_table_id().unwrap_or_default(), table.vpc_id().unwrap_or("no VPC"))
                })
                .collect();
            let message = format!("{} fits {} route tables: {}", words(wanted), several.len(), listed.join(", "));
            Err(Error::new(ErrorKind::Invalid, message)
                .help("name the right one by id in the topology: `route-table = \"rtb-…\"`; a list names several"))
        }
    }
}

fn words(wanted: &TableRef) -> String {
    match wanted {
        TableRef::Id(id) => format!("`{id}`"),
        TableRef::Name(name) => format!("the Name tag `{}`", name.escape_debug()),
        TableRef::Tags(tags) => {
            let pairs: Vec<String> =
                tags.iter().map(|(key, value)| format!("`{}={}`", key.escape_debug(), value.escape_debug())).collect();
            format!("the tag {}", pairs.join(" with "))
        }
        TableRef::Vpc(id) => format!("main table of `{id}`"),
        TableRef::Subnet(id) => format!("subnet `{id}`"),
        TableRef::Export(export) => format!("the export `{}`", export.escape_debug()),
        TableRef::Associated => "a worker's subnet".to_owned(),
    }
}

fn none(wanted: &TableRef, region: &str) -> Error {
    let message = match wanted {
        TableRef::Id(id) => format!("no route table `{id}` in region `{region}`"),
        TableRef::Name(_) | TableRef::Tags(_) | TableRef::Export(_) | TableRef::Associated => {
            format!("no route table has {} in region `{region}`", words(wanted))
        }
        TableRef::Vpc(id) => format!("no VPC `{id}`, or no main route table of it, in region `{region}`"),
        TableRef::Subnet(id) => format!("no route table serves a subnet `{id}` in region `{region}`"),
    };
    Error::new(ErrorKind::NotFound, message).help(format!(
        "check `route-table` and `region` in the topology; `aws ec2 describe-route-tables --region {region}` lists what is there"
    ))
}

/// The main tables for subnets that no table is associated with.
async fn main_of_subnets(ec2: &Ec2, wanted: &[TableRef], indices: Vec<usize>) -> Vec<(usize, Result<RouteTable>)> {
    if indices.is_empty() {
        return Vec::new();
    }
    let subnet = |index: usize| match &wanted[index] {
        TableRef::Subnet(id) => id.clone(),
        _ => String::new(),
    };
    let answer = async {
        let mut vpcs: HashMap<String, String> = HashMap::new();
        for batch in indices.chunks(VALUES_PER_FILTER) {
            let filters = vec![filter("subnet-id", batch.iter().map(|index| subnet(*index)))];
            for found in ec2.subnets(filters).await? {
                if let (Some(id), Some(vpc)) = (found.subnet_id, found.vpc_id) {
                    vpcs.insert(id, vpc);
                }
            }
        }
        if vpcs.is_empty() {
            return Ok((vpcs, Vec::new()));
        }
        let filters = vec![filter("vpc-id", vpcs.values().cloned()), filter("association.main", ["true"])];
        let tables = ec2.route_tables(filters).await?;
        Ok((vpcs, tables))
    };
    let answer: Result<_> = answer.await;
    let table = |index: usize| match &answer {
        Err(error) => Err(error.clone()),
        Ok((vpcs, tables)) => match vpcs.get(&subnet(index)) {
            Some(vpc) => choose(&TableRef::Vpc(vpc.clone()), tables, &ec2.region),
            None => Err(none(&wanted[index], &ec2.region)),
        },
    };
    indices.into_iter().map(|index| (index, table(index))).collect()
}

/// Fails where every table failed for a reason that leaves nothing to be read at all.
fn worth_something(resolved: &[Resolved]) -> Result<()> {
    let hopeless = |error: &Error| {
        matches!(error.kind(), ErrorKind::Unauthenticated | ErrorKind::Interrupted | ErrorKind::Unavailable)
    };
    let mut errors = resolved.iter().map(|one| one.table.as_ref().err());
    match errors.clone().next() {
        Some(Some(first)) if errors.all(|error| error.is_some_and(hopeless)) => Err(first.clone()),
        _ => Ok(()),
    }
}

/// A worker is looked up in the VPC of its table, so the tables of a run have to share one.
fn one_vpc(resolved: &[Resolved]) -> Result<()> {
    let mut vpcs: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for table in resolved.iter().filter_map(|one| one.table.as_ref().ok()) {
        let id = format!("`{}`", table.route_table_id().unwrap_or_default());
        vpcs.entry(table.vpc_id().unwrap_or_default()).or_default().push(id);
    }
    if vpcs.len() < 2 {
        return Ok(());
    }
    let listed: Vec<String> = vpcs.iter().map(|(vpc, ids)| format!("{} in `{vpc}`", ids.join(", "))).collect();
    Err(Error::new(ErrorKind::Invalid, format!("the route tables are of several VPCs: {}", listed.join("; ")))
        .help("give each VPC a topology of its own"))
}

#[cfg(test)]
#[path = "tables_tests.rs"]
mod tests;
