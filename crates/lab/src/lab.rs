//! The handle by which a program holds a running lab: start, look, interfere, stop.
//!
//! A lab lives as long as its handle. Tests run many at once, each with a cloud and a port of its own, so nothing here
//! is global and nothing outlives the value.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::state::State;
use crate::{Cloud, Fault, LogEntry, Options, Seed, identity, server};

/// A running model cloud. Dropping it ends its tasks and closes its connections.
#[derive(Debug)]
pub struct Lab {
    address: SocketAddr,
    state: Arc<State>,
    task: JoinHandle<()>,
}

impl Lab {
    /// A token that opens Compute from the start, until [`revoke_tokens`](Self::revoke_tokens).
    pub const ACCESS_TOKEN: &'static str = identity::ACCESS_TOKEN;

    /// The refresh token of the lab's one user, as in an `authorized_user` file; its client id and secret may be any.
    pub const REFRESH_TOKEN: &'static str = identity::REFRESH_TOKEN;

    /// Builds the cloud and listens on 127.0.0.1; must be called inside a tokio runtime, whose tasks serve it.
    ///
    /// # Errors
    ///
    /// Whatever the system says about the port, such as that it is taken.
    pub async fn start(seed: Seed, options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port.unwrap_or(0))).await?;
        let address = listener.local_addr()?;
        let state = Arc::new(State::new(&seed, options, address));
        let task = tokio::spawn(server::serve(listener, Arc::clone(&state)));
        Ok(Self { address, state, task })
    }

    /// Where clients point `AWS_ENDPOINT_URL` at: `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where clients point `CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE` at: `http://127.0.0.1:PORT/compute/v1/`.
    pub fn compute_endpoint(&self) -> String {
        format!("http://{}/compute/v1/", self.address)
    }

    /// The region that holds the cloud.
    pub fn region(&self) -> String {
        self.state.options().region.clone()
    }

    /// The id of Compute's one project.
    pub fn project(&self) -> String {
        self.state.options().project.clone()
    }

    /// The key file of the project's service account, as JSON; its tokens come from this lab.
    pub fn service_account_key(&self) -> String {
        self.state.service_account_key()
    }

    /// Puts an end to all access tokens that there are, so that a client has to come for a new one. What a client signs
    /// with the service account's key in a token's place stays good.
    pub fn revoke_tokens(&self) {
        self.state.revoke_tokens();
    }

    /// Every change that took effect, in its order, of both clouds. What was done by [`change`](Self::change) is not
    /// among them.
    pub fn log(&self) -> Vec<LogEntry> {
        self.state.log()
    }

    /// The greatest number of Compute's operations that were ever under way at once.
    pub fn most_operations(&self) -> u64 {
        self.state.most_operations()
    }

    /// Attempts per action since the start or the last reset, whatever became of them.
    pub fn calls(&self) -> BTreeMap<String, u64> {
        self.state.calls()
    }

    /// Those of [`calls`](Self::calls) that were answered with a throttle.
    pub fn throttled(&self) -> BTreeMap<String, u64> {
        self.state.throttled()
    }

    /// Sets both counts back to nothing.
    pub fn reset_calls(&self) {
        self.state.reset_calls();
    }

    /// Adds trouble to come.
    pub fn add_fault(&self, fault: Fault) {
        self.state.add_fault(fault);
    }

    /// Ends all trouble.
    pub fn clear_faults(&self) {
        self.state.clear_faults();
    }

    /// Looks at the cloud as it is, without lag.
    pub fn cloud<R>(&self, look: impl FnOnce(&Cloud) -> R) -> R {
        self.state.look(look)
    }

    /// Changes the cloud behind the API's back, as somebody else would. Listings lag behind this write as behind any.
    pub fn change<R>(&self, change: impl FnOnce(&mut Cloud) -> R) -> R {
        self.state.change(change)
    }

    /// Runs until something stops it from outside, such as a signal that the caller selects on.
    pub async fn run(&mut self) {
        // A cancelled or failed task is an end like any other: there is nobody left to serve.
        let _ended = (&mut self.task).await;
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.task.abort();
    }
}
