//! Rules of the project itself: what its files import, what its tables, documents and scenarios
//! promise.

mod architecture;
#[path = "../chaos_kit/cells.rs"]
mod cells;
mod coverage;
mod failures;
mod fidelity;
mod layers;
mod portable;
mod reasons;
mod schema;
mod specs;
mod toy_family;
