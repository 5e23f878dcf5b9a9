//! What `CloudFormation` lets a stack be, as far as routes and exports need it.
//!
//! A stack comes or fails in one step, as instances have no transitional moments here. But it fails in `CloudFormation`'s
//! way: the call that asked for it has succeeded by then, what was made is taken back, and only the stack's status and
//! its resources tell why.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Cloud, OnFailure, Refusal, Stack, StackOrder, StackOutput, StackResource, StackRoute, StackStatus, StackTarget,
};

impl Cloud {
    /// The ids of the stacks that there are, the youngest first.
    pub fn stack_ids(&self) -> Vec<&str> {
        let mut there: Vec<_> = self.stacks.iter().filter(|(_, stack)| !stack.is_gone()).collect();
        there.sort_by_key(|(_, stack)| std::cmp::Reverse(stack.number));
        there.into_iter().map(|(id, _)| id.as_str()).collect()
    }

    /// A stack by its name, or, even when it is deleted, by its id.
    pub fn find_stack(&self, name_or_id: &str) -> Option<(&str, &Stack)> {
        let mut found =
            self.stacks.iter().filter(|(id, it)| *id == name_or_id || (it.name == name_or_id && !it.is_gone()));
        found.next().map(|(id, stack)| (id.as_str(), stack))
    }

    /// All exports of the region by name: the exporting stack's id and the value.
    pub fn exports(&self) -> BTreeMap<&str, (&str, &str)> {
        let standing = self.stacks.iter().filter(|(_, stack)| stack.status == StackStatus::CreateComplete);
        let outputs = standing.flat_map(|(id, stack)| stack.outputs.iter().map(move |output| (id, output)));
        let exported =
            outputs.filter_map(|(id, output)| Some((output.export.as_deref()?, (id.as_str(), output.value.as_str()))));
        exported.collect()
    }

    /// A new stack id, the same in every run of the same seed.
    pub(crate) fn new_stack_id(&mut self, name: &str) -> String {
        let uuid = uuid::Builder::from_random_bytes(self.ids.u128(..).to_be_bytes()).into_uuid();
        format!("arn:aws:cloudformation:{}:{}:stack/{name}/{uuid}", self.region, self.account)
    }

    /// `CreateStack`; answers its id, whatever becomes of it.
    ///
    /// # Errors
    ///
    /// A stack of this name is there.
    pub fn create_stack(&mut self, id: String, order: StackOrder) -> Result<String, Refusal> {
        if self.find_stack(&order.name).is_some() {
            return Err(Refusal::new("AlreadyExistsException", format!("Stack [{}] already exists", order.name)));
        }
        let number = self.stacks.len() + 1;
        let hopeless = order.hopeless.or_else(|| self.taken_export(&order.outputs));
        let (mut resources, failure) = match hopeless {
            Some(reason) => (Vec::new(), Some(reason)),
            None => self.make_resources(order.routes),
        };
        let mut status = StackStatus::CreateComplete;
        if failure.is_some() {
            status = match order.on_failure {
                OnFailure::Rollback => StackStatus::RollbackComplete,
                OnFailure::DoNothing => StackStatus::CreateFailed,
                OnFailure::Delete => StackStatus::DeleteComplete,
            };
            if order.on_failure != OnFailure::DoNothing {
                self.remove_resources(&mut resources, false);
            }
        }
        let asked = if order.on_failure == OnFailure::Delete { "Delete" } else { "Rollback" };
        let stack = Stack {
            name: order.name,
            status,
            reason: failure.map(|reason| match order.on_failure {
                OnFailure::DoNothing => reason,
                _ => format!("{reason} {asked} requested by user."),
            }),
            description: order.description,
            parameters: order.parameters,
            tags: order.tags,
            resources,
            outputs: if status == StackStatus::CreateComplete { order.outputs } else { Vec::new() },
            imports: if status == StackStatus::CreateComplete { order.imports } else { BTreeSet::new() },
            created: order.created,
            number,
        };
        self.stacks.insert(id.clone(), stack);
        Ok(id)
    }

    /// Why these outputs cannot be exported, if they cannot.
    fn taken_export(&self, outputs: &[StackOutput]) -> Option<String> {
        let exports = self.exports();
        let mut names = outputs.iter().filter_map(|output| output.export.as_deref());
        names.find_map(|name| {
            let (stack, _) = exports.get(name)?;
            let stack = self.stacks.get(*stack).map_or(*stack, |stack| stack.name.as_str());
            Some(format!("Export with name {name} is already exported by stack {stack}."))
        })
    }

