//! Which of this machine's addresses a phone can reach, best first.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use codeout_protocol::address::Address;

/// From where an address can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// By a name that the daemon's certificate is for: from wherever that name leads here.
    Named,
    /// From every device of the same tailnet, wherever it is.
    Tailnet,
    /// From the same local network.
    Lan,
    /// From the whole internet, unless a firewall is in the way.
    Public,
    /// From this computer alone.
    Loopback,
}

/// An address to offer to a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// What goes into the pairing link, the port always named.
    pub address: Address,
    /// From where it can be reached.
    pub kind: Kind,
}

/// One address of one network interface; an interface with several appears several times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// The interface's name: `eth0`.
    pub name: String,
    /// The address.
    pub address: IpAddr,
    /// Whether the interface is up and running.
    pub up: bool,
}

/// This machine's interfaces now.
///
/// # Errors
/// The system's, when it does not tell.
pub fn interfaces() -> io::Result<Vec<Interface>> {
    let interfaces = if_addrs::get_if_addrs()?.into_iter();
    Ok(interfaces
        .map(|interface| Interface {
            address: interface.ip(),
            up: interface.is_oper_up(),
            name: interface.name,
        })
        .collect())
}

/// Addresses at which a daemon listening on `bind` and `port` can be reached, the one most
/// likely to work from a phone first: tailnet, LAN, public, and this computer's own last.
///
/// `::` is taken to listen on IPv4 as well. A specific `bind` is the only candidate. Empty only
/// for port 0.
pub fn candidates(interfaces: &[Interface], bind: IpAddr, port: u16) -> Vec<Candidate> {
    let bind = bind.to_canonical();
    if !bind.is_unspecified() {
        return candidate(bind, kind(bind), port).into_iter().collect();
    }
    let mut found: Vec<(Rank, IpAddr)> = Vec::new();
    for interface in interfaces.iter().filter(|interface| interface.up) {
        let ip = interface.address;
        let known = found.iter().any(|(_, other)| *other == ip);
        if known || (bind.is_ipv4() && ip.is_ipv6()) {
            continue;
        }
        if let Some(rank) = rank(&interface.name, ip) {
            found.push((rank, ip));
        }
    }
    found.sort_by_key(|(rank, _)| *rank); // stable: else in the system's order
    let reachable = found.into_iter().filter_map(|(_, ip)| candidate(ip, kind(ip), port));
    let own = candidate(Ipv4Addr::LOCALHOST.into(), Kind::Loopback, port);
    reachable.chain(own).collect()
}

/// The same daemon's addresses when it serves HTTPS with a certificate for `names`: those names
/// first, then what of `found` the certificate is valid for. At any other address a browser would
/// warn, so these are left out unless there is nothing else.
pub fn secured(
    found: Vec<Candidate>,
    names: &[String],
    covers: impl Fn(&str) -> bool,
    port: u16,
) -> Vec<Candidate> {
    let secure = |host: &str, kind| {
        let address = Address::new(true, host, Some(port)).ok()?;
        Some(Candidate { address, kind })
    };
    let with_kind = |found: &Candidate| secure(found.address.host(), found.kind);
    let far = names.iter().filter(|name| *name != "localhost");
    let named = far.filter_map(|name| secure(name, Kind::Named));
    let covered = found.iter().filter(|found| covers(found.address.host())).filter_map(with_kind);
    let good: Vec<_> = named.chain(covered).collect();
    if good.is_empty() { found.iter().filter_map(with_kind).collect() } else { good }
}

fn candidate(ip: IpAddr, kind: Kind, port: u16) -> Option<Candidate> {
    let host = match ip {
        // Browsers trust this name more than the address: a plain-http page may use more there.
        ip if ip == Ipv4Addr::LOCALHOST || ip == Ipv6Addr::LOCALHOST => "localhost".to_owned(),
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    };
    let address = Address::new(false, &host, Some(port)).ok()?;
    Some(Candidate { address, kind })
}

