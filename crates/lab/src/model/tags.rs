//! Tags on anything that has an id.
//!
//! Limits are from "Tag your Amazon EC2 resources": 50 tags, keys to 128 and values to 256 characters, `aws:` reserved.

use super::ids::Kind;
use super::{Cloud, Refusal, Tags};

impl Cloud {
    /// The tags of whatever bears this id, and EC2's word for its kind.
    pub(crate) fn all_tags(&self) -> Vec<(&str, &'static str, &Tags)> {
        let mut all: Vec<(&str, &'static str, &Tags)> = Vec::new();
        all.extend(self.instances.iter().map(|(id, it)| (id.as_str(), "instance", &it.tags)));
        all.extend(self.internet_gateways.iter().map(|(id, it)| (id.as_str(), "internet-gateway", &it.tags)));
        all.extend(self.interfaces.iter().map(|(id, it)| (id.as_str(), "network-interface", &it.tags)));
        all.extend(self.tables.iter().map(|(id, it)| (id.as_str(), "route-table", &it.tags)));
        all.extend(self.subnets.iter().map(|(id, it)| (id.as_str(), "subnet", &it.tags)));
        all.extend(self.vpcs.iter().map(|(id, it)| (id.as_str(), "vpc", &it.tags)));
        all
    }

    fn tags_of(&mut self, id: &str) -> Result<&mut Tags, Refusal> {
        let kind = match id.split_once('-').map_or("", |(prefix, _)| prefix) {
            "i" => Kind::Instance,
            "rtb" => Kind::RouteTable,
            "subnet" => Kind::Subnet,
            "vpc" => Kind::Vpc,
            "eni" => Kind::Interface,
            "igw" => Kind::InternetGateway,
            _ => return Err(Refusal::new("InvalidID", format!("The ID '{id}' is not valid"))),
        };
        let found = match kind {
            Kind::Instance => self.instances.get_mut(id).map(|it| &mut it.tags),
            Kind::RouteTable => self.tables.get_mut(id).map(|it| &mut it.tags),
            Kind::Subnet => self.subnets.get_mut(id).map(|it| &mut it.tags),
            Kind::Vpc => self.vpcs.get_mut(id).map(|it| &mut it.tags),
            Kind::Interface => self.interfaces.get_mut(id).map(|it| &mut it.tags),
            _ => self.internet_gateways.get_mut(id).map(|it| &mut it.tags),
        };
        found.ok_or_else(|| kind.unknown(&[id]))
    }

    /// `CreateTags`: all of them or none.
    ///
    /// # Errors
    ///
    /// An unknown resource, a key or value that is too long or reserved, more than 50 tags.
    pub fn create_tags(&mut self, resources: &[String], tags: &Tags) -> Result<(), Refusal> {
        for (key, value) in tags {
            judge(key, value)?;
        }
        for id in resources {
            let held = self.tags_of(id)?;
            let added = tags.keys().filter(|key| !held.contains_key(*key)).count();
            if held.len() + added > 50 {
                return Err(Refusal::new("TagLimitExceeded", format!("The resource '{id}' can have at most 50 tags.")));
            }
        }
        for id in resources {
            self.tags_of(id)?.extend(tags.clone());
        }
        Ok(())
    }

    /// `DeleteTags`: with a value, only a tag that has it; with no tags at all, every tag.
    ///
    /// # Errors
    ///
    /// An unknown resource. A tag that is not there is no error.
    pub fn delete_tags(&mut self, resources: &[String], tags: &[(String, Option<String>)]) -> Result<(), Refusal> {
        for id in resources {
            self.tags_of(id)?;
        }
        for id in resources {
            let held = self.tags_of(id)?;
            if tags.is_empty() {
                held.clear();
            }
            for (key, value) in tags {
                if value.is_none() || held.get(key) == value.as_ref() {
                    held.remove(key);
                }
            }
        }
        Ok(())
    }
}

fn judge(key: &str, value: &str) -> Result<(), Refusal> {
    if key.is_empty() || key.chars().count() > 128 {
        let message = format!("Tag key exceeds the maximum length of 128 characters or is empty: '{key}'");
        return Err(Refusal::invalid_value(message));
    }
    if value.chars().count() > 256 {
        let message = format!("Tag value exceeds the maximum length of 256 characters: '{key}'");
        return Err(Refusal::invalid_value(message));
    }
    if key.to_ascii_lowercase().starts_with("aws:") {
        let message = format!("Tag keys starting with 'aws:' are reserved for internal use: '{key}'");
        return Err(Refusal::invalid_value(message));
    }
    Ok(())
}
