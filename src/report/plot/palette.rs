//! Colours that people with colour-blindness can tell apart (Okabe and Ito, "Color Universal
//! Design", 2008), with tints for areas.

use plotters::style::RGBColor;

use crate::observe::{ContactState, NodeState, RoleRank};
use crate::report::glance::Mood;

pub(super) const INK: RGBColor = RGBColor(0x22, 0x28, 0x2e);
pub(super) const MUTED: RGBColor = RGBColor(0x68, 0x70, 0x78);
pub(super) const FRAME: RGBColor = RGBColor(0xb4, 0xbb, 0xc2);
/// What was asked for, beneath what came of it.
pub(super) const LOAD: RGBColor = RGBColor(0xb4, 0xbb, 0xc2);
pub(super) const GRID: RGBColor = RGBColor(0xe6, 0xe9, 0xec);
pub(super) const PAPER: RGBColor = RGBColor(0xff, 0xff, 0xff);
pub(super) const SHADE: RGBColor = RGBColor(0xf3, 0xf5, 0xf7);

/// Acknowledged.
pub(super) const BLUE: RGBColor = RGBColor(0x00, 0x72, 0xb2);
/// Accepted without an answer.
pub(super) const SKY: RGBColor = RGBColor(0x56, 0xb4, 0xe9);
/// Delivered; what holds.
pub(super) const GREEN: RGBColor = RGBColor(0x00, 0x9e, 0x73);
/// Faults.
pub(super) const ORANGE: RGBColor = RGBColor(0xe6, 0x9f, 0x00);
/// Lost; what is broken.
pub(super) const VERMILION: RGBColor = RGBColor(0xd5, 0x5e, 0x00);
pub(super) const PURPLE: RGBColor = RGBColor(0xcc, 0x79, 0xa7);

const UP: RGBColor = RGBColor(0xbf, 0xe3, 0xd6);
const BOOTING: RGBColor = RGBColor(0xf6, 0xdf, 0xa4);
const DEAD: RGBColor = RGBColor(0x8c, 0x2b, 0x1d);
const STOPPED: RGBColor = RGBColor(0x5b, 0x63, 0x6b);
const PAUSED: RGBColor = RGBColor(0xe0, 0xc2, 0xd4);
const LEADER: RGBColor = RGBColor(0x3b, 0x55, 0x80);
const IN_SYNC: RGBColor = RGBColor(0xc3, 0xd0, 0xe6);
const LAGGING: RGBColor = RGBColor(0xe2, 0xda, 0xc8);
/// What 30 % of [`GREEN`] are on white.
pub(super) const PALE_GREEN: RGBColor = RGBColor(0xb3, 0xe2, 0xd5);
/// What 25 % of [`BLUE`] are on white.
pub(super) const PALE_BLUE: RGBColor = RGBColor(0xc0, 0xdc, 0xec);

/// What each colour becomes where the reader's screen is dark: light text on dark paper, and what
/// light text stands on is dark.
pub(super) const DARK: [(RGBColor, RGBColor); 22] = [
    (INK, RGBColor(0xe6, 0xed, 0xf3)),
    (MUTED, RGBColor(0x9a, 0xa4, 0xae)),
    (FRAME, RGBColor(0x5a, 0x63, 0x6e)),
    (GRID, RGBColor(0x24, 0x2a, 0x32)),
    (PAPER, RGBColor(0x0d, 0x11, 0x17)),
    (SHADE, RGBColor(0x18, 0x1d, 0x25)),
    (BLUE, RGBColor(0x5c, 0xb0, 0xf0)),
    (SKY, RGBColor(0x9c, 0xd8, 0xff)),
    (GREEN, RGBColor(0x2f, 0xbf, 0x94)),
    (ORANGE, RGBColor(0xf0, 0xb4, 0x30)),
    (VERMILION, RGBColor(0xf5, 0x83, 0x40)),
    (PURPLE, RGBColor(0xe3, 0x9c, 0xc5)),
    (UP, RGBColor(0x1d, 0x4b, 0x3f)),
    (BOOTING, RGBColor(0x5f, 0x4c, 0x16)),
    (DEAD, RGBColor(0xef, 0x8a, 0x7a)),
    (STOPPED, RGBColor(0xa3, 0xac, 0xb5)),
    (PAUSED, RGBColor(0x5c, 0x33, 0x4c)),
    (LEADER, RGBColor(0x9d, 0xb7, 0xe3)),
    (IN_SYNC, RGBColor(0x2b, 0x3d, 0x5c)),
    (LAGGING, RGBColor(0x4d, 0x45, 0x33)),
    (PALE_GREEN, RGBColor(0x17, 0x45, 0x3d)),
    (PALE_BLUE, RGBColor(0x20, 0x39, 0x4d)),
];

/// A lane's fill and the colour of text upon it.
pub(super) type Fill = (RGBColor, RGBColor);

/// Colours of a node's state: calm where it works, dark where it does not.
pub(super) const fn node_state(state: NodeState) -> Fill {
    match state {
        NodeState::Up => (UP, INK),
        NodeState::Booting => (BOOTING, INK),
        NodeState::Killed | NodeState::PowerLost => (DEAD, PAPER),
        NodeState::Stopped => (STOPPED, PAPER),
        NodeState::Paused => (PAUSED, INK),
    }
}

/// Colours of a client's connection, as those of a node's state: calm where it works.
pub(super) const fn contact(state: ContactState) -> Fill {
    match state {
        ContactState::Connected => (UP, INK),
        ContactState::Lost | ContactState::GivenUp => (STOPPED, PAPER),
        ContactState::Reconnecting => (BOOTING, INK),
        ContactState::Blocked => (PAUSED, INK),
    }
}

/// Colours of a role's rank: the darker, the more it serves.
pub(super) const fn role(rank: RoleRank) -> Fill {
    match rank {
        RoleRank::Leader => (LEADER, PAPER),
        RoleRank::InSync => (IN_SYNC, INK),
        RoleRank::Lagging => (LAGGING, INK),
    }
}

/// The colours of a badge.
pub(super) const fn mood(mood: Mood) -> Fill {
    match mood {
        Mood::Good => (GREEN, PAPER),
        Mood::Plain => (SHADE, INK),
        Mood::Doubtful => (LOAD, INK),
        Mood::Bad => (VERMILION, PAPER),
    }
}
