//! How far the checker goes.

use std::fmt;

/// How many of each thing may happen in one history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Bounds {
    /// Honest devices.
    pub devices: u8,
    /// A device of the attacker's: it begins with a wrong code, or one that is over, or connects
    /// under an honest device's public key.
    pub stranger: bool,
    /// Pairing offers that the daemon's user opens.
    pub offers: u8,
    /// Pairings that each device begins.
    pub pairings: u8,
    /// Connects that each device begins.
    pub connects: u8,
    /// Connections that the daemon accepts, all in all.
    pub arrivals: u8,
    /// Messages that the attacker makes.
    pub forgeries: u8,
    /// Links that are cut, at either end.
    pub cuts: u8,
    /// Deaths of the daemon's process; another begins at once.
    pub crashes: u8,
    /// Revocations.
    pub revocations: u8,
    /// Renames.
    pub renames: u8,
    /// Leaps of the clock, each a second longer than an offer lives.
    pub leaps: u8,
    /// Changes of the allow-list that the disk refuses.
    pub faults: u8,
    /// Rounds of housekeeping.
    pub cleanings: u8,
    /// The daemon asks its user whether a device may be paired.
    pub asks: bool,
    /// Devices are paired for 200 s.
    pub limited: bool,
    /// The honest devices are paired already when it begins; what they sent then is known.
    pub paired: bool,
}

/// A search, with its name.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// What it is about.
    pub name: &'static str,
    /// How far it goes.
    pub bounds: Bounds,
}

const NOTHING: Bounds = Bounds {
    devices: 0,
    stranger: false,
    offers: 0,
    pairings: 0,
    connects: 0,
    arrivals: 0,
    forgeries: 0,
    cuts: 0,
    crashes: 0,
    revocations: 0,
    renames: 0,
    leaps: 0,
    faults: 0,
    cleanings: 0,
    asks: false,
    limited: false,
    paired: false,
};

/// What every run of the tests searches.
pub const SHORT: &[Scenario] = &[
    Scenario {
        name: "race",
        bounds: Bounds { devices: 2, offers: 1, pairings: 1, arrivals: 2, faults: 1, ..NOTHING },
    },
    Scenario {
        name: "stranger",
        bounds: Bounds {
            devices: 1,
            stranger: true,
            offers: 2,
            pairings: 1,
            arrivals: 2,
            leaps: 1,
            ..NOTHING
        },
    },
    Scenario {
        name: "ask",
        bounds: Bounds {
            devices: 2,
            offers: 1,
            pairings: 1,
            arrivals: 2,
            leaps: 1,
            cuts: 1,
            asks: true,
            ..NOTHING
        },
    },
    Scenario {
        name: "recover",
        bounds: Bounds {
            devices: 1,
            offers: 1,
            pairings: 2,
            connects: 1,
            arrivals: 3,
            cuts: 1,
            crashes: 1,
            ..NOTHING
        },
    },
    Scenario {
        name: "revoke",
        bounds: Bounds {
            devices: 1,
            stranger: true,
            connects: 1,
            arrivals: 2,
            revocations: 1,
            renames: 1,
            paired: true,
            ..NOTHING
        },
    },
    Scenario {
        name: "expire",
        bounds: Bounds {
            devices: 1,
            offers: 1,
            pairings: 1,
            connects: 1,
            arrivals: 2,
            leaps: 1,
            cleanings: 1,
            limited: true,
            ..NOTHING
        },
    },
    Scenario {
        name: "forge a pairing",
        bounds: Bounds { devices: 1, offers: 1, pairings: 1, arrivals: 1, forgeries: 1, ..NOTHING },
    },
    Scenario {
        name: "forge a connect",
        bounds: Bounds {
            devices: 1,
            connects: 1,
            arrivals: 1,
            forgeries: 1,
            paired: true,
            ..NOTHING
        },
    },
];

