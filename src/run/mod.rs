//! Puts a scenario, a broker family, the world and the ledger together.

mod absent;
mod describe;
mod explain;
mod failures;
mod families;
mod freeze;
mod history;
pub mod journal;
mod load;
mod part;
mod planned;
mod portable;
mod schema;
mod simulate;

pub use absent::Absent;
pub use describe::{Chapter, Paragraph};
pub use explain::{End, ExplainError, Explanation, Tried, Turning, Which, explain};
pub use failures::Failure;
pub use families::{Families, ModeInfo, Selectable, faults};
pub use freeze::{FreezeError, freeze};
pub use history::{HistoryError, HistoryFormat, history};
pub use journal::{Entry, Journal, JournalError, Key};
pub use load::{InputError, Prepared, load, parse};
pub use part::{Parting, part};
pub use portable::{Portable, document as portable_document};
pub use simulate::{
    Progress, REPORT, RunError, Traced, observe, panic_text, side_by_side, simulate, simulate_each,
    simulate_many, simulate_wanted, trace,
};
