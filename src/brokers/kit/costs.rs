//! What operations cost: the shape of a family's one table of CPU times, and of the section
//! `[costs]` by which a scenario overrides any number of it.

use crate::engine::Span;

/// How many bytes a second one process gets through; 0 is any number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace(pub u64);

impl Pace {
    /// The time for so many bytes.
    #[must_use]
    #[inline]
    pub fn time(self, bytes: u32) -> Span {
        // 32 bits of bytes times 30 bits of ns fit.
        let nanos = u64::from(bytes) * 1_000_000_000;
        Span::from_nanos(nanos.checked_div(self.0).unwrap_or(0))
    }
}

/// Makes `Costs` and the section `[costs]` of a family's table, of which a line is: field, kind, key, default (or defaults by version), what it is, where the number is from.
#[macro_export]
macro_rules! costs {
    ($($field:ident: $kind:ident, $key:literal = $default:tt, $meaning:literal, $source:literal;)*) => {
        /// CPU time per operation, for a node of nominal speed, and times that are no computing.
        #[derive(Clone, Debug, PartialEq)]
        pub struct Costs {
            $(#[doc = $meaning] pub $field: $crate::brokers::kit::costs::costs!(@type $kind),)*
        }

        /// The keys of `[costs]`.
        const KEYS: &[$crate::scenario::KeySpec] = &[
            $($crate::scenario::KeySpec::new($key, $crate::brokers::kit::costs::costs!(@kind $kind), $crate::brokers::kit::costs::costs!(@preset $default), $meaning)
                .source($source),)*
        ];

        /// `[costs]`.
        pub const COSTS: $crate::scenario::SectionSpec = $crate::scenario::SectionSpec::single(
            "costs",
            &[KEYS],
            "What operations cost, where it differs from the calibration.",
        );

        impl Costs {
            /// The costs of a scenario that was checked with [`COSTS`].
            #[must_use]
            pub fn read(values: &$crate::scenario::Values) -> Costs {
                Costs { $($field: $crate::brokers::kit::costs::costs!(@read values, $kind, $key),)* }
            }

            /// Everything takes no time: for machines that are looked at by themselves.
            #[must_use]
            pub fn nothing() -> Costs {
                Costs { $($field: $crate::brokers::kit::costs::costs!(@nothing $kind),)* }
            }
        }
    };
    (@preset $default:literal) => { $crate::scenario::Preset::Is($default) };
    (@preset [$($version:literal = $default:literal),+]) => {
        $crate::scenario::Preset::ByVersion(&[$(($version, $default)),+])
    };
    (@type time) => { $crate::engine::Span };
    (@type times) => { $crate::engine::Distribution };
    (@type per_byte) => { $crate::brokers::kit::costs::Pace };
    (@kind time) => { $crate::scenario::Kind::ANY_DURATION };
    (@kind times) => { $crate::scenario::Kind::DURATIONS };
    (@kind per_byte) => { $crate::scenario::Kind::Bandwidth };
    (@read $values:ident, time, $key:literal) => { $values.duration($key) };
    (@read $values:ident, times, $key:literal) => { $values.distribution($key) };
    (@read $values:ident, per_byte, $key:literal) => { $crate::brokers::kit::costs::Pace($values.bandwidth($key)) };
    (@nothing time) => { $crate::engine::Span::ZERO };
    (@nothing times) => { $crate::engine::Distribution::Constant(0) };
    (@nothing per_byte) => { $crate::brokers::kit::costs::Pace(0) };
}

pub use costs;
