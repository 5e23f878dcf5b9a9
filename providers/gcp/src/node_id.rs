//! What a Kubernetes node's provider id says of its machine here.

use kroutes_core::{MachineRef, NodeId};

/// Reads a node's `spec.providerID`: `gce://PROJECT/ZONE/NAME` (kubernetes/cloud-provider-gcp, `providers/gce`).
///
/// The project is passed over: in a Shared VPC the nodes are in service projects and the network is in the host project,
/// and whether a machine is in the network is judged by its interfaces.
pub fn node_id(provider_id: &str) -> NodeId {
    let Some(inside) = provider_id.strip_prefix("gce://") else { return NodeId::OtherCloud };
    match inside.split('/').collect::<Vec<_>>().as_slice() {
        [project, zone, name] if !project.is_empty() && !zone.is_empty() && !name.is_empty() => {
            NodeId::Machine(MachineRef::Id(format!("{zone}/{name}")))
        }
        _ => NodeId::NotAMachine("no instance"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_provider_id_is_known() {
        for (text, expected) in [
            ("gce://p/us-west1-a/worker-0", NodeId::Machine(MachineRef::Id("us-west1-a/worker-0".to_owned()))),
            ("gce://p/us-west1-a", NodeId::NotAMachine("no instance")),
            ("gce:///us-west1-a/worker-0", NodeId::NotAMachine("no instance")),
            ("gce://p/z/worker-0/more", NodeId::NotAMachine("no instance")),
            ("aws:///us-west-2a/i-0123456789abcdef0", NodeId::OtherCloud),
            ("worker-0", NodeId::OtherCloud),
            ("", NodeId::OtherCloud),
        ] {
            assert_eq!(node_id(text), expected, "{text}");
        }
    }
}
