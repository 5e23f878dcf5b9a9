//! EC2's actions as functions, each attempt and each page through the gate.
//!
//! Listings are always paginated ("We strongly recommend using only paginated requests", EC2 API Reference), and always by
//! filters, never by lists of ids: one id that does not exist makes the latter fail for all. A listing is complete or an
//! error; a page that cannot be had makes the whole useless, since what is absent from it would look deleted.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use aws_sdk_ec2::Client;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::types::{Filter, Instance, InstanceAttributeName, RouteTable, Subnet};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use kroutes_core::{Error, ErrorKind, Gate, Repeat, Result};

use crate::action::Action;
use crate::errors::from_sdk;

/// The most values that one filter takes ("Find your Amazon EC2 resources", filtering considerations).
pub(crate) const VALUES_PER_FILTER: usize = 200;
/// The longest value that a filter takes, in characters.
pub(crate) const LONGEST_VALUE: usize = 255;
/// The largest page of `DescribeRouteTables`.
const TABLES_PER_PAGE: i32 = 100;
/// The largest page of `DescribeInstances` and `DescribeSubnets`.
const THINGS_PER_PAGE: i32 = 1000;

/// EC2 of one account and region, behind the gate.
#[derive(Clone)]
pub(crate) struct Ec2 {
    pub(crate) client: Client,
    pub(crate) region: String,
    pub(crate) gate: Arc<Gate>,
}

impl fmt::Debug for Ec2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ec2").field("region", &self.region).finish_non_exhaustive()
    }
}

/// A filter of any number of values, of which one has to match.
pub(crate) fn filter<S: Into<String>>(name: &str, values: impl IntoIterator<Item = S>) -> Filter {
    Filter::builder().name(name).set_values(Some(values.into_iter().map(Into::into).collect())).build()
}

/// A text as a filter's value that matches nothing else: `*` and `?` are wildcards there, and `\` takes that away.
pub(crate) fn literally(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '*' | '?' | '\\') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

impl Ec2 {
    pub(crate) const fn new(client: Client, region: String, gate: Arc<Gate>) -> Self {
        Self { client, region, gate }
    }

    /// One call through the gate; `send` makes an attempt.
    pub(crate) async fn call<T, E, F, Fut>(&self, action: Action, repeat: Repeat, mut send: F) -> Result<T>
    where
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
        F: FnMut() -> Fut + Send,
        Fut: Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send,
        T: Send,
    {
        self.gate
            .call(action.name(), repeat, |_| {
                let attempt = send();
                async move { attempt.await.map_err(|error| from_sdk(action, &error)) }
            })
            .await
    }

    /// Every page of a listing.
    async fn pages<T, P, F, Fut>(&self, mut page: F) -> Result<Vec<T>>
    where
        F: FnMut(Option<String>) -> Fut + Send,
        Fut: Future<Output = Result<(P, Option<String>)>> + Send,
        P: IntoIterator<Item = T>,
    {
        let mut all = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let (items, next) = page(token.clone()).await?;
            all.extend(items);
            match next.filter(|next| !next.is_empty()) {
                None => return Ok(all),
                next if next == token => {
                    return Err(Error::new(ErrorKind::Unexpected, "EC2 gave the same page of a listing twice"));
                }
                next => token = next,
            }
        }
    }

    /// Every route table that matches.
    pub(crate) async fn route_tables(&self, filters: Vec<Filter>) -> Result<Vec<RouteTable>> {
        let filters = &filters;
        self.pages(|token| async move {
            let request = self
                .client
                .describe_route_tables()
                .set_filters(Some(filters.clone()))
                .set_next_token(token)
                .max_results(TABLES_PER_PAGE);
            let answer = self.call(Action::DescribeRouteTables, Repeat::Always, || request.clone().send()).await?;
            Ok((answer.route_tables.unwrap_or_default(), answer.next_token))
        })
        .await
    }

    /// Every instance that matches.
    pub(crate) async fn instances(&self, filters: Vec<Filter>) -> Result<Vec<Instance>> {
        let filters = &filters;
        self.pages(|token| async move {
            let request = self
                .client
                .describe_instances()
                .set_filters(Some(filters.clone()))
                .set_next_token(token)
                .max_results(THINGS_PER_PAGE);
            let answer = self.call(Action::DescribeInstances, Repeat::Always, || request.clone().send()).await?;
            let reservations = answer.reservations.unwrap_or_default();
            let instances: Vec<Instance> =
                reservations.into_iter().flat_map(|reservation| reservation.instances.unwrap_or_default()).collect();
            Ok((instances, answer.next_token))
        })
        .await
    }

    /// Every subnet that matches.
    pub(crate) async fn subnets(&self, filters: Vec<Filter>) -> Result<Vec<Subnet>> {
        let filters = &filters;
        self.pages(|token| async move {
            let request = self
                .client
                .describe_subnets()
                .set_filters(Some(filters.clone()))
                .set_next_token(token)
                .max_results(THINGS_PER_PAGE);
            let answer = self.call(Action::DescribeSubnets, Repeat::Always, || request.clone().send()).await?;
            Ok((answer.subnets.unwrap_or_default(), answer.next_token))
        })
        .await
    }

    /// What an instance was launched with, in base64 as EC2 keeps it.
    pub(crate) async fn user_data(&self, instance: &str) -> Result<Option<String>> {
        let request =
            self.client.describe_instance_attribute().instance_id(instance).attribute(InstanceAttributeName::UserData);
        let answer = self.call(Action::DescribeInstanceAttribute, Repeat::Always, || request.clone().send()).await?;
        Ok(answer.user_data.and_then(|data| data.value).filter(|text| !text.is_empty()))
    }

    /// One route table by its id.
    ///
    /// The message names the region, since a table of another one is simply not there.
    pub(crate) async fn route_table(&self, id: &str) -> Result<RouteTable> {
        let tables = self.route_tables(vec![filter("route-table-id", [id])]).await;
        let found = tables.map_err(|error| error.with("table", id))?;
        found.into_iter().find(|table| table.route_table_id() == Some(id)).ok_or_else(|| {
            Error::new(ErrorKind::NotFound, format!("no route table `{id}` in region `{}`", self.region))
                .with("table", id)
                .help("check `route-table` and `region` in the topology")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_in_names_match_only_themselves() {
        assert_eq!(literally(r"a*b?c\d"), r"a\*b\?c\\d");
        assert_eq!(literally("worker-0.example.com"), "worker-0.example.com");
    }
}
