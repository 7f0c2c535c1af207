//! The ring of a mirrored queue: guaranteed multicast among its replicas.

pub mod gm;
mod origin;
