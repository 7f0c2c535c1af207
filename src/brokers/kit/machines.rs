//! The enum of a family's machines.

use crate::observe::NodeId;

/// A machine that may be one of this kind.
pub trait Holds<P> {
    /// It, if it is.
    fn held(&self) -> Option<&P>;
}

/// All machines of a kind, with their hosts.
pub fn all<'m, M: Holds<P>, P: 'm>(
    machines: &'m [M],
) -> impl Iterator<Item = (NodeId, &'m P)> + Clone {
    let held = |(index, machine): (u32, &'m M)| Some((NodeId(index), machine.held()?));
    (0..).zip(machines).filter_map(held)
}

/// Makes an enum of boxes, a machine for the world of which each hands everything to what is in it,
/// and [`Holds`] of every kind. What a kind's `died` is told: of the `disk` and the observer, of the
/// observer alone because it has only `memory`, or of the disk alone, of which nobody else hears
/// (`silent`); one in which there is `nothing` to lose has no `died`. A `ready` one counts as up from
/// the start of its process.
/// One that ends in `"broker"` says itself what goes before what in the mailboxes of its lanes, and what
/// tools do to it while it is down.
///
/// ```text
/// machines! {
///     /// A broker or a client.
///     pub enum RabbitMachine: Message {
///         /// A broker node.
///         Broker(Broker): disk,
///         /// A producer.
///         Producer(Producer): memory,
///     }
/// }
/// ```
#[macro_export]
macro_rules! machines {
    ($(#[$doc:meta])* pub enum $name:ident: $message:ty {
        $($(#[$kind_doc:meta])* $kind:ident($part:ty): $died:ident $($ready:ident)? $($orders:literal)?,)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub enum $name {
            $($(#[$kind_doc])* $kind(Box<$part>),)*
        }

        impl $crate::world::Machine for $name {
            type Message = $message;

            fn handle(
                &mut self,
                input: $crate::world::Input<$message>,
                ctx: &mut $crate::world::Context<'_, $message>,
            ) {
                match self {
                    $($name::$kind(part) => $crate::brokers::kit::machines::machines!(@handle part, input, ctx $(, $ready)?),)*
                }
            }

            fn urgency(
                &self,
                lane: $crate::world::Lane,
                input: &$crate::world::Input<$message>,
            ) -> u8 {
                match self {
                    $($name::$kind(part) => $crate::brokers::kit::machines::machines!(@urgency part, lane, input $(, $orders)?),)*
                }
            }

            fn died(
                &mut self,
                death: $crate::world::Death,
                disk: &$crate::world::DiskView<'_>,
                at: $crate::engine::Time,
                observer: &mut dyn $crate::observe::Observer,
            ) {
                match self {
                    $($name::$kind(part) => $crate::brokers::kit::machines::machines!(@$died part, death, disk, at, observer),)*
                }
            }

            fn command_offline(
                &mut self,
                action: $crate::observe::ActionId,
                up: &dyn Fn($crate::observe::NodeId) -> bool,
            ) -> $crate::world::action::Answer {
                match self {
                    $($name::$kind(part) => $crate::brokers::kit::machines::machines!(@command part, action, up $(, $orders)?),)*
                }
            }

            fn waits_for(&self) -> Option<$crate::world::Wait> {
                match self {
                    $($name::$kind(part) => part.waits_for(),)*
                }
            }
        }

        $(impl $crate::brokers::kit::machines::Holds<$part> for $name {
            fn held(&self) -> Option<&$part> {
                match self {
                    $name::$kind(part) => Some(part),
                    #[allow(unreachable_patterns, reason = "a family may have one kind only")]
                    _ => None,
                }
            }
        }

        impl From<$part> for $name {
            fn from(part: $part) -> $name {
                $name::$kind(Box::new(part))
            }
        })*
    };
    (@urgency $part:ident, $lane:ident, $input:ident) => {{
        let _ = ($part, $lane, $input);
        0
    }};
    (@urgency $part:ident, $lane:ident, $input:ident, $orders:literal) => {
        $part.urgency($lane, $input)
    };
    (@command $part:ident, $action:ident, $up:ident) => {{
        let _ = ($part, $action, $up);
        Err($crate::world::action::NODE_DOWN)
    }};
    (@command $part:ident, $action:ident, $up:ident, $orders:literal) => {
        $part.command_offline($action, $up)
    };
    (@handle $part:ident, $input:ident, $ctx:ident) => { $part.handle($input, $ctx) };
    (@handle $part:ident, $input:ident, $ctx:ident, ready) => {{
        let boots = matches!($input, $crate::world::Input::Boot(_));
        $part.handle($input, $ctx);
        if boots {
            $ctx.ready();
        }
    }};
    (@disk $part:ident, $death:ident, $disk:ident, $at:ident, $observer:ident) => {
        $part.died($death, $disk, $at, $observer)
    };
    (@memory $part:ident, $death:ident, $disk:ident, $at:ident, $observer:ident) => {
        $part.died($at, $observer)
    };
    (@nothing $part:ident, $death:ident, $disk:ident, $at:ident, $observer:ident) => {{
        let _ = ($part, $death, $disk, $at, $observer);
    }};
    (@silent $part:ident, $death:ident, $disk:ident, $at:ident, $observer:ident) => {
        $part.died($death, $disk)
    };
}

pub use machines;
