//! The contract, served.
//!
//! Every call gives way a few times before its effect, as often as chance says, so that calls made at once really
//! interleave and end in another order than they began.

use std::future::poll_fn;
use std::task::Poll;

use async_trait::async_trait;

use super::failure::{Call, Write};
use super::machine;
use super::store::{SecondStep, Store, no_table};
use super::{MemoryBackend, state::State};
use crate::{
    Capabilities, Check, CheckGroup, Destination, Discovered, Error, ErrorKind, Fix, NextHop, Observation,
    ObservedRoute, Reading, Result, Route, RouteBackend, Selector, Table, TableId, Worker,
};

/// How often a call gives way at most before its effect. Between two steps of one write it is once more, so that whoever
/// lists all the time sees what is there in between.
const MOST_TURNS: u32 = 4;

#[async_trait]
impl RouteBackend for MemoryBackend {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn capabilities(&self) -> Capabilities {
        self.character().capabilities
    }

    async fn observe(&self, workers: &[Worker]) -> Result<Observation> {
        self.begin(Call::Observe).await;
        let mut guard = self.state();
        let state = &mut *guard;
        if let Some(struck) = state.strike(Call::Observe, None, None) {
            return Err(struck.error);
        }
        let mut observation = Observation::default();
        let ids: Vec<TableId> = state.tables.keys().cloned().collect();
        for id in ids {
            observation.tables.push(Reading { wanted: id.0.clone(), table: self.read(state, &id) });
        }
        for (wanted, error) in &state.missing {
            observation.tables.push(Reading { wanted: wanted.clone(), table: Err(error.clone()) });
        }
        for worker in workers {
            let found = machine::find(&state.machines, worker, self.character().hops);
            for cidr in &worker.pod_cidrs {
                let hop = found
                    .as_ref()
                    .map_err(Error::clone)
                    .and_then(|machine| machine::next_hop(machine, worker, *cidr, self.character()));
                observation.next_hops.insert(*cidr, hop);
            }
            if let Ok(machine) = found {
                observation.machines.insert(machine.id.clone(), worker.name.clone());
                observation.findings.extend(machine::findings(machine, worker, self.character()));
            }
        }
        Ok(observation)
    }

    async fn discover(&self, _: &Selector) -> Result<Discovered> {
        Err(Error::new(ErrorKind::Unsupported, "a cloud in memory is told its machines and knows nothing else of them"))
    }

    async fn list_routes(&self, table: &TableId) -> Result<Table> {
        self.begin(Call::List).await;
        let mut state = self.state();
        match state.strike(Call::List, Some(table), None) {
            Some(struck) => Err(struck.error),
            None => self.read(&mut state, table),
        }
    }

    async fn create_route(&self, table: &TableId, route: &Route) -> Result<()> {
        let write = Write {
            table: Some(table.clone()),
            destination: Some(Destination::Net(route.destination.net())),
            to: Some(route.next_hop.clone()),
            ..Write::of(Call::Create)
        };
        self.write(write, |state| {
            with_table(state, table, |store, machines| store.create(route, self.character(), machines).map(|()| None))
        })
        .await
    }

    async fn replace_route(&self, table: &TableId, from: &ObservedRoute, to: &Route) -> Result<()> {
        let write = Write {
            table: Some(table.clone()),
            destination: Some(Destination::Net(to.destination.net())),
            from: Some(from.clone()),
            to: Some(to.next_hop.clone()),
            ..Write::of(Call::Replace)
        };
        self.write(write, |state| {
            with_table(state, table, |store, machines| store.replace(from, to, self.character(), machines))
        })
        .await
    }

    async fn delete_route(
        &self,
        table: &TableId,
        route: &ObservedRoute,
        standing: Option<&ObservedRoute>,
    ) -> Result<()> {
        let write = Write {
            table: Some(table.clone()),
            destination: Some(route.destination.clone()),
            from: Some(route.clone()),
            ..Write::of(Call::Delete)
        };
        self.write(write, |state| {
            with_table(state, table, |store, _| store.delete(route, standing, self.character()).map(|()| None))
        })
        .await
    }

    async fn fix(&self, fix: &Fix) -> Result<()> {
        let table = match fix {
            Fix::SetClaim { table, .. } | Fix::DropClaim { table, .. } => Some(table),
            Fix::SourceDestCheckOff { .. } => None,
        };
        let write = Write { table: table.cloned(), fix: Some(fix.clone()), ..Write::of(Call::Fix) };
        let character = self.character();
        self.write(write, |state| match fix {
            Fix::SetClaim { .. } | Fix::DropClaim { .. } if character.capabilities.marks => {
                let message = "tables bear no claims here: routes carry marks";
                Err(Error::new(ErrorKind::Unsupported, message))
            }
            Fix::SetClaim { table, .. } | Fix::DropClaim { table, .. } => {
                with_table(state, table, |store, _| store.fix_claim(fix, character).map(|()| None))
            }
            Fix::SourceDestCheckOff { .. } if !character.forwarding_fix => {
                Err(Error::new(ErrorKind::Unsupported, "machines have no source/dest check here"))
            }
            Fix::SourceDestCheckOff { target, .. } => switch_off_check(state, target).map(|()| None),
        })
        .await
    }

