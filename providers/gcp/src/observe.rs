//! All that a plan needs to know, in as few calls as Compute allows: the network, its routes a page, the project's instances a
//! page, all asked for at once.
//!
//! The network is asked for although its routes would come without: a network that does not exist has none either, and an
//! empty answer must not be taken for an empty network. The instances are asked for although addresses may be given: whether
//! anybody has such an address, and may forward, decides whether packets arrive.

use kroutes_core::{Error, ErrorKind, Observation, Reading, Result, Table, Worker};
use tokio::join;

use crate::backend::GcpBackend;
use crate::instances::{self, Machines};
use crate::wire::Route;
use crate::{findings, routes};

/// Whether a failure makes the whole reading worthless: nothing else will work either.
fn spoils_all(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Unauthenticated | ErrorKind::Unavailable | ErrorKind::RateLimited | ErrorKind::Interrupted
    )
}

impl GcpBackend {
    pub(crate) async fn observation(&self, workers: &[Worker]) -> Result<Observation> {
        self.compute.authenticate().await?;
        let path = self.network_path();
        let (network, listed, machines) =
            join!(self.compute.network(&self.settings.network), self.compute.routes(&path), self.compute.instances());
        let listed = match (network, listed) {
            (Err(error), _) | (_, Err(error)) if spoils_all(&error) => return Err(error),
            (Err(error), _) | (_, Err(error)) => Err(error.with("table", self.settings.network.clone())),
            (Ok(_), Ok(listed)) => Ok(listed),
        };
        let machines = match machines {
            Err(error) if matches!(error.kind(), ErrorKind::Unauthenticated | ErrorKind::Interrupted) => {
                return Err(error);
            }
            other => other.map(|listed| Machines::new(listed.found, &path, listed.complete)),
        };
        let resolution = instances::resolve(workers, machines.as_ref());
        let mut observation = Observation {
            next_hops: resolution.next_hops,
            machines: resolution.machines,
            findings: resolution.findings,
            ..Observation::default()
        };
        let table = listed.map(|listed| {
            let table = self.table(&listed);
            observation.findings.extend(findings::subnet_overlaps(workers, &table));
            observation.findings.extend(findings::route_warnings(workers, &observation, &listed, &table));
            table
        });
        observation.tables.push(Reading { wanted: self.settings.network.clone(), table });
        Ok(observation)
    }

    /// The network again.
    pub(crate) async fn reading(&self) -> Result<Table> {
        let listed = self.compute.routes(&self.network_path()).await?;
        if listed.is_empty() {
            // A network has at least its subnets' routes, unless it is gone.
            self.compute.network(&self.settings.network).await?;
        }
        Ok(self.table(&listed))
    }

    fn table(&self, listed: &[Route]) -> Table {
        routes::table(listed, &self.settings, &self.mark)
    }
}
