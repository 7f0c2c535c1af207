//! Colours that people with colour-blindness can tell apart (Okabe and Ito, "Color Universal
//! Design", 2008), with tints for areas.

use plotters::style::RGBColor;

use crate::observe::{NodeState, RoleRank};
use crate::report::glance::Mood;

pub(super) const INK: RGBColor = RGBColor(0x22, 0x28, 0x2e);
pub(super) const MUTED: RGBColor = RGBColor(0x68, 0x70, 0x78);
pub(super) const FRAME: RGBColor = RGBColor(0xb4, 0xbb, 0xc2);
/// What was asked for, beneath what came of it.
pub(super) const LOAD: RGBColor = RGBColor(0xb4, 0xbb, 0xc2);
pub(super) const GRID: RGBColor = RGBColor(0xe6, 0xe9, 0xec);
pub(super) const PAPER: RGBColor = RGBColor(0xff, 0xff, 0xff);
pub(super) const SHADE: RGBColor = RGBColor(0xf3, 0xf5, 0xf7);

pub(super) const BLUE: RGBColor = RGBColor(0x00, 0x72, 0xb2);
pub(super) const SKY: RGBColor = RGBColor(0x56, 0xb4, 0xe9);
pub(super) const GREEN: RGBColor = RGBColor(0x00, 0x9e, 0x73);
pub(super) const ORANGE: RGBColor = RGBColor(0xe6, 0x9f, 0x00);
pub(super) const VERMILION: RGBColor = RGBColor(0xd5, 0x5e, 0x00);
pub(super) const PURPLE: RGBColor = RGBColor(0xcc, 0x79, 0xa7);

/// A lane's fill and the colour of text upon it.
pub(super) type Fill = (RGBColor, RGBColor);

/// Colours of a node's state: calm where it works, dark where it does not.
pub(super) const fn node_state(state: NodeState) -> Fill {
    match state {
        NodeState::Up => (RGBColor(0xbf, 0xe3, 0xd6), INK),
        NodeState::Booting => (RGBColor(0xf6, 0xdf, 0xa4), INK),
        NodeState::Killed | NodeState::PowerLost => (VERMILION, PAPER),
        NodeState::Stopped => (RGBColor(0x5b, 0x63, 0x6b), PAPER),
        NodeState::Paused => (PURPLE, INK),
    }
}

/// Colours of a role's rank: the darker, the more it serves.
pub(super) const fn role(rank: RoleRank) -> Fill {
    match rank {
        RoleRank::Leader => (BLUE, PAPER),
        RoleRank::InSync => (RGBColor(0xb5, 0xdc, 0xf5), INK),
        RoleRank::Lagging => (RGBColor(0xf3, 0xd0, 0x8a), INK),
    }
}

/// The colours of a badge.
pub(super) const fn mood(mood: Mood) -> Fill {
    match mood {
        Mood::Good => (GREEN, PAPER),
        Mood::Plain => (RGBColor(0x5b, 0x63, 0x6b), PAPER),
        Mood::Doubtful => (ORANGE, INK),
        Mood::Bad => (VERMILION, PAPER),
    }
}
