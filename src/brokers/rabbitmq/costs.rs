//! What operations cost: the one calibration of this family, and the section `[costs]` by which a
//! scenario overrides any number of it.
//!
//! The base is one queue of RabbitMQ 3.10.8 on a virtual machine with two cores: 49 thousand
//! transient and 24 to 26 thousand persistent messages of 1 KiB a second through one queue, 0.14 to
//! 0.19 ms for the confirm of a lone transient message, 0.54 to 0.70 ms for a persistent one. Three
//! nodes shared those two cores, which is not modelled: every node has the hardware's cores for
//! itself. So the ratios between modes are right, and the rates of clusters are too high for that
//! machine.

use crate::brokers::kit::costs::costs;

pub use crate::brokers::kit::costs::Pace;

costs! {
    channel_publish: time, "channel-publish" = "11us",
        "Channel: route a publish and hand it to the queues.",
        "measured: the confirm of a lone transient message after 0.14 to 0.19 ms";
    channel_confirm: time, "channel-confirm" = "3us",
        "Channel: note one replica's confirms.",
        "measured: as channel-publish";
    channel_deliver: time, "channel-deliver" = "4us",
        "Channel: pass a delivery on to the socket.",
        "measured: from publish to delivery 0.18 to 0.21 ms";
    channel_ack: time, "channel-ack" = "3us",
        "Channel: pass a consumer's acknowledgement on.",
        "rabbitmq.com/blog/2012/04/25: deliveries with acks cost 9 us more than without, on four processes";
    queue_publish: time, "queue-publish" = "4us",
        "Queue: enqueue a message.",
        "measured: 49 thousand transient messages a second through one queue to a consumer that keeps up";
    queue_persist: time, "queue-persist" = "21us",
        "Queue: what a persistent message costs beside that.",
        "measured: 24 to 26.5 thousand persistent messages a second through one queue";
    queue_deliver: time, "queue-deliver" = "3us",
        "Queue: hand a message to a consumer's channel.",
        "rabbitmq.com/blog/2012/04/25: 19 us a message without, 22 us with a consumer";
    queue_settle: time, "queue-settle" = "4us",
        "Queue: settle an acknowledged message.",
        "rabbitmq.com/blog/2012/04/25: 22 us a message without, 31 us with acks";
    queue_bytes: per_byte, "queue-bytes" = "157MB/s",
        "Queue: what the size of a message adds to enqueueing it.",
        "rabbitmq.com/blog/2012/04/25: 130 MB/s at 100 kB and 157 MB/s at 1 MB through one queue";
    queue_flush: time, "queue-flush" = "190us",
        "Queue: one flush of the journal, beside what the disk takes.",
        "measured: the confirm of a lone persistent message after 0.54 to 0.60 ms, of which the fsync 0.21 ms";
    queue_write: time, "queue-write" = "40us",
        "Queue: one flush that is not fsynced.",
        "an estimate: a flush of the journal without what waiting for the disk costs";
    store_write: time, "store-write" = "10us",
        "Message store: take a body.",
        "an estimate: as queue-publish";
    store_flush: time, "store-flush" = "40us",
        "Message store: one flush, beside what the disk takes.",
        "an estimate: as queue-write";
    recover_queue: time, "recover-queue" = "9ms",
        "Queue: start at the boot of its node, beside what it has to read; from 3.12 on a fifth.",
        "rabbitmq.com/blog/2023/05/17: 100,000 queues in 15 minutes, from 3.12 in less than 3";
    recover_entry: time, "recover-entry" = "25us",
        "Queue: recover one message after anything but an orderly stop.",
        "measured: a broker with 24 thousand messages starts at most 0.9 s later than an empty one";
    leader_broadcast: time, "leader-broadcast" = "10us",
        "Leader: give an instruction to its ring.",
        "measured: a queue with one mirror at 0.6 of the rate of one without";
    mirror_instruction: time, "mirror-instruction" = "12us",
        "Mirror: follow one instruction.",
        "measured: as leader-broadcast";
    group: time, "group" = "10us",
        "Ring member: take one instruction from its leader, or handle any other message.",
        "measured: as leader-broadcast";
    group_activity: time, "group-activity" = "110us",
        "Ring member: send, or receive, what is passed around the ring, however much it is.",
        "measured: the confirm of a lone message in a queue with one mirror after 1.08 to 1.18 ms";
    quorum_enqueue: time, "quorum-enqueue" = "29us",
        "Quorum queue's leader: append a publish.",
        "measured: a quorum queue of one member at 0.93 of the rate of a classic queue";
    quorum_send: time, "quorum-send" = "1us",
        "Quorum queue's leader: send an entry to a follower.",
        "measured: a quorum queue of three at 0.57 of the rate of a classic queue in the same cluster";
    quorum_command: time, "quorum-command" = "17us",
        "Quorum queue's leader: append any other command.",
        "measured: as quorum-enqueue";
    quorum_remote: time, "quorum-remote" = "8us",
        "Quorum queue's leader: what a command costs beside that if it comes from another node.",
        "measured: by way of a follower at 0.40 to 0.45 of the rate of a classic queue";
    quorum_follow: time, "quorum-follow" = "8us",
        "Quorum queue's follower: append an entry.",
        "measured: as quorum-enqueue";
    quorum_rpc: time, "quorum-rpc" = "1us",
        "Quorum queue's member: a request or an answer of another member, beside its entries and what the distribution costs.",
        "measured: a leader with one of two followers frozen is no more than 1.07 times as fast";
    quorum_apply: time, "quorum-apply" = "5us",
        "Quorum queue's member: apply an entry.",
        "measured: as quorum-enqueue";
    wal_entry: time, "wal-entry" = "1us",
        "Write-ahead log: an entry.",
        "an estimate: the log is never what limits";
    wal_batch: time, "wal-batch" = "40us",
        "Write-ahead log: a batch, beside what the disk takes.",
        "measured: the confirm of a lone message in a quorum queue of one member after 0.63 ms";
    page_message: time, "page-message" = "8us",
        "Queue: put a message out of memory onto the disk, or read it back.",
        "an estimate: half of what a persistent message costs";
    distribution: time, "distribution" = ["3.3" = "1us", "4.0" = "6us"],
        "Distribution: encode a message for another node, or decode one.",
        "measured: a hop between brokers adds 0.05 to 0.07 ms to a delivery; 4.x: a classic queue on another node at 0.63 of the rate of a local one, 3.10: 0.9";
    distribution_bytes: per_byte, "distribution-bytes" = "1GB/s",
        "Distribution: what the size of a message adds to that.",
        "measured: a queue on another node at 0.9 of the rate of a local one";
    sync_message: time, "sync-message" = "32us",
        "Leader: put a message into a synchronisation batch; mirror: take it out.",
        "rabbitmq-server#687: 31 thousand messages a second, as the leader counts them";
    internal: time, "internal" = "5us",
        "Node: any other internal message.",
        "an estimate that no measurement depends on";
    client: time, "client" = "16us",
        "Client: hand a message to the socket, or take one from it.",
        "measured: 49 thousand messages a second of one producer";
    handshake_step: time, "handshake-step" = "6ms",
        "One step of opening a connection and a channel: access checks, processes that start.",
        "measured: who reconnects after 100 ms publishes again after 129 to 135 ms (5 steps), consumes after 149 to 152 ms (8)";
    port_lookup: times, "port-lookup" = "{ distribution = \"uniform\", min = \"8ms\", max = \"10ms\" }",
        "Asking the port mapper of another host for a node's port (erl_epmd.erl: port_please).",
        "measured: a re-subscription that is tried every 30 ms gets through after 140 to 144 ms, with the fifth attempt";
    distribution_handshake: times, "distribution-handshake" = "{ distribution = \"lognormal\", median = \"4ms\", p99 = \"50ms\" }",
        "Setting up the connection to another node, beside the port mapper and round trips: processes that start, challenges, digests (dist_util.erl).",
        "measured: nodes whose connections were reset see each other again 10 to 60 ms later, and one that lost both others pauses in 10 of 26 runs";
    mnesia_start: times, "mnesia-start" = "{ distribution = \"uniform\", min = \"20ms\", max = \"400ms\" }",
        "Before 3.9.9: from a new VM's first contact until its Mnesia is one with that of the member that it met.",
        "an estimate that decides how often the start of a member is taken for a partial partition";
    mnesia_transaction: times, "mnesia-transaction" = "{ distribution = \"uniform\", min = \"4ms\", max = \"7ms\" }",
        "A Mnesia transaction's own work at its coordinator: locks, log, table write.",
        "measured: a promotion takes 16 to 21 ms beside the ring's 100 ms of grace, and three transactions";
    node_down_clean_up: times, "node-down-clean-up" = "{ distribution = \"uniform\", min = \"6ms\", max = \"22ms\" }",
        "From a node's loss to the removal of its queues' records (rabbit_node_monitor.erl: handle_dead_rabbit).",
        "measured: a home node's death leaves 6 to 17 publishes at 500 a second that are still routed to its processes";
    queue_shutdown: times, "queue-shutdown" = "{ distribution = \"uniform\", min = \"15ms\", max = \"110ms\" }",
        "A queue process's orderly end at a node's stop (rabbit_amqqueue_process.erl: terminate).",
        "measured: a stop of the leader's node stops confirms for 132 to 234 ms, a kill for 116 to 121 ms";
    plugins_stop: times, "plugins-stop" = "{ distribution = \"uniform\", min = \"20ms\", max = \"150ms\" }",
        "From a node's decision to pause, or to restart after it has lost, to the end of its clients' connections: the plugins stop first (rabbit.erl: stop, app_utils).",
        "measured: what was given back when the others were lost was still delivered";
    rabbit_start: times, "rabbit-start" = ["3.3" = "{ distribution = \"uniform\", min = \"700ms\", max = \"1300ms\" }", "4.0" = "{ distribution = \"uniform\", min = \"1700ms\", max = \"3000ms\" }"],
        "From RabbitMQ's start in a VM that has gone on, after a pause, to its Mnesia (rabbit.erl: start).",
        "measured: a minority that has paused serves again 1.4 to 2.0 s after the heal (3.10), 2.4 to 4 s (4.0.5)";
    leader_serves_on: times, "leader-serves-on" = "{ distribution = \"uniform\", min = \"2ms\", max = \"30ms\" }",
        "At such a stop: how long a leader goes on to serve after its ring member has stopped.",
        "measured: it makes 1 to 15 duplicates at 500 messages a second";
}
