//! The order in which credentials are looked for.

use std::path::PathBuf;

use kroutes_core::{Error, ErrorKind, Result};

use super::connector::Connector;
use super::file::{self, Found};
use super::flow::Flow;
use super::metadata::Metadata;
use super::{Credentials, Origin, Token};
use crate::errors::CREDENTIALS_HELP;

const READY: &str = "GOOGLE_OAUTH_ACCESS_TOKEN";
const NAMED: &str = "GOOGLE_APPLICATION_CREDENTIALS";
const FILE: &str = "application_default_credentials.json";

type Variable<'a> = &'a (dyn Fn(&str) -> Option<String> + Sync);

pub(super) async fn find(variable: Variable<'_>) -> Result<Credentials> {
    // Empty is how shells and CI systems say "not set".
    let set = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
    if let Some(token) = set(READY) {
        let token = Token::new(token.trim()).ok_or_else(|| {
            Error::new(ErrorKind::Unauthenticated, format!("`{READY}` holds something that cannot be a token"))
                .help("set it to the one line that `gcloud auth print-access-token` prints, or unset it")
        })?;
        return Ok(Credentials::new(Origin::Ready(token), format!("`{READY}`"), None));
    }
    if let Some(path) = set(NAMED) {
        let path = PathBuf::from(path);
        let Some(found) = file::read(&path, &format!("`{NAMED}`")).await? else {
            let message = format!("`{NAMED}` names `{}`, where there is no file", path.display());
            return Err(Error::new(ErrorKind::Unauthenticated, message)
                .help(format!("correct or unset it, or {CREDENTIALS_HELP}")));
        };
        return from_file(found).await;
    }
    let mut looked = vec![format!("`{READY}` and `{NAMED}` are not set")];
    let own = set("CLOUDSDK_CONFIG")
        .map(PathBuf::from)
        .or_else(|| set("HOME").map(|home| PathBuf::from(home).join(".config").join("gcloud")));
    if let Some(path) = own.map(|folder| folder.join(FILE)) {
        if let Some(found) = file::read(&path, "gcloud's own file").await? {
            return from_file(found).await;
        }
        looked.push(format!("there is no `{}`", path.display()));
    }
    if set("NO_GCE_CHECK").is_some_and(|value| value.trim().eq_ignore_ascii_case("true")) {
        looked.push("`NO_GCE_CHECK` forbids to ask a metadata server".to_owned());
        return Err(nowhere(&looked));
    }
    let host = set("GCE_METADATA_HOST");
    let metadata = Metadata::new(host.as_deref().map(str::trim), looked)?;
    let source = format!("the metadata server at `{}`", metadata.host());
    Ok(Credentials::new(Origin::Metadata(metadata), source, None))
}

async fn from_file(found: Found) -> Result<Credentials> {
    let Found { secret, source, project } = found;
    let flow = Flow::new(secret, &source, Connector::new()).await?;
    Ok(Credentials::new(Origin::File(Box::new(flow)), source, project))
}

/// Nothing was found at any of the places.
pub(super) fn nowhere(looked: &[String]) -> Error {
    let message = format!("no Google credentials were found: {}", looked.join(", "));
    Error::new(ErrorKind::Unauthenticated, message).help(CREDENTIALS_HELP)
}
