//! Who asks, as far as the lab reads a signature.
//!
//! Nothing is verified: the lab holds no secret, and a wrong clock or key is a fault to be asked for. What is read is the
//! credential scope, `KEY/DATE/REGION/SERVICE/aws4_request` ("Signature Version 4"): a lab holds one region, and one
//! endpoint speaks for several services.

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Signed for this region and this service.
    Signed {
        /// Such as `us-west-2`.
        region: String,
        /// Such as `ec2`.
        service: String,
    },
    /// Not signed at all.
    Unsigned,
}

impl Caller {
    /// Reads the credential scope out of the `Authorization` header, or what a presigned address has in its place.
    pub(crate) fn read(header: Option<&str>, presigned: Option<&str>) -> Self {
        let in_header = header.and_then(|header| {
            let (_, rest) = header.split_once("Credential=")?;
            rest.split([',', ' ']).next()
        });
        let read = |scope: &str| {
            let mut parts = scope.rsplit('/').skip(1);
            let (service, region) = (parts.next()?.to_owned(), parts.next()?.to_owned());
            Some(Self::Signed { region, service })
        };
        in_header.or(presigned).and_then(read).unwrap_or(Self::Unsigned)
    }

    /// The region that is meant, if it is another one.
    pub(crate) fn elsewhere(&self, here: &str) -> Option<&str> {
        match self {
            Self::Signed { region, .. } if region != here => Some(region),
            _ => None,
        }
    }

    /// Whether the signature is for this service.
    pub(crate) fn is_for(&self, wanted: &str) -> bool {
        matches!(self, Self::Signed { service, .. } if service == wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn region_and_service_are_read_from_header_and_presigned_scope_alike() {
        let scope = "lab/20261120/eu-central-1/ec2/aws4_request";
        let header = format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0");
        let frankfurt = Caller::Signed { region: "eu-central-1".to_owned(), service: "ec2".to_owned() };
        assert_eq!(Caller::read(Some(&header), None), frankfurt);
        assert_eq!(Caller::read(None, Some(scope)), frankfurt);
        assert_eq!(Caller::read(None, None), Caller::Unsigned);
        assert_eq!(Caller::read(Some("Bearer x"), None), Caller::Unsigned);
        assert_eq!(frankfurt.elsewhere("us-west-2"), Some("eu-central-1"));
        assert_eq!(frankfurt.elsewhere("eu-central-1"), None);
        assert!(frankfurt.is_for("ec2") && !frankfurt.is_for("cloudformation"));
    }
}
