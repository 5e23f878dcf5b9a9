//! Workers that EC2 itself knows.
//!
//! By Name tag and other tags, inside the VPC of the topology's tables where that is known. EC2's own wildcards do the
//! narrowing and are checked again here, so that no filter's quirk can add a machine. What a worker's range is may be
//! written in its user data, which costs a call an instance: those are made side by side, as fast as the gate allows.
//!
//! A machine that fits and cannot be used is left out with its reason and hides no other. A call that fails is another
//! thing: what it would have said is not known, a worker may be missing, and routes of a missing worker look stale. So
//! that fails the whole.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::Instance;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use kroutes_core::{
    Discovered, Error, ErrorKind, LeftOut, MachineRef, PodCidr, RangeFrom, Result, Selector, Worker, WorkerName,
    pod_cidr_in,
};
use wildmatch::WildMatch;

use crate::backend::AwsBackend;
use crate::ec2::{Ec2, LONGEST_VALUE, filter, literally};
use crate::machine::{PRESENT, is_present, listed, name_of, primary_addresses, tag_of};
use crate::table_refs::TableRef;
use crate::tables;

/// How many instances are asked at once. The gate sets the pace; this many are enough to keep up with it.
const AT_ONCE: usize = 32;
/// How a gzip file begins (RFC 1952).
const GZIP: [u8; 2] = [0x1f, 0x8b];

impl AwsBackend {
    pub(crate) async fn discovered(&self, selector: &Selector) -> Result<Discovered> {
        let vpc = self.vpc().await?;
        let mut filters = filters(selector)?;
        filters.extend(vpc.map(|vpc| filter("vpc-id", [vpc])));
        let instances = self.ec2.instances(filters).await?;
        let fitting: Vec<Instance> = instances.into_iter().filter(|instance| fits(selector, instance)).collect();
        let mut ranges = match selector.range {
            RangeFrom::Machine => said(&self.ec2, &fitting).await?,
            RangeFrom::Elsewhere => BTreeMap::new(),
        };

        let mut by_name: BTreeMap<&str, Vec<&Instance>> = BTreeMap::new();
        for instance in &fitting {
            by_name.entry(name_of(instance)).or_default().push(instance);
        }
        let mut discovered = Discovered::default();
        for (name, instances) in by_name {
            let said = |instance: &&Instance| ranges.remove(instance.instance_id().unwrap_or_default());
            let said: Vec<Result<Vec<PodCidr>>> = match selector.range {
                RangeFrom::Machine => instances.iter().filter_map(said).collect(),
                RangeFrom::Elsewhere => instances.iter().map(|_| Ok(Vec::new())).collect(),
            };
            match (name.parse::<WorkerName>(), instances.as_slice()) {
                (Ok(name), [one]) => match said.into_iter().next() {
                    Some(Ok(pod_cidrs)) => discovered.workers.push(worker(name, one, pod_cidrs)),
                    Some(Err(why)) => discovered.left_out.push(left_out(name, Vec::new(), why)),
                    None => {}
                },
                (Ok(name), several) => {
                    let known = all_or_none(said);
                    let message =
                        format!("the Name tag `{name}` fits {} instances: {}", several.len(), listed(several));
                    let why = Error::new(ErrorKind::Invalid, message)
                        .help("give each its own Name tag, or narrow the source by `tags`");
                    discovered.left_out.push(left_out(name, known, why));
                }
                (Err(error), nameless) => {
                    for (instance, said) in nameless.iter().zip(said) {
                        discovered.left_out.extend(misnamed(name, instance, said, &error.to_string()));
                    }
                }
            }
        }
        Ok(discovered)
    }

    /// The VPC of the topology's tables; none where these are to be found by the workers.
    async fn vpc(&self) -> Result<Option<String>> {
        if self.settings.route_table.contains(&TableRef::Associated) {
            return Ok(None);
        }
        let exports = self.exports.asked(&self.settings.route_table, std::iter::empty()).await?;
        let resolved = tables::resolve(&self.ec2, &self.settings.route_table, &exports).await?;
        let vpc = resolved.iter().filter_map(|one| one.table.as_ref().ok()).find_map(|table| table.vpc_id());
        if let Some(vpc) = vpc {
            return Ok(Some(vpc.to_owned()));
        }
        let failed = resolved.into_iter().find_map(|one| one.table.err());
        Err(failed.unwrap_or_else(|| Error::new(ErrorKind::Unexpected, "EC2 shows a route table without a VPC")))
    }
}

