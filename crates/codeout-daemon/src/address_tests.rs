use proptest::prelude::*;

use super::*;

const PORT: u16 = 8400;

fn up(name: &str, address: &str) -> Interface {
    Interface { name: name.to_owned(), address: address.parse().unwrap(), up: true }
}

/// The candidates as text, for addresses given as `eth0 192.168.1.5`.
fn listed(interfaces: &[&str], bind: &str) -> Vec<String> {
    let interfaces: Vec<_> = interfaces
        .iter()
        .map(|line| line.split_once(' ').unwrap())
        .map(|(name, address)| up(name, address))
        .collect();
    let found = candidates(&interfaces, bind.parse().unwrap(), PORT);
    found.iter().map(|found| format!("{:?} {}", found.kind, found.address)).collect()
}

const LOCALHOST: &str = "Loopback http://localhost:8400";

#[test]
fn the_best_for_a_phone_comes_first() {
    let laptop = [
        "lo 127.0.0.1",
        "lo ::1",
        "eno1 2001:db8::7",
        "eno1 203.0.113.7",
        "eno1 fd12:3456::7",
        "wg0 192.168.77.2",
        "wg0 fd99::2",
        "enp3s0 172.20.1.5",
        "wlan0 10.0.0.9",
        "eth0 192.168.1.20",
        "eth0 fe80::1",
        "eth0 169.254.3.4",
        "tailscale0 fd7a:115c:a1e0::1a2b",
        "tailscale0 100.101.102.103",
        "tailscale0 fe80::99",
    ];
    let all = [
        "Tailnet http://100.101.102.103:8400",
        "Tailnet http://[fd7a:115c:a1e0::1a2b]:8400",
        "Lan http://192.168.1.20:8400",
        "Lan http://10.0.0.9:8400",
        "Lan http://172.20.1.5:8400",
        "Lan http://192.168.77.2:8400",
        "Lan http://[fd12:3456::7]:8400",
        "Lan http://[fd99::2]:8400",
        "Public http://203.0.113.7:8400",
        "Public http://[2001:db8::7]:8400",
        LOCALHOST,
    ];
    assert_eq!(listed(&laptop, "::"), all);
    assert_eq!(listed(&laptop, "::ffff:0.0.0.0"), listed(&laptop, "0.0.0.0"));
    let only4: Vec<_> = all.into_iter().filter(|text| !text.contains('[')).collect();
    assert_eq!(listed(&laptop, "0.0.0.0"), only4);
}

#[test]
fn networks_inside_this_computer_are_left_out() {
    for line in [
        "docker0 172.17.0.1",
        "docker_gwbridge 172.18.0.1",
        "br-3f2a11 172.19.0.1",
        "veth12ab 10.1.1.1",
        "virbr0 192.168.122.1",
        "vmnet8 192.168.33.1",
        "vboxnet0 192.168.56.1",
        "lxcbr0 10.0.3.1",
        "lxdbr0 10.22.0.1",
        "lxdbr0 fd42:1::1",
        "cni0 10.42.0.1",
        "flannel.1 10.42.0.0",
        "cali12 192.168.9.9",
        "podman0 10.88.0.1",
        "kube-ipvs0 10.96.0.1",
        "bridge100 192.168.64.1",
        "utun3 10.8.0.2",
        "utun3 fd00::2",
        "utun3 203.0.113.9",
    ] {
        assert_eq!(listed(&[line], "::"), [LOCALHOST], "{line}");
    }
}

#[test]
fn addresses_that_nobody_can_dial_are_left_out() {
    for line in [
        "eth0 169.254.1.1",
        "eth0 fe80::1",
        "eth0 febf::1",
        "eth0 fec0::1",
        "eth0 224.0.0.1",
        "eth0 239.1.2.3",
        "eth0 255.255.255.255",
        "eth0 240.0.0.1",
        "eth0 0.0.0.0",
        "eth0 127.0.0.2",
        "eth0 192.0.0.4",
        "utun8 198.18.0.1",
        "eth0 198.19.255.1",
        "eth0 ff02::1",
        "eth0 ::",
        "eth0 ::1",
        "eth0 ::ffff:127.0.0.1",
        "eth0 64:ff9b::1",
    ] {
        assert_eq!(listed(&[line], "::"), [LOCALHOST], "{line}");
    }
}

#[test]
fn each_range_ends_where_it_should() {
    for (address, kind) in [
        ("100.63.255.255", Kind::Public),
        ("100.64.0.0", Kind::Tailnet),
        ("100.127.255.255", Kind::Tailnet),
        ("100.128.0.0", Kind::Public),
        ("172.15.255.255", Kind::Public),
        ("172.16.0.0", Kind::Lan),
        ("172.31.255.255", Kind::Lan),
        ("172.32.0.0", Kind::Public),
        ("192.167.1.1", Kind::Public),
        ("192.169.1.1", Kind::Public),
        ("11.0.0.1", Kind::Public),
        ("fd7a:115c:a1e0:ffff::1", Kind::Tailnet),
        ("fd7a:115c:a1e1::1", Kind::Lan),
        ("fc00::1", Kind::Lan),
        ("fdff::1", Kind::Lan),
        ("2000::1", Kind::Public),
        ("3fff:ffff::1", Kind::Public),
    ] {
        let found = candidates(&[up("eth0", address)], Ipv6Addr::UNSPECIFIED.into(), PORT);
        assert_eq!(found[0].kind, kind, "{address}");
        assert_eq!(found.len(), 2, "{address}");
    }
}

#[test]
fn a_container_offers_its_only_address() {
    let found = listed(&["lo 127.0.0.1", "eth0 172.17.0.2"], "0.0.0.0");
    assert_eq!(found, ["Lan http://172.17.0.2:8400", LOCALHOST]);
}

