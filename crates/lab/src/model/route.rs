//! The words for one route: what it is for, where it leads, how it came to be.
//!
//! A target keeps what was written; what a description shows of it is worked out when somebody asks, because it changes
//! with the instance behind it.

use std::fmt;

use ipnet::IpNet;

/// What a route is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Destination {
    /// A range, canonical.
    Net(IpNet),
    /// A managed prefix list.
    PrefixList(String),
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Net(net) => net.fmt(f),
            Self::PrefixList(id) => f.write_str(id),
        }
    }
}

impl From<IpNet> for Destination {
    fn from(net: IpNet) -> Self {
        Self::Net(net.trunc())
    }
}

impl Destination {
    pub(super) const fn is_ipv6(&self) -> bool {
        matches!(self, Self::Net(IpNet::V6(_)))
    }

    /// The parameter that names such a destination, as messages spell it.
    pub(crate) const fn parameter(&self) -> &'static str {
        match self {
            Self::Net(IpNet::V4(_)) => "destination-cidr-block",
            Self::Net(IpNet::V6(_)) => "destination-ipv6-cidr-block",
            Self::PrefixList(_) => "destination-prefix-list-id",
        }
    }
}

/// Next hops that are no machine of the user's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "EC2's own words")]
pub enum Gateway {
    /// Internet gateway, virtual private gateway or gateway endpoint.
    Gateway,
    EgressOnly,
    Nat,
    Transit,
    Peering,
    Local,
    Carrier,
    CoreNetwork,
    OdbNetwork,
}

impl Gateway {
    /// All kinds.
    pub const ALL: [Self; 9] = [
        Self::Gateway,
        Self::EgressOnly,
        Self::Nat,
        Self::Transit,
        Self::Peering,
        Self::Local,
        Self::Carrier,
        Self::CoreNetwork,
        Self::OdbNetwork,
    ];

    /// The element under which a description shows it.
    pub const fn element(self) -> &'static str {
        match self {
            Self::Gateway => "gatewayId",
            Self::EgressOnly => "egressOnlyInternetGatewayId",
            Self::Nat => "natGatewayId",
            Self::Transit => "transitGatewayId",
            Self::Peering => "vpcPeeringConnectionId",
            Self::Local => "localGatewayId",
            Self::Carrier => "carrierGatewayId",
            Self::CoreNetwork => "coreNetworkArn",
            Self::OdbNetwork => "odbNetworkArn",
        }
    }

    /// The parameter by which a request names it.
    pub const fn parameter(self) -> &'static str {
        match self {
            Self::Gateway => "GatewayId",
            Self::EgressOnly => "EgressOnlyInternetGatewayId",
            Self::Nat => "NatGatewayId",
            Self::Transit => "TransitGatewayId",
            Self::Peering => "VpcPeeringConnectionId",
            Self::Local => "LocalGatewayId",
            Self::Carrier => "CarrierGatewayId",
            Self::CoreNetwork => "CoreNetworkArn",
            Self::OdbNetwork => "OdbNetworkArn",
        }
    }
}

/// Where a route leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Within the VPC.
    Local,
    /// An instance, by way of its only interface. The interface's id is that of the moment of writing.
    Instance {
        /// The instance's id.
        instance: String,
        /// The interface's id.
        interface: String,
    },
    /// A network interface.
    Interface(String),
    /// Anything else.
    Gateway(Gateway, String),
}

/// How a route came to be ("EC2 API Reference", `Route`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "EC2's own words")]
pub enum Origin {
    CreateRouteTable,
    CreateRoute,
    EnableVgwRoutePropagation,
    Advertisement,
}

impl Origin {
    /// EC2's word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CreateRouteTable => "CreateRouteTable",
            Self::CreateRoute => "CreateRoute",
            Self::EnableVgwRoutePropagation => "EnableVgwRoutePropagation",
            Self::Advertisement => "Advertisement",
        }
    }

    pub(super) const fn is_static(self) -> bool {
        matches!(self, Self::CreateRouteTable | Self::CreateRoute)
    }
}

/// One route of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// What it is for.
    pub destination: Destination,
    /// Where it leads.
    pub target: Target,
    /// How it came to be.
    pub origin: Origin,
}

impl Route {
    /// A route as `CreateRoute` makes them.
    pub fn new(destination: impl Into<Destination>, target: Target) -> Self {
        Self { destination: destination.into(), target, origin: Origin::CreateRoute }
    }
}

/// What a description shows of a route's next hop.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ShownRoute {
    /// The instance behind the interface.
    pub instance: Option<String>,
    /// The account that owns the instance.
    pub instance_owner: Option<String>,
    /// The interface.
    pub interface: Option<String>,
    /// Any other next hop: its element and its id.
    pub gateway: Option<(&'static str, String)>,
    /// Whether packets are lost.
    pub blackhole: bool,
}
