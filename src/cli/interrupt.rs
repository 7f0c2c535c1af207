//! Signals. Ctrl-C ends the call at once, except while a report folder is being written: then when
//! it is complete. A second Ctrl-C does not wait (the next start repairs what it leaves). The
//! signal of the file-size limit must not kill the process: the write fails with an error instead.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What may not be torn apart: held while a folder is written. It holds the directory that goes if
/// it was made for this call and nothing was written.
#[derive(Clone, Debug, Default)]
pub(super) struct Interrupt {
    made: Arc<Mutex<Option<PathBuf>>>,
    /// Whether the call ends by itself when it is asked to, and whether it was.
    gentle: Arc<AtomicBool>,
    asked: Arc<AtomicBool>,
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
                theirs.end();
            }
        })?;
        Ok(interrupt)
    }

    /// Handles Ctrl-C and Ctrl-Break from now on, and the end of the console.
    ///
    /// # Errors
    /// If the system refuses; then they do what they do by default.
    #[cfg(windows)]
    pub(super) fn install() -> io::Result<Interrupt> {
        let interrupt = Interrupt::default();
        let theirs = interrupt.clone();
        let (again, (told, waiting)) = (AtomicBool::new(false), std::sync::mpsc::channel());
        // Handlers are called one after the other: what waits has a thread of its own, so that a
        // second Ctrl-C need not.
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            if waiting.recv().is_ok() {
                theirs.end();
            }
        })?;
        ctrlc::set_handler(move || {
            if again.swap(true, Ordering::Relaxed) {
                std::process::exit(super::exit::INTERRUPTED);
            }
            let _ = told.send(());
        })
        .map_err(io::Error::other)?;
        Ok(interrupt)
    }

    /// Where nothing is known of signals, nothing is handled.
    ///
    /// # Errors
    /// None.
    #[cfg(not(any(unix, windows)))]
    pub(super) fn install() -> io::Result<Interrupt> {
        Ok(Interrupt::default())
    }

    /// From now on the first signal only asks the call to end; the second one does not wait.
    pub(super) fn gently(&self) {
        self.gentle.store(true, Ordering::Relaxed);
    }

    /// Whether the call was asked to end.
    pub(super) fn is_asked_to_end(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// Ends the call, once nothing is torn apart by it, or asks it to end.
    fn end(&self) {
        if self.gentle.load(Ordering::Relaxed) {
            self.asked.store(true, Ordering::Relaxed);
            return super::console::note(
                "ending when what is under way is done; Ctrl-C again does not wait for it",
            );
        }
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = made.as_ref() {
            // Fails if a report is in it, which is what is wanted.
            let _ = std::fs::remove_dir(made);
        }
        super::console::note("interrupted");
        std::process::exit(super::exit::INTERRUPTED);
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
