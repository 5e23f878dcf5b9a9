//! EC2's own order of things: a request is throttled before anything looks at it, refused for want of permission before
//! its parameters matter, and a dry run ends before the table is looked at.

use super::{Answer, Element, Params, Step, step};
use crate::dialect::{Dialect, Rendered};
use crate::model::Refusal;
use crate::query::{Caller, Wrapping, error_body, rendered, request_id};
use crate::world::World;
use crate::{Cloud, FaultKind, Options};

/// One request of EC2's query protocol.
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
            let message = "The request must contain the parameter Action; GET /_lab/ tells what this endpoint is";
            return Err(Refusal::new("MissingAction", message));
        };
        Ok(Self { action, params, caller, id: request_id() })
    }

    fn step(&self) -> Result<Step, Refusal> {
        step(&self.action).ok_or_else(|| {
            let message = format!("The action {} is not valid for this web service.", self.action);
            Refusal::new("InvalidAction", message)
        })
    }

    /// Whether the caller may do it with these resources and tags.
    fn is_permitted(&self, cloud: &Cloud) -> bool {
        let of = |name: &str| self.params.get(name).map(str::to_owned).into_iter().collect::<Vec<_>>();
        let (resources, keys) = match self.action.as_str() {
            "CreateRoute" | "DeleteRoute" | "ReplaceRoute" => (of("RouteTableId"), Vec::new()),
            "ModifyInstanceAttribute" => (of("InstanceId"), Vec::new()),
            "ModifyNetworkInterfaceAttribute" => (of("NetworkInterfaceId"), Vec::new()),
            "CreateTags" | "DeleteTags" => {
                (self.params.list("ResourceId"), self.params.tags("Tag").into_keys().collect())
            }
            _ => (Vec::new(), Vec::new()),
        };
        let resources: Vec<_> = resources.iter().map(String::as_str).collect();
        let keys: Vec<_> = keys.iter().map(String::as_str).collect();
        cloud.permits_on(&format!("ec2:{}", self.action), &resources, &keys)
    }

    /// What a write changes, for the log.
    fn change(&self) -> String {
        let of = |name: &str| self.params.get(name);
        let route = of("RouteTableId").zip(of("DestinationCidrBlock").or_else(|| of("DestinationIpv6CidrBlock")));
        let Some((table, destination)) = route else { return self.params.tell() };
        let hops = ["InstanceId", "NetworkInterfaceId", "GatewayId", "NatGatewayId", "EgressOnlyInternetGatewayId"];
        match hops.into_iter().find_map(of) {
            Some(hop) => format!("{table} {destination} -> {hop}"),
            None => format!("{table} {destination}"),
        }
    }
}

/// An error made before there was anything to act on.
pub(crate) fn refused(refusal: &Refusal) -> Rendered {
    let id = request_id();
    rendered(refusal.status, error_body(refusal, &id), id)
}

fn unauthorized(action: &str, account: &str) -> Refusal {
    let message = format!(
        "You are not authorized to perform this operation. User: arn:aws:iam::{account}:user/lab is not authorized to \
         perform: ec2:{action} because no identity-based policy allows the ec2:{action} action"
    );
    Refusal::with_status(403, "UnauthorizedOperation", message)
}

fn throttle() -> Refusal {
    Refusal::with_status(503, "RequestLimitExceeded", "Request limit exceeded.")
}

impl Dialect for Request {
    type Content = Element;

    fn action(&self) -> &str {
        &self.action
    }

    fn trouble(&self, kind: &FaultKind, options: &Options) -> Option<Refusal> {
        Some(match kind {
            FaultKind::Throttle => throttle(),
            FaultKind::ServerError | FaultKind::ServerErrorAfter => {
                Refusal::with_status(500, "InternalError", "An internal error has occurred")
            }
            FaultKind::Deny => unauthorized(&self.action, &options.account),
            FaultKind::Error { status, code, message } => Refusal::with_status(*status, code, message.clone()),
            _ => return None,
        })
    }

    fn is_later_page(&self) -> bool {
        self.params.get("NextToken").is_some()
    }

    fn is_throttle(&self, refusal: &Refusal) -> bool {
        refusal.code == "RequestLimitExceeded"
    }

    fn admit(&self, world: &mut World, options: &Options) -> Result<(), Refusal> {
        let action = self.action.as_str();
        self.step()?;
        if self.caller == Caller::Unsigned {
            let message = "AWS was not able to validate the provided access credentials: the request is not signed";
            return Err(Refusal::with_status(401, "AuthFailure", message));
        }
        let now = world.now();
        if options.published_buckets && !world.buckets.take(action, self.params.is_narrowed(), now) {
            return Err(throttle());
        }
        if !self.is_permitted(&world.cloud) {
            return Err(unauthorized(action, &options.account));
        }
        if self.params.boolean("DryRun")? == Some(true) && !options.ignores_dry_run {
            let message = "Request would have succeeded, but DryRun flag is set.";
            return Err(Refusal::with_status(412, "DryRunOperation", message));
        }
        Ok(())
    }

    fn perform(&self, world: &mut World, options: &Options, _fault: Option<&FaultKind>) -> Answer {
        let paged = options.largest_page.map(|most| self.params.with_largest_page(most));
        let params = paged.as_ref().unwrap_or(&self.params);
        if let Some(region) = self.caller.elsewhere(&options.region) {
            let mut elsewhere = Cloud::empty(&Options { region: region.to_owned(), ..options.clone() });
            return match self.step()? {
                Step::Read(read) => read(&elsewhere, params),
                Step::Write(write) => write(&mut elsewhere, params),
            };
        }
        match self.step()? {
            Step::Read(read) => read(world.view(), params),
            Step::Write(write) => {
                let change = Some((self.action.clone(), self.change()));
                world.write(change, |cloud| write(cloud, params))
            }
        }
    }

    fn render(&self, answer: Answer, _options: &Options) -> Rendered {
        let id = self.id.clone();
        match answer {
            Ok(content) => rendered(200, content.into_success(&self.action, &id, Wrapping::EC2), id),
            Err(refusal) => rendered(refusal.status, error_body(&refusal, &id), id),
        }
    }
}
