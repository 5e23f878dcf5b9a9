//! Machines that the cloud itself knows.

use async_trait::async_trait;
use kroutes_core::memory::Character;
use kroutes_core::{
    Capabilities, Check, Discovered, Error, ErrorKind, Fix, LeftOut, MachineRef, MemoryBackend, Observation,
    ObservedRoute, RangeFrom, Result, Route, RouteBackend, Selector, Table, TableId, Worker,
};
use kroutes_driver::Found;
use kroutes_driver::source::read;

use crate::{BY_ID, loaded};

/// A cloud that has these machines and no routes.
#[derive(Debug)]
struct Machines {
    asked: Selector,
    has: Discovered,
}

fn no_routes<T>() -> Result<T> {
    Err(Error::new(ErrorKind::Unsupported, "this cloud has no routes"))
}

#[async_trait]
impl RouteBackend for Machines {
    fn name(&self) -> &'static str {
        "aws"
    }

    fn capabilities(&self) -> Capabilities {
        MemoryBackend::new(Character::ec2()).capabilities()
    }

    async fn discover(&self, selector: &Selector) -> Result<Discovered> {
        assert_eq!(*selector, self.asked);
        Ok(self.has.clone())
    }

    async fn observe(&self, _: &[Worker]) -> Result<Observation> {
        no_routes()
    }

    async fn list_routes(&self, _: &TableId) -> Result<Table> {
        no_routes()
    }

    async fn create_route(&self, _: &TableId, _: &Route) -> Result<()> {
        no_routes()
    }

    async fn replace_route(&self, _: &TableId, _: &ObservedRoute, _: &Route) -> Result<()> {
        no_routes()
    }

    async fn delete_route(&self, _: &TableId, _: &ObservedRoute, _: Option<&ObservedRoute>) -> Result<()> {
        no_routes()
    }

    async fn fix(&self, _: &Fix) -> Result<()> {
        no_routes()
    }

    async fn examine(&self, _: Option<&Observation>) -> Vec<Check> {
        Vec::new()
    }
}

fn machine(name: &str, cidr: Option<&str>) -> Worker {
    Worker {
        name: name.parse().expect("name"),
        pod_cidrs: cidr.map(|text| text.parse().expect("range")).into_iter().collect(),
        addresses: Vec::new(),
        machine: MachineRef::Id(format!("i-{name}")),
    }
}

fn selector(name: &str, range: RangeFrom) -> Selector {
    Selector { name: Some(name.to_owned()), labels: [].into(), range }
}

#[tokio::test]
async fn machines_that_say_their_range_are_taken_as_they_are() {
    let mute = LeftOut {
        name: "worker-1".parse().expect("name"),
        pod_cidrs: Vec::new(),
        why: Error::new(ErrorKind::NotFound, "there is no `pod-cidr=` in it"),
        is_fault: true,
    };
    let has = Discovered { workers: vec![machine("worker-0", Some("10.200.0.0/24"))], left_out: vec![mute] };
    let cloud = Machines { asked: selector("worker-*", RangeFrom::Machine), has };
    let loaded = loaded("", "", "kind = \"cloud\"\nname = \"worker-*\"\npod-cidr = \"instance\"");
    let found = read(loaded.source().expect("a source"), &BY_ID, Some(&cloud)).await.expect("found");
    assert_eq!(found.workers, cloud.has.workers);
    let topology = loaded.topology_of("aws", found).expect("a topology");
    assert_eq!(topology.left_out().len(), 1);
}

#[tokio::test]
async fn machines_get_their_range_by_the_number_in_their_name() {
    let has = Discovered { workers: vec![machine("worker-2", None), machine("worker", None)], left_out: Vec::new() };
    let cloud = Machines { asked: selector("w*", RangeFrom::Elsewhere), has };
    let loaded = loaded("", "node-prefix = 24", "kind = \"cloud\"\nname = \"w*\"\npod-cidr = \"node-prefix\"");
    let found = read(loaded.source().expect("a source"), &BY_ID, Some(&cloud)).await.expect("found");
    assert_eq!(found.workers, [machine("worker-2", Some("10.200.2.0/24"))]);
    let [left_out] = &found.left_out[..] else { panic!("{found:?}") };
    assert!(left_out.is_fault && left_out.name.as_str() == "worker", "{left_out:?}");
}

#[tokio::test]
async fn two_machines_of_one_name_are_refused() {
    let twins = vec![machine("w-0", Some("10.200.0.0/24")), machine("w-0", Some("10.200.1.0/24"))];
    let has = Discovered { workers: twins, left_out: Vec::new() };
    let cloud = Machines { asked: selector("w*", RangeFrom::Machine), has };
    let loaded = loaded("", "", "kind = \"cloud\"\nname = \"w*\"\npod-cidr = \"instance\"");
    let found = read(loaded.source().expect("a source"), &BY_ID, Some(&cloud)).await.expect("found");
    let error = loaded.topology_of("aws", found).expect_err("twins");
    assert_eq!(error.to_string(), "the cloud's machines named `w*` make no topology: two workers are called `w-0`");
    let nothing = loaded.topology_of("aws", Found::default()).expect_err("none");
    assert_eq!(nothing.to_string(), "found no workers among the cloud's machines named `w*`");
    assert_eq!(error.get("help"), Some("a machine is kept out by `name`, `tags` or `labels` in `[source]`"));
}

#[tokio::test]
async fn a_provider_that_knows_no_machines_says_what_to_use() {
    let backend = MemoryBackend::new(Character::ec2());
    let loaded = loaded("", "", "kind = \"cloud\"\nname = \"w*\"\npod-cidr = \"instance\"");
    let source = loaded.source().expect("a source");
    let error = read(source, &BY_ID, Some(&backend)).await.expect_err("unsupported");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.get("help").is_some_and(|help| help.contains("node-list")), "{error:?}");
}
