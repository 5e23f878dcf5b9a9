//! Reading what a caller may do: an IAM policy of AWS's, or a role of Google Cloud's.
//!
//! A policy that is enforced more loosely than it is written would let a test pass that the cloud fails, so whatever is
//! not enforced is refused when the policy is read: wildcards in actions, `Deny`, conditions but one. What becomes of a
//! statement is one entry for each action and resource: the action, and after blanks the pattern of the resource's ARN and
//! those of the tags' keys where the statement has them ("IAM JSON policy elements reference").

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::model::NARROWABLE;

/// What a policy allows, for [`Options::allowed`](crate::Options::allowed): the JSON of an IAM policy (`Statement`), or
/// a role of Google Cloud's (`includedPermissions`) in JSON or in the YAML that gcloud writes.
///
/// Of an IAM policy statements are read that allow actions by their whole names, on `*` or on patterns of ARNs, and for
/// `CreateTags` and `DeleteTags` under the condition `ForAllValues:StringLike` of `aws:TagKeys`. All of that is enforced.
///
/// # Errors
///
/// What the text is instead, or what is in it that the lab does not enforce.
pub fn allowed_by_policy(text: &str) -> Result<BTreeSet<String>, String> {
    if !text.trim_start().starts_with('{') {
        return role_in_yaml(text);
    }
    let document: Value = serde_json::from_str(text).map_err(|error| format!("the policy is no JSON: {error}"))?;
    match (document.get("Statement"), document.get("includedPermissions")) {
        (Some(statements), _) => statements_of(&document, statements),
        (None, Some(permissions)) => texts(permissions)
            .map(|permissions| permissions.into_iter().map(str::to_owned).collect())
            .ok_or_else(|| "`includedPermissions` is no list of permissions".to_owned()),
        (None, None) => Err("there is neither `Statement` (AWS) nor `includedPermissions` (Google Cloud)".to_owned()),
    }
}

/// A list of texts below `includedPermissions:`, whatever else there is: gcloud writes nothing deeper into a role.
fn role_in_yaml(text: &str) -> Result<BTreeSet<String>, String> {
    let mut lines = text.lines().skip_while(|line| line.trim_end() != "includedPermissions:");
    if lines.next().is_none() {
        return Err("there is no list `includedPermissions:`, as a role of Google Cloud has it".to_owned());
    }
    let items = lines.map_while(|line| line.trim_start().strip_prefix("- "));
    Ok(items.map(|item| item.trim().trim_matches(['"', '\'']).to_owned()).collect())
}

/// One text or a list of them.
fn texts(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::String(text) => Some(vec![text]),
        Value::Array(items) => items.iter().map(Value::as_str).collect(),
        _ => None,
    }
}

fn only(members: &Map<String, Value>, known: &[&str], place: &str) -> Result<(), String> {
    match members.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(format!("`{key}` of {place} is nothing that the lab enforces")),
        None => Ok(()),
    }
}

fn statements_of(document: &Value, statements: &Value) -> Result<BTreeSet<String>, String> {
    only(document.as_object().unwrap_or(&Map::new()), &["Version", "Id", "Statement"], "the policy")?;
    let statements = match statements {
        Value::Array(statements) => statements.as_slice(),
        one => std::slice::from_ref(one),
    };
    let mut allowed = BTreeSet::new();
    for (index, statement) in statements.iter().enumerate() {
        let place = match statement.get("Sid").and_then(Value::as_str) {
            Some(name) => format!("the statement `{name}`"),
            None => format!("statement {}", index + 1),
        };
        read_statement(statement, &place, &mut allowed)?;
    }
    Ok(allowed)
}

fn read_statement(statement: &Value, place: &str, allowed: &mut BTreeSet<String>) -> Result<(), String> {
    let members = statement.as_object().ok_or_else(|| format!("{place} is no object"))?;
    only(members, &["Sid", "Effect", "Action", "Resource", "Condition"], place)?;
    if members.get("Effect").and_then(Value::as_str) != Some("Allow") {
        return Err(format!("{place} does not allow; the lab reads statements with `\"Effect\": \"Allow\"` only"));
    }
    let list = |name: &str| {
        let found = members.get(name).and_then(texts).filter(|found| !found.is_empty());
        found.ok_or_else(|| format!("{place} has no `{name}` that is a text or a list of texts"))
    };
    let keys = members.get("Condition").map(|condition| tag_keys(condition, place)).transpose()?;
    for action in list("Action")? {
        if action.contains(['*', '?']) || !action.contains(':') {
            return Err(format!(
                "`{action}` in {place} is not the whole name of one action, such as `ec2:CreateRoute`"
            ));
        }
        if keys.is_some() && !matches!(action, "ec2:CreateTags" | "ec2:DeleteTags") {
            return Err(format!("the condition of {place} is enforced for tags only, and not for `{action}`"));
        }
        for resource in list("Resource")? {
            if resource != "*" && !NARROWABLE.contains(&action) {
                return Err(format!("`{action}` in {place} cannot be limited to `{resource}` here, only to `*`"));
            }
            allowed.insert(match &keys {
                Some(keys) => format!("{action} {resource} {keys}"),
                None if resource == "*" => action.to_owned(),
                None => format!("{action} {resource}"),
            });
        }
    }
    Ok(())
}

