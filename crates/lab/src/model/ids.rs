//! Ids: making them, and telling a wrong one from an unknown one.
//!
//! EC2 answers `Malformed` for a text that cannot be an id and `NotFound` for one that could, and spells the codes
//! differently per kind (`InvalidRouteTableID.NotFound` but `InvalidRouteTableId.Malformed`). An id that a seed brought
//! is known, whatever it looks like, so that a topology may name its table `rtb-0a1b`.

use super::{Cloud, Refusal};

/// A kind of resource, as far as ids go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Vpc,
    Subnet,
    RouteTable,
    Instance,
    Interface,
    InternetGateway,
    Association,
    Attachment,
    Reservation,
}

impl Kind {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Vpc => "vpc-",
            Self::Subnet => "subnet-",
            Self::RouteTable => "rtb-",
            Self::Instance => "i-",
            Self::Interface => "eni-",
            Self::InternetGateway => "igw-",
            Self::Association => "rtbassoc-",
            Self::Attachment => "eni-attach-",
            Self::Reservation => "r-",
        }
    }

    /// The code for an unknown id, the code for a text that is none, and the noun that EC2 uses in the message.
    const fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Vpc => ("InvalidVpcID.NotFound", "InvalidVpcID.Malformed", "vpc ID"),
            Self::Subnet => ("InvalidSubnetID.NotFound", "InvalidSubnetID.Malformed", "subnet ID"),
            Self::RouteTable => ("InvalidRouteTableID.NotFound", "InvalidRouteTableId.Malformed", "routeTable ID"),
            Self::Instance | Self::Reservation => {
                ("InvalidInstanceID.NotFound", "InvalidInstanceID.Malformed", "instance ID")
            }
            Self::Interface => {
                ("InvalidNetworkInterfaceID.NotFound", "InvalidNetworkInterfaceId.Malformed", "networkInterface ID")
            }
            Self::InternetGateway => {
                ("InvalidInternetGatewayID.NotFound", "InvalidInternetGatewayId.Malformed", "internetGateway ID")
            }
            Self::Association => {
                ("InvalidAssociationID.NotFound", "InvalidRouteTableAssociationId.Malformed", "association ID")
            }
            Self::Attachment => ("InvalidAttachmentID.NotFound", "InvalidAttachmentID.Malformed", "attachment ID"),
        }
    }

    fn well_formed(self, id: &str) -> bool {
        let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        id.strip_prefix(self.prefix()).is_some_and(|rest| matches!(rest.len(), 8 | 17) && rest.chars().all(hex))
    }

    /// What EC2 says about ids that are not there.
    pub(crate) fn unknown(self, ids: &[&str]) -> Refusal {
        let (not_found, malformed, noun) = self.words();
        if let Some(id) = ids.iter().find(|id| !self.well_formed(id)) {
            return Refusal::new(malformed, format!("Invalid id: \"{id}\" (expecting \"{}...\")", self.prefix()));
        }
        let message = match ids {
            [id] => format!("The {noun} '{id}' does not exist"),
            _ => format!("The {noun}s '{}' do not exist", ids.join(", ")),
        };
        Refusal::new(not_found, message)
    }
}

impl Cloud {
    /// A new id, the same in every run of the same seed.
    pub(crate) fn new_id(&mut self, kind: Kind) -> String {
        // 17 hex digits are 68 bits; the first digit is 0, as EC2's always is.
        format!("{}0{:016x}", kind.prefix(), self.ids.u64(..))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_id_is_not_found_and_a_text_that_is_no_id_is_malformed() {
        let rows = [
            (Kind::RouteTable, "rtb-0123456789abcdef0", "InvalidRouteTableID.NotFound"),
            (Kind::RouteTable, "rtb-01234567", "InvalidRouteTableID.NotFound"),
            (Kind::RouteTable, "kubernetes", "InvalidRouteTableId.Malformed"),
            (Kind::Instance, "i-0123456789abcdef0", "InvalidInstanceID.NotFound"),
            (Kind::Instance, "i-0123456789ABCDEF0", "InvalidInstanceID.Malformed"),
            (Kind::Instance, "worker-0", "InvalidInstanceID.Malformed"),
            (Kind::Interface, "eni-0123456789abcdef0", "InvalidNetworkInterfaceID.NotFound"),
            (Kind::Interface, "eni", "InvalidNetworkInterfaceId.Malformed"),
        ];
        for (kind, id, code) in rows {
            assert_eq!(kind.unknown(&[id]).code, code, "{id}");
        }
        let refusal = Kind::RouteTable.unknown(&["rtb-0123456789abcdef0"]);
        assert_eq!(refusal.message, "The routeTable ID 'rtb-0123456789abcdef0' does not exist");
    }
}
