//! The parameters of one request: a flat list of names, with lists spelled `Filter.1.Value.2`.

use std::collections::BTreeMap;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::model::{Refusal, Tags};

/// The parameters of one request, whether they came in the address or in the body.
#[derive(Debug, Clone, Default)]
pub(crate) struct Params(BTreeMap<String, String>, Option<usize>);

impl Params {
    pub(crate) fn parse(form: &[u8]) -> Self {
        let mut params = Self::default();
        params.extend(form);
        params
    }

    pub(crate) fn extend(&mut self, form: &[u8]) {
        self.0.extend(form_urlencoded::parse(form).into_owned());
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The same, asked of a lab whose pages hold no more than so much.
    pub(crate) fn with_largest_page(&self, most: usize) -> Self {
        Self(self.0.clone(), Some(most))
    }

    /// The most that a page may hold, if the lab has such a bound of its own.
    pub(crate) const fn largest_page(&self) -> Option<usize> {
        self.1
    }

    /// What is asked for, in one line for people.
    pub(crate) fn tell(&self) -> String {
        let said = self.0.iter().filter(|(name, _)| !matches!(name.as_str(), "Action" | "Version"));
        said.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    }

    /// A parameter that must be there and not empty.
    pub(crate) fn need(&self, name: &str) -> Result<&str, Refusal> {
        self.get(name).filter(|value| !value.is_empty()).ok_or_else(|| {
            let mut lower = name.to_owned();
            lower[..1].make_ascii_lowercase();
            Refusal::missing(lower)
        })
    }

    /// `true` or `false`, if it is there.
    pub(crate) fn boolean(&self, name: &str) -> Result<Option<bool>, Refusal> {
        self.get(name).map(|value| boolean(name, value)).transpose()
    }

    /// `Name.1`, `Name.2` and so on, in their order.
    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        self.numbers(name)
            .into_iter()
            .filter_map(|number| self.get(&format!("{name}.{number}")))
            .map(str::to_owned)
            .collect()
    }

    /// The numbers that follow a name, whatever follows them.
    pub(crate) fn numbers(&self, name: &str) -> Vec<u32> {
        let prefix = format!("{name}.");
        let mut numbers: Vec<u32> = self
            .0
            .range(prefix.clone()..)
            .take_while(|(key, _)| key.starts_with(&prefix))
            .filter_map(|(key, _)| key[prefix.len()..].split('.').next()?.parse().ok())
            .collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    /// `Tag.1.Key`, `Tag.1.Value` under any prefix.
    pub(crate) fn tags(&self, prefix: &str) -> Tags {
        let pairs = self.numbers(prefix).into_iter().filter_map(|number| {
            let key = self.get(&format!("{prefix}.{number}.Key"))?.to_owned();
            Some((key, self.get(&format!("{prefix}.{number}.Value")).unwrap_or_default().to_owned()))
        });
        pairs.collect()
    }

    /// The tags that a creating action gives to what it makes.
    pub(crate) fn tag_specification(&self, resource: &str) -> Tags {
        let mut tags = Tags::new();
        for number in self.numbers("TagSpecification") {
            let prefix = format!("TagSpecification.{number}");
            if self.get(&format!("{prefix}.ResourceType")) == Some(resource) {
                tags.extend(self.tags(&format!("{prefix}.Tag")));
            }
        }
        tags
    }

    /// Whether the request is filtered or paginated, which EC2 throttles more mildly.
    pub(crate) fn is_narrowed(&self) -> bool {
        self.get("MaxResults").is_some() || self.get("NextToken").is_some() || !self.numbers("Filter").is_empty()
    }

    /// An IPv4 range, made canonical as EC2 does it.
    pub(crate) fn ipv4_range(&self, name: &str, label: &str) -> Result<Option<IpNet>, Refusal> {
        let parse = |text: &str| text.parse::<Ipv4Net>().map(|net| IpNet::V4(net.trunc()));
        self.get(name).map(|text| parse(text).map_err(|_| Refusal::not_a_cidr(text, label))).transpose()
    }

    /// An IPv6 range, made canonical as EC2 does it.
    pub(crate) fn ipv6_range(&self, name: &str, label: &str) -> Result<Option<IpNet>, Refusal> {
        let parse = |text: &str| text.parse::<Ipv6Net>().map(|net| IpNet::V6(net.trunc()));
        self.get(name).map(|text| parse(text).map_err(|_| Refusal::not_a_cidr(text, label))).transpose()
    }
}

pub(crate) fn boolean(name: &str, value: &str) -> Result<bool, Refusal> {
    match value {
        "true" | "True" | "1" => Ok(true),
        "false" | "False" | "0" => Ok(false),
        _ => Err(Refusal::invalid_value(format!(
            "Value ({value}) for parameter {name} is invalid. Expecting a boolean."
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_keep_the_order_of_their_numbers() {
        let params = Params::parse(b"InstanceId.10=c&InstanceId.2=b&InstanceId.1=a&InstanceIdx.1=no");
        assert_eq!(params.list("InstanceId"), ["a", "b", "c"]);
    }

    #[test]
    fn host_bits_are_cleared_and_nonsense_is_named() {
        let params = Params::parse(b"a=100.68.0.18%2F18&b=%3A%3A%2F0");
        let net = params.ipv4_range("a", "destinationCidrBlock").expect("a range").expect("present");
        assert_eq!(net.to_string(), "100.68.0.0/18");
        let refusal = params.ipv4_range("b", "destinationCidrBlock").expect_err("no IPv4 range");
        assert_eq!(
            refusal.message,
            "Value (::/0) for parameter destinationCidrBlock is invalid. This is not a valid CIDR block."
        );
    }
}