/// What `make model` searches besides.
pub const LONG: &[Scenario] = &[
    Scenario {
        name: "three race",
        bounds: Bounds { devices: 3, offers: 1, pairings: 1, arrivals: 3, faults: 1, ..NOTHING },
    },
    Scenario {
        name: "race in time",
        bounds: Bounds {
            devices: 2,
            stranger: true,
            offers: 1,
            pairings: 1,
            arrivals: 2,
            leaps: 1,
            ..NOTHING
        },
    },
    Scenario {
        name: "race of three connections",
        bounds: Bounds {
            devices: 2,
            stranger: true,
            offers: 1,
            pairings: 1,
            arrivals: 3,
            ..NOTHING
        },
    },
    Scenario {
        name: "ask on",
        bounds: Bounds {
            devices: 2,
            offers: 2,
            pairings: 1,
            arrivals: 2,
            cuts: 2,
            leaps: 1,
            faults: 1,
            asks: true,
            ..NOTHING
        },
    },
    Scenario {
        name: "recover on",
        bounds: Bounds {
            devices: 1,
            offers: 1,
            pairings: 2,
            connects: 2,
            arrivals: 4,
            cuts: 1,
            crashes: 1,
            ..NOTHING
        },
    },
    Scenario {
        name: "recover from more",
        bounds: Bounds {
            devices: 1,
            offers: 2,
            pairings: 2,
            connects: 1,
            arrivals: 3,
            cuts: 2,
            crashes: 1,
            faults: 1,
            ..NOTHING
        },
    },
    Scenario {
        name: "revoke on",
        bounds: Bounds {
            devices: 1,
            connects: 2,
            arrivals: 3,
            revocations: 1,
            cuts: 1,
            paired: true,
            ..NOTHING
        },
    },
    Scenario {
        name: "revoke two",
        bounds: Bounds {
            devices: 2,
            connects: 1,
            arrivals: 2,
            revocations: 2,
            renames: 1,
            paired: true,
            ..NOTHING
        },
    },
    Scenario {
        name: "live",
        bounds: Bounds {
            devices: 1,
            offers: 1,
            pairings: 1,
            connects: 1,
            arrivals: 3,
            cuts: 1,
            revocations: 1,
            leaps: 1,
            cleanings: 1,
            limited: true,
            ..NOTHING
        },
    },
    Scenario {
        name: "live and die",
        bounds: Bounds {
            devices: 1,
            offers: 1,
            pairings: 1,
            connects: 1,
            arrivals: 2,
            crashes: 1,
            revocations: 1,
            leaps: 1,
            cleanings: 1,
            limited: true,
            ..NOTHING
        },
    },
    Scenario {
        name: "forge pairings",
        bounds: Bounds { devices: 2, offers: 1, pairings: 1, arrivals: 2, forgeries: 1, ..NOTHING },
    },
    Scenario {
        name: "forge a pairing twice",
        bounds: Bounds { devices: 1, offers: 1, pairings: 1, arrivals: 2, forgeries: 2, ..NOTHING },
    },
    Scenario {
        name: "forge connects",
        bounds: Bounds {
            devices: 1,
            stranger: true,
            connects: 1,
            arrivals: 2,
            forgeries: 1,
            revocations: 1,
            paired: true,
            ..NOTHING
        },
    },
];

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = [
            (self.devices, "devices"),
            (self.offers, "offers"),
            (self.pairings, "pairings a device"),
            (self.connects, "connects a device"),
            (self.arrivals, "connections accepted"),
            (self.forgeries, "forgeries"),
            (self.cuts, "cuts"),
            (self.crashes, "crashes"),
            (self.revocations, "revocations"),
            (self.renames, "renames"),
            (self.leaps, "leaps of the clock"),
            (self.faults, "failed writes"),
            (self.cleanings, "rounds of housekeeping"),
        ];
        let flags = [
            (self.stranger, "an attacker's device"),
            (self.asks, "asking the user"),
            (self.limited, "devices with a time limit"),
            (self.paired, "devices paired before"),
        ];
        let counts = counts.into_iter().filter(|(count, _)| *count > 0);
        let counts = counts.map(|(count, what)| format!("{count} {what}"));
        let flags = flags.into_iter().filter(|(set, _)| *set).map(|(_, what)| what.to_owned());
        let all: Vec<_> = counts.chain(flags).collect();
        f.write_str(&all.join(", "))
    }
}
