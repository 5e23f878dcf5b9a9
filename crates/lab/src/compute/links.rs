//! Links to resources, and what clients send in their place.
//!
//! Compute shows links on `www.googleapis.com` whatever host was asked, and takes any host, or none, as long as the part
//! from `projects/` or `global/` on is right ("Resource names", Compute Engine documentation). So does the lab: a client
//! that compares whole links instead of that part fails here as it would there.

use std::time::{Duration, SystemTime};

use crate::model::Refusal;

const BASE: &str = "https://www.googleapis.com/compute/v1/";

/// The link of a path that begins with `projects/`.
pub(super) fn link(path: &str) -> String {
    format!("{BASE}{path}")
}

/// The link of a global resource.
pub(super) fn global(project: &str, kind: &str, name: &str) -> String {
    link(&format!("projects/{project}/global/{kind}/{name}"))
}

/// The link of a resource whose key is `PLACE/NAME`; `places` is `zones` or `regions`.
pub(super) fn placed(project: &str, places: &str, kind: &str, key: &str) -> String {
    let (place, name) = key.split_once('/').unwrap_or(("", key));
    link(&format!("projects/{project}/{places}/{place}/{kind}/{name}"))
}

/// The name that a link of this kind ends in.
pub(super) fn name_of<'a>(link: &'a str, kind: &str) -> Option<&'a str> {
    let mut ends = link.rsplit('/');
    let name = ends.next().filter(|name| !name.is_empty())?;
    (ends.next() == Some(kind)).then_some(name)
}

/// The key `PLACE/NAME` that a link of this kind ends in.
pub(super) fn key_of(link: &str, places: &str, kind: &str) -> Option<String> {
    let name = name_of(link, kind)?;
    let mut ends = link.rsplit('/').skip(2);
    let place = ends.next()?;
    (ends.next() == Some(places)).then(|| format!("{place}/{name}"))
}

/// Refuses a link that is none, or of another project.
pub(super) fn judge<T>(field: &str, link: &str, project: &str, found: Option<T>) -> Result<T, Refusal> {
    let malformed = || Refusal::invalid_field(field, link, "The URL is malformed.");
    let elsewhere = link.split_once("projects/").is_some_and(|(_, rest)| rest.split('/').next() != Some(project));
    if elsewhere {
        let reason = "The referenced resource is in another project.";
        return Err(Refusal::invalid_field(field, link, reason));
    }
    found.ok_or_else(malformed)
}

/// When everything was made that was there at the start: always the same, so that two runs compare equal.
pub(super) const AT_THE_START: &str = "2026-01-01T00:00:00.000-08:00";

/// A moment as Compute shows it: in the time of its home, which is eight hours behind. What has no moment of its own was
/// there at the start.
pub(super) fn time(at: SystemTime) -> String {
    let home = at.checked_sub(Duration::from_hours(8)).filter(|home| *home >= SystemTime::UNIX_EPOCH);
    let shown = home.map(|home| humantime::format_rfc3339_millis(home).to_string().replace('Z', "-08:00"));
    shown.unwrap_or_else(|| AT_THE_START.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_read_by_its_end_whatever_host_it_is_on() {
        for base in ["http://127.0.0.1:1/compute/v1/projects/p/", "projects/p/", ""] {
            assert_eq!(name_of(&format!("{base}global/networks/n"), "networks"), Some("n"));
            let link = format!("{base}zones/z/instances/i");
            assert_eq!(key_of(&link, "zones", "instances"), Some("z/i".to_owned()));
        }
        assert_eq!(name_of("n", "networks"), None);
        assert_eq!(key_of("regions/r/instances/i", "zones", "instances"), None);
        assert!(judge("f", "projects/other/global/networks/n", "p", Some(())).is_err());
    }

    #[test]
    fn a_time_is_shown_eight_hours_behind() {
        let noon = SystemTime::UNIX_EPOCH + Duration::from_hours(36);
        assert_eq!(time(noon), "1970-01-02T04:00:00.000-08:00");
        assert_eq!(time(SystemTime::UNIX_EPOCH), AT_THE_START);
    }
}
