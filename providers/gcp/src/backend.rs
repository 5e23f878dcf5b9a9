//! The provider as the core sees it.

use std::sync::Arc;

use async_trait::async_trait;
use kroutes_core::{
    Capabilities, Check, Cluster, ClusterCidr, Discovered, Error, ErrorKind, Fix, Gate, Observation, ObservedRoute,
    Result, Route, RouteBackend, Selector, Table, TableId, Worker,
};

use crate::client::Compute;
use crate::credentials::Credentials;
use crate::http::{Endpoint, Http};
use crate::names::RouteNames;
use crate::operations::Operations;
use crate::settings::{GcpSettings, Resolved};
use crate::{links, routes, wire};

/// How Google Cloud is reached.
#[derive(Debug, Clone)]
pub enum Connection {
    /// As Google's own tools would: endpoint from the settings or the environment, credentials in Google's order.
    Standard,
    /// At this endpoint, with this token, whatever the settings and the environment say.
    Fixed {
        /// The base of the API, such as `http://127.0.0.1:4566/compute/v1/`.
        endpoint: String,
        /// A ready access token.
        token: String,
    },
}

/// One VPC network, opened for one topology.
#[derive(Debug)]
pub struct GcpBackend {
    pub(crate) compute: Arc<Compute>,
    pub(crate) operations: Operations,
    pub(crate) settings: Resolved,
    pub(crate) names: RouteNames,
    pub(crate) mark: String,
    /// The ranges that the topology claims.
    pub(crate) claimed: Vec<ClusterCidr>,
}

impl GcpBackend {
    /// Opens Compute Engine for a topology. Credentials are looked for, but nothing is asked of Google yet; `gate` should
    /// have [`gate_settings`](crate::gate_settings).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] where the settings name no project or network, the endpoint is none that may be used, or a
    /// credentials file is for another project; [`ErrorKind::Unauthenticated`] where a credentials file cannot be used.
    pub async fn open(
        settings: &GcpSettings,
        cluster: &Cluster,
        gate: Arc<Gate>,
        connection: Connection,
    ) -> Result<Self> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let settings = settings.resolve(&variable)?;
        let (endpoint, credentials) = match connection {
            Connection::Standard => {
                let given = settings.endpoint.as_deref().map(|url| Endpoint::parse(url, settings.plain_http));
                let endpoint = given.unwrap_or_else(|| Ok(Endpoint::google()))?;
                (endpoint, Credentials::find(&variable).await?)
            }
            Connection::Fixed { endpoint, token } => (Endpoint::parse(&endpoint, false)?, Credentials::ready(&token)),
        };
        let http = Http::new(&endpoint, credentials, Arc::clone(&gate))?;
        let compute = Arc::new(Compute::new(http, gate, settings.project.clone()));
        let operations = Operations::new(Arc::clone(&compute), settings.operation_timeout);
        let names = RouteNames::new(&settings.template, &cluster.name, &settings.network_path());
        let (mark, claimed) = (routes::mark(&cluster.name), cluster.pod_cidrs.clone());
        Ok(Self { compute, operations, settings, names, mark, claimed })
    }

    pub(crate) fn table_id(&self) -> TableId {
        TableId(self.settings.network.clone())
    }

    pub(crate) fn network_path(&self) -> String {
        self.settings.network_path()
    }

    pub(crate) fn observed(&self, route: &wire::Route) -> ObservedRoute {
        let mut observed = routes::observed(route, &self.mark, self.settings.priority);
        // Names are the project's, so a route that was asked for by name may be another network's.
        let network = links::path(&route.network);
        if network != self.network_path() {
            observed.deviation = Some(format!("is in network `{}`", links::last(network)));
        }
        observed
    }

    pub(crate) async fn listed(&self) -> Result<Vec<ObservedRoute>> {
        self.reading().await.map(|table| table.routes)
    }
}

#[async_trait]
impl RouteBackend for GcpBackend {
    fn name(&self) -> &'static str {
        "gcp"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            atomic_replace: false,
            conditional_writes: false,
            duplicates: true,
            marks: true,
            ipv6: true,
            precedence: self.settings.priority,
        }
    }

    async fn discover(&self, selector: &Selector) -> Result<Discovered> {
        self.discovered(selector).await
    }

    async fn observe(&self, workers: &[Worker]) -> Result<Observation> {
        self.observation(workers).await
    }

    async fn list_routes(&self, table: &TableId) -> Result<Table> {
        self.is_ours(table)?;
        self.reading().await
    }

    async fn create_route(&self, table: &TableId, route: &Route) -> Result<()> {
        self.create(table, route).await
    }

    async fn replace_route(&self, table: &TableId, from: &ObservedRoute, to: &Route) -> Result<()> {
        self.replace(table, from, to).await
    }

    async fn delete_route(
        &self,
        table: &TableId,
        route: &ObservedRoute,
        standing: Option<&ObservedRoute>,
    ) -> Result<()> {
        self.delete(table, route, standing).await
    }

    async fn fix(&self, fix: &Fix) -> Result<()> {
        Err(Error::new(ErrorKind::Unsupported, format!("Google Cloud has nothing that would mend {fix:?}")))
    }

    async fn examine(&self, observation: Option<&Observation>) -> Vec<Check> {
        self.examined(observation).await
    }
}
