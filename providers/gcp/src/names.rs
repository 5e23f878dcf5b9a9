//! Route names.
//!
//! A route's name is the only thing that two routes of a project cannot share, and the only thing a person sees first. So
//! the usual name is readable and says what the route is for; it is the same in every run, whoever runs it. Compute
//! Engine takes names of 1 to 63 lower-case letters, digits and dashes that begin with a letter ("routes.insert"), while
//! clusters may be called `Prod.EU_1` and destinations hold dots, colons and slashes. Wherever fitting one into the other
//! loses something, a hash of what was lost keeps the names of different things apart. The destination itself is never
//! cut: two destinations of one cluster have different names by construction, not by luck.
//!
//! A name is not an identity. It may be taken, by another network's route or by the route that is about to be replaced;
//! then a second name, with a hash of where the route leads to, takes its place. The hash is SHA-256 because a name has to
//! come out the same in years: the standard library's hasher promises nothing of that kind.

use std::fmt;
use std::str::FromStr;

use ipnet::IpNet;
use kroutes_core::{ClusterName, NextHop, PodCidr};
use serde::{Deserialize, Deserializer, de};
use sha2::{Digest, Sha256};

/// How long a name may be.
const LONGEST: usize = 63;
/// A dash and six digits.
const HASH: usize = 7;
/// What a name begins with where it would not begin with a letter.
const LETTER: &str = "r-";

const CLUSTER: &str = "{cluster}";
const DESTINATION: &str = "{destination}";

/// How route names are made: fixed text, `{cluster}` any number of times, and `{destination}` once.
///
/// The default is `{cluster}-route-{destination}`, which gives `kubernetes-route-10-200-0-0-24`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    before: String,
    after: String,
}

impl Default for Template {
    fn default() -> Self {
        Self { before: format!("{CLUSTER}-route-"), after: String::new() }
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{DESTINATION}{}", self.before, self.after)
    }
}

impl FromStr for Template {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            judge_fixed(text, &rest[..at])?;
            let inside = &rest[at..];
            let Some(end) = inside.strip_prefix('{').and_then(|name| name.find(['{', '}'])) else {
                return Err(format!("in `{}` a brace has no partner", text.escape_debug()));
            };
            if inside.as_bytes()[end + 1] != b'}' {
                return Err(format!("in `{}` a brace has no partner", text.escape_debug()));
            }
            judge_placeholder(&inside[1..=end])?;
            rest = &inside[end + 2..];
        }
        judge_fixed(text, rest)?;
        let Some((before, after)) = text.split_once(DESTINATION) else {
            return Err(format!(
                "`{text}` lacks `{DESTINATION}`: every route needs a name of its own, and only the destination tells them apart"
            ));
        };
        if after.contains(DESTINATION) {
            return Err(format!("`{text}` has `{DESTINATION}` twice"));
        }
        if !before.starts_with(CLUSTER) && !before.starts_with(|c: char| c.is_ascii_lowercase()) {
            return Err(format!(
                "a route name begins with a letter, so `{text}` must begin with one, or with `{CLUSTER}`"
            ));
        }
        if after.ends_with('-') {
            return Err(format!("a route name does not end with a dash, as `{text}` does"));
        }
        Ok(Self { before: before.to_owned(), after: after.to_owned() })
    }
}

fn judge_fixed(text: &str, fixed: &str) -> Result<(), String> {
    match fixed.chars().find(|c| !c.is_ascii_lowercase() && !c.is_ascii_digit() && *c != '-') {
        None => Ok(()),
        Some(other) => Err(format!(
            "in `{}` there is `{}`: route names have lower-case letters, digits and dashes",
            text.escape_debug(),
            other.escape_debug()
        )),
    }
}

fn judge_placeholder(name: &str) -> Result<(), String> {
    let known = ["cluster", "destination"];
    if known.contains(&name) {
        return Ok(());
    }
    let close = |word: &str| strsim::jaro_winkler(word, &name.to_lowercase());
    let meant = known.into_iter().filter(|word| close(word) > 0.7).max_by(|a, b| close(a).total_cmp(&close(b)));
    let shown = name.escape_debug();
    Err(match meant {
        Some(word) => format!("`{{{shown}}}` is no placeholder; did you mean `{{{word}}}`?"),
        None => format!("`{{{shown}}}` is no placeholder; there are `{CLUSTER}` and `{DESTINATION}`"),
    })
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(OneTemplate)
    }
}

/// The text is judged inside the visitor, so that a mistake is reported at the value and not at the table around it.
struct OneTemplate;

impl de::Visitor<'_> for OneTemplate {
    type Value = Template;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a template for route names such as `\"{cluster}-route-{destination}\"`")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Template, E> {
        text.parse().map_err(E::custom)
    }
}

/// The names of one cluster's routes in one network.
#[derive(Debug, Clone)]
pub(crate) struct RouteNames {
    template: Template,
    cluster: String,
    network_path: String,
}

impl RouteNames {
    pub(crate) fn new(template: &Template, cluster: &ClusterName, network_path: &str) -> Self {
        Self { template: template.clone(), cluster: cluster.as_str().to_owned(), network_path: network_path.to_owned() }
    }

    /// The name of the route to a destination, if nobody has it.
    pub(crate) fn usual(&self, destination: &PodCidr) -> String {
        self.within(LONGEST, destination)
    }

