//! What is read and written of Compute Engine's JSON.
//!
//! Only the fields that mean something here, as the discovery document of Compute v1 has them. Whatever else an answer
//! holds is passed over, and whatever is absent is empty: Google leaves out a list that has nothing in it, and adds
//! fields when it likes. Numbers of 64 bits are texts in this JSON, and stay texts, since nobody computes with them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A route, as `routes.list` and `routes.get` show it.
// The names are Google's.
#[allow(clippy::struct_field_names)]
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Route {
    /// Given by Google, never given again: tells a route from another one that later bears its name.
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) network: String,
    pub(crate) dest_range: String,
    pub(crate) priority: Option<u32>,
    pub(crate) description: Option<String>,
    pub(crate) tags: Vec<String>,
    pub(crate) next_hop_ip: Option<String>,
    pub(crate) next_hop_instance: Option<String>,
    pub(crate) next_hop_gateway: Option<String>,
    pub(crate) next_hop_vpn_tunnel: Option<String>,
    pub(crate) next_hop_ilb: Option<String>,
    pub(crate) next_hop_network: Option<String>,
    pub(crate) next_hop_peering: Option<String>,
    pub(crate) next_hop_hub: Option<String>,
    pub(crate) next_hop_interconnect_attachment: Option<String>,
    pub(crate) route_type: Option<String>,
    pub(crate) route_status: Option<String>,
    pub(crate) warnings: Vec<Warning>,
    pub(crate) self_link: String,
}

/// A warning on a route, on a listing, or on one scope of an aggregated one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Warning {
    pub(crate) code: String,
    pub(crate) message: String,
}

impl Warning {
    /// Whether it says that something was left out. That there is nothing on a page is no such thing.
    pub(crate) fn is_loss(&self) -> bool {
        self.code != "NO_RESULTS_ON_PAGE"
    }
}

/// A route to be made: the body of `routes.insert`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NewRoute {
    pub(crate) name: String,
    pub(crate) network: String,
    pub(crate) dest_range: String,
    pub(crate) next_hop_ip: String,
    /// Sent although it has a default: the discovery document marks it required on insert.
    pub(crate) priority: u32,
    pub(crate) description: String,
}

/// One page of `routes.list`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct RouteList {
    pub(crate) kind: String,
    pub(crate) items: Vec<Route>,
    pub(crate) warning: Option<Warning>,
    pub(crate) next_page_token: Option<String>,
}

/// A write under way, or done; done is not yet well done.
// The names are Google's.
#[allow(clippy::struct_field_names)]
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Operation {
    pub(crate) name: String,
    pub(crate) operation_type: String,
    pub(crate) target_link: String,
    pub(crate) status: String,
    /// The `requestId` of the call that began it.
    pub(crate) client_operation_id: Option<String>,
    pub(crate) error: Option<OperationError>,
    pub(crate) http_error_status_code: Option<u16>,
    pub(crate) http_error_message: Option<String>,
    pub(crate) insert_time: Option<String>,
    pub(crate) self_link: String,
}

/// Why an operation failed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct OperationError {
    pub(crate) errors: Vec<Warning>,
}

/// One page of `globalOperations.list`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct OperationList {
    pub(crate) kind: String,
    pub(crate) items: Vec<Operation>,
    pub(crate) next_page_token: Option<String>,
}

/// A virtual machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Instance {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) zone: String,
    pub(crate) status: String,
    pub(crate) can_ip_forward: bool,
    pub(crate) self_link: String,
    pub(crate) network_interfaces: Vec<NetworkInterface>,
    pub(crate) metadata: Metadata,
    pub(crate) labels: BTreeMap<String, String>,
}

/// A virtual machine's leg in one network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct NetworkInterface {
    pub(crate) network: String,
    #[serde(rename = "networkIP")]
    pub(crate) network_ip: Option<String>,
    pub(crate) ipv6_address: Option<String>,
    pub(crate) alias_ip_ranges: Vec<AliasIpRange>,
}

/// Addresses that lead to an interface besides its primary one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct AliasIpRange {
    pub(crate) ip_cidr_range: String,
}

/// What is written into a virtual machine for its programs to read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Metadata {
    pub(crate) items: Vec<MetadataItem>,
}

/// One entry of [`Metadata`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct MetadataItem {
    pub(crate) key: String,
    pub(crate) value: Option<String>,
}

/// One page of `instances.aggregatedList`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct AggregatedInstances {
    pub(crate) kind: String,
    /// By scope: `zones/us-west1-a`.
    pub(crate) items: BTreeMap<String, ScopedInstances>,
    /// Scopes that did not answer: the listing is short of them.
    pub(crate) unreachables: Vec<String>,
    pub(crate) warning: Option<Warning>,
    pub(crate) next_page_token: Option<String>,
}

/// The instances of one scope.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct ScopedInstances {
    pub(crate) instances: Vec<Instance>,
    pub(crate) warning: Option<Warning>,
}

impl AggregatedInstances {
    /// Whether every scope told all that this page has of it.
    pub(crate) fn is_complete(&self) -> bool {
        let mut warnings = self.items.values().filter_map(|scope| scope.warning.as_ref()).chain(&self.warning);
        self.unreachables.is_empty() && !warnings.any(Warning::is_loss)
    }

