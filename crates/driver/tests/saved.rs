//! Saved plans over a cloud in memory: what counts as moved, what does not, and what is left of a fresh plan.

use std::net::IpAddr;
use std::sync::Arc;

use kroutes_core::memory::{Call, Character};
use kroutes_core::{
    Change, Claim, ClaimState, Cluster, Destination, MachineRef, MaxDeletes, MemoryBackend, NodeId, Policy, Topology,
    Worker,
};
use kroutes_driver::{
    MadeFrom, Moved, NotApplied, Planned, ProviderFormat, Reconciler, SavedOptions, SavedPlan, Settings, Unusable, load,
};

fn topology(workers: u8) -> Topology {
    let cluster = Cluster {
        name: "kubernetes".parse().expect("name"),
        pod_cidrs: vec!["10.200.0.0/16".parse().expect("cidr")],
        service_cidrs: Vec::new(),
    };
    let worker = |n: u8| Worker {
        name: format!("worker-{n}").parse().expect("name"),
        pod_cidrs: vec![format!("10.200.{n}.0/24").parse().expect("cidr")],
        addresses: vec![IpAddr::from([10, 240, 0, 20 + n])],
        machine: MachineRef::Name(format!("worker-{n}")),
    };
    Topology::new(cluster, (0..workers).map(worker).collect()).expect("sound")
}

/// Four machines of which three are workers: one route is missing, one leads elsewhere, one is stale.
struct Scene {
    backend: MemoryBackend,
    reconciler: Reconciler,
}

impl Scene {
    fn new(character: Character) -> Self {
        Self::limited(character, None)
    }

    fn limited(character: Character, max_deletes: Option<MaxDeletes>) -> Self {
        let backend = MemoryBackend::for_topology(&topology(4), character);
        let table = backend.table();
        for (destination, worker) in [("10.200.1.0/24", 2), ("10.200.2.0/24", 2), ("10.200.3.0/24", 3)] {
            backend.plant(&table, backend.our_route(net(destination), &machine(&backend, worker)));
        }
        // Without marks it takes the claim to make a route to what is no worker ours.
        if !character.capabilities.marks {
            let claim = Claim::of(&topology(3).cluster().name, [net("10.200.0.0/16")]);
            backend.set_claim(&table, claim);
        }
        let policy = Policy { prune: true, take_over: false };
        let settings = Settings { policy, max_deletes, ..Settings::default() };
        let reconciler = Reconciler::new(Arc::new(backend.clone()), topology(3), settings).expect("possible");
        Self { backend, reconciler }
    }

    async fn plan(&self) -> Planned {
        self.reconciler.plan().await.expect("a plan")
    }

    async fn save(&self) -> SavedPlan {
        let Planned { plan, observation, .. } = self.plan().await;
        let saved = SavedPlan::new(made(), &plan, &observation);
        SavedPlan::parse(saved.to_text().as_bytes()).expect("what was saved is read")
    }

    async fn moved(&self, saved: &SavedPlan) -> Vec<Moved> {
        self.reconciler.cut_down(self.plan().await, saved).expect_err("something has moved")
    }

    fn lead(&self, destination: &str, worker: usize) {
        let table = self.backend.table();
        self.backend.uproot(&table, &at(destination));
        self.backend.plant(&table, self.backend.our_route(net(destination), &machine(&self.backend, worker)));
    }
}

fn machine(backend: &MemoryBackend, worker: usize) -> String {
    backend.machine_of(&topology(4).workers()[worker]).expect("a machine").id
}

fn made() -> MadeFrom {
    MadeFrom {
        provider: "memory".to_owned(),
        lab: false,
        cluster: "kubernetes".to_owned(),
        topology: "sha256:00".to_owned(),
        options: SavedOptions { prune: true, max_deletes: Some(MaxDeletes::Percent(50)), ..SavedOptions::default() },
    }
}

fn net(text: &str) -> ipnet::IpNet {
    text.parse().expect("net")
}

fn at(text: &str) -> Destination {
    Destination::net(net(text))
}

