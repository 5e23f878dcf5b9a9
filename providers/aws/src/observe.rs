//! All that a plan needs to know, in as few calls as EC2 allows.
//!
//! Tables first, because their VPC is where workers are looked up; then the workers; then whoever else stands behind
//! routes in the cluster's range. Where the tables are those that serve the workers it is the other way round. Each step is one round of calls made at once: a page of tables, two hundred workers a
//! call, two hundred strangers a call.

use std::collections::HashMap;

use kroutes_core::{Error, ErrorKind, Finding, Observation, Reading, Result, TableId, Worker, WorkerName};

use crate::associated::{self, served_elsewhere};
use crate::backend::AwsBackend;
use crate::instances::{self, Found};
use crate::known::Known;
use crate::machine::Machine;
use crate::table_refs::TableRef;
use crate::tables::Resolved;
use crate::{findings, outside, routes, tables};

/// The tables and the workers' instances, whichever came first.
struct Sought {
    resolved: Vec<Resolved>,
    /// In the order of the workers.
    machines: Vec<Result<Machine>>,
    serves: HashMap<WorkerName, TableId>,
    findings: Vec<Finding>,
    out_of_reach: Vec<Error>,
}

impl AwsBackend {
    pub(crate) async fn observation(&self, workers: &[Worker]) -> Result<Observation> {
        let named = &self.settings.route_table;
        let exports = self.exports.asked(named, workers.iter().map(|worker| &worker.machine)).await?;
        let Sought { resolved, machines, serves, findings, out_of_reach } = if named.contains(&TableRef::Associated) {
            let Found { vpc, machines } = instances::find(&self.ec2, None, workers, &exports).await?;
            let found = associated::tables(&self.ec2, &self.cluster, vpc.as_deref(), workers, &machines).await?;
            Sought {
                resolved: found.tables,
                machines,
                serves: found.serves,
                findings: found.findings,
                out_of_reach: found.out_of_reach,
            }
        } else {
            let resolved = tables::resolve(&self.ec2, named, &exports).await?;
            let vpc = resolved.iter().filter_map(|one| one.table.as_ref().ok()).find_map(|table| table.vpc_id());
            let machines = match vpc {
                Some(vpc) => instances::find(&self.ec2, Some(vpc), workers, &exports).await?.machines,
                None => vec![Err(nowhere_to_look()); workers.len()],
            };
            let found =
                workers.iter().zip(&machines).filter_map(|(worker, machine)| Some((worker, machine.as_ref().ok()?)));
            let findings = found.filter_map(|(worker, machine)| served_elsewhere(&resolved, worker, machine)).collect();
            Sought { resolved, machines, serves: HashMap::new(), findings, out_of_reach: Vec::new() }
        };
        let described = || resolved.iter().filter_map(|one| one.table.as_ref().ok());

        let mut known = Known::default();
        for (worker, machine) in workers.iter().zip(&machines) {
            if let Ok(machine) = machine {
                known.worker(&worker.name, machine);
            }
        }
        let behind = || described().flat_map(|table| outside::in_range(&self.cluster, table));
        // The workers were described a moment ago, whatever state their routes are in.
        let is_worker = |id: &str| machines.iter().flatten().any(|machine| machine.id == id);
        known.is_current(behind().filter(|route| route.blackhole && is_worker(route.id)));
        let strangers = known.unseen(behind());
        known.is_current(behind());
        let looked = outside::look_up(&self.ec2, strangers).await?;
        known.saw(looked.seen);
        described().for_each(|table| known.read(table));

        let mut observation = self.assemble(workers, machines, resolved, &known);
        observation.unproved = looked.failed;
        observation.serves = serves;
        observation.out_of_reach = out_of_reach;
        observation.findings.extend(findings);
        *self.known() = known;
        Ok(observation)
    }

    fn assemble(
        &self,
        workers: &[Worker],
        machines: Vec<Result<Machine>>,
        resolved: Vec<Resolved>,
        known: &Known,
    ) -> Observation {
        let mut observation = Observation::default();
        for (worker, machine) in workers.iter().zip(machines) {
            if let Ok(machine) = &machine {
                observation.machines.insert(machine.id.clone(), worker.name.clone());
                observation.findings.extend(findings::of_worker(worker, machine, self.settings.source_dest_check));
            }
            let next_hop = machine.map(|machine| machine.next_hop);
            observation.next_hops.extend(worker.pod_cidrs.iter().map(|cidr| (*cidr, next_hop.clone())));
        }
        for Resolved { wanted, table } in resolved {
            let table = table.map(|described| {
                let table = routes::table(&described, &self.ec2.region, self.settings.routes_limit, known);
                observation.findings.extend(findings::of_table(&described, &table, workers));
                table
            });
            observation.tables.push(Reading { wanted, table });
        }
        observation
    }
}

fn nowhere_to_look() -> Error {
    Error::new(ErrorKind::NotFound, "not looked for: without a route table its VPC is not known")
        .help("see to the route table first")
}
