//! Where requests go, checked once.
//!
//! Whoever can read a request can use its token, so plain http is for this machine alone, unless the topology says that it
//! may go elsewhere. And a path is put behind the
//! endpoint's own and must stay there: no name, however odd, can turn a request to another host or another API.

use std::fmt;
use std::net::IpAddr;

use kroutes_core::{Error, ErrorKind, Result};
use reqwest::Url;

/// Compute Engine API, discovery document, `rootUrl` and `servicePath`.
const GOOGLE: &str = "https://compute.googleapis.com/compute/v1/";
const PATH: &str = "/compute/v1/";

const HELP: &str = "write `endpoint` or CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE like \
    `https://compute.googleapis.com/compute/v1/`; plain http is for this machine alone, such as `http://127.0.0.1:8080`, \
    unless `plain-http = true` stands in the `[gcp]` table";

/// A base URL that a token may go to; its path ends with a slash.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Endpoint(Url);

impl Endpoint {
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`], without whatever may be secret in the text.
    pub(crate) fn parse(text: &str, plain_http: bool) -> Result<Self> {
        let invalid = |message: String| Error::new(ErrorKind::Invalid, message).help(HELP);
        let mut url =
            Url::parse(text.trim()).map_err(|error| invalid(format!("the endpoint is not a URL: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(invalid("the endpoint is no http or https URL".to_owned()));
        }
        let shown = origin(&url);
        if !url.username().is_empty() || url.password().is_some() {
            return Err(invalid(format!(
                "the endpoint `{shown}` has a user name or a password in it, which it does not need"
            )));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(invalid(format!("the endpoint `{shown}` has something after its path")));
        }
        if url.scheme() == "http" && !plain_http && !url.host_str().is_some_and(is_loopback) {
            return Err(invalid(format!(
                "the endpoint `{shown}` is plain http to another machine, where anybody on the way could read the token"
            )));
        }
        if url.path() == "/" {
            url.set_path(PATH);
        } else if !url.path().ends_with('/') {
            let path = format!("{}/", url.path());
            url.set_path(&path);
        }
        Ok(Self(url))
    }

    /// Google's own.
    pub(crate) fn google() -> Self {
        Self(Url::parse(GOOGLE).expect("a constant that a test parses"))
    }

    pub(crate) fn is_loopback(&self) -> bool {
        self.0.host_str().is_some_and(is_loopback)
    }

    pub(crate) fn is_tls(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// The URL of one request.
    pub(super) fn url(&self, path: &str, query: &[(&'static str, String)]) -> Result<Url> {
        let mut url = self.0.clone();
        url.set_path(&format!("{}{path}", self.0.path()));
        // Dots climb, encoded ones as well; what is left has to be what was meant.
        if !url.path().starts_with(&format!("{}projects/", self.0.path())) {
            return Err(Error::new(ErrorKind::Invalid, format!("`{path}` is no path of a project's resource")));
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({self})")
    }
}

/// Scheme, host and port: what stands before an `@` is a secret.
fn origin(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}", url.scheme(), url.host_str().unwrap_or_default())
}

/// Whether a host, as it stands in a URL, is this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    address.map_or_else(|_| host.eq_ignore_ascii_case("localhost"), |address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_a_base_url_with_the_path_of_the_api() {
        for (text, expected) in [
            (GOOGLE, GOOGLE),
            ("https://compute.googleapis.com", GOOGLE),
            (" https://compute.googleapis.com/compute/v1 ", GOOGLE),
            ("http://127.0.0.1:1", "http://127.0.0.1:1/compute/v1/"),
            ("http://127.8.8.8:1/x", "http://127.8.8.8:1/x/"),
            ("http://[::1]:8080/", "http://[::1]:8080/compute/v1/"),
            ("http://LocalHost:1/compute/beta/", "http://localhost:1/compute/beta/"),
        ] {
            assert_eq!(Endpoint::parse(text, false).expect(text).to_string(), expected);
        }
        assert_eq!(Endpoint::google().to_string(), GOOGLE);
    }

    #[test]
    fn what_could_give_a_token_away_is_no_endpoint_and_no_secret_is_shown() {
        for (text, words) in [
            ("http://compute.googleapis.com/compute/v1/", "plain http"),
            ("http://10.0.0.1:80", "plain http"),
            ("http://localhost.example.com", "plain http"),
            ("http://127.0.0.1.example.com", "plain http"),
            ("http://169.254.169.254", "plain http"),
            ("http://user:s3cret@127.0.0.1:1", "user name"),
            ("https://s3cret@compute.googleapis.com", "user name"),
            ("https://compute.googleapis.com/?key=s3cret", "after its path"),
            ("https://compute.googleapis.com/#s3cret", "after its path"),
            ("ftp://127.0.0.1", "no http or https"),
            ("127.0.0.1:4566", "not a URL"),
            ("", "not a URL"),
        ] {
            let error = Endpoint::parse(text, false).expect_err(text);
            assert_eq!(error.kind(), ErrorKind::Invalid, "{text}");
            assert!(error.message().contains(words), "{text}: {error}");
            assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
            assert!(error.get("help").is_some());
        }
    }

    #[test]
    fn plain_http_goes_to_another_machine_only_if_that_is_said() {
        assert!(Endpoint::parse("http://10.0.0.1:80", false).is_err());
        let allowed = Endpoint::parse("http://10.0.0.1:80", true).expect("allowed");
        assert_eq!(allowed.to_string(), "http://10.0.0.1/compute/v1/");
    }

    #[test]
    fn no_path_leaves_the_endpoint() {
        let endpoint = Endpoint::google();
        let query = [("filter", "name eq \"a&b\"".to_owned())];
        let url = endpoint.url("projects/p/global/routes", &query).expect("url");
        assert_eq!(url.as_str(), format!("{GOOGLE}projects/p/global/routes?filter=name+eq+%22a%26b%22"));
        let odd = endpoint.url("projects/p/global/routes/a?b#c", &[]).expect("url");
        assert_eq!((odd.query(), odd.host_str()), (None, Some("compute.googleapis.com")));
        for path in [
            "",
            "//evil.example/x",
            "https://evil.example/",
            "projects/../../../x",
            "projects/%2e%2e/%2E%2E/x",
            "@evil",
        ] {
            assert!(endpoint.url(path, &[]).is_err(), "{path}");
        }
    }
}
