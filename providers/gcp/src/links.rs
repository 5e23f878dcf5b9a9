//! Links between resources, compared and never followed.
//!
//! Compute Engine names one resource in many ways: `https://www.googleapis.com/compute/v1/projects/…` in its answers,
//! the host that was asked, a bare `projects/…`. What they have in common begins at `projects/`, so that is what is
//! compared. No request is ever made to a link from an answer, since the token would go wherever the answer says.

/// A link from `projects/` on; a text without that, as it is.
pub(crate) fn path(link: &str) -> &str {
    let inside = match link.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("", |slash| &rest[slash..]),
        None => link,
    };
    if inside.starts_with("projects/") {
        return inside;
    }
    match inside.find("/projects/") {
        Some(at) => &inside[at + 1..],
        None => link,
    }
}

/// The path of a network.
pub(crate) fn network_path(project: &str, network: &str) -> String {
    format!("projects/{project}/global/networks/{network}")
}

/// The path of a route.
pub(crate) fn route_path(project: &str, route: &str) -> String {
    format!("projects/{project}/global/routes/{route}")
}

/// The name of a route of the project, by its path.
pub(crate) fn route_name<'a>(project: &str, path: &'a str) -> Option<&'a str> {
    path.strip_prefix(&route_path(project, "")).filter(|name| !name.is_empty() && !name.contains('/'))
}

/// The last part of a link: the resource's own name.
pub(crate) fn last(link: &str) -> &str {
    link.rsplit('/').next().unwrap_or(link)
}

/// The project that a link lies in.
pub(crate) fn project(link: &str) -> Option<&str> {
    path(link).strip_prefix("projects/")?.split('/').next().filter(|project| !project.is_empty())
}

/// `ZONE/NAME` of a link to an instance, which is how instances are told apart here: names are unique in a zone only.
pub(crate) fn instance_key(link: &str) -> Option<String> {
    let mut parts = path(link).rsplit('/');
    let (name, kind, zone, scope) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_one = kind == "instances" && scope == "zones" && !name.is_empty() && !zone.is_empty();
    is_one.then(|| format!("{zone}/{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_resource_by_many_links_has_one_path() {
        for link in [
            "https://www.googleapis.com/compute/v1/projects/p/global/networks/n",
            "https://compute.googleapis.com/compute/v1/projects/p/global/networks/n",
            "http://127.0.0.1:8080/compute/v1/projects/p/global/networks/n",
            "http://projects/compute/beta/projects/p/global/networks/n",
            "/compute/v1/projects/p/global/networks/n",
            "projects/p/global/networks/n",
        ] {
            assert_eq!(path(link), network_path("p", "n"), "{link}");
            assert_eq!((last(link), project(link)), ("n", Some("p")));
        }
        assert_ne!(path("projects/q/global/networks/n"), network_path("p", "n"));
        assert_eq!(path("global/networks/n"), "global/networks/n");
        assert_eq!(path("https://example.com"), "https://example.com");
    }

    #[test]
    fn an_instance_is_known_by_zone_and_name() {
        let link = "https://www.googleapis.com/compute/v1/projects/p/zones/us-west1-a/instances/worker-0";
        assert_eq!(instance_key(link).as_deref(), Some("us-west1-a/worker-0"));
        assert_eq!(instance_key("zones/z/instances/w").as_deref(), Some("z/w"));
        for other in ["", "w", "projects/p/global/networks/n", "projects/p/zones/z/disks/w", "zones/z/instances/"] {
            assert_eq!(instance_key(other), None, "{other}");
        }
    }
}
