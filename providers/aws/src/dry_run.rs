//! Asking EC2 whether it would, without wanting it.
//!
//! With `DryRun` EC2 "checks whether you have the required permissions for the action, without actually making the request":
//! `DryRunOperation` is the yes, `UnauthorizedOperation` the no (EC2 API Reference, on every action). It is judged on the
//! resources that are named, since a policy may be limited to them, so real ones are named where they are known.
//!
//! There are endpoints that do not know the parameter and carry out what they are asked: moto 5.2.1 does, and what is built
//! on it. So reads come first, and an endpoint that answers one with data is asked for no write at all, nor is one that
//! answers none as a dry run is answered: what fails, or is turned away by something before EC2, shows nothing. And each write
//! is such that it would do no harm, were it carried out all the same:
//!
//! - `CreateRoute` and `ReplaceRoute` lead to an instance that nobody has, so they are refused;
//! - their destination, and that of `DeleteRoute`, is one that the table does not hold, of those that are for examples only
//!   (RFC 5737), so there is nothing to replace or delete, and no traffic that it could take;
//! - the source/dest check is set to what it is;
//! - `CreateTags` writes the claim as it stands. Where there is none its text is one that claims nothing, and which kroutes
//!   would refuse to work beside rather than act by; `DeleteTags`, which comes next, names that text, so it removes what
//!   was just written, and never a claim.
//!
//! Were EC2 to look at ids or ranges first, its answer would be another error, and that says nothing of permissions.

use std::error::Error as StdError;
use std::future::Future;

use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::types::{AttributeBooleanValue, InstanceAttributeName, Tag};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use kroutes_core::{Error, ErrorKind, Repeat};

use crate::action::Action;
use crate::ec2::{Ec2, filter};
use crate::errors::from_sdk;
use crate::routes::CLAIM;

/// Ids that are formed like real ones. EC2 gives out none like these.
pub(crate) const NO_TABLE: &str = "rtb-00000000000000000";
const NO_INSTANCE: &str = "i-00000000000000000";
const NO_INTERFACE: &str = "eni-00000000000000000";
/// A claim that claims nothing.
const NO_CLAIM: &str = "kroutes-doctor";
/// Ranges that are for examples only (RFC 5737).
const EXAMPLES: [&str; 3] = ["192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"];

/// What came of asking.
#[derive(Debug, Clone)]
pub(crate) enum Verdict {
    Allowed,
    Denied,
    /// It says nothing of permissions.
    Unknown(Error),
    /// The endpoint did it.
    CarriedOut,
}

/// What is asked about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) table: &'a str,
    /// A destination that the table does not hold.
    pub(crate) destination: &'static str,
    pub(crate) cluster: &'a str,
    /// The text of the cluster's claim on the table, if it has one.
    pub(crate) claim: Option<&'a str>,
    pub(crate) instance: &'a str,
    pub(crate) interface: &'a str,
    /// Of both.
    pub(crate) source_dest_check: bool,
}

impl<'a> Subject<'a> {
    /// Made up from one end to the other.
    pub(crate) const fn nobody(cluster: &'a str) -> Self {
        Self {
            table: NO_TABLE,
            destination: EXAMPLES[0],
            cluster,
            claim: None,
            instance: NO_INSTANCE,
            interface: NO_INTERFACE,
            source_dest_check: false,
        }
    }

    /// What the action is judged on, and whether there is such a thing; `None` where it is judged on nothing.
    pub(crate) fn judged(&self, action: Action) -> Option<(&'a str, bool)> {
        let (id, nothing) = match action {
            Action::ModifyInstanceAttribute => (self.instance, NO_INSTANCE),
            Action::ModifyNetworkInterfaceAttribute => (self.interface, NO_INTERFACE),
            action if is_of_table(action) => (self.table, NO_TABLE),
            _ => return None,
        };
        Some((id, id != nothing))
    }
}

