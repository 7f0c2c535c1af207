//! What an operator can do to the brokers of a family: the kinds of `[[action]]`, one file each.

use crate::observe::{ActionId, NodeId};
use crate::scenario::{Values, Variant};
use crate::world::Context;
use crate::world::action::{Answer, NODE_DOWN};

/// A kind of action: its keys, how they are read, and what its command does to a broker. `P` is the
/// family's plan, which knows its names; `B` a broker, and `M` what it is sent.
pub trait Command<P: ?Sized, B, M>: Sized {
    /// Its name, what it does, and its keys, of which the first is what it is done to.
    const SPEC: Variant;

    /// The first release that has it; all if it is not said.
    const SINCE: Option<&'static str> = None;

    /// The first release that no longer has it, and what to do there instead.
    const UNTIL: Option<(&'static str, &'static str)> = None;

    /// Reads its keys; `None` after it has told the plan what is wrong.
    fn parse(values: &Values, plan: &mut P) -> Option<Self>;

    /// The command is given to a broker that runs. `None` if it answers later
    /// ([`Context::answer`]).
    fn give(&self, id: ActionId, broker: &mut B, ctx: &mut Context<'_, M>) -> Option<Answer>;

    /// The command is given for a broker that is down: a tool that works on its files, and sees which
    /// of the others are up.
    ///
    /// # Errors
    /// Why it does nothing.
    fn give_offline(&self, broker: &mut B, up: &dyn Fn(NodeId) -> bool) -> Answer {
        let _ = (broker, up);
        Err(NODE_DOWN)
    }
}

/// Makes `Action`, what a scenario can order; `KINDS`, its kinds with their keys; and all that is one
/// match over them.
///
/// ```text
/// actions! {
///     Planner<'_>, Broker, Message;
///     /// A mirrored queue is synchronised.
///     sync_queue::SyncQueue,
/// }
/// ```
#[macro_export]
macro_rules! actions {
    ($plan:ty, $broker:ty, $message:ty; $($(#[$doc:meta])* $module:ident::$kind:ident,)*) => {
        /// What an operator orders.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Action {
            $($(#[$doc])* $kind($module::$kind),)*
        }

        /// The kinds of actions.
        pub const KINDS: $crate::scenario::Tagged = $crate::scenario::Tagged {
            tag: "kind",
            meaning: "The command.",
            variants: &[$(<$module::$kind as $crate::brokers::kit::Command<$plan, $broker, $message>>::SPEC,)*],
        };

        impl Action {
            /// The first release that has the command of a section, and the first that no longer has
            /// it with what to do there instead.
            pub(super) fn versions(
                values: &$crate::scenario::Values,
            ) -> (Option<&'static str>, Option<(&'static str, &'static str)>) {
                $(if values.text("kind") == <$module::$kind as $crate::brokers::kit::Command<$plan, $broker, $message>>::SPEC.name {
                    return (
                        <$module::$kind as $crate::brokers::kit::Command<$plan, $broker, $message>>::SINCE,
                        <$module::$kind as $crate::brokers::kit::Command<$plan, $broker, $message>>::UNTIL,
                    );
                })*
                (None, None)
            }

            /// What a section orders; `None` after the plan was told what is wrong.
            pub(super) fn parse(
                values: &$crate::scenario::Values,
                plan: &mut $plan,
            ) -> Option<Action> {
                let kind = values.text("kind");
                $(if kind == <$module::$kind as $crate::brokers::kit::Command<$plan, $broker, $message>>::SPEC.name {
                    let parsed: Option<$module::$kind> = $crate::brokers::kit::Command::parse(values, plan);
                    return parsed.map(Action::$kind);
                })*
                unreachable!("the check of the section knows `{kind}` from KINDS")
            }

            /// See [`Command::give`]($crate::brokers::kit::Command::give).
            pub(super) fn give(
                &self,
                id: $crate::observe::ActionId,
                broker: &mut $broker,
                ctx: &mut $crate::world::Context<'_, $message>,
            ) -> Option<$crate::world::action::Answer> {
                match self {
                    $(Action::$kind(said) => {
                        $crate::brokers::kit::Command::<$plan, $broker, $message>::give(said, id, broker, ctx)
                    })*
                }
            }

            /// See [`Command::give_offline`]($crate::brokers::kit::Command::give_offline).
            pub(super) fn give_offline(
                &self,
                broker: &mut $broker,
                up: &dyn Fn($crate::observe::NodeId) -> bool,
            ) -> $crate::world::action::Answer {
                match self {
                    $(Action::$kind(said) => {
                        $crate::brokers::kit::Command::<$plan, $broker, $message>::give_offline(said, broker, up)
                    })*
                }
            }
        }
    };
}

pub use actions;
