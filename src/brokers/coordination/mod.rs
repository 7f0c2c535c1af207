//! What several families share to agree on who is who: quorums that a family's machines embed.

pub mod raft;
