//! What `fix` does: source/dest checks and claims.

use ipnet::IpNet;
use kroutes_core::{Claim, ErrorKind, Finding, Fix, NextHop, Table};

use super::listing::nowhere;
use crate::bench::{Bench, Subject};
use crate::{Outcome, Skip};

async fn mendable(subject: &Subject) -> Vec<Finding> {
    let worker = subject.first_worker();
    let is_it = |finding: &Finding| {
        finding.worker.as_ref() == Some(worker) && matches!(finding.fix, Some(Fix::SourceDestCheckOff { .. }))
    };
    subject.observe().await.findings.into_iter().filter(is_it).collect()
}

/// The route is right and the provider drops the packets; mending it twice is no error.
pub async fn a_check_that_stops_packets_is_found_fixed_and_gone(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    subject.outside.forbid_forwarding(subject.first_worker()).await?;
    let found = mendable(&subject).await;
    let [finding] = &found[..] else { panic!("not one finding: {found:#?}") };
    let fix = finding.fix.as_ref().expect("a fix");
    for _ in 0..2 {
        subject.backend.fix(fix).await.expect("fixed");
    }
    for _ in 0..60 {
        if mendable(&subject).await.is_empty() {
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("it is fixed and still found");
}

/// Nothing is mended in silence.
pub async fn a_fix_for_what_is_not_there_is_an_error(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    let route = subject.wanted().await.remove(0);
    let target = match route.next_hop {
        NextHop::Instance(id) => NextHop::Instance(nowhere(&kroutes_core::TableId(id)).0),
        NextHop::Interface(id) => NextHop::Interface(nowhere(&kroutes_core::TableId(id)).0),
        other => other,
    };
    let fix = Fix::SourceDestCheckOff { worker: route.worker, target };
    let error = subject.backend.fix(&fix).await.expect_err("nothing to fix there");
    assert!(matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Unsupported), "{error}");
    Ok(())
}

/// kubernetes-sigs/cloud-provider-azure#11003, #11007: a failed write was reported as success for two years.
pub async fn a_refused_fix_reaches_the_caller(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    let claim = claims(&subject)?;
    subject.outside.refuse_writes(true).await?;
    let result = subject.backend.fix(&set(&subject, &claim)).await;
    assert!(result.is_err(), "the write was refused, and the caller was told that all is well");
    subject.outside.refuse_writes(false).await?;
    assert_eq!(subject.after_all().await.claims, []);
    Ok(())
}

/// The claim of the subject's cluster.
fn claims(subject: &Subject) -> Result<Claim, Skip> {
    if subject.capabilities().marks {
        return Err(Skip::NotApplicable("routes carry marks"));
    }
    let cluster = subject.topology.cluster();
    Ok(Claim::of(&cluster.name, cluster.pod_cidrs.iter().map(kroutes_core::ClusterCidr::net)))
}

fn set(subject: &Subject, claim: &Claim) -> Fix {
    Fix::SetClaim { table: subject.table.clone(), claim: claim.clone() }
}

fn drop_claim(subject: &Subject, claim: &Claim) -> Fix {
    Fix::DropClaim { table: subject.table.clone(), claim: claim.clone() }
}

fn bears(claim: &Claim) -> impl Fn(&Table) -> bool + '_ {
    |table| table.claims.contains(claim)
}

/// The whole life of a claim.
pub async fn a_claim_can_be_set_read_and_dropped(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    let claim = claims(&subject)?;
    let routes = subject.list().await.routes;
    subject.backend.fix(&set(&subject, &claim)).await.expect("claimed");
    let table = subject.settled("the claim is read", bears(&claim)).await;
    assert_eq!(table.claims, std::slice::from_ref(&claim));
    subject.backend.fix(&drop_claim(&subject, &claim)).await.expect("dropped");
    let table = subject.settled("the claim is gone", |table| table.claims.is_empty()).await;
    assert_eq!(table.routes, routes, "a claim touches no route");
    Ok(())
}

/// Again is `Ok`.
pub async fn setting_and_dropping_a_claim_again_is_ok(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    let claim = claims(&subject)?;
    for _ in 0..2 {
        subject.backend.fix(&set(&subject, &claim)).await.expect("claimed");
    }
    subject.settled("the claim is read", bears(&claim)).await;
    assert_eq!(subject.after_all().await.claims.len(), 1);
    for _ in 0..2 {
        subject.backend.fix(&drop_claim(&subject, &claim)).await.expect("dropped");
    }
    subject.settled("the claim is gone", |table| table.claims.is_empty()).await;
    Ok(())
}

/// A cluster whose ranges have grown has one claim, the new one.
pub async fn a_claim_takes_the_place_of_an_older_one_of_its_cluster(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    let claim = claims(&subject)?;
    let narrow: IpNet = subject.spare().net();
    let older = Claim::of(&subject.topology.cluster().name, [narrow]);
    subject.backend.fix(&set(&subject, &older)).await.expect("claimed");
    subject.settled("the older claim is read", bears(&older)).await;
    subject.backend.fix(&set(&subject, &claim)).await.expect("claimed");
    let table = subject.settled("the new claim is read", bears(&claim)).await;
    assert_eq!(table.claims, [claim]);
    Ok(())
}

/// Two clusters may share a table.
pub async fn the_claims_of_others_stay(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    let claim = claims(&subject)?;
    let name = "somebody-else".parse().expect("a name");
    let theirs = Claim::of(&name, ["198.18.0.0/24".parse().expect("a network")]);
    subject.backend.fix(&set(&subject, &theirs)).await.expect("claimed");
    subject.backend.fix(&set(&subject, &claim)).await.expect("claimed");
    subject.settled("both are read", |table| bears(&claim)(table) && bears(&theirs)(table)).await;
    subject.backend.fix(&drop_claim(&subject, &claim)).await.expect("dropped");
    let table = subject.settled("ours is gone", |table| !bears(&claim)(table)).await;
    assert_eq!(table.claims, [theirs]);
    Ok(())
}

/// Where a route says whose it is, a table need not.
pub async fn where_routes_carry_marks_claims_are_unsupported(bench: &dyn Bench) -> Outcome {
    let subject = bench.fresh().await;
    if !subject.capabilities().marks {
        return Err(Skip::NotApplicable("routes carry no marks"));
    }
    let claim = Claim::of(&subject.topology.cluster().name, [subject.spare().net()]);
    let error = subject.backend.fix(&set(&subject, &claim)).await.expect_err("no claims");
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    Ok(())
}
