//! What kroutes has to be allowed to do on AWS: the one list of it, and the least policy that follows.
//!
//! Three things are made of this list and cannot drift apart: the policy that `doctor --policy` prints, the checks that
//! `doctor` makes, and docs/aws-iam.md, which a test compares with both. Most of it is always needed. Some depends on the
//! topology: nobody should grant a look at user data, which may be a boot script with secrets in it, for nothing.
//!
//! Who one is (`sts:GetCallerIdentity`) is not on the list: it needs no permission ("`GetCallerIdentity`", STS API
//! Reference).

use kroutes_core::{MachineRef, Worker};

use crate::action::Action;
use crate::settings::{AwsSettings, SourceDestCheck, is_id};
use crate::table_refs::TableRef;

/// What of a topology decides which permissions it takes.
// Independent facts, each of which brings permissions of its own.
#[allow(clippy::struct_excessive_bools)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needs {
    /// A table or an instance is named by what a stack exports.
    pub exports: bool,
    /// A table is named by a subnet, which may have none of its own.
    pub subnets: bool,
    /// Workers are looked for in the cloud, and their ranges are in their user data.
    pub user_data: bool,
    /// Source/dest checks are switched off.
    pub source_dest_check: bool,
    /// The ids of the tables, where the topology names all of them by id; else empty, and any table is meant.
    pub tables: Vec<String>,
    /// The partition in ARNs: `aws`, `aws-cn` or `aws-us-gov`.
    pub partition: &'static str,
}

impl Needs {
    /// All that any topology needs.
    pub const fn everything() -> Self {
        Self {
            exports: true,
            subnets: true,
            user_data: true,
            source_dest_check: true,
            tables: Vec::new(),
            partition: "aws",
        }
    }

    /// What this topology needs. `user_data` says that its source is the cloud and takes ranges from the instances.
    pub fn of(settings: &AwsSettings, workers: &[Worker], user_data: bool) -> Self {
        let named = &settings.route_table;
        let by_id = |table: &TableRef| match table {
            TableRef::Id(id) if is_id("rtb", id) => Some(id.clone()),
            _ => None,
        };
        let region = settings.region.as_deref().unwrap_or_default();
        Self {
            exports: named.iter().any(|table| matches!(table, TableRef::Export(_)))
                || workers.iter().any(|worker| matches!(worker.machine, MachineRef::Export(_))),
            subnets: named.iter().any(|table| matches!(table, TableRef::Subnet(_))),
            user_data,
            source_dest_check: settings.source_dest_check == SourceDestCheck::Off,
            tables: named.iter().map(by_id).collect::<Option<_>>().unwrap_or_default(),
            partition: match region {
                _ if region.starts_with("cn-") => "aws-cn",
                _ if region.starts_with("us-gov-") => "aws-us-gov",
                _ => "aws",
            },
        }
    }
}

/// One permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permission {
    pub(crate) action: Action,
    /// What kroutes does with it.
    pub what_for: &'static str,
    statement: Statement,
}

impl Permission {
    /// Its name in a policy, such as `ec2:CreateRoute`.
    pub fn name(&self) -> String {
        format!("{}:{}", self.action.service(), self.action.name())
    }
}

/// The statements of the policy, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Statement {
    Read,
    Sources,
    Routes,
    SourceDestCheck,
    Claim,
}

impl Statement {
    const ALL: [Self; 5] = [Self::Read, Self::Sources, Self::Routes, Self::SourceDestCheck, Self::Claim];

    const fn name(self) -> &'static str {
        match self {
            Self::Read => "Read",
            Self::Sources => "Sources",
            Self::Routes => "Routes",
            Self::SourceDestCheck => "SourceDestCheck",
            Self::Claim => "Claim",
        }
    }

    /// What it is limited to. Listings cannot be ("Actions, resources, and condition keys for Amazon EC2", Service
    /// Authorization Reference), and neither can what is looked for there.
    fn resources(self, needs: &Needs) -> Vec<String> {
        let of = |kind: &str, id: &str| format!("arn:{}:ec2:*:*:{kind}/{id}", needs.partition);
        match self {
            Self::Read | Self::Sources => vec!["*".to_owned()],
            Self::Routes | Self::Claim if needs.tables.is_empty() => vec![of("route-table", "*")],
            Self::Routes | Self::Claim => needs.tables.iter().map(|id| of("route-table", id)).collect(),
            Self::SourceDestCheck => vec![of("instance", "*"), of("network-interface", "*")],
        }
    }
}

const fn permission(action: Action, statement: Statement, what_for: &'static str) -> Permission {
    Permission { action, what_for, statement }
}

/// Everything that any topology needs, in the order of the policy.
const ALL: [Permission; 12] = [
    permission(Action::DescribeRouteTables, Statement::Read, "read the route tables"),
    permission(Action::DescribeInstances, Statement::Read, "find the workers' instances"),
    permission(Action::DescribeSubnets, Statement::Read, "find the table of a subnet that has none of its own"),
    permission(Action::ListExports, Statement::Sources, "read what stacks export"),
    permission(Action::DescribeInstanceAttribute, Statement::Sources, "read pod CIDRs in user data"),
    permission(Action::CreateRoute, Statement::Routes, "make missing routes"),
    permission(Action::ReplaceRoute, Statement::Routes, "change routes that lead elsewhere"),
    permission(Action::DeleteRoute, Statement::Routes, "remove routes of ours"),
    permission(
        Action::ModifyInstanceAttribute,
        Statement::SourceDestCheck,
        "switch source/dest checks off for instances with one network interface",
    ),
    permission(
        Action::ModifyNetworkInterfaceAttribute,
        Statement::SourceDestCheck,
        "switch source/dest checks off for instances with several network interfaces",
    ),
    permission(Action::CreateTags, Statement::Claim, "write the claim on the table"),
    permission(Action::DeleteTags, Statement::Claim, "remove the claim at the end"),
];

