//! Single writes, and what to make of an answer that is none.
//!
//! A write whose answer was lost may have happened: the connection broke after it, or EC2 failed behind it. Creating and
//! replacing are made again, since doing them twice is doing them once; but the second `CreateRoute` is told
//! `RouteAlreadyExists` for a route that is exactly ours, so that answer, like every lost one at the end, is settled by
//! reading the table. Deleting is not made again blindly: between the two attempts somebody else may have put a route
//! of their own there. So the table is read in between, and only the very entry that was to go is deleted again. What the
//! second attempt is told says nothing of the first, which a lagging listing may hide: an answer once lost stays lost until
//! a listing shows the route gone.

use std::time::Duration;

use aws_sdk_ec2::types::{AttributeBooleanValue, Tag};
use ipnet::IpNet;
use kroutes_core::{
    Claim, Destination, Error, ErrorKind, Fix, NextHop, ObservedRoute, Origin, Repeat, Result, Route, TableId,
};
use tokio::time::sleep;

use crate::action::Action;
use crate::backend::AwsBackend;
use crate::routes::{CLAIM, destination, observed};

/// How often a table is read for a route that EC2 says is there and does not show yet, or a deletion is made.
const LOOKS: u32 = 5;
/// The pause after the first look; it doubles from look to look.
const PAUSE: Duration = Duration::from_millis(250);

/// A destination as the two parameters that EC2 has for it, IPv4 and IPv6.
fn blocks(net: IpNet) -> (Option<String>, Option<String>) {
    match net {
        IpNet::V4(_) => (Some(net.to_string()), None),
        IpNet::V6(_) => (None, Some(net.to_string())),
    }
}

/// A next hop as the two parameters that EC2 has for it, instance and interface.
fn targets(hop: &NextHop) -> Result<(Option<String>, Option<String>)> {
    match hop {
        NextHop::Instance(id) => Ok((Some(id.clone()), None)),
        NextHop::Interface(id) => Ok((None, Some(id.clone()))),
        other => Err(Error::new(
            ErrorKind::Unsupported,
            format!("a route to `{other}` is none that this provider writes: only instances and their interfaces are"),
        )),
    }
}

/// Says where an error happened.
fn at(error: Error, table: &TableId, destination: &Destination) -> Error {
    error.with("table", table.0.clone()).with("destination", destination.to_string())
}

fn held(table: &TableId, found: &ObservedRoute, cause: Option<&Error>) -> Error {
    let hop = found.next_hops.first().map_or_else(|| "something else".to_owned(), ToString::to_string);
    let error = Error::new(ErrorKind::Conflict, format!("`{}` in `{table}` leads to `{hop}`", found.destination));
    let Some(cause) = cause else { return error };
    cause.context().iter().fold(error, |error, (name, value)| error.with(name, value.clone()))
}

/// The end of a deletion of which an attempt before the last may have had its effect. One that was never begun, because
/// the run was stopped, has nothing to say beside that.
fn still_open(last: Error, lost: Option<Error>) -> Error {
    match lost {
        Some(lost) if last.kind() == ErrorKind::Interrupted => lost,
        Some(_) => last.with_ambiguous(true),
        None => last,
    }
}

impl AwsBackend {
    pub(crate) async fn create(&self, table: &TableId, route: &Route) -> Result<()> {
        let wanted = Destination::Net(route.destination.net());
        let (v4, v6) = blocks(route.destination.net());
        let (instance, interface) = targets(&route.next_hop)?;
        let request = self
            .ec2
            .client
            .create_route()
            .route_table_id(&table.0)
            .set_destination_cidr_block(v4)
            .set_destination_ipv6_cidr_block(v6)
            .set_instance_id(instance)
            .set_network_interface_id(interface);
        let answer = self.ec2.call(Action::CreateRoute, Repeat::Always, || request.clone().send()).await;
        let error = match answer {
            Ok(done) if done.r#return() == Some(true) => return Ok(()),
            Ok(_) => Error::new(ErrorKind::Unexpected, "EC2 answered `CreateRoute` without saying that it was done")
                .with_ambiguous(true)
                .with("action", Action::CreateRoute.name()),
            Err(error) => error,
        };
        let exists = error.get("code") == Some("RouteAlreadyExists");
        if !exists && !error.is_ambiguous() {
            return Err(at(error, table, &wanted));
        }
        self.settle_creation(table, route, &wanted, error, exists).await
    }

    async fn settle_creation(
        &self,
        table: &TableId,
        route: &Route,
        wanted: &Destination,
        error: Error,
        exists: bool,
    ) -> Result<()> {
        let mut pause = PAUSE;
        for look in 1..=LOOKS {
            match self.entry(table, wanted).await {
                Ok(Some(found)) if found.leads_to(&route.next_hop) => return Ok(()),
                Ok(Some(found)) => return Err(at(held(table, &found, Some(&error)), table, wanted)),
                // A listing may lag behind ("Eventual consistency in the Amazon EC2 API").
                Ok(None) if exists && look < LOOKS => {
                    sleep(pause).await;
                    pause *= 2;
                }
                Ok(None) | Err(_) => break,
            }
        }
        Err(at(error, table, wanted))
    }

