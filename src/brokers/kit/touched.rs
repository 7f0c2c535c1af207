//! What a machine has done since its invariants were last looked at.

/// Notes of a machine for whoever looks at it after each of its inputs; no more than so many, since nobody
/// looks where checks are switched off.
#[derive(Clone, Debug)]
pub struct Touched<T>(Vec<T>);

/// A store that is loaded notes each of its messages.
const MOST: usize = 65_536;

impl<T> Default for Touched<T> {
    fn default() -> Self {
        Touched(Vec::new())
    }
}

impl<T> Touched<T> {
    /// Notes something.
    #[inline]
    pub fn note(&mut self, touch: T) {
        if self.0.len() < MOST {
            self.0.push(touch);
        }
    }

    /// Takes what was noted.
    pub fn take(&mut self) -> Vec<T> {
        std::mem::take(&mut self.0)
    }
}
