//! The machines behind the routes.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::character::{Character, HopStyle};
use crate::{
    Error, ErrorKind, Finding, Fix, Life, MachineRef, NextHop, ObservedRoute, PodCidr, Result, RouteState, Severity,
    Target, Worker,
};

/// A machine of the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Its id.
    pub id: String,
    /// What the provider calls it besides.
    pub name: String,
    /// Its interfaces, the primary one first.
    pub interfaces: Vec<String>,
    /// Its addresses inside the network.
    pub addresses: Vec<IpAddr>,
    /// Whether it may forward packets that are not addressed to it (EC2: source/dest check off).
    pub forwards: bool,
    /// Whether it runs.
    pub running: bool,
    /// Whether it exists.
    pub life: Life,
}

impl Machine {
    /// A machine that lives and runs, with one interface, and does not forward.
    pub fn new(id: impl Into<String>, name: impl Into<String>, addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        let id = id.into();
        Self {
            interfaces: vec![format!("eni-{}", id.strip_prefix("i-").unwrap_or(&id))],
            id,
            name: name.into(),
            addresses: addresses.into_iter().collect(),
            forwards: false,
            running: true,
            life: Life::Live,
        }
    }

    pub(super) fn is_live(&self) -> bool {
        self.life == Life::Live
    }

    /// How a call names this machine: by its id, or where that is ambiguous by its primary interface.
    pub(super) fn handle(&self) -> NextHop {
        match self.interfaces.as_slice() {
            [primary, _, ..] => NextHop::Interface(primary.clone()),
            _ => NextHop::Instance(self.id.clone()),
        }
    }

    /// What a route to this machine shows, for a backend that names machines.
    pub(super) fn shown(&self, interface: Option<&str>) -> Vec<NextHop> {
        let interface = interface.or(self.interfaces.first().map(String::as_str));
        let shown = interface.map(|id| NextHop::Interface(id.to_owned()));
        std::iter::once(NextHop::Instance(self.id.clone())).chain(shown).collect()
    }
}

/// All machines, by id.
pub(super) type Machines = BTreeMap<String, Machine>;

/// The machine that is this worker.
pub(super) fn find<'a>(machines: &'a Machines, worker: &Worker, hops: HopStyle) -> Result<&'a Machine> {
    let name = &worker.name;
    if hops == HopStyle::Address && !worker.addresses.is_empty() {
        let found = machines.values().find(|m| m.is_live() && m.addresses.iter().any(|a| worker.addresses.contains(a)));
        return found.ok_or_else(|| {
            let addresses: Vec<_> = worker.addresses.iter().map(ToString::to_string).collect();
            let message = format!("no machine for worker `{name}`: nothing has address `{}`", addresses.join("`, `"));
            Error::new(ErrorKind::NotFound, message)
        });
    }
    match &worker.machine {
        MachineRef::Id(id) => machines.get(id).filter(|machine| machine.is_live()).ok_or_else(|| {
            Error::new(ErrorKind::NotFound, format!("no machine for worker `{name}`: `{id}` is not there"))
        }),
        MachineRef::Address(address) => {
            let found = machines.values().find(|machine| machine.is_live() && machine.addresses.contains(address));
            found.ok_or_else(|| {
                let message = format!("no machine for worker `{name}`: nothing has address `{address}`");
                Error::new(ErrorKind::NotFound, message)
            })
        }
        MachineRef::Export(export) => {
            let message = format!("no machine for worker `{name}`: nothing is exported as `{export}` here");
            Err(Error::new(ErrorKind::Unsupported, message))
        }
        MachineRef::Name(wanted) => {
            let found: Vec<_> = machines.values().filter(|m| m.is_live() && m.name == *wanted).collect();
            match found.as_slice() {
                [one] => Ok(one),
                [] => {
                    let message = format!("no machine for worker `{name}`: nothing is named `{wanted}`");
                    Err(Error::new(ErrorKind::NotFound, message))
                }
                several => {
                    let ids: Vec<_> = several.iter().map(|machine| machine.id.as_str()).collect();
                    let message = format!("several machines are named `{wanted}`: `{}`", ids.join("`, `"));
                    Err(Error::new(ErrorKind::Invalid, message).help("name the machine of the worker by its id"))
                }
            }
        }
    }
}

/// Where packets for this range of the worker's go.
pub(super) fn next_hop(machine: &Machine, worker: &Worker, cidr: PodCidr, character: &Character) -> Result<NextHop> {
    if cidr.is_ipv6() && !character.capabilities.ipv6 {
        let message = format!("`{cidr}` of worker `{}` is IPv6, which this provider does not route", worker.name);
        return Err(Error::new(ErrorKind::Unsupported, message));
    }
    match character.hops {
        HopStyle::Machine => Ok(machine.handle()),
        HopStyle::Address => {
            let fits = |address: &&IpAddr| address.is_ipv6() == cidr.is_ipv6();
            let own = worker.addresses.iter().find(fits).or_else(|| machine.addresses.iter().find(fits));
            own.copied().map(NextHop::Address).ok_or_else(|| {
                let message = format!("worker `{}` has no address of the family of `{cidr}`", worker.name);
                Error::new(ErrorKind::NotFound, message)
            })
        }
    }
}

/// What keeps packets from getting through this worker's machine.
pub(super) fn findings(machine: &Machine, worker: &Worker, character: &Character) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut add = |code, message, fix| {
        let worker = Some(worker.name.clone());
        findings.push(Finding { code, severity: Severity::Error, worker, table: None, message, fix });
    };
    let id = &machine.id;
    if !machine.running {
        add("not-running", format!("`{id}` of worker `{}` does not run", worker.name), None);
    }
    if !machine.forwards && character.forwarding_fix {
        let message =
            format!("source/dest check is on for `{id}` of worker `{}`: pods' packets are dropped", worker.name);
        let fix = Fix::SourceDestCheckOff { worker: worker.name.clone(), target: machine.handle() };
        add("source-dest-check", message, Some(fix));
    } else if !machine.forwards {
        let message = format!("`{id}` of worker `{}` may not forward packets; make it anew with that on", worker.name);
        add("ip-forwarding", message, None);
    }
    findings
}

/// A route as a listing shows it now: what stands behind it may have changed since it was written.
pub(super) fn as_shown(route: &ObservedRoute, machines: &Machines) -> ObservedRoute {
    let mut shown = route.clone();
    match &route.target {
        Target::Machine { id, .. } => {
            if let Some(machine) = machines.get(id) {
                let up = machine.running && !matches!(machine.life, Life::Gone(_));
                shown.state = if up { RouteState::Active } else { RouteState::Blackhole };
                shown.target = Target::Machine { id: id.clone(), life: machine.life.clone() };
            }
        }
        Target::Address | Target::AddressAtRest => {
            let has_it = |machine: &&Machine| {
                machine.is_live() && machine.addresses.iter().any(|address| route.leads_to(&NextHop::Address(*address)))
            };
            let holders: Vec<&Machine> = machines.values().filter(has_it).collect();
            let up = holders.iter().any(|machine| machine.running);
            shown.state = if up { RouteState::Active } else { RouteState::Blackhole };
            shown.target = if up || holders.is_empty() { Target::Address } else { Target::AddressAtRest };
        }
        Target::Detached | Target::NotAMachine(_) => {}
    }
    shown
}
