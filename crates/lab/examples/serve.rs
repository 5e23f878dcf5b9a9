//! Keeps a lab up, to be tried with `aws`, boto3 or `gcloud` by hand: `cargo run -p kroutes-lab --example serve -- PORT`.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::Write;

use kroutes_core::{Cluster, MachineRef, Topology, Worker};
use kroutes_lab::{Lab, Options, Seed, TableWish};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let port = std::env::args().nth(1).map(|port| port.parse()).transpose()?;
    let options = Options { port, ..Options::default() };
    let workers = (0..3_u8).map(|n| {
        let name = format!("worker-{n}");
        Ok(Worker {
            name: name.parse()?,
            pod_cidrs: vec![format!("10.200.{n}.0/24").parse()?],
            addresses: vec![format!("10.240.0.{}", 20 + n).parse()?],
            machine: MachineRef::Export(format!("hard-k8s-{name}")),
        })
    });
    let workers = workers.collect::<Result<_, Box<dyn Error>>>()?;
    let cluster =
        Cluster { name: "kubernetes".parse()?, pod_cidrs: vec!["10.200.0.0/16".parse()?], service_cidrs: Vec::new() };
    let topology = Topology::new(cluster, workers).map_err(|faults| format!("{faults:?}"))?;
    let name = BTreeMap::from([("Name".to_owned(), "kubernetes".to_owned())]);
    let wishes = [TableWish::Tags(name), TableWish::Export("hard-k8s-rtb".to_owned())];
    let seed = Seed::for_topology(&topology, &wishes).with_network(&topology, "kubernetes");
    let mut lab = Lab::start(seed, options).await?;
    let mut out = std::io::stdout();
    writeln!(out, "export AWS_ENDPOINT_URL={} AWS_REGION={}", lab.endpoint(), lab.region())?;
    writeln!(out, "export AWS_ACCESS_KEY_ID=lab AWS_SECRET_ACCESS_KEY=lab")?;
    writeln!(out, "export CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE={}", lab.compute_endpoint())?;
    writeln!(out, "export CLOUDSDK_CORE_PROJECT={} CLOUDSDK_CORE_CHECK_GCE_METADATA=false", lab.project())?;
    writeln!(out, "export GCE_METADATA_HOST={}", lab.endpoint().trim_start_matches("http://"))?;
    writeln!(
        out,
        "# gcloud wants its access token, {}, in the file CLOUDSDK_AUTH_ACCESS_TOKEN_FILE",
        Lab::ACCESS_TOKEN
    )?;
    out.flush()?;
    lab.run().await;
    Ok(())
}