    /// The instances of all scopes.
    pub(crate) fn into_instances(self) -> impl Iterator<Item = Instance> {
        self.items.into_values().flat_map(|scope| scope.instances)
    }
}

/// A VPC network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Network {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) self_link: String,
}

/// Which of the permissions that were asked about the caller has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Held {
    pub(crate) permissions: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_that_failed_is_read_with_its_errors() {
        let operation: Operation = serde_json::from_str(
            r#"{"kind":"compute#operation","id":"7128781782343432816","name":"operation-1","operationType":"insert",
                "targetLink":"https://www.googleapis.com/compute/v1/projects/p/global/routes/r","status":"DONE","progress":100,
                "clientOperationId":"c1","error":{"errors":[{"code":"QUOTA_EXCEEDED","message":"Quota exceeded.",
                "errorDetails":[{"quotaInfo":{"limit":200}}]}]},"httpErrorStatusCode":403,"httpErrorMessage":"FORBIDDEN"}"#,
        )
        .expect("operation");
        let error = operation.error.expect("error");
        assert_eq!((operation.status.as_str(), error.errors[0].code.as_str()), ("DONE", "QUOTA_EXCEEDED"));
        assert_eq!(operation.http_error_status_code, Some(403));
        assert_eq!(operation.client_operation_id.as_deref(), Some("c1"));
    }

    #[test]
    fn an_empty_page_with_a_token_is_a_page_and_not_the_end() {
        let page: RouteList =
            serde_json::from_str(r#"{"kind":"compute#routeList","nextPageToken":"t"}"#).expect("page");
        assert_eq!((page.items.len(), page.next_page_token.as_deref()), (0, Some("t")));
    }

    #[test]
    fn a_subnet_route_and_a_default_route_are_read() {
        let page: RouteList = serde_json::from_str(
            r#"{"items":[{"id":"18446744073709551615","name":"default-route-1","destRange":"10.240.0.0/24","priority":0,
                "nextHopNetwork":"projects/p/global/networks/n","routeType":"SUBNET"},
                {"name":"default","destRange":"0.0.0.0/0","priority":1000,"nextHopGateway":"g","asPaths":[]}]}"#,
        )
        .expect("page");
        assert_eq!(page.items[0].id, "18446744073709551615");
        assert_eq!(page.items[0].next_hop_network.as_deref(), Some("projects/p/global/networks/n"));
        assert_eq!(page.items[1].next_hop_gateway.as_deref(), Some("g"));
    }

    #[test]
    fn a_new_route_is_sent_in_googles_words() {
        let route = NewRoute {
            name: "r".to_owned(),
            network: "projects/p/global/networks/n".to_owned(),
            dest_range: "10.200.0.0/24".to_owned(),
            next_hop_ip: "10.240.0.30".to_owned(),
            priority: 1000,
            description: "kroutes cluster=kubernetes".to_owned(),
        };
        let expected = serde_json::json!({"name": "r", "network": "projects/p/global/networks/n",
            "destRange": "10.200.0.0/24", "nextHopIp": "10.240.0.30", "priority": 1000,
            "description": "kroutes cluster=kubernetes"});
        assert_eq!(serde_json::to_value(route).expect("json"), expected);
    }

    fn instances(rest: &str) -> AggregatedInstances {
        let text = format!(
            r#"{{"items":{{"zones/z-a":{{"instances":[{{"name":"w","canIpForward":true,"status":"RUNNING",
                "networkInterfaces":[{{"network":"n","networkIP":"10.240.0.30","ipv6Address":"fd20::1",
                "aliasIpRanges":[{{"ipCidrRange":"10.9.0.0/24"}}]}}],
                "metadata":{{"items":[{{"key":"pod-cidr","value":"10.200.0.0/24"}}]}}}}]}},
                "zones/z-b":{{"warning":{{"code":"NO_RESULTS_ON_PAGE","message":"none"}}}}{rest}}}"#
        );
        serde_json::from_str(&text).expect("listing")
    }

    #[test]
    fn an_instance_is_read_with_its_interfaces_and_metadata() {
        let listing = instances("}");
        let instance = &listing.items["zones/z-a"].instances[0];
        assert!(instance.can_ip_forward);
        assert_eq!(instance.network_interfaces[0].network_ip.as_deref(), Some("10.240.0.30"));
        assert_eq!(instance.network_interfaces[0].ipv6_address.as_deref(), Some("fd20::1"));
        assert_eq!(instance.network_interfaces[0].alias_ip_ranges[0].ip_cidr_range, "10.9.0.0/24");
        assert_eq!(instance.metadata.items[0].value.as_deref(), Some("10.200.0.0/24"));
    }

    #[test]
    fn a_listing_that_is_short_of_a_zone_is_incomplete() {
        assert!(instances("}").is_complete());
        assert!(!instances(r#"},"unreachables":["zones/z-c"]"#).is_complete());
        assert!(!instances(r#"},"warning":{"code":"UNREACHABLE","message":"no"}"#).is_complete());
        assert!(!instances(r#","zones/z-c":{"warning":{"code":"UNREACHABLE","message":"no"}}}"#).is_complete());
    }
}
