//! A panic is a defect of mqsim: it is told as one error, with exit code 4.

use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};

use super::console;
use crate::run::{REPORT, panic_text};

/// The result of `work`, or `None` after saying that it panicked. Where and with what backtrace is
/// only told to those who ask by `RUST_BACKTRACE`: a run can always be repeated.
pub(super) fn caught<T>(work: impl FnOnce() -> T) -> Option<T> {
    let default = take_hook();
    set_hook(Box::new(move |panic| {
        if std::env::var_os("RUST_BACKTRACE").is_some_and(|value| value != "0") {
            default(panic);
        }
    }));
    let result = catch_unwind(AssertUnwindSafe(work));
    result
        .map_err(|panic| {
            let what = panic_text(&*panic);
            console::error(&format!("a defect of mqsim: {what}\n  = help: {REPORT}"));
        })
        .ok()
}