    fn make_resources(&mut self, routes: Vec<StackRoute>) -> (Vec<StackResource>, Option<String>) {
        let mut resources = Vec::new();
        for route in routes {
            let made = self.make_route(&route);
            let logical_id = route.logical_id.clone();
            let failed = made.is_err();
            let (status, reason) = match made {
                Ok(()) => (StackStatus::CreateComplete, None),
                Err(Refusal { status, code, message }) => (
                    StackStatus::CreateFailed,
                    Some(format!(
                        "Resource handler returned message: \"{message} (Service: Ec2, Status Code: {status}, Error \
                         Code: {code})\""
                    )),
                ),
            };
            resources.push(StackResource { route, status, reason });
            if failed {
                return (resources, Some(format!("The following resource(s) failed to create: [{logical_id}].")));
            }
        }
        (resources, None)
    }

    fn make_route(&mut self, route: &StackRoute) -> Result<(), Refusal> {
        self.may("ec2:CreateRoute", &route.table)?;
        self.table(&route.table)?;
        let destination = route.destination()?;
        let target = match &route.target {
            StackTarget::Instance(id) => self.instance_target(id)?,
            StackTarget::Interface(id) => self.interface_target(id)?,
        };
        self.create_route(&route.table, destination, target)
    }

    /// `CloudFormation` acts with the caller's rights.
    fn may(&self, permission: &str, table: &str) -> Result<(), Refusal> {
        if self.permits_on(permission, &[table], &[]) {
            return Ok(());
        }
        let message = "You are not authorized to perform this operation.";
        Err(Refusal::with_status(403, "UnauthorizedOperation", message))
    }

    /// Takes back what was made. What is gone already is as good as deleted.
    fn remove_resources(&mut self, resources: &mut [StackResource], keep_retained: bool) -> bool {
        let mut all = true;
        for resource in resources.iter_mut().rev() {
            if resource.status != StackStatus::CreateComplete && resource.status != StackStatus::DeleteFailed {
                continue;
            }
            if keep_retained && resource.route.retain {
                resource.status = StackStatus::DeleteSkipped;
                continue;
            }
            let removed = self
                .may("ec2:DeleteRoute", &resource.route.table)
                .and_then(|()| resource.route.destination())
                .and_then(|destination| self.delete_route(&resource.route.table, &destination));
            match removed {
                Err(refusal) if !refusal.code.ends_with(".NotFound") => {
                    resource.status = StackStatus::DeleteFailed;
                    resource.reason = Some(refusal.message);
                    all = false;
                }
                _ => resource.status = StackStatus::DeleteComplete,
            }
        }
        all
    }

    /// `DeleteStack`, with all routes that the stack made, wherever they lead by now. A stack that is not there is no
    /// error, and one whose exports are used by another stays as it is, with the reason ("Delete canceled ...", as
    /// reported by users).
    /// Answers what has become of it, if there was anything to delete.
    pub fn delete_stack(&mut self, name_or_id: &str) -> Option<StackStatus> {
        let standing = self.find_stack(name_or_id).filter(|(_, stack)| !stack.is_gone());
        let (id, mut stack) = standing.map(|(id, stack)| (id.to_owned(), stack.clone()))?;
        match self.user_of(&id, &stack) {
            Some((export, user)) => {
                stack.reason =
                    Some(format!("Delete canceled. Cannot delete export {export} as it is in use by {user}."));
            }
            None if self.remove_resources(&mut stack.resources, true) => {
                (stack.status, stack.reason) = (StackStatus::DeleteComplete, None);
            }
            None => {
                let failed = stack.resources.iter().filter(|it| it.status == StackStatus::DeleteFailed);
                let failed: Vec<_> = failed.map(|it| it.route.logical_id.as_str()).collect();
                stack.reason = Some(format!("The following resource(s) failed to delete: [{}].", failed.join(", ")));
                stack.status = StackStatus::DeleteFailed;
            }
        }
        let status = stack.status;
        self.stacks.insert(id, stack);
        Some(status)
    }

    /// An export of this stack that another one uses, and that one's name.
    fn user_of(&self, id: &str, stack: &Stack) -> Option<(String, String)> {
        let mut names = stack.outputs.iter().filter_map(|output| output.export.as_ref());
        names.find_map(|name| {
            let mut others = self.stacks.iter().filter(|(other, it)| *other != id && !it.is_gone());
            let user = others.find(|(_, it)| it.imports.contains(name))?;
            Some((name.clone(), user.1.name.clone()))
        })
    }
}
