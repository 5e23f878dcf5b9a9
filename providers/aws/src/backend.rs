//! The provider as the core sees it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use kroutes_core::{
    Capabilities, Check, Cluster, Discovered, Fix, Gate, MachineRef, Observation, ObservedRoute, RangeFrom, Result,
    Route, RouteBackend, Selector, Table, TableId, Worker,
};

use crate::client::{Clients, Connection, connect};
use crate::ec2::Ec2;
use crate::exports::Exports;
use crate::known::Known;
use crate::settings::AwsSettings;
use crate::sts::Sts;
use crate::table_refs::TableRef;
use crate::{outside, routes};

/// EC2 route tables, opened for one topology.
#[derive(Debug)]
pub struct AwsBackend {
    pub(crate) ec2: Ec2,
    pub(crate) exports: Exports,
    pub(crate) sts: Sts,
    pub(crate) settings: AwsSettings,
    pub(crate) cluster: Cluster,
    known: Mutex<Known>,
    uses_exports: AtomicBool,
    uses_user_data: AtomicBool,
}

impl AwsBackend {
    /// Opens EC2 for a topology. Nothing is asked of EC2 yet; `gate` should have [`gate_settings`](crate::gate_settings).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`](kroutes_core::ErrorKind::Invalid) where the settings name no route table, no region is
    /// known, or the endpoint is none that may be used.
    pub async fn open(
        settings: &AwsSettings,
        cluster: &Cluster,
        gate: Arc<Gate>,
        connection: Connection,
    ) -> Result<Self> {
        settings.check()?;
        let Clients { ec2, cloudformation, sts, region } = connect(settings, connection).await?;
        Ok(Self {
            exports: Exports::new(cloudformation, region.clone(), Arc::clone(&gate)),
            sts: Sts::new(sts, Arc::clone(&gate)),
            ec2: Ec2::new(ec2, region, gate),
            settings: settings.clone(),
            cluster: cluster.clone(),
            known: Mutex::default(),
            uses_exports: AtomicBool::new(settings.route_table.iter().any(|it| matches!(it, TableRef::Export(_)))),
            uses_user_data: AtomicBool::new(false),
        })
    }

    /// Whether a table or a worker was asked for by what a stack exports.
    pub(crate) fn uses_exports(&self) -> bool {
        self.uses_exports.load(Ordering::Relaxed)
    }

    /// Whether workers were looked for whose ranges are in their user data.
    pub(crate) fn uses_user_data(&self) -> bool {
        self.uses_user_data.load(Ordering::Relaxed)
    }

    /// A panic elsewhere leaves no half-learned fact that could do harm, so a poisoned lock is as good as any.
    pub(crate) fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl RouteBackend for AwsBackend {
    fn name(&self) -> &'static str {
        "aws"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            atomic_replace: true,
            conditional_writes: false,
            duplicates: false,
            marks: false,
            ipv6: true,
            precedence: 0,
        }
    }

    async fn discover(&self, selector: &Selector) -> Result<Discovered> {
        self.uses_user_data.fetch_or(selector.range == RangeFrom::Machine, Ordering::Relaxed);
        self.discovered(selector).await
    }

    async fn observe(&self, workers: &[Worker]) -> Result<Observation> {
        let exported = workers.iter().any(|worker| matches!(worker.machine, MachineRef::Export(_)));
        self.uses_exports.fetch_or(exported, Ordering::Relaxed);
        self.observation(workers).await
    }

    async fn list_routes(&self, table: &TableId) -> Result<Table> {
        let described = self.ec2.route_table(&table.0).await?;
        let strangers = self.known().unseen(outside::in_range(&self.cluster, &described));
        if !strangers.is_empty() {
            let looked = outside::look_up(&self.ec2, strangers).await?;
            self.known().saw(looked.seen);
        }
        let mut known = self.known();
        known.is_current(outside::in_range(&self.cluster, &described));
        known.read(&described);
        Ok(routes::table(&described, &self.ec2.region, self.settings.routes_limit, &*known))
    }

    async fn create_route(&self, table: &TableId, route: &Route) -> Result<()> {
        self.create(table, route).await
    }

    async fn replace_route(&self, table: &TableId, _: &ObservedRoute, to: &Route) -> Result<()> {
        self.replace(table, to).await
    }

    // A table of EC2's holds one route a destination, so none can stand beside the one that goes.
    async fn delete_route(&self, table: &TableId, route: &ObservedRoute, _: Option<&ObservedRoute>) -> Result<()> {
        self.delete(table, route).await
    }

    async fn fix(&self, fix: &Fix) -> Result<()> {
        self.mend(fix).await
    }

    async fn examine(&self, observation: Option<&Observation>) -> Vec<Check> {
        self.examination(observation).await
    }
}
