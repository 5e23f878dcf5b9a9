//! The same question to each cloud: a world with machines at the same addresses, and whether the routes lead to them.

use kroutes_lab::{Options, Seed, SeedInstance};

use crate::cli::world::{self, World, compute, pod_range};

/// A cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cloud {
    Aws,
    Gcp,
}

pub(super) const BOTH: [Cloud; 2] = [Cloud::Aws, Cloud::Gcp];

/// What a topology says whose workers are in `nodes.json` beside it.
pub(super) const NODE_LIST: &str = "\n[source]\nkind = \"node-list\"\npath = \"nodes.json\"\n";

/// The EC2 half of the seed, with the machines at the addresses that those of Compute Engine have.
pub(super) fn aws_seed(workers: usize) -> Seed {
    let mut seed = world::seed(0);
    let instance = |nth: usize| SeedInstance {
        private_ip: Some(compute::address(nth)),
        ..SeedInstance::named(&format!("worker-{nth}"))
    };
    seed.instances = (0..workers).map(instance).collect();
    seed
}

impl Cloud {
    /// What stands at the top of a topology.
    pub(super) const fn head(self) -> &'static str {
        match self {
            Self::Aws => world::HEAD,
            Self::Gcp => compute::HEAD,
        }
    }

    /// A cloud with so many machines, and a topology that ends like this.
    pub(super) fn world(self, workers: usize, source: &str) -> World {
        let topology = format!("{}{source}", self.head());
        match self {
            Self::Aws => World::new(&topology, aws_seed(workers), Options::default()),
            Self::Gcp => World::new_gcp(&topology, compute::seed(workers), compute::options()),
        }
    }

    /// What Kubernetes has as the `providerID` of a machine.
    pub(super) fn provider_id(self, world: &World, nth: usize) -> String {
        let name = format!("worker-{nth}");
        match self {
            Self::Aws => format!("aws:///us-west-2a/{}", world.instance(&name)),
            Self::Gcp => format!("gce://hard-way/us-west1-a/{name}"),
        }
    }

    /// The machine that the route to this range leads to.
    pub(super) fn leads(self, world: &World, range: &str) -> Option<String> {
        match self {
            Self::Aws => world.leads(range),
            Self::Gcp => {
                let routes = world.to(range);
                assert!(routes.len() < 2, "{range}: {routes:?}");
                let (_, route) = routes.first()?;
                let kroutes_lab::model::compute::Hop::Address(hop) = &route.hop else { return None };
                let nth = (0..100).find(|nth| std::net::IpAddr::from(compute::address(*nth)) == *hop);
                Some(nth.map_or_else(|| hop.to_string(), |nth| format!("worker-{nth}")))
            }
        }
    }

    /// That each of these workers has its route and no other of the first ten has one.
    #[track_caller]
    pub(super) fn assert_routed(self, world: &World, workers: &[usize]) {
        for nth in 0..10 {
            let wanted = workers.contains(&nth).then(|| format!("worker-{nth}"));
            assert_eq!(self.leads(world, &pod_range(nth)), wanted, "{self:?}: {}", pod_range(nth));
        }
    }
}