/// The permissions that are needed.
pub fn permissions(needs: &Needs) -> Vec<Permission> {
    let needed = |permission: &Permission| match permission.action {
        Action::ListExports => needs.exports,
        Action::DescribeSubnets => needs.subnets,
        Action::DescribeInstanceAttribute => needs.user_data,
        Action::ModifyInstanceAttribute | Action::ModifyNetworkInterfaceAttribute => needs.source_dest_check,
        _ => true,
    };
    ALL.into_iter().filter(needed).collect()
}

/// A list as people write it into a policy: `"one"`, or one item a line.
fn list(items: &[String]) -> String {
    let quoted: Vec<String> = items.iter().map(|item| format!("\"{item}\"")).collect();
    match quoted.as_slice() {
        [one] => one.clone(),
        several => format!("[\n        {}\n      ]", several.join(",\n        ")),
    }
}

/// The least IAM policy, as JSON with a line end.
pub fn policy(needs: &Needs) -> String {
    let needed = permissions(needs);
    let statement = |statement: Statement| {
        let actions = needed.iter().filter(|permission| permission.statement == statement);
        let actions: Vec<String> = actions.map(Permission::name).collect();
        if actions.is_empty() {
            return None;
        }
        let condition = if statement == Statement::Claim {
            ",\n      \"Condition\": {\n        \"ForAllValues:StringLike\": { \"aws:TagKeys\": [\"kroutes/*\"] }\n      }"
        } else {
            ""
        };
        Some(format!(
            "    {{\n      \"Sid\": \"{}\",\n      \"Effect\": \"Allow\",\n      \"Action\": {},\n      \"Resource\": \
             {}{condition}\n    }}",
            statement.name(),
            list(&actions),
            list(&statement.resources(needs)),
        ))
    };
    let statements: Vec<String> = Statement::ALL.into_iter().filter_map(statement).collect();
    format!("{{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": [\n{}\n  ]\n}}\n", statements.join(",\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The documentation as it stands.
    const PAGE: &str = include_str!("../../../docs/aws-iam.md");

    fn settings(text: &str) -> AwsSettings {
        toml::from_str(text).expect("settings")
    }

    fn names(needs: &Needs) -> Vec<String> {
        permissions(needs).iter().map(Permission::name).collect()
    }

    #[test]
    fn every_action_but_asking_who_one_is_takes_a_permission() {
        let listed: Vec<Action> = ALL.iter().map(|permission| permission.action).collect();
        for action in Action::ALL {
            let times = listed.iter().filter(|one| **one == action).count();
            assert_eq!(times, usize::from(action != Action::GetCallerIdentity), "{action:?}");
        }
    }

    #[test]
    fn the_page_has_this_policy_and_a_row_for_each_permission() {
        let (_, rest) = PAGE.split_once("```json\n").expect("a block of JSON");
        let (block, _) = rest.split_once("```").expect("its end");
        assert_eq!(block, policy(&Needs::everything()), "docs/aws-iam.md and the policy that is printed differ");
        let rows = PAGE.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
        let in_table: Vec<&str> = rows.map(|(name, _)| name).collect();
        assert_eq!(in_table, names(&Needs::everything()));
    }

    #[test]
    fn a_topology_is_granted_no_more_than_it_uses() {
        let least = ["ec2:DescribeRouteTables", "ec2:DescribeInstances", "ec2:CreateRoute", "ec2:ReplaceRoute"];
        let rest = ["ec2:DeleteRoute", "ec2:CreateTags", "ec2:DeleteTags"];
        let leave = settings("route-table = { name = 'a' }\nsource-dest-check = 'leave'");
        assert_eq!(names(&Needs::of(&leave, &[], false)), [&least[..], &rest[..]].concat());

        let rows = [
            ("route-table = { export = 'a' }", false, "cloudformation:ListExports"),
            ("route-table = { subnet = 'subnet-01234567' }", false, "ec2:DescribeSubnets"),
            ("route-table = { name = 'a' }", true, "ec2:DescribeInstanceAttribute"),
            ("route-table = 'associated'", false, "ec2:ModifyNetworkInterfaceAttribute"),
        ];
        for (text, user_data, wanted) in rows {
            let with = names(&Needs::of(&settings(text), &[], user_data));
            assert!(with.contains(&wanted.to_owned()), "{text}: {with:?}");
        }
    }

    #[test]
    fn a_policy_is_limited_to_tables_that_are_named_by_id_and_to_the_partition() {
        let by_id = settings("route-table = ['rtb-01234567', 'rtb-76543210']\nregion = 'cn-north-1'");
        let text = policy(&Needs::of(&by_id, &[], false));
        let both = "\"Resource\": [\n        \"arn:aws-cn:ec2:*:*:route-table/rtb-01234567\",\n        \
                    \"arn:aws-cn:ec2:*:*:route-table/rtb-76543210\"\n      ]";
        assert_eq!(text.matches(both).count(), 2, "{text}");
        assert!(!text.contains("route-table/*"), "{text}");
        let mixed = settings("route-table = ['rtb-01234567', { name = 'a' }]");
        assert!(policy(&Needs::of(&mixed, &[], false)).contains("arn:aws:ec2:*:*:route-table/*"));
    }
}