fn destinations(moved: &[Moved]) -> Vec<&str> {
    moved.iter().map(|one| one.destination.as_deref().or(one.fix.as_deref()).expect("something")).collect()
}

const BOTH: [Character; 2] = [Character::ec2(), Character::gcp()];

#[tokio::test(start_paused = true)]
async fn a_saved_plan_is_the_whole_fresh_plan_while_nothing_has_moved() {
    for character in BOTH {
        let scene = Scene::new(character);
        let saved = scene.save().await;
        let fresh = scene.plan().await;
        let changes = |planned: &Planned| -> Vec<Change> {
            planned.plan.readable().flat_map(|table| table.changes.clone()).collect()
        };
        let cut = scene.reconciler.cut_down(fresh.clone(), &saved).expect("nothing has moved");
        assert_eq!(changes(&cut), changes(&fresh));
        assert_eq!(cut.plan.fixes().count(), fresh.plan.fixes().count());
        let report = scene.reconciler.apply(cut, &|_| {}).await.expect("a report");
        assert!(report.is_clean());
        assert_eq!(report.tally().done, saved.size());
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_in_the_file_is_left_out() {
    let scene = Scene::new(Character::ec2());
    scene.lead("10.200.1.0/24", 1);
    let saved = scene.save().await;
    scene.lead("10.200.1.0/24", 2);
    let cut = scene.reconciler.cut_down(scene.plan().await, &saved).expect("what it holds has not moved");
    let left: Vec<_> = cut.plan.readable().flat_map(|table| &table.changes).map(Change::destination).collect();
    assert_eq!(left, [at("10.200.0.0/24"), at("10.200.3.0/24")]);
    scene.reconciler.apply(cut, &|_| {}).await.expect("a report");
    let routes = scene.backend.routes(&scene.backend.table());
    let other = routes.iter().find(|route| route.destination == at("10.200.1.0/24")).expect("a route");
    assert_eq!(other.next_hops, scene.backend.our_route(net("10.200.1.0/24"), &machine(&scene.backend, 2)).next_hops);
}

#[tokio::test(start_paused = true)]
async fn every_kind_of_move_is_named() {
    for character in BOTH {
        let scene = Scene::new(character);
        let saved = scene.save().await;
        scene.lead("10.200.0.0/24", 3);
        assert_eq!(destinations(&scene.moved(&saved).await), ["10.200.0.0/24"]);
        scene.lead("10.200.1.0/24", 0);
        assert_eq!(destinations(&scene.moved(&saved).await), ["10.200.0.0/24", "10.200.1.0/24"]);
        scene.backend.uproot(&scene.backend.table(), &at("10.200.3.0/24"));
        let moved = scene.moved(&saved).await;
        assert_eq!(destinations(&moved), ["10.200.0.0/24", "10.200.1.0/24", "10.200.3.0/24"]);
        assert_eq!((moved[0].was.as_str(), moved[0].reason.as_str()), ("no route", "the route has changed"));
        assert_eq!((moved[2].is.as_str(), moved[2].reason.as_str()), ("no route", "gone already"));
        scene.lead("10.200.0.0/24", 0);
        assert_eq!(scene.moved(&saved).await[0].reason, "already as wanted");
    }
}

/// Alike in all but the mark: somebody has made it anew, and it is theirs.
#[tokio::test(start_paused = true)]
async fn a_route_that_lost_our_mark_has_moved() {
    let scene = Scene::new(Character::gcp());
    let saved = scene.save().await;
    scene.backend.edit(&scene.backend.table(), |routes| {
        let route = routes.iter_mut().find(|route| route.destination == at("10.200.3.0/24"));
        route.expect("the stale one").marked = false;
    });
    assert_eq!(destinations(&scene.moved(&saved).await), ["10.200.3.0/24"]);
}

#[tokio::test(start_paused = true)]
async fn a_second_route_beside_the_one_that_was_seen_has_moved_it() {
    let scene = Scene::new(Character::gcp());
    let saved = scene.save().await;
    let table = scene.backend.table();
    let mut beside = scene.backend.route_to(net("10.200.1.0/24"), &machine(&scene.backend, 3));
    beside.precedence = 2000;
    scene.backend.plant(&table, beside);
    assert_eq!(destinations(&scene.moved(&saved).await), ["10.200.1.0/24"]);
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_stops_has_moved_nothing_and_one_that_is_mended_has() {
    let scene = Scene::new(Character::ec2());
    let saved = scene.save().await;
    scene.backend.stop(&machine(&scene.backend, 2));
    scene.reconciler.cut_down(scene.plan().await, &saved).expect("nothing has moved");
    scene.backend.change_machine(&machine(&scene.backend, 1), |machine| machine.forwards = true);
    let moved = scene.moved(&saved).await;
    assert_eq!(moved.len(), 1);
    assert_eq!(moved[0].worker.as_deref(), Some("worker-1"));
    assert!(moved[0].fix.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_table_that_cannot_be_read_or_is_gone_has_moved_with_all_its_changes() {
    let scene = Scene::new(Character::ec2());
    let saved = scene.save().await;
    let error = kroutes_core::Error::new(kroutes_core::ErrorKind::PermissionDenied, "not for you");
    scene.backend.set_unreadable(&scene.backend.table(), Some(error));
    let moved = scene.moved(&saved).await;
    assert_eq!(destinations(&moved), ["10.200.0.0/24", "10.200.1.0/24", "10.200.3.0/24"]);
    assert!(moved[0].reason.contains("not for you"), "{moved:?}");
}

/// What a guard counts is what would be done, not what else a plan of this moment would do.
#[tokio::test(start_paused = true)]
async fn guards_judge_what_is_left() {
    let scene = Scene::limited(Character::ec2(), Some(MaxDeletes::Routes(1)));
    scene.lead("10.200.1.0/24", 1);
    let saved = scene.save().await;
    scene.lead("10.200.1.0/24", 2);
    let fresh = scene.plan().await;
    assert_eq!(fresh.held.len(), 1);
    let cut = scene.reconciler.cut_down(fresh, &saved).expect("what it holds has not moved");
    assert!(cut.held.is_empty(), "{:?}", cut.held);
    // Also where the tables are listed again, since the plan lay for a while.
    tokio::time::advance(std::time::Duration::from_mins(1)).await;
    let report = scene.reconciler.apply(cut, &|_| {}).await.expect("a report");
    assert_eq!(report.tally().failed, 0);

    let scene = Scene::limited(Character::ec2(), Some(MaxDeletes::Routes(1)));
    let cut = scene.reconciler.cut_down(scene.plan().await, &scene.save().await).expect("nothing has moved");
    assert!(matches!(scene.reconciler.apply(cut, &|_| {}).await, Err(NotApplied::Held(_))));
    assert_eq!(scene.backend.calls(Call::Delete), 0);
}

/// Neither at once, nor after the tables were listed again since the plan lay for a while.
#[tokio::test(start_paused = true)]
async fn a_claim_that_the_file_does_not_mention_is_not_written() {
    let scene = Scene::new(Character::ec2());
    let table = scene.backend.table();
    // A route to a machine that is no worker would stand in the way of any claim.
    scene.backend.uproot(&table, &at("10.200.3.0/24"));
    let saved = scene.save().await;
    let narrower = Claim::of(&topology(3).cluster().name, [net("10.200.2.0/23")]);
    scene.backend.set_claim(&table, narrower.clone());
    let fresh = scene.plan().await;
    assert!(matches!(fresh.plan.readable().next().expect("a table").claim, ClaimState::ToSet(_)));
    let cut = scene.reconciler.cut_down(fresh, &saved).expect("no route has moved");
    assert_eq!(cut.plan.readable().next().expect("a table").claim, ClaimState::None);
    tokio::time::advance(std::time::Duration::from_mins(1)).await;
    let report = scene.reconciler.apply(cut, &|_| {}).await.expect("a report");
    assert_eq!(report.tally().done, saved.size());
    assert_eq!(scene.backend.claims(&table), std::slice::from_ref(&narrower));

    // One that it does mention is.
    let scene = Scene::new(Character::ec2());
    scene.backend.uproot(&table, &at("10.200.3.0/24"));
    scene.backend.set_claim(&table, narrower);
    let saved = scene.save().await;
    let cut = scene.reconciler.cut_down(scene.plan().await, &saved).expect("nothing has moved");
    tokio::time::advance(std::time::Duration::from_mins(1)).await;
    scene.reconciler.apply(cut, &|_| {}).await.expect("a report");
    assert_eq!(scene.backend.claims(&table), [Claim::of(&topology(3).cluster().name, [net("10.200.0.0/16")])]);
}

#[tokio::test(start_paused = true)]
async fn one_byte_of_a_file_changed_is_never_taken_for_the_plan_that_was_saved() {
    let scene = Scene::new(Character::ec2());
    let saved = scene.save().await;
    let text = saved.to_text();
    for at in 0..text.len() {
        for byte in [b'0', b'x', b'"', b'}', b' '] {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = byte;
            if let Ok(read) = SavedPlan::parse(&bytes) {
                assert_eq!(read, saved, "byte {at} as {byte}");
            }
        }
        let whole = SavedPlan::parse(&text.as_bytes()[..at]).is_ok();
        assert!(!whole || at + 1 == text.len(), "the first {at} bytes");
    }
    assert_eq!(SavedPlan::parse(b""), Err(Unusable::Foreign(Some("it is empty".to_owned()))));
    assert_eq!(SavedPlan::parse(&text.as_bytes()[..400]), Err(Unusable::Truncated));
    assert_eq!(SavedPlan::parse(b"{\"format\": 1}"), Err(Unusable::Foreign(None)));
    assert_eq!(SavedPlan::parse(b"{\"kind\": \"kroutes-plan\", \"format\": 7}"), Err(Unusable::Format(7)));
}

const FORMAT: ProviderFormat = ProviderFormat {
    name: "aws",
    needs_address: false,
    worker: |_| Ok(None),
    section: |_| Ok(()),
    node: |_| NodeId::OtherCloud,
};

fn digest(text: &str, variables: &[(&str, &str)]) -> String {
    let variables = variables.iter().map(|(name, value)| (name.into(), value.into()));
    let loaded = load(text, "kroutes.toml", &[FORMAT], &[], variables).expect("loads");
    loaded.digest(&loaded.topology_for("aws").expect("sound"))
}

#[test]
fn a_digest_is_of_what_a_topology_means_and_tells_none_of_it() {
    let text = "[cluster]\nname = \"kubernetes\"\npod-cidr = \"10.200.0.0/16\"\n[aws]\nregion = \"us-west-2\"\n\
        [[worker]]\nname = \"a\"\npod-cidr = \"10.200.0.0/24\"\n[[worker]]\nname = \"b\"\npod-cidr = \"10.200.1.0/24\"\n";
    let same = digest(text, &[]);
    assert_eq!(same.len(), "sha256:".len() + 64);
    let turned = "# A comment\n[aws]\nregion   =  'us-west-2'\n\n[[worker]]\npod-cidr = \"10.200.1.0/24\"\nname = \"b\"\n\
        [[worker]]\nname = \"a\"\npod-cidr = \"10.200.0.0/24\"\n[cluster]\npod-cidr = \"10.200.0.0/16\"\nname = \"kubernetes\"\n";
    assert_eq!(digest(turned, &[]), same);
    let elsewhere = text.replace("us-west-2", "eu-west-1");
    assert_eq!(digest(&elsewhere, &[("KROUTES_TOPOLOGY__AWS__REGION", "us-west-2")]), same);
    for other in [
        elsewhere,
        text.replace("10.200.1.0/24", "10.200.2.0/24"),
        text.replace("\"b\"", "\"c\""),
        text.replace("10.200.0.0/16", "10.200.0.0/15"),
        text.replace("name = \"kubernetes\"", "name = \"other\""),
        text.replace("[[worker]]\nname = \"b\"", "[[worker]]\naddress = \"10.240.0.9\"\nname = \"b\""),
    ] {
        assert_ne!(digest(&other, &[]), same, "{other}");
    }
}
