//! The kinds of faults, one file each: a type that holds what the keys say, and how it is a
//! [`Fault`].

mod bandwidth;
mod clock_skew;
mod crash;
mod disk_error;
mod disk_full;
mod disk_stall;
mod latency;
mod packet_loss;
mod partition;
mod pause;
mod power_loss;
mod reset;
mod restart;
mod slow_disk;
mod stop;
mod wipe_disk;

use crate::observe::{NodeId, Observer};
use crate::scenario::{Diagnostics, KeySpec, Tagged, Values, Variant};

use super::super::machine::Cluster;
use super::super::selector::Target;
use super::super::simulation::Simulation;
use super::freeze::Keys;
use super::parse::Vocabulary;
use super::{Met, TARGET};

pub use bandwidth::Bandwidth;
pub use clock_skew::ClockSkew;
pub use disk_error::Failing;
pub use latency::{Latency, LatencyChange};
pub use packet_loss::PacketLoss;
pub use partition::{ClientSide, Partition};
pub use slow_disk::SlowDisk;

/// A kind of fault: its keys, how they are read, what it does, what takes it back, and how it is
/// written.
pub(super) trait Fault: Sized {
    /// Its name, what it does, and its keys, of which the first is the target.
    const SPEC: Variant;

    /// Its keys where it is drawn at random, and with them its target.
    const DRAWN: &'static [KeySpec] = Self::SPEC.keys.split_at(1).1;

    /// Whether it is a fault of links, so that a link may be its target.
    const OF_LINKS: bool = false;

    /// Why it takes no `for`, if it is over as soon as it has begun: what to write instead.
    const AT_ONCE: Option<&'static str> = None;

    /// Reads its own keys. `words` are the names that selectors may use; there are none where its
    /// target is drawn at random.
    fn parse(
        values: &Values,
        words: Option<&Vocabulary<'_>>,
        wrong: &mut Diagnostics,
    ) -> Option<Self>;

    /// The sides that it names, if it has sides instead of a target; none if its target is one.
    fn sides(&self) -> Option<&[Target]> {
        None
    }

    /// Whether there is anything that it could do to these nodes; it is left out if not.
    fn concerns<C: Cluster, O: Observer>(&self, _: &[NodeId], _: &Simulation<C, O>) -> bool {
        true
    }

    /// It begins. State belongs to the thing it acts on (a node, a disk, a link), as a list or a
    /// count, because faults overlap.
    fn begin<C: Cluster, O: Observer>(&self, met: &mut Met, simulation: &mut Simulation<C, O>);

    /// It is over: takes back what `begin` did to what it has met, and nothing else.
    fn end<C: Cluster, O: Observer>(&self, _: &Met, _: &mut Simulation<C, O>) {}

    /// Writes its own keys as a scenario has them, but for its target.
    fn write(&self, _: &mut Keys) {}
}

