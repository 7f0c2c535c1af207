//! The keys of a section, a line each, and the struct that they fill.

use crate::engine::{Distribution, Span};
use crate::scenario::{Value, Values};

/// What a struct made by `keys!` holds of a key.
pub trait Setting: Sized {
    /// What a value comes to; `None` if it is of a kind that this is not made of.
    fn of(value: &Value) -> Option<Self>;

    /// What the key of a section that was checked comes to.
    ///
    /// # Panics
    /// If the key is of another kind, or has no value: a mistake in the program.
    #[must_use]
    fn read(values: &Values, key: &str) -> Self {
        let read = values.value(key).and_then(Self::of);
        read.unwrap_or_else(|| panic!("`{key}` has no value of the kind that is read"))
    }
}

impl<T: Setting> Setting for Option<T> {
    fn of(value: &Value) -> Option<Option<T>> {
        T::of(value).map(Some)
    }

    fn read(values: &Values, key: &str) -> Option<T> {
        values.value(key).map(|_| T::read(values, key))
    }
}

impl Setting for bool {
    fn of(value: &Value) -> Option<bool> {
        match value {
            Value::Flag(flag) => Some(*flag),
            _ => None,
        }
    }
}

impl Setting for u64 {
    fn of(value: &Value) -> Option<u64> {
        match value {
            Value::Integer(number) | Value::Size(number) | Value::Bandwidth(number) => {
                Some(*number)
            }
            _ => None,
        }
    }
}

impl Setting for u32 {
    fn of(value: &Value) -> Option<u32> {
        u64::of(value).map(|number| u32::try_from(number).unwrap_or(u32::MAX))
    }
}

/// A whole number is one of seconds.
impl Setting for Span {
    fn of(value: &Value) -> Option<Span> {
        match value {
            Value::Duration(span) => Some(*span),
            Value::Integer(seconds) => Some(Span::from_secs(*seconds)),
            _ => None,
        }
    }
}

impl Setting for Distribution {
    fn of(value: &Value) -> Option<Distribution> {
        match value {
            Value::Distribution(distribution) => Some(distribution.clone()),
            _ => None,
        }
    }
}

/// Makes a table of keys, and if wanted the struct that they fill. A line is: the field with its
/// type, and after a `|` what it is in versions without the key (all that left out if the plan reads
/// the key itself), key, kind, default (a literal, `none`, `required`, or by version), the versions
/// that have it, meaning, source.
///
/// ```text
/// keys! {
///     /// The broker's configuration.
///     pub struct Settings from BROKER_KEYS {
///         heartbeat: Span = "heartbeat", Kind::ANY_DURATION, "60s", "Heartbeat interval.", "its source";
///         retries: u32 = "retries", COUNT, ["3.3" = "1", "3.6" = "10"], "So often.", "its source";
///         timeout: Span | (Span::ZERO) = "timeout", Kind::ANY_DURATION, "30s" since "3.8" until "4.0", "..";
///         "locator", Kind::Choice(LOCATORS), none, "What picks ..", "its source";
///     }
///     beside {
///         /// What does not come from a key.
///         rules: Rules,
///     }
/// }
/// keys! { const TOPIC_KEYS { "name", Kind::Name, required, "What it is called."; } }
/// ```
#[macro_export]
macro_rules! keys {
    ($(#[$doc:meta])* $vis:vis const $keys:ident { $($key:literal, $kind:expr, $default:tt
        $(since $since:literal)? $(until $until:literal)?, $meaning:literal $(, $source:expr)?;)* }) => {
        $(#[$doc])*
        $vis const $keys: &[$crate::scenario::KeySpec] = &[$(
            $crate::scenario::KeySpec::new($key, $kind, $crate::brokers::kit::keys::keys!(@default $default), $meaning)
                $(.since($since))? $(.until($until))? $(.source($source))?,
        )*];
    };
    (
        $(#[$doc:meta])*
        pub struct $name:ident from $keys:ident {
            $($($field:ident: $type:ty $(| $absent:tt)? =)? $key:literal, $kind:expr, $default:tt
                $(since $since:literal)? $(until $until:literal)?, $meaning:literal $(, $source:expr)?;)*
        }
        $(beside { $($(#[$own_doc:meta])* $own:ident: $own_type:ty,)* })?
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            $($(#[doc = concat!("`", $key, "`: ", $meaning)] pub $field: $type,)?)*
            $($($(#[$own_doc])* pub $own: $own_type,)*)?
        }

        /// The keys that fill it, and those that the plan reads itself.
        pub const $keys: &[$crate::scenario::KeySpec] = &[$(
            $crate::scenario::KeySpec::new($key, $kind, $crate::brokers::kit::keys::keys!(@default $default), $meaning)
                $(.since($since))? $(.until($until))? $(.source($source))?,
        )*];

        impl $name {
            /// Reads them from a section that was checked with their table.
            #[must_use]
            pub fn of(values: &$crate::scenario::Values, $($($own: $own_type,)*)?) -> $name {
                $name {
                    $($($field: $crate::brokers::kit::keys::keys!(@read $type, values, $key $(, $absent)?),)?)*
                    $($($own,)*)?
                }
            }
        }
    };
    (@default none) => { $crate::scenario::Preset::Absent };
    (@default required) => { $crate::scenario::Preset::Required };
    (@default $value:literal) => { $crate::scenario::Preset::Is($value) };
    (@default [$($version:literal = $value:literal),*]) => {
        $crate::scenario::Preset::ByVersion(&[$(($version, $value)),*])
    };
    (@read $type:ty, $values:ident, $key:literal) => {
        <$type as $crate::brokers::kit::keys::Setting>::read($values, $key)
    };
    (@read $type:ty, $values:ident, $key:literal, $absent:tt) => {
        <Option<$type> as $crate::brokers::kit::keys::Setting>::read($values, $key).unwrap_or($absent)
    };
}

pub use keys;