    async fn examine(&self, _: Option<&Observation>) -> Vec<Check> {
        vec![Check::pass(CheckGroup::Credentials, "identity", "a cloud in memory asks nobody who they are")]
    }
}

impl Write {
    fn of(call: Call) -> Self {
        Self { call, table: None, destination: None, from: None, to: None, fix: None, outcome: None }
    }
}

fn with_table<T>(
    state: &mut State,
    table: &TableId,
    work: impl FnOnce(&mut Store, &machine::Machines) -> Result<T>,
) -> Result<T> {
    let State { tables, machines, .. } = state;
    work(tables.get_mut(table).ok_or_else(|| no_table(table))?, machines)
}

fn switch_off_check(state: &mut State, target: &NextHop) -> Result<()> {
    let is_it = |machine: &&mut machine::Machine| match target {
        NextHop::Instance(id) => machine.id == *id,
        NextHop::Interface(id) => machine.interfaces.contains(id),
        _ => false,
    };
    let Some(machine) = state.machines.values_mut().filter(|machine| machine.is_live()).find(is_it) else {
        return Err(Error::new(ErrorKind::NotFound, format!("{} `{target}` is not there", target.kind())));
    };
    if machine.interfaces.len() > 1 && matches!(target, NextHop::Instance(_)) {
        let message = format!("there are multiple interfaces attached to instance `{target}`");
        return Err(Error::new(ErrorKind::Invalid, message).help("name the interface instead"));
    }
    machine.forwards = true;
    Ok(())
}

impl MemoryBackend {
    /// Counts a call, gives way to others, and lets happen what is due before it.
    async fn begin(&self, call: Call) {
        let turns = {
            let mut state = self.state();
            state.count(call);
            state.chance.u32(1..=MOST_TURNS)
        };
        for _ in 0..turns {
            give_way().await;
        }
        let due = self.state().due(call);
        for happening in due {
            (happening.work)(self);
        }
    }

    async fn write(
        &self,
        write: Write,
        effect: impl FnOnce(&mut State) -> Result<Option<SecondStep>> + Send,
    ) -> Result<()> {
        let (call, table, destination) = (write.call, write.table.clone(), write.destination.clone());
        let place = table.clone().zip(destination.clone());
        let (index, _under_way) = {
            let mut state = self.state();
            let index = state.writes.len();
            state.writes.push(write.clone());
            assert!(!state.forbidden, "a write where only reading is allowed: {write:?}");
            state.under_way_in_all += 1;
            state.most_at_once = state.most_at_once.max(state.under_way_in_all);
            if let Some(place) = &place {
                let count = state.under_way.entry(place.clone()).or_default();
                *count += 1;
                if *count > 1 {
                    state.overlaps.push(place.1.clone());
                }
            }
            (index, UnderWay { backend: self, place })
        };
        self.begin(call).await;
        let (done, lost) = {
            let mut state = self.state();
            match state.strike(call, table.as_ref(), destination.as_ref()) {
                Some(struck) if struck.after => (effect(&mut state), Some(struck.error)),
                Some(struck) => (Err(struck.error), None),
                None => (effect(&mut state), None),
            }
        };
        let done = match (done, &table) {
            (Ok(Some(step)), Some(table)) => {
                for _ in 0..=MOST_TURNS {
                    give_way().await;
                }
                with_table(&mut self.state(), table, |store, _| store.finish(step, self.character()))
            }
            (done, _) => done.map(|_| ()),
        };
        let result = done.and_then(|()| lost.map_or(Ok(()), Err));
        // A test may have begun afresh while this write was on its way.
        if let Some(write) = self.state().writes.get_mut(index) {
            write.outcome = Some(result.as_ref().copied().map_err(Error::kind));
        }
        result
    }

    /// One table, page by page: complete or an error.
    fn read(&self, state: &mut State, table: &TableId) -> Result<Table> {
        let store = state.tables.get_mut(table).ok_or_else(|| no_table(table))?;
        if let Some(error) = &store.unreadable {
            return Err(error.clone());
        }
        let (moment, quotas, location) = (store.list(), store.quotas(self.character()), store.location.clone());
        for _ in 0..moment.routes.len().div_ceil(self.character().page.max(1)).max(1) {
            state.count(Call::Page);
            if let Some(struck) = state.strike(Call::Page, Some(table), None) {
                return Err(struck.error);
            }
        }
        let routes = moment.routes.iter().map(|route| machine::as_shown(route, &state.machines)).collect();
        Ok(Table { id: table.clone(), location, routes, quotas, claims: moment.claims })
    }
}

/// Keeps the count of writes on their way right even when one is dropped before its end.
struct UnderWay<'a> {
    backend: &'a MemoryBackend,
    place: Option<(TableId, Destination)>,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let mut state = self.backend.state();
        state.under_way_in_all -= 1;
        if let Some(count) = self.place.as_ref().and_then(|place| state.under_way.get_mut(place)) {
            *count -= 1;
        }
    }
}

async fn give_way() {
    let mut given = false;
    poll_fn(|context| {
        if given {
            return Poll::Ready(());
        }
        given = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
