//! A topology of more tables than one page of `DescribeRouteTables` holds: the one listing on EC2 whose second page can fail.

use crate::bench::{Ec2, options};
use kroutes_testkit::{Bench as _, cases, run};

/// One table more than fit on the largest page, which holds a hundred (EC2 API Reference, `DescribeRouteTables`).
fn two_pages() -> Ec2 {
    Ec2::new(options()).with_more_tables(100)
}

/// A listing whose second page failed was taken for the whole.
#[test]
fn an_observation_whose_second_page_failed_is_not_taken_for_the_whole() {
    let name = "an_observation_whose_second_page_failed_is_not_taken_for_the_whole";
    let case = cases().into_iter().find(|case| case.name == name).expect("a case of the suite");
    run(&two_pages(), &case);
}

/// What the case above breaks does work by itself.
#[tokio::test]
async fn tables_on_two_pages_are_all_read() {
    let observation = two_pages().fresh().await.observe().await;
    assert_eq!(observation.tables.len(), 101);
    assert!(observation.tables.iter().all(|reading| reading.table.is_ok()));
}