#[test]
fn tailscale_on_macos_is_found() {
    let found = listed(&["utun2 fe80::5", "utun4 100.90.1.2", "en0 192.168.1.3"], "::");
    let expected = ["Tailnet http://100.90.1.2:8400", "Lan http://192.168.1.3:8400", LOCALHOST];
    assert_eq!(found, expected);
}

#[test]
fn bridges_that_are_the_lan_stay() {
    for name in ["br0", "bridge0", "bridge1", "bond0", "vlan5", "zt0", "ppp0"] {
        let line = format!("{name} 192.168.1.3");
        assert_eq!(listed(&[&line], "::"), ["Lan http://192.168.1.3:8400", LOCALHOST]);
    }
}

#[test]
fn a_specific_bind_is_the_only_candidate() {
    let machine = ["lo 127.0.0.1", "docker0 172.17.0.1", "eth0 192.168.1.20", "ts0 100.64.1.1"];
    for (bind, expected) in [
        ("127.0.0.1", LOCALHOST),
        ("::1", LOCALHOST),
        ("::ffff:127.0.0.1", LOCALHOST),
        ("127.0.0.5", "Loopback http://127.0.0.5:8400"),
        ("192.168.1.20", "Lan http://192.168.1.20:8400"),
        ("::ffff:192.168.1.20", "Lan http://192.168.1.20:8400"),
        ("100.64.1.1", "Tailnet http://100.64.1.1:8400"),
        ("172.17.0.1", "Lan http://172.17.0.1:8400"),
        ("169.254.3.4", "Lan http://169.254.3.4:8400"),
        ("2001:db8::1", "Public http://[2001:db8::1]:8400"),
    ] {
        assert_eq!(listed(&machine, bind), [expected], "{bind}");
    }
}

#[test]
fn what_is_down_or_listed_twice_is_left_out() {
    let mut down = up("eth0", "192.168.1.20");
    down.up = false;
    let twice = [down, up("wlan0", "10.0.0.9"), up("wlan0:1", "10.0.0.9")];
    let found = candidates(&twice, Ipv4Addr::UNSPECIFIED.into(), PORT);
    let found: Vec<_> = found.iter().map(|found| found.address.to_string()).collect();
    assert_eq!(found, ["http://10.0.0.9:8400", "http://localhost:8400"]);
}

#[test]
fn no_network_leaves_this_computer() {
    assert_eq!(listed(&[], "::"), [LOCALHOST]);
    assert_eq!(candidates(&[], Ipv6Addr::UNSPECIFIED.into(), 0), []);
}

#[test]
fn the_port_is_named_even_where_it_is_the_schemes() {
    let found = candidates(&[], Ipv4Addr::UNSPECIFIED.into(), 80);
    assert_eq!(found[0].address.to_string(), "http://localhost:80");
}

#[test]
fn the_system_tells_its_interfaces() {
    let found = interfaces().unwrap();
    assert!(found.iter().any(|interface| interface.address.is_loopback() && interface.up));
}

proptest! {
    #[test]
    fn whatever_the_interfaces_the_list_is_sorted_and_without_repeats(
        interfaces in proptest::collection::vec(
            (
                prop_oneof![Just("eth0"), Just("wg0"), Just("docker0"), Just("utun1")],
                any::<IpAddr>(),
                any::<bool>(),
            ),
            0..12,
        ),
    ) {
        let interfaces: Vec<_> = interfaces
            .into_iter()
            .map(|(name, address, up)| Interface { name: name.to_owned(), address, up })
            .collect();
        let found = candidates(&interfaces, Ipv6Addr::UNSPECIFIED.into(), PORT);
        let place = |kind| match kind {
            Kind::Tailnet => 0,
            Kind::Lan => 1,
            Kind::Public => 2,
            Kind::Loopback => 3,
            Kind::Named => unreachable!("an interface has no name of a certificate"),
        };
        prop_assert!(found.is_sorted_by_key(|found| place(found.kind)));
        let own = found.iter().filter(|found| found.kind == Kind::Loopback).count();
        prop_assert_eq!(own, 1);
        for (at, one) in found.iter().enumerate() {
            prop_assert!(!found[..at].contains(one));
            prop_assert_eq!(&one.address.to_string().parse::<Address>().unwrap(), &one.address);
        }
    }
}

fn https(candidates: &[Candidate]) -> Vec<String> {
    candidates.iter().map(|found| format!("{} {:?}", found.address, found.kind)).collect()
}

#[test]
fn with_a_certificate_the_names_that_it_is_for_come_first() {
    let all = [up("eth0", "192.168.1.20"), up("tailscale0", "100.64.0.1")];
    let found = candidates(&all, Ipv6Addr::UNSPECIFIED.into(), PORT);
    let names = ["localhost".to_owned(), "desk.example".to_owned(), "desk.ts.net".to_owned()];
    let covers = |host: &str| ["desk.example", "192.168.1.20", "localhost"].contains(&host);
    assert_eq!(
        https(&secured(found.clone(), &names, covers, 8400)),
        [
            "https://desk.example:8400 Named",
            "https://desk.ts.net:8400 Named",
            "https://192.168.1.20:8400 Lan",
            "https://localhost:8400 Loopback",
        ]
    );
    // A certificate for nothing that is known here: better with a warning than not at all.
    assert_eq!(
        https(&secured(found, &[], |_| false, 443)),
        [
            "https://100.64.0.1:443 Tailnet",
            "https://192.168.1.20:443 Lan",
            "https://localhost:443 Loopback",
        ]
    );
}