fn filters(selector: &Selector) -> Result<Vec<aws_sdk_ec2::types::Filter>> {
    let mut filters = vec![filter("instance-state-name", PRESENT)];
    if let Some(glob) = &selector.name {
        // Ours has no escapes: a backslash is one.
        let pattern = glob.replace('\\', "\\\\");
        if pattern.chars().count() > LONGEST_VALUE {
            let message = format!("the name `{}` of the source is too long for EC2 to look for", glob.escape_debug());
            return Err(Error::new(ErrorKind::Invalid, message).help("shorten it with `*`"));
        }
        filters.push(filter("tag:Name", [pattern]));
    }
    filters.extend(selector.labels.iter().map(|(key, value)| filter(&format!("tag:{key}"), [literally(value)])));
    Ok(filters)
}

/// Whether an instance is one that was asked for; EC2's answer is not relied on.
fn fits(selector: &Selector, instance: &Instance) -> bool {
    let named = |glob: &String| WildMatch::new(glob).matches(name_of(instance));
    is_present(instance)
        && selector.name.as_ref().is_none_or(named)
        && selector.labels.iter().all(|(key, value)| tag_of(instance, key) == Some(value))
}

/// The ranges of machines of one name. If one of them did not say its own, which they are is not known, and a part would
/// pass for the whole.
fn all_or_none(said: Vec<Result<Vec<PodCidr>>>) -> Vec<PodCidr> {
    said.into_iter().collect::<Result<Vec<_>>>().unwrap_or_default().concat()
}

/// What every instance says of its range, by id. One that was listed and is not known a moment later is not gone for
/// sure, since EC2's answers lag behind each other ("Eventual consistency in the Amazon EC2 API", Amazon EC2 Developer
/// Guide): it is told like one that says nothing.
async fn said(ec2: &Ec2, instances: &[Instance]) -> Result<BTreeMap<String, Result<Vec<PodCidr>>>> {
    let ids = instances.iter().filter_map(|instance| instance.instance_id());
    let asked = ids.map(|id| async move {
        let said = match ec2.user_data(id).await {
            Ok(data) => read(id, data.as_deref()),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(lost(id, error)),
            Err(error) => return Err(error.with("instance", id)),
        };
        Ok((id.to_owned(), said))
    });
    let asked: Vec<_> = asked.collect();
    stream::iter(asked).buffer_unordered(AT_ONCE).try_collect().await
}

fn lost(id: &str, error: Error) -> Error {
    let message = format!("instance `{id}` is listed, but EC2 does not know it when asked for its user data");
    Error::new(ErrorKind::NotFound, message).with_source(error).help("run again in a moment")
}

/// The ranges in user data. It may be a boot script with secrets in it: nothing but ranges is ever repeated.
fn read(id: &str, data: Option<&str>) -> Result<Vec<PodCidr>> {
    let wrong = |what: String| {
        Error::new(ErrorKind::Invalid, what)
            .help("launch the instance with user data such as `name=worker-0|pod-cidr=10.200.0.0/24`, or allot ranges by `pod-cidr = \"node-prefix\"`")
    };
    let Some(data) = data else { return Err(wrong(format!("instance `{id}` has no user data"))) };
    let packed: String = data.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let bytes =
        STANDARD.decode(packed).map_err(|_| wrong(format!("the user data of instance `{id}` is not base64")))?;
    if bytes.starts_with(&GZIP) {
        return Err(wrong(format!("the user data of instance `{id}` is compressed with gzip, which is not read")));
    }
    let text = String::from_utf8(bytes).map_err(|_| wrong(format!("the user data of instance `{id}` is not text")))?;
    pod_cidr_in(&text).map_err(|error| {
        let told = Error::new(error.kind(), format!("the user data of instance `{id}`: {error}"));
        match error.get("help") {
            Some(help) => told.help(help),
            None => told,
        }
    })
}

