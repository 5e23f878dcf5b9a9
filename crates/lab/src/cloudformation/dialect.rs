//! `CloudFormation`'s own order of things, and its words for what keeps a request from being looked at ("`CloudFormation` API
//! Reference", common errors). Its request rates are not published, so nothing here is metered.

use super::actions::{Step, step};
use super::{VERSION, template};
use crate::dialect::{Dialect, Rendered};
use crate::model::Refusal;
use crate::query::{Caller, Element, Params, Wrapping, error_response, rendered, request_id};
use crate::world::World;
use crate::{Cloud, FaultKind, Options};

/// One request.
#[derive(Debug)]
pub(crate) struct Request {
    action: String,
    params: Params,
    caller: Caller,
    id: String,
}

impl Request {
    /// Reads a request out of its parameters.
    pub(crate) fn read(params: Params, caller: Caller) -> Result<Self, Refusal> {
        let Some(action) = params.get("Action").filter(|action| !action.is_empty()).map(str::to_owned) else {
            return Err(Refusal::new("MissingAction", "The request must contain the parameter Action"));
        };
        Ok(Self { action, params, caller, id: request_id() })
    }

    fn step(&self) -> Result<Step, Refusal> {
        step(&self.action).ok_or_else(|| {
            Refusal::new("InvalidAction", format!("Could not find operation {} for version {VERSION}", self.action))
        })
    }
}

/// An error made before there was anything to act on.
pub(crate) fn refused(refusal: &Refusal) -> Rendered {
    let id = request_id();
    rendered(refusal.status, error_response(refusal, &id, Wrapping::CLOUDFORMATION), id)
}

fn denied(action: &str, account: &str) -> Refusal {
    let message = format!(
        "User: arn:aws:iam::{account}:user/lab is not authorized to perform: cloudformation:{action} because no \
         identity-based policy allows the cloudformation:{action} action"
    );
    Refusal::with_status(403, "AccessDenied", message)
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
            FaultKind::Deny => denied(&self.action, &options.account),
            FaultKind::Error { status, code, message } => Refusal::with_status(*status, code, message.clone()),
            _ => return None,
        })
    }

    fn is_later_page(&self) -> bool {
        self.params.get("NextToken").is_some()
    }

    fn is_throttle(&self, refusal: &Refusal) -> bool {
        refusal.code == "Throttling"
    }

    fn admit(&self, world: &mut World, options: &Options) -> Result<(), Refusal> {
        self.step()?;
        if self.caller == Caller::Unsigned {
            let message = "Request is missing Authentication Token";
            return Err(Refusal::with_status(403, "MissingAuthenticationToken", message));
        }
        if !world.cloud.permits(&format!("cloudformation:{}", self.action)) {
            return Err(denied(&self.action, &options.account));
        }
        Ok(())
    }

    fn perform(&self, world: &mut World, options: &Options, _: Option<&FaultKind>) -> Result<Element, Refusal> {
        let params = &self.params;
        let now = template::time(world.wall(world.now()));
        if let Some(region) = self.caller.elsewhere(&options.region) {
            let mut elsewhere = Cloud::empty(&Options { region: region.to_owned(), ..options.clone() });
            return match self.step()? {
                Step::Read(read) => read(&elsewhere, params),
                Step::Write(write) => write(&mut elsewhere, params, &now).map(|(answer, _)| answer),
            };
        }
        match self.step()? {
            Step::Read(read) => read(world.view(), params),
            Step::Write(write) => world.write_telling(&self.action, |cloud| write(cloud, params, &now)),
        }
    }

    fn render(&self, answer: Result<Element, Refusal>, _: &Options) -> Rendered {
        let id = self.id.clone();
        match answer {
            Ok(content) => rendered(200, content.into_success(&self.action, &id, Wrapping::CLOUDFORMATION), id),
            Err(refusal) => rendered(refusal.status, error_response(&refusal, &id, Wrapping::CLOUDFORMATION), id),
        }
    }
}
