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
use crate::{Cloud, Fault, Options, Seed, server};

/// A running model cloud. Dropping it ends its tasks and closes its connections.
#[derive(Debug)]
pub struct Lab {
    address: SocketAddr,
    state: Arc<State>,
    task: JoinHandle<()>,
}

impl Lab {
    /// Builds the cloud and listens on 127.0.0.1; must be called inside a tokio runtime, whose tasks serve it.
    ///
    /// # Errors
    ///
    /// Whatever the system says about the port, such as that it is taken.
    pub async fn start(seed: Seed, options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port.unwrap_or(0))).await?;
        let address = listener.local_addr()?;
        let state = Arc::new(State::new(&seed, options));
        let task = tokio::spawn(server::serve(listener, Arc::clone(&state)));
        Ok(Self { address, state, task })
    }

    /// Where clients point `AWS_ENDPOINT_URL` at: `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The region that holds the cloud.
    pub fn region(&self) -> String {
        self.state.region()
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
