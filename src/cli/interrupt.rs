//! Signals. Ctrl-C ends the call at once, except while a report folder is being written: then when
//! it is complete. A second Ctrl-C does not wait (the next start repairs what it leaves). The
//! signal of the file-size limit must not kill the process: the write fails with an error instead.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// What may not be torn apart: held while a folder is written. It holds the directory that goes if
/// it was made for this call and nothing was written.
#[derive(Clone, Debug, Default)]
pub(super) struct Interrupt {
    made: Arc<Mutex<Option<PathBuf>>>,
}

impl Interrupt {
    /// Handles signals from now on.
    ///
    /// # Errors
    /// If the system refuses; then signals do what they do by default.
    #[cfg(unix)]
    pub(super) fn install() -> io::Result<Interrupt> {
        use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
        use signal_hook::flag;
        use std::sync::atomic::AtomicBool;

        let interrupt = Interrupt::default();
        let again = Arc::new(AtomicBool::new(false));
        flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)))?;
        let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])?;
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first signal finds the flag unset and sets it.
            flag::register_conditional_shutdown(
                signal,
                super::exit::INTERRUPTED,
                Arc::clone(&again),
            )?;
            flag::register(signal, Arc::clone(&again))?;
        }
        let theirs = interrupt.clone();
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            if signals.forever().next().is_some() {
                let made = theirs.made.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(made) = made.as_ref() {
                    // Fails if a report is in it, which is what is wanted.
                    let _ = std::fs::remove_dir(made);
                }
                super::console::note("interrupted");
                std::process::exit(super::exit::INTERRUPTED);
            }
        })?;
        Ok(interrupt)
    }

    /// Where there are no such signals, nothing is handled.
    ///
    /// # Errors
    /// None.
    #[cfg(not(unix))]
    pub(super) fn install() -> io::Result<Interrupt> {
        Ok(Interrupt::default())
    }

    /// Names the directory that was made for this call.
    pub(super) fn made(&self, directory: PathBuf) {
        *self.made.lock().unwrap_or_else(PoisonError::into_inner) = Some(directory);
    }

    /// Does something that no signal tears apart.
    pub(super) fn whole<T>(&self, work: impl FnOnce() -> T) -> T {
        let _held = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        work()
    }
}