    pub(crate) async fn replace(&self, table: &TableId, to: &Route) -> Result<()> {
        let wanted = Destination::Net(to.destination.net());
        let (v4, v6) = blocks(to.destination.net());
        let (instance, interface) = targets(&to.next_hop)?;
        let request = self
            .ec2
            .client
            .replace_route()
            .route_table_id(&table.0)
            .set_destination_cidr_block(v4)
            .set_destination_ipv6_cidr_block(v6)
            .set_instance_id(instance)
            .set_network_interface_id(interface);
        let answer = self.ec2.call(Action::ReplaceRoute, Repeat::Always, || request.clone().send()).await;
        let Err(error) = answer else { return Ok(()) };
        let absent = error.get("code") == Some("InvalidParameterValue") && error.kind() == ErrorKind::NotFound;
        if (absent || error.is_ambiguous())
            && let Ok(Some(found)) = self.entry(table, &wanted).await
            && found.leads_to(&to.next_hop)
        {
            return Ok(());
        }
        Err(at(error, table, &wanted))
    }

    pub(crate) async fn delete(&self, table: &TableId, route: &ObservedRoute) -> Result<()> {
        let Some(net) = route.destination.as_net() else {
            let message = format!("`{}` is no range of addresses, and never one of ours", route.destination);
            return Err(at(Error::new(ErrorKind::Unsupported, message), table, &route.destination));
        };
        let (v4, v6) = blocks(net);
        let request = self
            .ec2
            .client
            .delete_route()
            .route_table_id(&table.0)
            .set_destination_cidr_block(v4)
            .set_destination_ipv6_cidr_block(v6);
        let mut pause = PAUSE;
        let mut attempt = 1;
        let mut lost: Option<Error> = None;
        loop {
            let answer = self.ec2.call(Action::DeleteRoute, Repeat::OnlyIfUntouched, || request.clone().send()).await;
            let error = match answer {
                Ok(_) => return Ok(()),
                Err(error) if error.get("code") == Some("InvalidRoute.NotFound") => return Ok(()),
                Err(error) => error,
            };
            if !error.is_ambiguous() || attempt == LOOKS {
                return Err(at(still_open(error, lost), table, &route.destination));
            }
            sleep(pause).await;
            pause *= 2;
            attempt += 1;
            match self.entry(table, &route.destination).await {
                Ok(None) => return Ok(()),
                Ok(Some(found)) if found.is_same_entry(route) => lost = Some(error),
                Ok(Some(found)) => return Err(at(held(table, &found, Some(&error)), table, &route.destination)),
                Err(_) => return Err(at(error, table, &route.destination)),
            }
        }
    }

    /// The entry of a destination that a write of ours would have to do with. Propagated routes stand beside it.
    async fn entry(&self, table: &TableId, wanted: &Destination) -> Result<Option<ObservedRoute>> {
        let described = self.ec2.route_table(&table.0).await?;
        let known = self.known();
        Ok(described
            .routes()
            .iter()
            .filter(|route| destination(route) == *wanted)
            .map(|route| observed(route, described.owner_id(), &*known))
            .find(|route| matches!(route.origin, Origin::Static | Origin::Local)))
    }

    pub(crate) async fn mend(&self, fix: &Fix) -> Result<()> {
        match fix {
            Fix::SourceDestCheckOff { target, .. } => self.check_off(target).await,
            Fix::SetClaim { table, claim } => self.set_claim(table, claim).await,
            Fix::DropClaim { table, claim } => self.drop_claim(table, claim).await,
            other => Err(Error::new(ErrorKind::Unsupported, format!("EC2 has nothing that would mend {other:?}"))),
        }
    }

    async fn check_off(&self, target: &NextHop) -> Result<()> {
        let off = AttributeBooleanValue::builder().value(false).build();
        match target {
            NextHop::Instance(id) => {
                let request = self.ec2.client.modify_instance_attribute().instance_id(id).source_dest_check(off);
                let send = || request.clone().send();
                self.ec2.call(Action::ModifyInstanceAttribute, Repeat::Always, send).await.map(drop)
            }
            NextHop::Interface(id) => {
                let request = self
                    .ec2
                    .client
                    .modify_network_interface_attribute()
                    .network_interface_id(id)
                    .source_dest_check(off);
                let send = || request.clone().send();
                self.ec2.call(Action::ModifyNetworkInterfaceAttribute, Repeat::Always, send).await.map(drop)
            }
            other => Err(Error::new(ErrorKind::Unsupported, format!("`{other}` has no source/dest check"))),
        }
    }

    async fn set_claim(&self, table: &TableId, claim: &Claim) -> Result<()> {
        let tag = Tag::builder().key(format!("{CLAIM}{}", claim.cluster)).value(claim.value()).build();
        let request = self.ec2.client.create_tags().resources(&table.0).tags(tag);
        let answer = self.ec2.call(Action::CreateTags, Repeat::Always, || request.clone().send()).await;
        answer.map(drop).map_err(|error| error.with("table", table.0.clone()))
    }

    /// With its value, so that a claim which says something else by now stays.
    async fn drop_claim(&self, table: &TableId, claim: &Claim) -> Result<()> {
        let text = self.known().text_of(table, claim);
        let tag = Tag::builder().key(format!("{CLAIM}{}", claim.cluster)).value(text).build();
        let request = self.ec2.client.delete_tags().resources(&table.0).tags(tag);
        let answer = self.ec2.call(Action::DeleteTags, Repeat::Always, || request.clone().send()).await;
        answer.map(drop).map_err(|error| error.with("table", table.0.clone()))
    }
}
