//! Where this daemon is reached, and the links of an offer that say so.

use std::net::{IpAddr, Ipv6Addr};

use codeout_protocol::code::Code;
use codeout_protocol::link::Link;

use crate::address::{self, Candidate, Kind};
use crate::state::Shared;

/// A link of the current offer, and what kind of address it names.
#[derive(Debug, Clone)]
pub struct OfferLink {
    /// The link.
    pub link: Link,
    /// The kind of its address; `None` when it was set with `advertise`.
    pub kind: Option<Kind>,
}

impl OfferLink {
    /// The kind as a word: `certificate`, `tailnet`, `lan`, `public`, `loopback`, `advertised`.
    pub fn kind_word(&self) -> &'static str {
        match self.kind {
            None => "advertised",
            Some(Kind::Named) => "certificate",
            Some(Kind::Tailnet) => "tailnet",
            Some(Kind::Lan) => "lan",
            Some(Kind::Public) => "public",
            Some(Kind::Loopback) => "loopback",
        }
    }
}

impl Shared {
    /// The links of an offer, the one most likely to be reached first.
    pub(crate) fn links(&self, code: &Code) -> Vec<OfferLink> {
        let link = |address| Link { address, code: code.clone(), daemon_key: self.identity.public };
        if let Some(address) = &self.config.advertise {
            return vec![OfferLink { link: link(address.clone()), kind: None }];
        }
        let with_kind =
            |Candidate { address, kind }| OfferLink { link: link(address), kind: Some(kind) };
        self.candidates().into_iter().map(with_kind).collect()
    }

    /// The addresses that a device may reach this daemon at; looked up anew, since they change.
    pub(crate) fn candidates(&self) -> Vec<Candidate> {
        let bind = self.config.bind.unwrap_or(Ipv6Addr::UNSPECIFIED.into());
        let interfaces = address::interfaces().unwrap_or_else(|error| {
            tracing::warn!(%error, "cannot list the network interfaces");
            Vec::new()
        });
        let found = address::candidates(&interfaces, bind, self.port);
        match &self.tls {
            Some(tls) => address::secured(found, &tls.names(), |host| tls.covers(host), self.port),
            None => found,
        }
    }

    /// The address to type on this computer.
    pub(crate) fn here(&self) -> String {
        if self.tls.is_some()
            && let Some(best) = self.candidates().first()
        {
            return best.address.to_string();
        }
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        match self.config.bind {
            Some(IpAddr::V4(v4)) if !v4.is_unspecified() && !v4.is_loopback() => {
                format!("{scheme}://{v4}:{}", self.port)
            }
            Some(IpAddr::V6(v6)) if !v6.is_unspecified() && !v6.is_loopback() => {
                format!("{scheme}://[{v6}]:{}", self.port)
            }
            _ => format!("{scheme}://localhost:{}", self.port),
        }
    }
}
