//! The lab's one service account: its key file, and the judgement of what is signed with it.
//!
//! The key is a fixture. Making a new one for every lab would cost a test seconds, and keeping this one secret would
//! protect nothing: it opens labs on loopback, and no cloud has ever heard of it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{KeyPair, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;
use serde::Deserialize;
use serde_json::json;

const FIXTURE: &str = include_str!("opens-only-labs.pem");

/// Google's own bound: "the expiration time of the assertion, at most one hour after its issued time".
const LONGEST: Duration = Duration::from_hours(1);

/// How far two clocks may be apart.
const SKEW: Duration = Duration::from_mins(5);

/// Google's token endpoint, for which google-auth for Python signs wherever the key file's `token_uri` leads
/// (`google.oauth2.service_account`); Google takes it, so it stands for the lab's as well.
const TOKEN_ENDPOINT: &str = "https://oauth2.googleapis.com/token";

/// What a self-signed assertion is for, whatever host is asked.
const SERVICE: &str = "https://compute.googleapis.com/";

/// The service account's address in a project.
pub(crate) fn client_email(project: &str) -> String {
    format!("kroutes@{project}.iam.gserviceaccount.com")
}

/// The key file as `gcloud iam service-accounts keys create` writes it.
pub(crate) fn key_file(project: &str, token_uri: &str) -> String {
    // The sentence before the key is for people; not every reader of keys skips it.
    let private_key = FIXTURE.find("-----BEGIN").map_or(FIXTURE, |start| &FIXTURE[start..]);
    let email = client_email(project);
    let file = json!({
        "type": "service_account",
        "project_id": project,
        "private_key_id": "1ab0000000000000000000000000000000000000",
        "private_key": private_key,
        "client_email": email,
        "client_id": "100000000000000000001",
        "auth_uri": "https://accounts.google.com/o/oauth2/auth",
        "token_uri": token_uri,
        "auth_provider_x509_cert_url": "https://www.googleapis.com/oauth2/v1/certs",
        "client_x509_cert_url": format!("https://www.googleapis.com/robot/v1/metadata/x509/{email}"),
        "universe_domain": "googleapis.com",
    });
    format!("{file:#}\n")
}

#[derive(Deserialize)]
struct Header {
    alg: String,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    #[serde(default)]
    aud: String,
    exp: u64,
    iat: u64,
    #[serde(default)]
    scope: String,
}

/// Judges a signed assertion ("Using OAuth 2.0 for Server to Server Applications"); the error is Google's description.
pub(crate) fn judge(assertion: &str, project: &str, token_uri: &str, now: SystemTime) -> Result<(), &'static str> {
    let claims = read(assertion, project, now)?;
    if claims.aud != token_uri && claims.aud != TOKEN_ENDPOINT {
        return Err("Invalid JWT: Failed audience check. The right audience is the token_uri of the key file.");
    }
    if claims.scope.trim().is_empty() {
        return Err("Invalid OAuth scope or ID token audience provided.");
    }
    Ok(())
}

/// Whether this is an assertion that stands for a token itself, as Google's own libraries make it without asking anybody
/// (AIP-4111, "Self-signed JWT"): for the service, or for scopes.
pub(crate) fn is_self_signed(token: &str, project: &str, now: SystemTime) -> bool {
    let claims = read(token, project, now);
    claims.is_ok_and(|claims| claims.aud == SERVICE || (claims.aud.is_empty() && !claims.scope.trim().is_empty()))
}

/// The claims of an assertion that the lab's account has signed and whose time is right.
fn read(assertion: &str, project: &str, now: SystemTime) -> Result<Claims, &'static str> {
    const FORM: &str = "Invalid JWT: must be three parts of base64url: header, claims and signature.";
    let (signed, signature) = assertion.rsplit_once('.').ok_or(FORM)?;
    let (header, claims) = signed.split_once('.').ok_or(FORM)?;
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).map_err(|_| FORM);
    let header: Header = serde_json::from_slice(&decode(header)?).map_err(|_| FORM)?;
    if header.alg != "RS256" {
        return Err("Invalid JWT: the algorithm must be RS256.");
    }
    if !is_signed(signed.as_bytes(), &decode(signature)?) {
        return Err("Invalid JWT Signature.");
    }
    let claims: Claims = serde_json::from_slice(&decode(claims)?).map_err(|_| "Invalid JWT: a claim is missing.")?;
    if claims.iss != client_email(project) {
        return Err("Invalid grant: account not found");
    }
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (issued, expires) = (Duration::from_secs(claims.iat), Duration::from_secs(claims.exp));
    if issued > now + SKEW || expires + SKEW < now || expires <= issued || expires > issued + LONGEST + SKEW {
        return Err(
            "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check \
                    your iat and exp values in the JWT claim.",
        );
    }
    Ok(claims)
}

