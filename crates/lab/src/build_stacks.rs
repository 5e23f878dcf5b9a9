//! From a seed to stacks that export what it has: as if the network and the instances had been made by `CloudFormation`.
//!
//! The guide that works this way keeps its network in one stack and its machines in another, and asks the first for its
//! outputs by its name. So the names of the stacks follow from those of the exports: `hard-k8s-rtb` is an export of
//! `hard-k8s-network`, beside `hard-k8s-vpc` and `hard-k8s-subnet`.

use std::collections::BTreeSet;

use crate::model::{LAUNCHED, StackOrder, StackOutput};
use crate::{Cloud, SeedExport};

/// A table whose id is exported.
pub(crate) struct ExportedTable {
    pub(crate) export: String,
    pub(crate) id: String,
    pub(crate) vpc: String,
    pub(crate) subnet: Option<String>,
}

/// An instance whose id is exported.
pub(crate) struct ExportedInstance {
    pub(crate) export: String,
    pub(crate) id: String,
    pub(crate) name: String,
}

/// All that is exported.
#[derive(Default)]
pub(crate) struct Exported {
    pub(crate) tables: Vec<ExportedTable>,
    pub(crate) instances: Vec<ExportedInstance>,
    pub(crate) literals: Vec<SeedExport>,
}

/// Makes the stacks. Nothing is exported twice: the first of one name stays.
pub(crate) fn build(cloud: &mut Cloud, exported: &Exported) {
    let mut stacks = Stacks::default();
    // What was asked for goes before what only rounds it off.
    let wanted = exported.tables.iter().map(|it| &it.export).chain(exported.instances.iter().map(|it| &it.export));
    let wanted: BTreeSet<String> = wanted.chain(exported.literals.iter().map(|it| &it.name)).cloned().collect();
    for table in &exported.tables {
        let prefix = prefix(&table.export);
        let name = stack_name(prefix, "network");
        stacks.output(&name, "RouteTableId", Some(&table.export), &table.id);
        let others = [("VpcId", "vpc", Some(&table.vpc)), ("SubnetId", "subnet", table.subnet.as_ref())];
        for (key, noun, value) in others {
            let export = if prefix.is_empty() { noun.to_owned() } else { format!("{prefix}-{noun}") };
            if let Some(value) = value.filter(|_| !wanted.contains(&export)) {
                stacks.output(&name, key, Some(&export), value);
            }
        }
    }
    let network = exported.tables.first().map_or("", |table| prefix(&table.export));
    for instance in &exported.instances {
        let kin = instance.export.strip_prefix(network).is_some_and(|rest| rest.starts_with('-'));
        let name = stack_name(if kin { network } else { "" }, "instances");
        stacks.output(&name, &logical_id(&instance.name), Some(&instance.export), &instance.id);
    }
    for export in &exported.literals {
        stacks.output("exports", &logical_id(&export.name), Some(&export.name), &export.value);
    }
    for order in stacks.orders {
        let id = cloud.new_stack_id(&order.name);
        // Names and exports are distinct, and nothing is made that could fail.
        let _made = cloud.create_stack(id, order);
    }
}

#[derive(Default)]
struct Stacks {
    orders: Vec<StackOrder>,
    exports: BTreeSet<String>,
}

impl Stacks {
    fn output(&mut self, stack: &str, key: &str, export: Option<&str>, value: &str) {
        if export.is_some_and(|export| !self.exports.insert(export.to_owned())) {
            return;
        }
        let position = self.orders.iter().position(|order| order.name == stack).unwrap_or_else(|| {
            let order = StackOrder { name: stack.to_owned(), created: LAUNCHED.to_owned(), ..StackOrder::default() };
            self.orders.push(order);
            self.orders.len() - 1
        });
        let outputs = &mut self.orders[position].outputs;
        let taken = |key: &str| outputs.iter().any(|output| output.key == key);
        let mut key = key.to_owned();
        if taken(&key) {
            key = format!("{key}{}", outputs.len());
        }
        outputs.push(StackOutput {
            key,
            value: value.to_owned(),
            description: None,
            export: export.map(str::to_owned),
        });
    }
}

/// What comes before the last dash.
fn prefix(export: &str) -> &str {
    export.rsplit_once('-').map_or("", |(prefix, _)| prefix)
}

/// A name that a stack can have: letters, digits and dashes, a letter first.
fn stack_name(prefix: &str, noun: &str) -> String {
    let plain: String = prefix.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    match plain.chars().next() {
        None => noun.to_owned(),
        Some(first) if first.is_ascii_alphabetic() => format!("{plain}-{noun}"),
        Some(_) => format!("lab-{plain}-{noun}"),
    }
}

/// `worker-0` as `Worker0`: an output's key is alphanumeric.
fn logical_id(name: &str) -> String {
    let mut id = String::new();
    for part in name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty()) {
        let (first, rest) = part.split_at(1);
        id.push_str(&first.to_ascii_uppercase());
        id.push_str(rest);
    }
    if id.is_empty() { "Id".to_owned() } else { id }
}
