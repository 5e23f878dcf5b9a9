//! From settings to clients of EC2, `CloudFormation` and STS.
//!
//! Either the SDK's own chain decides what the topology leaves open, as every AWS tool does it, or a fixed connection
//! decides everything, and then neither a variable nor a file of the user's is looked at: that is how a built-in cloud is
//! reached without ever sending somebody's real credentials to it, or practice calls to a real account.
//!
//! `endpoint-url` is EC2's. On this machine it is taken for `CloudFormation`'s too: a local cloud has one endpoint for all
//! it plays, and practising there must not read a real account's exports. The same holds for STS. Anywhere else they are
//! where the SDK thinks, `AWS_ENDPOINT_URL_CLOUDFORMATION` and `AWS_ENDPOINT_URL_STS` included.
//!
//! Two waits are cut short. The SDK would ask the instance metadata service for a region and for credentials, and where
//! there is no such service each question can hang for a while; and it has no limit on how long an answer may take. The
//! gate's deadline comes first; those set here are for whatever it does not see.

use std::time::Duration;

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::imds;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use kroutes_core::{Error, ErrorKind, Result};

use crate::connector::{CONNECT_TIMEOUT, Door, PlainHttp, Way, way};
use crate::settings::AwsSettings;
use crate::whole::WholeAnswer;

/// How EC2 is reached.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum Connection {
    /// As the topology says and, where it says nothing, as the SDK's standard chain says: variables, profiles, roles.
    #[default]
    Standard,
    /// At this endpoint with these credentials, whatever the topology, the environment and the user's files say. No proxy.
    Fixed {
        /// The URL.
        endpoint: String,
        /// The region that requests are signed for.
        region: String,
        /// Makes up the credentials together with `secret_access_key`.
        access_key_id: String,
        /// Never printed.
        secret_access_key: String,
    },
}

/// The longest that one question to the instance metadata service takes.
const METADATA: Duration = Duration::from_secs(1);
/// The longest that one attempt takes if nobody else has ended it before.
const ATTEMPT: Duration = Duration::from_mins(1);

/// The clients of one account and region.
#[derive(Debug)]
pub(crate) struct Clients {
    pub(crate) ec2: aws_sdk_ec2::Client,
    pub(crate) cloudformation: aws_sdk_cloudformation::Client,
    pub(crate) sts: aws_sdk_sts::Client,
    pub(crate) region: String,
}

/// Clients, and the region that they sign for.
pub(crate) async fn connect(settings: &AwsSettings, connection: Connection) -> Result<Clients> {
    let door = Door::new();
    let api_door = Door::with(settings.plain_http);
    let (config, ec2_at, others_at) = match connection {
        Connection::Fixed { endpoint, region, access_key_id, secret_access_key } => {
            check_endpoint(&endpoint, false)?;
            let credentials = Credentials::new(access_key_id, secret_access_key, None, None, "fixed");
            let config = SdkConfig::builder()
                .behavior_version(BehaviorVersion::latest())
                .region(Region::new(region))
                .credentials_provider(SharedCredentialsProvider::new(credentials))
                .build();
            (config, Some(endpoint.clone()), Some(endpoint))
        }
        Connection::Standard => {
            settings.endpoint_url.as_deref().map(|url| check_endpoint(url, settings.plain_http)).transpose()?;
            let provider = ProviderConfig::without_region().with_http_client(door.clone());
            let imds = metadata(&provider);
            let region = region(settings, &provider, imds.clone()).await?;
            let config = standard(provider, imds, region, door).await;
            let endpoint = settings.endpoint_url.clone();
            (config, endpoint.clone(), endpoint.filter(|url| way(url).0 == Way::Loopback))
        }
    };
    let region = config.region().map(ToString::to_string).unwrap_or_default();
    let mut ec2 = aws_sdk_ec2::config::Builder::from(&config);
    if let Some(endpoint) = ec2_at {
        ec2 = ec2.endpoint_url(endpoint);
    }
    let ec2 = ec2
        .http_client(api_door.clone())
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts())
        .interceptor(WholeAnswer);
    let mut cloudformation = aws_sdk_cloudformation::config::Builder::from(&config);
    let mut sts = aws_sdk_sts::config::Builder::from(&config);
    if let Some(endpoint) = others_at {
        cloudformation = cloudformation.endpoint_url(endpoint.clone());
        sts = sts.endpoint_url(endpoint);
    }
    let cloudformation = cloudformation
        .http_client(api_door.clone())
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts())
        .interceptor(WholeAnswer);
    let sts = sts
        .http_client(api_door)
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts())
        .interceptor(WholeAnswer);
    Ok(Clients {
        ec2: aws_sdk_ec2::Client::from_conf(ec2.build()),
        cloudformation: aws_sdk_cloudformation::Client::from_conf(cloudformation.build()),
        sts: aws_sdk_sts::Client::from_conf(sts.build()),
        region,
    })
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT)
        .operation_timeout(ATTEMPT)
        .build()
}

fn metadata(provider: &ProviderConfig) -> imds::Client {
    imds::Client::builder()
        .configure(provider)
        .max_attempts(1)
        .connect_timeout(METADATA)
        .operation_attempt_timeout(METADATA)
        .operation_timeout(METADATA)
        .build()
}

