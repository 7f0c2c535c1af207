//! The words in which a family reports, a line each.

/// Makes a family's words for the catalogue, `WORDS`, and with them what its machines report by:
/// the constants in `cause`, `because`, `role`, `event` and `selector`.
///
/// ```text
/// words! {
///     causes { CONSTANT = "name", Settled | DeadLettered | Expired | Lost, precedence, "meaning"; }
///     conditions { CONSTANT = "name", "meaning"; }
///     roles { CONSTANT = "name", Leader | InSync | Lagging, "meaning"; }
///     events { CONSTANT = "name", "meaning, the broker's own log line where there is one"; }
///     situations { "name", Sign of it, "meaning"; }
///     selectors { CONSTANT = "name", [Destination, Number], "meaning"; }
///     refused { "kind of fault", "why"; }
/// }
/// ```
///
/// The precedence of a cause decides only between copies that were destroyed at one instant: the
/// greatest names the loss. The condition `NONE` is there by itself, before the others. Of what a
/// family has none it says nothing.
#[macro_export]
macro_rules! words {
    (
        causes { $($cause:ident = $cause_name:literal, $kind:ident, $precedence:literal, $cause_meaning:literal;)* }
        $(conditions { $($because:ident = $because_name:literal, $because_meaning:literal;)* })?
        $(roles { $($role:ident = $role_name:literal, $rank:ident, $role_meaning:literal;)* })?
        $(events { $($event:ident = $event_name:literal, $event_meaning:literal;)* })?
        $(situations { $($situation:literal, $sign:ident($($of:expr),*), $situation_meaning:literal;)* })?
        $(selectors { $($selector:ident = $selector_name:literal, [$($argument:ident),*], $selector_meaning:literal;)* })?
        $(refused { $($refused:literal, $why:literal;)* })?
    ) => {
        /// Causes.
        pub mod cause {
            $crate::brokers::kit::words::words!(@places $crate::observe::CauseId, u32; $($cause, $cause_meaning;)*);
        }

        /// Conditions.
        pub mod because {
            $crate::brokers::kit::words::words!(@places $crate::observe::BecauseId, u32; NONE, "Nothing to name."; $($($because, $because_meaning;)*)?);
        }

        /// Roles.
        pub mod role {
            $crate::brokers::kit::words::words!(@places $crate::observe::RoleId, u32; $($($role, $role_meaning;)*)?);
        }

        /// Events.
        pub mod event {
            $crate::brokers::kit::words::words!(@places $crate::observe::EventId, u32; $($($event, $event_meaning;)*)?);
        }

        /// Selectors, as a [`RoleQuery`](crate::world::RoleQuery) has them.
        pub mod selector {
            $crate::brokers::kit::words::words!(@places u32; $($($selector, $selector_meaning;)*)?);
        }

        /// The family's words.
        pub const WORDS: &$crate::brokers::kit::Words = &$crate::brokers::kit::Words {
            causes: &[$($crate::observe::Cause {
                name: $cause_name,
                kind: $crate::observe::CauseKind::$kind,
                meaning: $cause_meaning,
                precedence: $precedence,
            },)*],
            conditions: &["none", $($($because_name,)*)?],
            condition_meanings: &["", $($($because_meaning,)*)?],
            roles: &[$($($crate::observe::RoleWord {
                name: $role_name,
                rank: $crate::observe::RoleRank::$rank,
            },)*)?],
            events: &[$($($crate::observe::EventWord { name: $event_name, meaning: $event_meaning },)*)?],
            situations: &[$($($crate::observe::Situation {
                name: $situation,
                meaning: $situation_meaning,
                sign: $crate::observe::Sign::$sign($($of),*),
            },)*)?],
            selectors: &[$($($crate::world::SelectorSpec {
                name: $selector_name,
                arguments: &[$($crate::world::Argument::$argument),*],
                meaning: $selector_meaning,
            },)*)?],
            refused: &[$($(($refused, $why),)*)?],
        };
    };
    // Every name gets its place.
    (@places $id:path, u32; $($name:ident, $meaning:literal;)*) => {
        #[allow(non_camel_case_types, dead_code, clippy::upper_case_acronyms, reason = "it only counts")]
        enum Place { $($name,)* }
        $(#[doc = $meaning] pub const $name: $id = $id(Place::$name as u32);)*
    };
    (@places u32; $($name:ident, $meaning:literal;)*) => {
        #[allow(non_camel_case_types, dead_code, clippy::upper_case_acronyms, reason = "it only counts")]
        enum Place { $($name,)* }
        $(#[doc = $meaning] pub const $name: u32 = Place::$name as u32;)*
    };
}

/// Makes the ids of a family's invariants, in `invariant`, and `INVARIANTS`, a line each: constant,
/// name, what it rests on, meaning.
#[macro_export]
macro_rules! invariants {
    ($($invariant:ident = $name:literal, [$($rests_on:literal),*], $meaning:literal;)*) => {
        /// Invariants.
        pub mod invariant {
            $crate::brokers::kit::words::words!(@places $crate::observe::InvariantId, u32; $($invariant, $meaning;)*);
        }

        /// What is checked while a run goes on, as it is claimed by default.
        pub const INVARIANTS: &[$crate::observe::InvariantWord] = &[$($crate::observe::InvariantWord {
            name: $name,
            meaning: $meaning,
            rests_on: &[$($rests_on),*],
            lacks: Vec::new(),
        },)*];
    };
}

pub use {invariants, words};

#[cfg(test)]
#[allow(unreachable_pub, reason = "a family's words are for everybody, these only for the test")]
mod tests {
    use crate::observe::BecauseId;

    words! {
        causes {
            READ = "read", Settled, 0, "a consumer has acknowledged it";
            WIPED = "disk-wiped", Lost, 8, "the disk that held it was replaced";
        }
        conditions {
            EARLY = "early", "It was answered before an fsync.";
            NO_RETRY = "no-retry", "It was not sent again.";
        }
        roles {
            MASTER = "master", Leader, "It takes messages.";
            SLAVE = "slave", InSync, "It has all of them.";
        }
        events {
            RECOVERED = "recovered", "It has read its journal";
            IN_DOUBT = "in-doubt", "A commit was not answered";
        }
        selectors {
            ANY = "any", [], "One of them.";
            LEADER = "leader", [Destination], "Who takes messages.";
        }
    }

    #[test]
    fn ids_are_places() {
        let causes = [cause::READ, cause::WIPED].map(|id| WORDS.causes[id.index()].name);
        assert_eq!(causes, ["read", "disk-wiped"]);
        let conditions = [BecauseId::NONE, because::NONE, because::EARLY, because::NO_RETRY];
        let conditions = conditions.map(|id| WORDS.conditions[id.index()]);
        assert_eq!(conditions, ["none", "none", "early", "no-retry"]);
        let roles = [role::MASTER, role::SLAVE].map(|id| WORDS.roles[id.index()].name);
        assert_eq!(roles, ["master", "slave"]);
        let events = [event::RECOVERED, event::IN_DOUBT].map(|id| WORDS.events[id.index()].name);
        assert_eq!(events, ["recovered", "in-doubt"]);
        let selectors = [selector::ANY, selector::LEADER];
        assert_eq!(selectors.map(|id| WORDS.selectors[id as usize].name), ["any", "leader"]);
    }
}
