//! The provider as the core sees it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use kroutes_core::{
    Capabilities, Check, Cluster, Discovered, Fix, Gate, Observation, ObservedRoute, Result, Route, RouteBackend,
    Selector, Table, TableId, Worker,
};

use crate::client::{Clients, Connection, connect};
use crate::ec2::Ec2;
use crate::exports::Exports;
use crate::known::Known;
use crate::settings::AwsSettings;
use crate::{outside, routes};

/// EC2 route tables, opened for one topology.
#[derive(Debug)]
pub struct AwsBackend {
    pub(crate) ec2: Ec2,
    pub(crate) exports: Exports,
    pub(crate) settings: AwsSettings,
    pub(crate) cluster: Cluster,
    known: Mutex<Known>,
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
        let Clients { ec2, cloudformation, region } = connect(settings, connection).await?;
        Ok(Self {
            exports: Exports::new(cloudformation, region.clone(), Arc::clone(&gate)),
            ec2: Ec2::new(ec2, region, gate),
            settings: settings.clone(),
            cluster: cluster.clone(),
            known: Mutex::default(),
        })
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
        self.discovered(selector).await
    }

    async fn observe(&self, workers: &[Worker]) -> Result<Observation> {
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

    async fn examine(&self, _: Option<&Observation>) -> Vec<Check> {
        Vec::new()
    }
}