/// Makes [`FaultKind`] and all that is one match over the kinds: of each the module, the type, and
/// in parentheses a name for what its keys say, if it has keys beside the target.
macro_rules! kinds {
    (@type $module:ident $kind:ident $said:ident) => { $module::$kind };
    (@value $module:ident $kind:ident) => { &$module::$kind };
    (@value $module:ident $kind:ident $said:ident) => { $said };
    (@made $module:ident $kind:ident) => { |$module::$kind| FaultKind::$kind };
    (@made $module:ident $kind:ident $said:ident) => { FaultKind::$kind };
    ($($(#[$doc:meta])* $module:ident::$kind:ident $(($said:ident))?,)*) => {
        /// What goes wrong.
        #[derive(Clone, Debug, PartialEq)]
        pub enum FaultKind {
            $($(#[$doc])* $kind $((kinds!(@type $module $kind $said)))?,)*
        }

        /// The kinds of faults.
        pub const KINDS: Tagged = Tagged {
            tag: "kind",
            meaning: "What goes wrong.",
            variants: &[$(<$module::$kind as Fault>::SPEC,)*],
        };

        /// The kinds of faults as they can be drawn at random.
        pub(super) const DRAWN: Tagged = Tagged {
            tag: "kind",
            meaning: "What goes wrong.",
            variants: &[$(Variant {
                keys: <$module::$kind as Fault>::DRAWN,
                ..<$module::$kind as Fault>::SPEC
            },)*],
        };

        impl FaultKind {
            /// What goes wrong, by the keys of a section; see [`Fault::parse`].
            pub(super) fn parse(
                values: &Values,
                words: Option<&Vocabulary<'_>>,
                wrong: &mut Diagnostics,
            ) -> Option<FaultKind> {
                let kind = values.text("kind");
                $(if kind == <$module::$kind as Fault>::SPEC.name {
                    let parsed = <$module::$kind as Fault>::parse(values, words, wrong);
                    return parsed.map(kinds!(@made $module $kind $($said)?));
                })*
                unreachable!("the check of the section knows `{kind}` from KINDS")
            }

            /// Its name in a scenario.
            pub(super) const fn name(&self) -> &'static str {
                match self {
                    $(FaultKind::$kind { .. } => <$module::$kind as Fault>::SPEC.name,)*
                }
            }

            /// Whether it is a fault of links, which a link may be the target of.
            #[must_use]
            pub const fn is_of_links(&self) -> bool {
                match self {
                    $(FaultKind::$kind { .. } => <$module::$kind as Fault>::OF_LINKS,)*
                }
            }

            /// See [`Fault::AT_ONCE`].
            pub(super) const fn at_once(&self) -> Option<&'static str> {
                match self {
                    $(FaultKind::$kind { .. } => <$module::$kind as Fault>::AT_ONCE,)*
                }
            }

            /// See [`Fault::sides`].
            pub(super) fn sides(&self) -> Option<&[Target]> {
                match self {
                    $(FaultKind::$kind $(($said))? => {
                        Fault::sides(kinds!(@value $module $kind $($said)?))
                    })*
                }
            }

            /// See [`Fault::concerns`].
            pub(super) fn concerns<C: Cluster, O: Observer>(
                &self,
                nodes: &[NodeId],
                simulation: &Simulation<C, O>,
            ) -> bool {
                match self {
                    $(FaultKind::$kind $(($said))? => {
                        Fault::concerns(kinds!(@value $module $kind $($said)?), nodes, simulation)
                    })*
                }
            }

            /// See [`Fault::begin`].
            pub(super) fn begin<C: Cluster, O: Observer>(
                &self,
                met: &mut Met,
                simulation: &mut Simulation<C, O>,
            ) {
                match self {
                    $(FaultKind::$kind $(($said))? => {
                        Fault::begin(kinds!(@value $module $kind $($said)?), met, simulation);
                    })*
                }
            }

            /// See [`Fault::end`].
            pub(super) fn end<C: Cluster, O: Observer>(
                &self,
                met: &Met,
                simulation: &mut Simulation<C, O>,
            ) {
                match self {
                    $(FaultKind::$kind $(($said))? => {
                        Fault::end(kinds!(@value $module $kind $($said)?), met, simulation);
                    })*
                }
            }

            /// See [`Fault::write`].
            pub(super) fn write(&self, keys: &mut Keys) {
                match self {
                    $(FaultKind::$kind $(($said))? => {
                        Fault::write(kinds!(@value $module $kind $($said)?), keys);
                    })*
                }
            }
        }
    };
}

kinds! {
    /// The process is asked to stop, and stays down.
    stop::Stop,
    /// The process is killed, and stays down.
    crash::Crash,
    /// The host loses power.
    power_loss::PowerLoss,
    /// The process is frozen.
    pause::Pause,
    /// The process is asked to stop and starts again at once; one that is down is started.
    restart::Restart,
    /// Packets between sides do not get through.
    partition::Partition(said),
    /// Packets take longer.
    latency::Latency(said),
    /// Packets are lost.
    packet_loss::PacketLoss(said),
    /// Links are narrow.
    bandwidth::Bandwidth(said),
    /// Connections are reset, once.
    reset::Reset,
    /// The disk is slower.
    slow_disk::SlowDisk(said),
    /// The disk does nothing.
    disk_stall::DiskStall,
    /// The disk takes nothing more.
    disk_full::DiskFull,
    /// What the disk is asked to do fails.
    disk_error::DiskError(said),
    /// The process is killed and its disk replaced by an empty one.
    wipe_disk::WipeDisk,
    /// The clock is wrong.
    clock_skew::ClockSkew(said),
}
