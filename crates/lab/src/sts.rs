//! STS's query protocol, as far as `GetCallerIdentity`, which many tools ask first.
//!
//! It needs no permission, whatever a policy says ("`GetCallerIdentity`", STS API Reference), and the answer is the same in
//! every region. Its request rate is not published as a bucket, so nothing here is metered.

use crate::dialect::{Dialect, Rendered};
use crate::model::Refusal;
use crate::query::{Caller, Element, Params, Wrapping, error_response, rendered, request_id};
use crate::world::World;
use crate::{FaultKind, Options};

/// The version of the API, by which its requests are known.
pub(crate) const VERSION: &str = "2011-06-15";

const ACTION: &str = "GetCallerIdentity";

/// Whether there is such an action.
pub(crate) fn knows(action: &str) -> bool {
    action == ACTION
}

/// One request.
#[derive(Debug)]
pub(crate) struct Request {
    action: String,
    caller: Caller,
    id: String,
}

impl Request {
    /// Reads a request out of its parameters. One without an action is for no action of STS's.
    pub(crate) fn read(params: &Params, caller: Caller) -> Self {
        Self { action: params.get("Action").unwrap_or_default().to_owned(), caller, id: request_id() }
    }
}

impl Dialect for Request {
    type Content = Element;

    fn action(&self) -> &str {
        &self.action
    }

    fn trouble(&self, kind: &FaultKind, options: &Options) -> Option<Refusal> {
        Some(match kind {
            FaultKind::Throttle => Refusal::new("Throttling", "Rate exceeded"),
            FaultKind::ServerError | FaultKind::ServerErrorAfter => {
                Refusal::with_status(500, "InternalFailure", "An internal error has occurred")
            }
            FaultKind::Deny => {
                let (account, action) = (&options.account, &self.action);
                let message =
                    format!("User: arn:aws:iam::{account}:user/lab is not authorized to perform: sts:{action}");
                Refusal::with_status(403, "AccessDenied", message)
            }
            FaultKind::Error { status, code, message } => Refusal::with_status(*status, code, message.clone()),
            _ => return None,
        })
    }

    fn is_throttle(&self, refusal: &Refusal) -> bool {
        refusal.code == "Throttling"
    }

    fn admit(&self, world: &mut World, _: &Options) -> Result<(), Refusal> {
        if self.action != ACTION {
            let message = format!("Could not find operation {} for version {VERSION}", self.action);
            return Err(Refusal::new("InvalidAction", message));
        }
        if self.caller == Caller::Unsigned {
            let message = "Request is missing Authentication Token";
            return Err(Refusal::with_status(403, "MissingAuthenticationToken", message));
        }
        if !world.cloud.permits(&format!("sts:{}", self.action)) {
            return Err(Refusal::with_status(403, "AccessDenied", "You are not authorized to perform this operation."));
        }
        Ok(())
    }

    fn perform(&self, world: &mut World, _: &Options, _: Option<&FaultKind>) -> Result<Element, Refusal> {
        let account = &world.view().account;
        Ok(Element::response()
            .text("Arn", format!("arn:aws:iam::{account}:user/lab"))
            .text("UserId", "AIDALABLABLABLABLABLA")
            .text("Account", account))
    }

    fn render(&self, answer: Result<Element, Refusal>, _: &Options) -> Rendered {
        let id = self.id.clone();
        match answer {
            Ok(content) => rendered(200, content.into_success(&self.action, &id, Wrapping::STS), id),
            Err(refusal) => rendered(refusal.status, error_response(&refusal, &id, Wrapping::STS), id),
        }
    }
}
