//! Ranges as an endpoint shows them.

use ipnet::IpNet;
use kroutes_aws::{AwsSettings, TableRef};
use kroutes_core::{Cluster, Destination, NextHop, Route, RouteBackend, TableId};
use kroutes_lab::model::{self, Origin};
use kroutes_lab::{Lab, Options, Seed, SeedInstance};

use crate::bench::open;

/// EC2 stores `100.68.0.18/18` as `100.68.0.0/18`, and a plan that compared texts never became empty. Endpoints that stand
/// in for EC2 show host bits as they were given; moto 5 is one.
#[tokio::test]
async fn a_route_that_is_shown_with_host_bits_is_as_wanted() {
    let seed = Seed { instances: vec![SeedInstance::named("worker-0")], ..Seed::default() };
    let lab = Lab::start(seed, Options::default()).await.expect("a port");
    let (table, vpc) = lab.cloud(|cloud| {
        let (id, table) = cloud.tables.iter().next().expect("the main table");
        (TableId(id.clone()), table.vpc.clone())
    });
    let instance = lab.cloud(|cloud| cloud.instance_named("worker-0")).expect("an instance");
    let shown: IpNet = "100.68.0.18/18".parse().expect("a network");
    lab.change(|cloud| {
        let target = cloud.instance_target(&instance).expect("one interface");
        let destination = model::Destination::Net(shown);
        cloud.put_route(&table.0, model::Route { destination, target, origin: Origin::CreateRoute });
    });

    let cluster = Cluster {
        name: "kubernetes".parse().expect("a name"),
        pod_cidrs: vec!["100.64.0.0/10".parse().expect("a range")],
        service_cidrs: Vec::new(),
    };
    let settings = AwsSettings { route_table: vec![TableRef::Vpc(vpc)], ..AwsSettings::default() };
    let backend = open(&lab, &settings, &cluster).await;
    let wanted = Route {
        destination: "100.68.0.0/18".parse().expect("a range"),
        next_hop: NextHop::Instance(instance),
        worker: "worker-0".parse().expect("a name"),
    };
    let listed = backend.list_routes(&table).await.expect("a listing").routes;
    let found = listed.iter().find(|route| route.is_as_wanted(&wanted));
    let found = found.unwrap_or_else(|| panic!("not taken for the same: {listed:#?}"));
    assert_eq!(found.destination, Destination::net(shown.trunc()));
}
