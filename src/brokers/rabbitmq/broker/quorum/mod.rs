//! Quorum queues (rabbit_quorum_queue, rabbit_fifo, ra_server_proc, v3.8 to v4.3).
//!
//! | in RabbitMQ | here |
//! | --- | --- |
//! | rabbit_fifo | [`fifo`]: the state machine that every member applies |
//! | ra_server_proc | [`member`], `wishes`, [`apply`]: the process of a member |
//! | rabbit_fifo_dlx_worker | [`letters`] |
//! | rabbit_quorum_queue: `add_member`, `delete_member`, `grow`, `shrink_all` | [`resize`] |
//! | ra_directory, ra_leaderboard, rabbit_quorum_queue | [`directory`]: which members a node has, who leads |
//! | what a disk keeps of a member | [`disk`] |
//! | rabbit_fifo_client | `channel/quorum/`: it lives in the channel |

pub mod apply;
pub mod directory;
pub mod disk;
pub mod fifo;
pub mod letters;
pub mod member;
pub mod operate;
pub mod resize;
mod wishes;