/// The patterns of the one condition that is enforced.
fn tag_keys(condition: &Value, place: &str) -> Result<String, String> {
    let read = || {
        let operator = condition.as_object().filter(|it| it.len() == 1)?.get("ForAllValues:StringLike")?;
        texts(operator.as_object().filter(|it| it.len() == 1)?.get("aws:TagKeys")?)
    };
    let keys = read().ok_or_else(|| {
        format!("the condition of {place} is another than `ForAllValues:StringLike` of `aws:TagKeys`, which alone is enforced")
    })?;
    Ok(keys.join("|"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<String> {
        allowed_by_policy(text).expect("a policy that is read").into_iter().collect()
    }

    #[test]
    fn a_policy_becomes_one_entry_for_each_action_and_resource() {
        let policy = r#"{"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "cloudformation:ListExports", "Resource": "*"},
            {"Sid": "R", "Effect": "Allow", "Action": ["ec2:CreateRoute", "ec2:DeleteRoute"],
             "Resource": ["arn:aws:ec2:*:*:route-table/rtb-1", "arn:aws:ec2:*:*:route-table/rtb-2"]},
            {"Effect": "Allow", "Action": "ec2:CreateTags", "Resource": "*",
             "Condition": {"ForAllValues:StringLike": {"aws:TagKeys": ["kroutes/*", "Name"]}}}]}"#;
        assert_eq!(
            read(policy),
            [
                "cloudformation:ListExports",
                "ec2:CreateRoute arn:aws:ec2:*:*:route-table/rtb-1",
                "ec2:CreateRoute arn:aws:ec2:*:*:route-table/rtb-2",
                "ec2:CreateTags * kroutes/*|Name",
                "ec2:DeleteRoute arn:aws:ec2:*:*:route-table/rtb-1",
                "ec2:DeleteRoute arn:aws:ec2:*:*:route-table/rtb-2",
            ]
        );
    }

    #[test]
    fn a_role_is_read_in_both_forms_that_gcloud_takes() {
        let wanted = ["compute.routes.create", "compute.routes.list"];
        let yaml =
            "title: kroutes\nincludedPermissions:\n- compute.routes.list\n- 'compute.routes.create'\nstage: GA\n";
        assert_eq!(read(yaml), wanted);
        assert_eq!(read(&yaml.replace("\n- ", "\n  - ")), wanted);
        assert_eq!(read(r#"{"includedPermissions": ["compute.routes.list", "compute.routes.create"]}"#), wanted);
    }

    #[test]
    fn what_would_not_be_enforced_is_refused_by_name() {
        let statement =
            |members: &str| format!(r#"{{"Version": "2012-10-17", "Statement": [{{"Sid": "S", {members}}}]}}"#);
        let rows = [
            ("{", "no JSON"),
            ("{}", "neither `Statement`"),
            ("ec2:CreateRoute", "`includedPermissions:`"),
            (&statement(r#""Effect": "Deny", "Action": "ec2:CreateRoute", "Resource": "*""#), "does not allow"),
            (&statement(r#""Effect": "Allow", "Action": "ec2:Describe*", "Resource": "*""#), "`ec2:Describe*`"),
            (&statement(r#""Effect": "Allow", "NotAction": "ec2:CreateRoute", "Resource": "*""#), "`NotAction`"),
            (&statement(r#""Effect": "Allow", "Action": "ec2:CreateRoute""#), "no `Resource`"),
            (&statement(r#""Effect": "Allow", "Action": "ec2:DescribeInstances", "Resource": "arn:x""#), "only to `*`"),
            (
                &statement(
                    r#""Effect": "Allow", "Action": "ec2:CreateTags", "Resource": "*", "Condition": {"Bool": {}}"#,
                ),
                "condition of the statement `S`",
            ),
            (
                &statement(
                    r#""Effect": "Allow", "Action": "ec2:CreateRoute", "Resource": "*",
                    "Condition": {"ForAllValues:StringLike": {"aws:TagKeys": "kroutes/*"}}"#,
                ),
                "not for `ec2:CreateRoute`",
            ),
        ];
        for (text, said) in rows {
            let refusal = allowed_by_policy(text).expect_err(text);
            assert!(refusal.contains(said), "{text}: {refusal}");
        }
    }
}
