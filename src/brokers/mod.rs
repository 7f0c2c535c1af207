//! Broker families and what they share.