    /// The names of a route in the order in which they are tried: the usual one, then others.
    pub(crate) fn nth(&self, destination: &PodCidr, next_hop: &NextHop, number: u32) -> String {
        match number {
            0 => self.usual(destination),
            1 => self.other(destination, next_hop),
            more => self.hashed(destination, &[next_hop.kind(), &next_hop.id(), &more.to_string()]),
        }
    }

    /// The name where the usual one is taken: another for each next hop, so that a route can be made beside the one that
    /// it will replace.
    pub(crate) fn other(&self, destination: &PodCidr, next_hop: &NextHop) -> String {
        self.hashed(destination, &[next_hop.kind(), &next_hop.id()])
    }

    fn hashed(&self, destination: &PodCidr, more: &[&str]) -> String {
        let hash = hash(&[&[self.network_path.as_str(), &destination.to_string()], more].concat());
        format!("{}-{hash}", self.within(LONGEST - HASH, destination))
    }

    fn within(&self, limit: usize, destination: &PodCidr) -> String {
        let text = text_of(destination.net());
        let (before, after, whole) = self.fitted(limit, destination);
        if whole {
            return format!("{before}{text}{after}");
        }
        let hash = hash(&[&self.template.to_string(), &self.cluster, &destination.to_string()]);
        format!("{before}{text}{after}-{hash}")
    }

    /// Whether a name begins with what stands before the destination in the names of that destination's routes: so do
    /// the names of all routes of this cluster to ranges of that sort.
    pub(crate) fn begin_like(&self, name: &str, destination: &PodCidr) -> bool {
        [LONGEST, LONGEST - HASH].into_iter().any(|limit| name.starts_with(&self.fitted(limit, destination).0))
    }

    /// What stands around the destination in a name of at most so many characters, and whether nothing of it was lost.
    fn fitted(&self, limit: usize, destination: &PodCidr) -> (String, String, bool) {
        let (before, after) = self.around(&self.cluster);
        let fits = before.len() + text_of(destination.net()).len() + after.len() <= limit;
        if fits && before == begin(&before) && after == end(&after) {
            return (before, after, true);
        }
        let (before, after) = self.cut(limit - HASH - room(destination.net()));
        (before, after, false)
    }

    /// What stands around the destination, not yet fit for a name.
    fn around(&self, cluster: &str) -> (String, String) {
        (self.template.before.replace(CLUSTER, cluster), self.template.after.replace(CLUSTER, cluster))
    }

    /// What stands around the destination, in so many characters. The cluster's name is cut first, because the fixed text
    /// was chosen by somebody for being short. The outcome depends on nothing but the room, which is the same for all
    /// destinations that could otherwise be taken for each other.
    fn cut(&self, room: usize) -> (String, String) {
        let fitting = (1..=self.cluster.len()).rev().find_map(|length| {
            let (before, after) = self.around(&self.cluster[..length]);
            let (before, after) = (begin(&before), end(&after));
            (before.len() + after.len() <= room).then_some((before, after))
        });
        fitting.unwrap_or_else(|| {
            let (before, _) = self.around(&self.cluster);
            let mut before = begin(&before);
            before.truncate(room.saturating_sub(1));
            (before.trim_end_matches('-').to_owned() + "-", String::new())
        })
    }
}

/// A text of the characters that a name may have.
fn fit(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect()
}

fn begin(text: &str) -> String {
    let fitted = fit(text);
    if fitted.starts_with(|c: char| c.is_ascii_lowercase()) {
        return fitted;
    }
    format!("{LETTER}{}", fitted.trim_start_matches('-'))
}

fn end(text: &str) -> String {
    fit(text).trim_end_matches('-').to_owned()
}

/// A destination in the characters that a name may have: `10-200-0-0-24`, and for IPv6 as many groups as the prefix
/// reaches into, `fd00-10-64-0-64`. The last number is the length, which tells how many groups came before; an IPv4
/// range has four with a length of at most 32, an IPv6 range of four groups at least 49. So no two ranges share a text.
fn text_of(net: IpNet) -> String {
    let mut parts: Vec<String> = match net {
        IpNet::V4(v4) => v4.addr().octets().iter().map(ToString::to_string).collect(),
        IpNet::V6(v6) => v6.addr().segments().iter().take(groups(net)).map(|group| format!("{group:x}")).collect(),
    };
    parts.push(net.prefix_len().to_string());
    parts.join("-")
}

fn groups(net: IpNet) -> usize {
    match net {
        IpNet::V4(_) => 4,
        IpNet::V6(net) => usize::from(net.prefix_len().div_ceil(16)).max(1),
    }
}

/// How long the text of such a range can be at most. It is one number for all ranges whose texts end alike.
fn room(net: IpNet) -> usize {
    let v4 = "255-255-255-255-32".len();
    match net {
        IpNet::V4(_) => v4,
        IpNet::V6(_) => (groups(net) * "ffff-".len() + "128".len()).max(v4),
    }
}

/// Six hexadecimal digits. The parts are kept apart by a character that none of them can hold.
fn hash(parts: &[&str]) -> String {
    let digest = Sha256::digest(parts.join("\0").as_bytes());
    format!("{:02x}{:02x}{:02x}", digest[0], digest[1], digest[2])
}

#[cfg(test)]
#[path = "names_tests.rs"]
mod tests;
