//! What the caller may do: IAM as far as it decides about single requests.
//!
//! The account may do everything until somebody says otherwise, and in two ways: by what is [denied](Cloud::denied), for
//! a test that takes one thing away, and by what is [allowed](Cloud::allowed), for a policy that is the whole of it. An
//! entry of the latter may be narrowed to resources and to keys of tags; all resources of a request have to be allowed.

use wildmatch::WildMatch;

use super::Cloud;

/// The actions whose resources the lab knows, so that an entry may be narrowed to some.
pub(crate) const NARROWABLE: [&str; 7] = [
    "ec2:CreateRoute",
    "ec2:CreateTags",
    "ec2:DeleteRoute",
    "ec2:DeleteTags",
    "ec2:ModifyInstanceAttribute",
    "ec2:ModifyNetworkInterfaceAttribute",
    "ec2:ReplaceRoute",
];

impl Cloud {
    /// Whether the caller may do this, by its name in the provider's spelling, such as `compute.routes.create`.
    pub fn permits(&self, permission: &str) -> bool {
        self.permits_on(permission, &[], &[])
    }

    /// The same for resources of EC2's, by their ids, and for the keys of tags in the request.
    pub(crate) fn permits_on(&self, permission: &str, resources: &[&str], tag_keys: &[&str]) -> bool {
        // "No permissions are required to perform this operation", denied or not (`GetCallerIdentity`, STS API Reference).
        if permission == "sts:GetCallerIdentity" {
            return true;
        }
        let bare = permission.rsplit(':').next().unwrap_or(permission);
        if self.denied.contains(bare) || self.denied.contains(permission) {
            return false;
        }
        let Some(allowed) = &self.allowed else { return true };
        let granted = |resource: &str| {
            allowed.iter().any(|entry| {
                let mut parts = entry.splitn(3, ' ');
                parts.next() == Some(permission)
                    && WildMatch::new(parts.next().unwrap_or("*")).matches(resource)
                    && parts.next().is_none_or(|patterns| {
                        let patterns: Vec<_> = patterns.split('|').map(WildMatch::new).collect();
                        tag_keys.iter().all(|key| patterns.iter().any(|pattern| pattern.matches(key)))
                    })
            })
        };
        if resources.is_empty() { granted("*") } else { resources.iter().all(|id| granted(&self.arn(id))) }
    }

    fn arn(&self, id: &str) -> String {
        let kind = match id.split('-').next() {
            Some("rtb") => "route-table",
            Some("i") => "instance",
            Some("eni") => "network-interface",
            Some("igw") => "internet-gateway",
            Some(other) => other,
            None => "",
        };
        format!("arn:{}:ec2:{}:{}:{kind}/{id}", self.partition(), self.region, self.account)
    }

    /// The partition that the region lies in, with which an ARN begins ("Partitions", AWS General Reference).
    fn partition(&self) -> &'static str {
        match self.region.as_str() {
            region if region.starts_with("cn-") => "aws-cn",
            region if region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::Options;

    fn cloud(allowed: &[&str]) -> Cloud {
        let allowed: BTreeSet<String> = allowed.iter().map(|entry| (*entry).to_owned()).collect();
        Cloud::empty(&Options { allowed: Some(allowed), ..Options::default() })
    }

    #[test]
    fn what_is_not_allowed_is_denied_and_who_one_is_may_always_be_asked() {
        let mut cloud = cloud(&["ec2:CreateRoute", "compute.routes.create"]);
        let rows = [
            ("ec2:CreateRoute", true),
            ("compute.routes.create", true),
            ("ec2:DeleteRoute", false),
            ("compute.routes.delete", false),
            ("cloudformation:CreateRoute", false),
            ("sts:GetCallerIdentity", true),
        ];
        for (permission, permitted) in rows {
            assert_eq!(cloud.permits(permission), permitted, "{permission}");
        }
        cloud.denied = ["CreateRoute".to_owned(), "GetCallerIdentity".to_owned()].into();
        assert!(!cloud.permits("ec2:CreateRoute"), "a denial outweighs what is allowed");
        assert!(cloud.permits("sts:GetCallerIdentity"));
    }

    #[test]
    fn an_entry_holds_in_the_partition_of_the_region_only() {
        for (region, partition) in [("us-west-2", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")] {
            for named in ["aws", "aws-cn", "aws-us-gov"] {
                let entry = format!("ec2:CreateRoute arn:{named}:ec2:*:*:route-table/rtb-1");
                let allowed = Some([entry].into());
                let cloud = Cloud::empty(&Options { region: region.to_owned(), allowed, ..Options::default() });
                let permitted = cloud.permits_on("ec2:CreateRoute", &["rtb-1"], &[]);
                assert_eq!(permitted, named == partition, "{named} in {region}");
            }
        }
    }

    #[test]
    fn an_entry_holds_for_its_resources_and_its_tags_only() {
        let narrowed = cloud(&[
            "ec2:CreateRoute arn:aws:ec2:*:*:route-table/rtb-1",
            "ec2:CreateTags arn:aws:ec2:*:*:route-table/* kroutes/*|Name",
        ]);
        let may = |action, resources: &[&str], keys: &[&str]| narrowed.permits_on(action, resources, keys);
        assert!(may("ec2:CreateRoute", &["rtb-1"], &[]));
        assert!(!may("ec2:CreateRoute", &["rtb-2"], &[]));
        assert!(!may("ec2:CreateRoute", &[], &[]));
        assert!(may("ec2:CreateTags", &["rtb-1", "rtb-2"], &["kroutes/a", "Name"]));
        assert!(!may("ec2:CreateTags", &["rtb-1", "i-1"], &["kroutes/a"]), "every resource counts");
        assert!(!may("ec2:CreateTags", &["rtb-1"], &["kroutes/a", "other"]), "every key counts");
        assert!(may("ec2:CreateTags", &["rtb-1"], &[]), "`ForAllValues` is true of no keys");
    }
}
