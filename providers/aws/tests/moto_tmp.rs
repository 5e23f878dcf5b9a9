//! tmp
use std::sync::Arc;
use kroutes_aws::*;
use kroutes_core::*;
#[tokio::test]
async fn moto() {
    let Ok(endpoint) = std::env::var("MOTO") else { return };
    let settings = AwsSettings { route_table: vec![TableRef::Name("kubernetes".into())], ..AwsSettings::default() };
    let cluster = Cluster { name: "kubernetes".parse().unwrap(), pod_cidrs: vec!["10.200.0.0/16".parse().unwrap()], service_cidrs: vec![] };
    let gate = Arc::new(Gate::new(gate_settings()));
    let c = Connection::Fixed { endpoint, region: "us-west-2".into(), access_key_id: "x".into(), secret_access_key: "y".into() };
    let backend = AwsBackend::open(&settings, &cluster, gate.clone(), c).await.unwrap();
    let workers: Vec<Worker> = (0..3).map(|i| Worker { name: format!("worker{i}").parse().unwrap(), pod_cidrs: vec![format!("10.200.{i}.0/24").parse().unwrap()], addresses: vec![], machine: MachineRef::Name(format!("worker{i}")) }).collect();
    let o = backend.observe(&workers).await.unwrap();
    println!("{o:#?}");
    let t = o.tables[0].table.as_ref().unwrap().id.clone();
    for f in o.findings.iter().filter_map(|f| f.fix.as_ref()) { backend.fix(f).await.unwrap(); }
    let claim = Claim::of(&cluster.name, cluster.pod_cidrs.iter().map(ClusterCidr::net));
    backend.fix(&Fix::SetClaim { table: t.clone(), claim: claim.clone() }).await.unwrap();
    for w in &workers {
        let r = Route { destination: w.pod_cidrs[0], next_hop: o.next_hops[&w.pod_cidrs[0]].clone().unwrap(), worker: w.name.clone() };
        backend.create_route(&t, &r).await.unwrap();
        backend.create_route(&t, &r).await.unwrap();
    }
    let o = backend.observe(&workers).await.unwrap();
    println!("AFTER {o:#?}");
    let l = backend.list_routes(&t).await.unwrap();
    for r in l.routes.iter().filter(|r| r.origin == Origin::Static && r.destination.to_string().starts_with("10.200")) {
        let to = Route { destination: r.destination.to_string().parse().unwrap(), next_hop: r.next_hops[0].clone(), worker: "worker0".parse().unwrap() };
        backend.replace_route(&t, r, &to).await.unwrap();
        backend.delete_route(&t, r).await.unwrap(); backend.delete_route(&t, r).await.unwrap();
        println!("{:?}", backend.replace_route(&t, r, &to).await);
    }
    backend.fix(&Fix::DropClaim { table: t.clone(), claim }).await.unwrap();
    println!("END {:#?}", backend.list_routes(&t).await.unwrap());
    println!("{:?}", gate.counts());
}