/// Whether an action is judged on the table.
pub(crate) const fn is_of_table(action: Action) -> bool {
    matches!(
        action,
        Action::CreateRoute | Action::ReplaceRoute | Action::DeleteRoute | Action::CreateTags | Action::DeleteTags
    )
}

/// A destination that is not among these.
pub(crate) fn unrouted(held: impl Fn(&str) -> bool) -> &'static str {
    EXAMPLES.into_iter().find(|example| !held(example)).unwrap_or(EXAMPLES[0])
}

impl Ec2 {
    /// Asks about an action of EC2's.
    pub(crate) async fn dry_run(&self, action: Action, subject: &Subject<'_>) -> Verdict {
        let client = &self.client;
        let to_what_it_is = || AttributeBooleanValue::builder().value(subject.source_dest_check).build();
        let claim = |text: &str| Tag::builder().key(format!("{CLAIM}{}", subject.cluster)).value(text).build();
        match action {
            Action::DescribeRouteTables => {
                let wanted = filter("route-table-id", [subject.table]);
                let request = client.describe_route_tables().filters(wanted).max_results(5).dry_run(true);
                self.ask(action, || request.clone().send()).await
            }
            Action::DescribeInstances => {
                let wanted = filter("instance-id", [subject.instance]);
                let request = client.describe_instances().filters(wanted).max_results(5).dry_run(true);
                self.ask(action, || request.clone().send()).await
            }
            Action::DescribeSubnets => {
                let request = client.describe_subnets().max_results(5).dry_run(true);
                self.ask(action, || request.clone().send()).await
            }
            Action::DescribeInstanceAttribute => {
                let request = client.describe_instance_attribute().instance_id(subject.instance);
                let request = request.attribute(InstanceAttributeName::UserData).dry_run(true);
                self.ask(action, || request.clone().send()).await
            }
            Action::CreateRoute => {
                let request = client.create_route().route_table_id(subject.table).instance_id(NO_INSTANCE);
                let request = request.destination_cidr_block(subject.destination).dry_run(true);
                self.ask(action, || request.clone().send()).await
            }
            Action::ReplaceRoute => {
                let request = client.replace_route().route_table_id(subject.table).instance_id(NO_INSTANCE);
                let request = request.destination_cidr_block(subject.destination).dry_run(true);
                self.ask(action, || request.clone().send()).await
            }
            Action::DeleteRoute => {
                let request = client.delete_route().route_table_id(subject.table);
                let request = request.destination_cidr_block(subject.destination).dry_run(true);
                self.ask(action, || request.clone().send()).await
            }
            Action::ModifyInstanceAttribute => {
                let request = client.modify_instance_attribute().instance_id(subject.instance);
                let request = request.source_dest_check(to_what_it_is()).dry_run(true);
                self.ask(action, || request.clone().send()).await
            }
            Action::ModifyNetworkInterfaceAttribute => {
                let request = client.modify_network_interface_attribute().network_interface_id(subject.interface);
                let request = request.source_dest_check(to_what_it_is()).dry_run(true);
                self.ask(action, || request.clone().send()).await
            }
            Action::CreateTags => {
                let tag = claim(subject.claim.unwrap_or(NO_CLAIM));
                let request = client.create_tags().resources(subject.table).tags(tag).dry_run(true);
                self.ask(action, || request.clone().send()).await
            }
            Action::DeleteTags => {
                let request = client.delete_tags().resources(subject.table).tags(claim(NO_CLAIM)).dry_run(true);
                self.ask(action, || request.clone().send()).await
            }
            Action::ListExports | Action::GetCallerIdentity => Verdict::Unknown(Error::new(
                ErrorKind::Unsupported,
                format!("`{}` cannot be asked about without doing it", action.name()),
            )),
        }
    }

