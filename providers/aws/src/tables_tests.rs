use aws_sdk_ec2::types::builders::RouteTableBuilder;
use aws_sdk_ec2::types::{RouteTableAssociation, Tag};

use super::*;

fn table(id: &str, name: &str) -> RouteTableBuilder {
    RouteTable::builder().route_table_id(id).vpc_id("vpc-1").tags(Tag::builder().key("Name").value(name).build())
}

fn main_table(id: &str, vpc: &str) -> RouteTable {
    let main = RouteTableAssociation::builder().main(true).build();
    RouteTable::builder().route_table_id(id).vpc_id(vpc).associations(main).build()
}

fn tags(pairs: &[(&str, &str)]) -> TableRef {
    TableRef::Tags(pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
}

#[test]
fn a_name_that_fits_several_tables_is_refused_with_all_of_them() {
    let tables = [table("rtb-1", "k").build(), table("rtb-2", "k").vpc_id("vpc-2").build()];
    let error = choose(&TableRef::Name("k".to_owned()), &tables, "us-west-2").expect_err("ambiguous");
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(error.message(), "the Name tag `k` fits 2 route tables: `rtb-1` (vpc-1), `rtb-2` (vpc-2)");
}

#[test]
fn a_table_that_is_not_there_is_told_with_filter_region_and_remedy() {
    let error = choose(&TableRef::Name("k".to_owned()), &[table("rtb-1", "K").build()], "us-west-2").expect_err("none");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(error.message(), "no route table has the Name tag `k` in region `us-west-2`");
    assert!(error.get("help").is_some_and(|help| help.contains("describe-route-tables --region us-west-2")));
}

#[test]
fn all_tags_have_to_fit() {
    let built = table("rtb-1", "k").tags(Tag::builder().key("env").value("prod").build()).build();
    assert!(means(&tags(&[("Name", "k"), ("env", "prod")]), &built));
    assert!(!means(&tags(&[("Name", "k"), ("env", "test")]), &built));
}

#[test]
fn main_table_and_associated_table_are_told_apart() {
    let served = RouteTableAssociation::builder().main(false).subnet_id("subnet-1").build();
    let associated = table("rtb-1", "k").associations(served).build();
    assert!(means(&TableRef::Subnet("subnet-1".to_owned()), &associated));
    assert!(!means(&TableRef::Vpc("vpc-1".to_owned()), &associated));
    assert!(means(&TableRef::Vpc("vpc-1".to_owned()), &main_table("rtb-2", "vpc-1")));
}

#[test]
fn references_of_one_sort_share_a_listing() {
    let wanted = [
        TableRef::Id("rtb-1".to_owned()),
        TableRef::Name("a".to_owned()),
        TableRef::Id("rtb-2".to_owned()),
        tags(&[("x", "1")]),
        tags(&[("x", "2")]),
        TableRef::Name("b".to_owned()),
    ];
    let mut groups: Vec<Vec<usize>> = listings(&wanted).into_iter().map(|(_, refs)| refs).collect();
    groups.sort();
    assert_eq!(groups, [vec![0, 2], vec![1, 5], vec![3], vec![4]]);
}

#[test]
fn tables_of_several_vpcs_are_refused_with_all_of_them() {
    let one = |id: &str, vpc: &str| Resolved { wanted: "k".to_owned(), table: Ok(main_table(id, vpc)) };
    assert!(one_vpc(&[one("rtb-1", "vpc-1"), one("rtb-2", "vpc-1")]).is_ok());
    let error = one_vpc(&[one("rtb-1", "vpc-1"), one("rtb-2", "vpc-2")]).expect_err("two");
    assert_eq!(error.message(), "the route tables are of several VPCs: `rtb-1` in `vpc-1`; `rtb-2` in `vpc-2`");
}

#[test]
fn one_missing_table_does_not_hide_the_others() {
    let failed = |kind| Resolved { wanted: "k".to_owned(), table: Err(Error::new(kind, "no")) };
    let there = || Resolved { wanted: "k".to_owned(), table: Ok(main_table("rtb-1", "vpc-1")) };
    assert!(worth_something(&[failed(ErrorKind::NotFound), there()]).is_ok());
    assert!(worth_something(&[failed(ErrorKind::NotFound)]).is_ok());
    assert!(worth_something(&[failed(ErrorKind::Unavailable), there()]).is_ok());
    assert!(worth_something(&[failed(ErrorKind::Unauthenticated), failed(ErrorKind::Unavailable)]).is_err());
}
