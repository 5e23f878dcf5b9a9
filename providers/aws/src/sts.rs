//! Who EC2 takes us for.
//!
//! The one thing that is asked of STS, and only by `doctor`: an answer that was signed with the wrong profile is the
//! commonest reason for a table that is not there.

use std::fmt;
use std::sync::Arc;

use aws_sdk_sts::Client;
use kroutes_core::{Gate, Repeat, Result};

use crate::action::Action;
use crate::errors::from_sdk;

/// STS of one account, behind the gate.
pub(crate) struct Sts {
    client: Client,
    gate: Arc<Gate>,
}

impl fmt::Debug for Sts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sts").finish_non_exhaustive()
    }
}

/// Whom the credentials belong to. Nothing of it is a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) account: String,
    pub(crate) arn: String,
}

impl Sts {
    pub(crate) const fn new(client: Client, gate: Arc<Gate>) -> Self {
        Self { client, gate }
    }

    /// Asks.
    pub(crate) async fn caller(&self) -> Result<Caller> {
        let attempt = |_| {
            let sent = self.client.get_caller_identity().send();
            async move { sent.await.map_err(|error| from_sdk(Action::GetCallerIdentity, &error)) }
        };
        let answer = self.gate.call(Action::GetCallerIdentity.name(), Repeat::Always, attempt).await?;
        Ok(Caller { account: answer.account.unwrap_or_default(), arn: answer.arn.unwrap_or_default() })
    }
}