fn kind(ip: IpAddr) -> Kind {
    if ip.is_loopback() {
        return Kind::Loopback;
    }
    match range(ip) {
        Some(Range::Tailnet4 | Range::Tailnet6) => Kind::Tailnet,
        Some(Range::Public4 | Range::Public6) => Kind::Public,
        // What is in no range is listed only because the user asked for it: link-local.
        Some(_) | None => Kind::Lan,
    }
}

/// The order of candidates, the best first. `bool`: not a physical interface, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Tailnet(Range),
    Lan4(bool, Range),
    Lan6(bool),
    Public(Range),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Range {
    Tailnet4,
    Tailnet6,
    Private192,
    Private10,
    Private172,
    UniqueLocal,
    Public4,
    Public6,
}

/// The range that `ip` is in; `None` for one that no other machine could dial.
fn range(ip: IpAddr) -> Option<Range> {
    match ip {
        IpAddr::V4(ip) => match ip.octets() {
            [0 | 127, ..] | [224..=255, ..] | [169, 254, ..] => None,
            // 464XLAT's own, and benchmarks', which proxies hand out as stand-ins for names.
            [192, 0, 0, _] | [198, 18 | 19, ..] => None,
            [100, 64..=127, ..] => Some(Range::Tailnet4),
            [192, 168, ..] => Some(Range::Private192),
            [10, ..] => Some(Range::Private10),
            [172, 16..=31, ..] => Some(Range::Private172),
            _ => Some(Range::Public4),
        },
        IpAddr::V6(ip) => match ip.segments() {
            [0xfd7a, 0x115c, 0xa1e0, ..] => Some(Range::Tailnet6),
            [0xfc00..=0xfdff, ..] => Some(Range::UniqueLocal),
            [0x2000..=0x3fff, ..] => Some(Range::Public6),
            _ => None,
        },
    }
}

fn rank(interface: &str, ip: IpAddr) -> Option<Rank> {
    let range = range(ip)?;
    if is_internal(interface) {
        return None;
    }
    let tailnet = matches!(range, Range::Tailnet4 | Range::Tailnet6);
    // macOS gives Tailscale a `utun`, and dozens of its own services one each.
    if interface.starts_with("utun") && !tailnet {
        return None;
    }
    let virtual_name = !["en", "eth", "wl"].iter().any(|prefix| interface.starts_with(prefix));
    Some(match range {
        Range::Tailnet4 | Range::Tailnet6 => Rank::Tailnet(range),
        Range::Private192 | Range::Private10 | Range::Private172 => Rank::Lan4(virtual_name, range),
        Range::UniqueLocal => Rank::Lan6(virtual_name),
        Range::Public4 | Range::Public6 => Rank::Public(range),
    })
}

/// Whether the interface only leads to containers and virtual machines on this computer, or to
/// nothing that another device could dial.
fn is_internal(name: &str) -> bool {
    const PREFIXES: [&str; 33] = [
        // Containers.
        "docker",
        "br-",
        "veth",
        "podman",
        "cni",
        "flannel",
        "cali",
        "cilium",
        "kube",
        "weave",
        "nerdctl",
        "lxc",
        "lxdbr",
        "lxdfan",
        "incusbr",
        "nodelocaldns",
        "vxlan",
        "waydroid",
        // Virtual machines. macOS numbers its own from bridge100; bridge0 is real.
        "virbr",
        "vmnet",
        "vboxnet",
        "vnet",
        "vnic",
        "mpqemubr",
        "bridge1",
        "macvtap",
        // Apple's links between its own devices, and tunnels and placeholders of the kernel.
        "awdl",
        "llw",
        "anpi",
        "gif",
        "stf",
        "sit",
        "dummy",
    ];
    // A second bridge of a server (`bridge1`) is as real as the first.
    PREFIXES.iter().any(|prefix| name.starts_with(prefix)) && name != "bridge1"
}

#[cfg(test)]
#[path = "address_tests.rs"]
mod tests;