    async fn ask<T, E, F, Fut>(&self, action: Action, mut send: F) -> Verdict
    where
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
        F: FnMut() -> Fut + Send,
        Fut: Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send,
        T: Send,
    {
        let attempt = |_| {
            let answer = send();
            async move {
                let Err(error) = answer.await else { return Ok(Verdict::CarriedOut) };
                let error = from_sdk(action, &error);
                match error.kind() {
                    _ if error.get("code") == Some("DryRunOperation") => Ok(Verdict::Allowed),
                    _ if error.get("code") == Some("UnauthorizedOperation") => Ok(Verdict::Denied),
                    // What was made up will not be found later either.
                    ErrorKind::NotFound => Ok(Verdict::Unknown(error)),
                    _ => Err(error),
                }
            }
        };
        self.gate.call(action.name(), Repeat::Always, attempt).await.unwrap_or_else(Verdict::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use kroutes_core::Gate;
    use kroutes_lab::{Lab, Options, Seed, SeedInstance, SeedTable};

    use super::*;
    use crate::action::gate_settings;
    use crate::backend::AwsBackend;
    use crate::client::Connection;
    use crate::settings::AwsSettings;
    use crate::table_refs::TableRef;

    /// moto ignores `DryRun` and carries out the change.
    #[tokio::test]
    async fn what_is_asked_does_no_harm_even_where_it_is_done() {
        let table = SeedTable { main: true, ..SeedTable::default() };
        let seed = Seed { tables: vec![table], instances: vec![SeedInstance::named("worker-0")], ..Seed::default() };
        let options = Options { ignores_dry_run: true, ..Options::default() };
        let lab = Lab::start(seed, options).await.expect("lab");
        let table = lab.cloud(|cloud| cloud.tables.iter().next().map(|(id, _)| id.clone())).expect("table");
        let instance = lab.cloud(|cloud| cloud.instance_named("worker-0")).expect("instance");
        let interface = lab.cloud(|cloud| cloud.interfaces_of(&instance)[0].0.to_owned());
        let connection = Connection::Fixed {
            endpoint: lab.endpoint(),
            region: lab.region(),
            access_key_id: "lab".to_owned(),
            secret_access_key: "lab".to_owned(),
        };
        let settings = AwsSettings { route_table: vec![TableRef::Id(table.clone())], ..AwsSettings::default() };
        let cluster = kroutes_core::Cluster {
            name: "kubernetes".parse().expect("name"),
            pod_cidrs: vec!["10.200.0.0/16".parse().expect("cidr")],
            service_cidrs: Vec::new(),
        };
        let gate = Arc::new(Gate::new(gate_settings()));
        let backend = AwsBackend::open(&settings, &cluster, gate, connection).await.expect("open");

        for (claim, source_dest_check) in [(None, true), (Some("10.200.0.0/16"), true), (None, false)] {
            lab.change(|cloud| {
                let claims = claim.map(|text| ("kroutes/kubernetes".to_owned(), text.to_owned()));
                cloud.tables.get_mut(&table).expect("table").tags = claims.into_iter().collect();
                cloud.set_source_dest_check(&instance, source_dest_check).expect("set");
            });
            let subject = Subject {
                table: &table,
                claim,
                instance: &instance,
                interface: &interface,
                source_dest_check,
                ..Subject::nobody("kubernetes")
            };
            let before = lab.cloud(|cloud| format!("{cloud:?}"));
            let mut done = Vec::new();
            for action in Action::ALL {
                if matches!(backend.ec2.dry_run(action, &subject).await, Verdict::CarriedOut) && action.is_write() {
                    done.push(action);
                }
            }
            assert_eq!(lab.cloud(|cloud| format!("{cloud:?}")), before, "{claim:?}");
            let harmless = [
                Action::ModifyInstanceAttribute,
                Action::ModifyNetworkInterfaceAttribute,
                Action::CreateTags,
                Action::DeleteTags,
            ];
            assert_eq!(done, harmless, "routes are refused");
        }
    }

    #[test]
    fn a_destination_that_the_table_holds_is_not_asked_about() {
        assert_eq!(unrouted(|_| false), "192.0.2.0/24");
        assert_eq!(unrouted(|held| held == "192.0.2.0/24"), "198.51.100.0/24");
    }
}
