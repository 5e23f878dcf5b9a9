//! What a Kubernetes node's provider id says of its machine here.

use kroutes_core::{MachineRef, NodeId};

/// Reads a node's `spec.providerID`: `aws:///ZONE/i-…`, `aws:////i-…` or a bare `i-…`. A Fargate node, `fargate-…`, is no
/// instance (kubernetes/cloud-provider-aws, `pkg/providers/v1/instances.go`).
pub fn node_id(provider_id: &str) -> NodeId {
    let inside = match provider_id.split_once("://") {
        Some(("aws", rest)) => rest,
        None if is_instance(provider_id) => provider_id,
        _ => return NodeId::OtherCloud,
    };
    let last = inside.rsplit('/').next().unwrap_or_default();
    if is_instance(last) {
        NodeId::Machine(MachineRef::Id(last.to_owned()))
    } else if last.starts_with("fargate-") {
        NodeId::NotAMachine("a Fargate pod")
    } else {
        NodeId::NotAMachine("no instance")
    }
}

fn is_instance(text: &str) -> bool {
    text.strip_prefix("i-").is_some_and(|rest| !rest.is_empty() && !rest.contains('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_provider_id_is_known() {
        let machine = || NodeId::Machine(MachineRef::Id("i-0123456789abcdef0".to_owned()));
        for (text, expected) in [
            ("aws:///us-west-2a/i-0123456789abcdef0", machine()),
            ("aws:////i-0123456789abcdef0", machine()),
            ("i-0123456789abcdef0", machine()),
            ("aws:///us-west-2a/fargate-10.0.1.20", NodeId::NotAMachine("a Fargate pod")),
            ("aws:///us-west-2a/", NodeId::NotAMachine("no instance")),
            ("gce://project/zone/name", NodeId::OtherCloud),
            ("eks-hybrid:///us-west-2/cluster/node", NodeId::OtherCloud),
            ("AWS:///us-west-2a/i-0123456789abcdef0", NodeId::OtherCloud),
            ("worker-0", NodeId::OtherCloud),
            ("", NodeId::OtherCloud),
        ] {
            assert_eq!(node_id(text), expected, "{text}");
        }
    }
}
