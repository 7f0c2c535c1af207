//! Named rules: what the brokers of a family do, rule by rule.
//!
//! A rule is on in the versions that have it, and can be switched alone in `[rules]`: a
//! `broker-version` is a bundle of them. Switched off, the mechanism is gone at its root, which
//! shows what it is good for, and that a scenario which rests on it notices.
//!
//! To add one: a line in the family's table (`rules.rs`), with the broker's source; an `if
//! rules.has(Rule::..)` where it acts; a row in `docs/fidelity/`, which a test compares with the
//! tables.

/// Makes `Rule`, `Rules`, `ALL` and `RULES` (the section `[rules]`) of a family's table:
///
/// ```text
/// named_rules! {
///     first "3.3";
///     Name = "name-in-the-file", always | since "3.8" | until "3.11", "What it does.", "its source";
/// }
/// ```
#[macro_export]
macro_rules! named_rules {
    (@holds $first:literal always) => {
        $crate::scenario::Preset::Is("true")
    };
    (@holds $first:literal never) => {
        $crate::scenario::Preset::Is("false")
    };
    (@holds $first:literal since $version:literal) => {
        $crate::scenario::Preset::ByVersion(&[($first, "false"), ($version, "true")])
    };
    (@holds $first:literal until $version:literal) => {
        $crate::scenario::Preset::ByVersion(&[($first, "true"), ($version, "false")])
    };
    (@holds $first:literal until $version:literal from $again:literal until $last:literal) => {
        $crate::scenario::Preset::ByVersion(&[
            ($first, "true"),
            ($version, "false"),
            ($again, "true"),
            ($last, "false"),
        ])
    };
    (@holds $first:literal from $since:literal until $version:literal) => {
        $crate::scenario::Preset::ByVersion(&[
            ($first, "false"),
            ($since, "true"),
            ($version, "false"),
        ])
    };
    (first $first:tt; $($rule:ident = $name:literal, $($when:ident $($version:literal)?)+, $meaning:literal, $source:literal;)*) => {
        /// A rule of the broker's.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Rule {
            $(#[doc = $meaning] #[doc = ""] #[doc = $source] $rule,)*
        }

        /// Every rule.
        pub const ALL: &[Rule] = &[$(Rule::$rule,)*];

        const KEYS: &[$crate::scenario::KeySpec] = &[$(
            $crate::scenario::KeySpec::new(
                $name,
                $crate::scenario::Kind::Flag,
                $crate::brokers::kit::rules::named_rules!(@holds $first $($when $($version)?)+),
                $meaning,
            )
            .source($source),
        )*];

        /// `[rules]`.
        pub const RULES: $crate::scenario::SectionSpec = $crate::scenario::SectionSpec::single(
            "rules",
            &[KEYS],
            "What the broker does, rule by rule: each is on in the versions that have it, and can \
             be switched off or on alone.",
        );

        impl Rule {
            /// Its name in `[rules]`.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Rule::$rule => $name,)*
                }
            }

            /// Where it is taken from.
            #[must_use]
            pub fn source(self) -> &'static str {
                match self {
                    $(Rule::$rule => $source,)*
                }
            }
        }

        /// Which rules hold.
        #[derive(Clone, Copy, PartialEq, Eq)]
        pub struct Rules(u128);

        impl Rules {
            /// Whether a rule holds.
            #[inline]
            #[must_use]
            pub fn has(self, rule: Rule) -> bool {
                self.0 & (1 << rule as u32) != 0
            }

            /// Every rule, of whatever version.
            #[must_use]
            pub const fn every() -> Rules {
                Rules(u128::MAX)
            }

            /// The same rules but for one.
            #[must_use]
            pub fn without(self, rule: Rule) -> Rules {
                Rules(self.0 & !(1 << rule as u32))
            }

            /// The checked values of `[rules]`.
            #[must_use]
            pub fn read(values: &$crate::scenario::Values) -> Rules {
                let holds = ALL.iter().filter(|rule| values.flag(rule.name()));
                Rules(holds.fold(0, |set, rule| set | 1 << *rule as u32))
            }
        }

        impl std::fmt::Debug for Rules {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let holds = ALL.iter().filter(|rule| self.has(**rule));
                f.debug_set().entries(holds.map(|rule| rule.name())).finish()
            }
        }
    };
}

pub use named_rules;