fn worker(name: WorkerName, instance: &Instance, pod_cidrs: Vec<PodCidr>) -> Worker {
    let id = instance.instance_id().unwrap_or_default().to_owned();
    Worker { name, pod_cidrs, addresses: primary_addresses(instance), machine: MachineRef::Id(id) }
}

fn left_out(name: WorkerName, pod_cidrs: Vec<PodCidr>, why: Error) -> LeftOut {
    LeftOut { name, pod_cidrs, why, is_fault: true }
}

/// An instance whose Name tag is no name: it goes by its id.
fn misnamed(name: &str, instance: &Instance, said: Result<Vec<PodCidr>>, error: &str) -> Option<LeftOut> {
    let id = instance.instance_id()?;
    let pod_cidrs = said.unwrap_or_default();
    let message = if name.is_empty() {
        format!("instance `{id}` has no Name tag, and its worker would be named by it")
    } else {
        format!("the Name tag of instance `{id}` cannot be a worker's name: {error}")
    };
    let why = Error::new(ErrorKind::Invalid, message).help("tag it, or narrow the source by `name` or `tags`");
    Some(left_out(id.parse().ok()?, pod_cidrs, why))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(text: impl AsRef<[u8]>) -> String {
        STANDARD.encode(text)
    }

    #[test]
    fn the_guides_user_data_is_read() {
        let data = "bmFtZT13b3JrZXItMnxwb2QtY2lkcj0xMC4yMDAuMi4wLzI0";
        assert_eq!(read("i-1", Some(data)).expect("range"), ["10.200.2.0/24".parse().expect("cidr")]);
        let wrapped = format!("{}\n{}\n", &data[..20], &data[20..]);
        assert_eq!(read("i-1", Some(&wrapped)).expect("range").len(), 1);
    }

    #[test]
    fn user_data_that_says_nothing_readable_is_told_and_not_repeated() {
        let rows = [
            (None, "instance `i-1` has no user data"),
            (Some("no base64!".to_owned()), "the user data of instance `i-1` is not base64"),
            (
                Some(encoded([0x1f, 0x8b, 8, 0])),
                "the user data of instance `i-1` is compressed with gzip, which is not read",
            ),
            (Some(encoded([0xff, 0xfe, 0])), "the user data of instance `i-1` is not text"),
            (Some(encoded("token=s3cret")), "the user data of instance `i-1`: there is no `pod-cidr=` in it"),
            (
                Some(encoded("pod-cidr=10.200.0.0/24|pod-cidr=10.200.1.0/24")),
                "the user data of instance `i-1`: `pod-cidr=` is in it twice",
            ),
        ];
        for (data, expected) in rows {
            let error = read("i-1", data.as_deref()).expect_err(expected);
            assert_eq!(error.message(), expected);
            assert!(error.get("help").is_some(), "{expected}");
        }
    }

    #[test]
    fn of_twins_half_the_ranges_are_none() {
        let range = |text: &str| Ok(vec![text.parse().expect("cidr")]);
        assert_eq!(all_or_none(vec![range("10.200.0.0/24"), range("10.200.1.0/24")]).len(), 2);
        assert_eq!(all_or_none(vec![range("10.200.0.0/24"), read("i-2", None)]), []);
    }

    #[test]
    fn a_glob_is_taken_literally_but_for_its_wildcards() {
        let selector = |name: &str| Selector {
            name: Some(name.to_owned()),
            labels: BTreeMap::from([("env".to_owned(), "a*".to_owned())]),
            range: RangeFrom::Elsewhere,
        };
        let filters = filters(&selector(r"worker\-*")).expect("filters");
        let values: Vec<&str> =
            filters.iter().flat_map(aws_sdk_ec2::types::Filter::values).map(String::as_str).collect();
        assert_eq!(values[4..], [r"worker\\-*", r"a\*"]);
        assert!(super::filters(&selector(&"x".repeat(300))).is_err());
    }
}
