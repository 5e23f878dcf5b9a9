//! TLS, set up by hand.
//!
//! Rustls takes its cryptography from a process-wide default unless it is given one, and a library has no business with
//! what is process-wide. So the provider is named here. Trust is the machine's own: what its administrator added counts,
//! and `SSL_CERT_FILE` is honoured, which networks that look into TLS depend on.

use std::sync::Arc;

use kroutes_core::{Error, ErrorKind, Result};
use rustls::crypto::ring;
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier};
use rustls_platform_verifier::BuilderVerifierExt;

/// The machine's trust.
pub(crate) fn config() -> Result<ClientConfig> {
    let config = builder()?.with_platform_verifier().map_err(|error| unusable(&error))?;
    Ok(config.with_no_client_auth())
}

/// Trusts nobody: for clients that speak plain http only.
pub(crate) fn nobody() -> Result<ClientConfig> {
    Ok(builder()?.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

fn builder() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    builder.with_safe_default_protocol_versions().map_err(|error| unusable(&error))
}

fn unusable(error: &rustls::Error) -> Error {
    Error::new(ErrorKind::Unavailable, format!("the certificates that this machine trusts cannot be loaded: {error}"))
        .with_retryable(false)
        .help("set SSL_CERT_FILE to a file of certificates in PEM, or install the package `ca-certificates`")
}
