//! Puts a scenario, a broker family, the world and the ledger together.

mod families;
mod freeze;
pub mod journal;
mod load;
mod part;
mod simulate;

pub use families::{ModeInfo, Selectable, describe_mode, faults, modes, schema, selectors};
pub use freeze::{FreezeError, freeze};
pub use journal::{Entry, Journal, JournalError, Key};
pub use load::{InputError, Prepared, load, load_within, parse, parse_within};
pub use part::{Parting, part};
pub use simulate::{
    REPORT, RunError, Traced, observe, panic_text, side_by_side, simulate, simulate_each,
    simulate_many, simulate_wanted, trace,
};