fn is_signed(message: &[u8], signature: &[u8]) -> bool {
    let Some(key) = pair() else { return false };
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public_key().as_ref()).verify(message, signature).is_ok()
}

fn pair() -> Option<RsaKeyPair> {
    let der = PrivatePkcs8KeyDer::from_pem_slice(FIXTURE.as_bytes()).ok()?;
    RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).ok()
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;
    use ring::signature::RSA_PKCS1_SHA256;
    use serde_json::Value;

    use super::*;

    const URI: &str = "http://127.0.0.1:1/token";

    fn now() -> SystemTime {
        UNIX_EPOCH + Duration::from_hours(500_000)
    }

    fn signed(header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let key = pair().expect("the fixture is a key");
        let mut signature = vec![0; key.public().modulus_len()];
        key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature).expect("signed");
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn claims() -> Value {
        let email = "kroutes@lab.iam.gserviceaccount.com";
        json!({"iss": email, "aud": URI, "iat": 1_800_000_000, "exp": 1_800_003_600, "scope": "compute"})
    }

    #[test]
    fn an_assertion_is_judged_by_signature_issuer_audience_time_and_scope() {
        let header = json!({"alg": "RS256", "typ": "JWT"});
        let judged = |assertion: &str| judge(assertion, "lab", URI, now());
        assert_eq!(judged(&signed(&header, &claims())), Ok(()));
        let mut for_google = claims();
        for_google["aud"] = TOKEN_ENDPOINT.into();
        assert_eq!(judged(&signed(&header, &for_google)), Ok(()));
        let rows = [
            ("iss", json!("somebody@lab.iam.gserviceaccount.com"), "account not found"),
            ("aud", json!("https://example.com/token"), "audience"),
            ("exp", json!(1_800_000_000 - 1), "timeframe"),
            ("exp", json!(1_800_000_000 + 7200), "timeframe"),
            ("iat", json!(1_800_000_000 + 3000), "timeframe"),
            ("scope", json!(""), "scope"),
            ("exp", Value::Null, "claim"),
        ];
        for (claim, value, words) in rows {
            let mut claims = claims();
            claims[claim] = value;
            let refused = judged(&signed(&header, &claims)).expect_err(claim);
            assert!(refused.contains(words), "{claim}: {refused}");
        }
        let other = signed(&json!({"alg": "none"}), &claims());
        assert!(judged(&other).expect_err("unsigned").contains("RS256"));
        let good = signed(&header, &claims());
        let (message, _) = good.rsplit_once('.').expect("three parts");
        assert_eq!(judged(&format!("{message}.AAAA")), Err("Invalid JWT Signature."));
        assert!(judged("nonsense").is_err());
    }

    #[test]
    fn a_self_signed_assertion_is_for_the_service_or_for_scopes() {
        let rows = [(SERVICE, "", true), ("", "compute", true), ("", "", false), (URI, "compute", false)];
        for (audience, scope, expected) in rows {
            let mut claims = claims();
            claims["aud"] = audience.into();
            claims["scope"] = scope.into();
            let token = signed(&json!({"alg": "RS256"}), &claims);
            assert_eq!(is_self_signed(&token, "lab", now()), expected, "{audience} {scope}");
        }
    }

    #[test]
    fn the_key_file_is_one_that_readers_of_keys_take() {
        let file: Value = serde_json::from_str(&key_file("lab", URI)).expect("JSON");
        assert_eq!((&file["type"], &file["token_uri"]), (&json!("service_account"), &json!(URI)));
        assert!(file["private_key"].as_str().is_some_and(|key| key.starts_with("-----BEGIN PRIVATE KEY-----")));
    }
}
