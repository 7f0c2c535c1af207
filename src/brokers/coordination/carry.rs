//! How a family's message type carries the messages of a shared piece.

/// A message type in which a `T` can travel: a family's enum has a variant for it.
pub trait Carry<T>: From<T> + Clone {
    /// The `T` in it.
    ///
    /// # Errors
    /// The message itself, if it is another one.
    fn open(self) -> Result<T, Self>;
}