async fn region(settings: &AwsSettings, provider: &ProviderConfig, imds: imds::Client) -> Result<Region> {
    if let Some(region) = &settings.region {
        return Ok(Region::new(region.clone()));
    }
    let chain = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
        .or_else(ProfileFileRegionProvider::builder().configure(provider).build())
        .or_else(imds::region::ImdsRegionProvider::builder().configure(provider).imds_client(imds).build());
    chain.region().await.ok_or_else(|| {
        Error::new(ErrorKind::Invalid, "no AWS region is known").help(
            "set `region` in the `[aws]` table of the topology, or `AWS_REGION`, or `region` in the AWS profile; `--lab` needs none",
        )
    })
}

async fn standard(provider: ProviderConfig, imds: imds::Client, region: Region, door: Door) -> SdkConfig {
    let credentials = DefaultCredentialsChain::builder()
        .configure(provider.with_region(Some(region.clone())))
        .region(region.clone())
        .imds_client(imds)
        .build()
        .await;
    aws_config::defaults(BehaviorVersion::latest())
        .region(region)
        .credentials_provider(credentials)
        .http_client(door)
        .retry_config(RetryConfig::disabled())
        .load()
        .await
}

fn check_endpoint(url: &str, plain_http: bool) -> Result<()> {
    match way(url) {
        (Way::Loopback | Way::Tls, _) => Ok(()),
        (Way::Plain, _) if plain_http => Ok(()),
        (Way::Plain, endpoint) => {
            Err(Error::new(ErrorKind::Invalid, PlainHttp { endpoint }.to_string()).help(PLAIN_HTTP_HELP))
        }
        (Way::Metadata, endpoint) => {
            let message =
                format!("`{endpoint}` is a link-local address, where credentials are handed out and no API is");
            Err(Error::new(ErrorKind::Invalid, message).help(METADATA_HELP))
        }
        (Way::Unknown, _) => Err(Error::new(ErrorKind::Invalid, "the endpoint is no http or https URL")
            .help("write `endpoint-url` like `https://ec2.us-west-2.amazonaws.com` or `http://127.0.0.1:4566`")),
    }
}

/// What to do about an endpoint where the metadata service is.
const METADATA_HELP: &str = "write the address of EC2's API as `endpoint-url`, like `https://ec2.us-west-2.amazonaws.com`, or leave it out; \
     `plain-http` does not allow this one";

/// What to do about [`PlainHttp`].
pub(crate) const PLAIN_HTTP_HELP: &str = "use an https endpoint, or one on this machine; look at `endpoint-url`, `AWS_ENDPOINT_URL_EC2` and `AWS_ENDPOINT_URL`; \
     `plain-http = true` in the `[aws]` table allows it";

#[cfg(test)]
mod tests {
    use aws_credential_types::provider::ProvideCredentials;

    use super::*;

    #[test]
    fn an_endpoint_is_checked_before_anything_is_sent() {
        for good in ["http://127.0.0.1:1", "https://ec2.example.com"] {
            assert!(check_endpoint(good, false).is_ok(), "{good}");
        }
        assert!(check_endpoint("http://ec2.example.com", true).is_ok());
        for (bad, expected) in [
            ("http://ec2.example.com/x", "`http://ec2.example.com` is plain http to another machine"),
            ("ec2.example.com", "no http or https URL"),
        ] {
            let error = check_endpoint(bad, false).expect_err(bad);
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(error.message().contains(expected), "{error}");
        }
    }

    #[test]
    fn a_metadata_service_is_no_endpoint_and_nothing_that_would_not_help_is_said_to() {
        for address in ["169.254.169.254", "169.254.170.2", "[fd00:ec2::254]"] {
            for plain_http in [false, true] {
                let error = check_endpoint(&format!("http://{address}/latest"), plain_http).expect_err(address);
                assert_eq!(error.kind(), ErrorKind::Invalid);
                assert!(error.message().contains(&format!("`http://{address}` is a link-local address")), "{error}");
                let help = error.get("help").expect("help");
                assert!(!help.contains("plain-http = true") && help.contains("`plain-http` does not"), "{help}");
            }
        }
        let plain = check_endpoint("http://ec2.example.com", false).expect_err("plain");
        assert!(plain.get("help").is_some_and(|help| help.contains("`plain-http = true`")), "it does help here");
    }

    #[tokio::test]
    async fn the_topology_names_the_region_before_anything_else_does() {
        let settings = AwsSettings { region: Some("eu-north-1".to_owned()), ..AwsSettings::default() };
        let provider = ProviderConfig::empty().with_http_client(Door::new());
        let region = region(&settings, &provider, metadata(&provider)).await.expect("region");
        assert_eq!(region.as_ref(), "eu-north-1");
    }

    #[tokio::test]
    async fn a_metadata_service_that_never_answers_does_not_hang_the_search_for_credentials() {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("port");
        let address = silent.local_addr().expect("address");
        let provider = ProviderConfig::empty().with_http_client(Door::new());
        let imds = imds::Client::builder()
            .configure(&provider)
            .endpoint(format!("http://{address}"))
            .expect("endpoint")
            .max_attempts(1)
            .operation_attempt_timeout(METADATA)
            .operation_timeout(METADATA)
            .build();
        let region = Region::new("us-west-2");
        let chain =
            DefaultCredentialsChain::builder().configure(provider).region(region).imds_client(imds).build().await;
        let patience = tokio::time::timeout(Duration::from_secs(20), chain.provide_credentials());
        assert!(patience.await.expect("it ended by itself").is_err());
    }
}
