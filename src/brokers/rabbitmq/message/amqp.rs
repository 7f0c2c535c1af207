//! AMQP 0-9-1, as far as clients and brokers here speak it (amqp0-9-1.xml).

use crate::observe::MessageRange;

use super::super::letters::LetterId;
use super::{DeliveryTag, ExchangeId, Properties, PublishSeq, QueueId, RoutingKey};

/// With what a consumer subscribes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// Most deliveries without acknowledgement; 0 is unlimited.
    pub prefetch: u32,
    /// `x-priority`.
    pub priority: i32,
    /// Automatic acknowledgement.
    pub no_ack: bool,
    /// `exclusive`: no other consumer beside this one.
    pub exclusive: bool,
    /// `x-cancel-on-ha-failover`.
    pub cancel_on_ha_failover: bool,
}

/// What a client declares of a queue (`queue.declare`), compared with what the scenario says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Declaration {
    /// The queue.
    pub queue: QueueId,
    /// Only whether it is there.
    pub passive: bool,
    /// It is to be used by this connection alone, and go with it.
    pub exclusive: bool,
    /// Durability, automatic deletion and arguments are those that the queue has.
    pub equivalent: bool,
}

/// Why the broker closes a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelError {
    /// 404 NOT_FOUND: the queue is not there, or its home node is down.
    NotFound,
    /// 403 ACCESS_REFUSED: the queue is in exclusive use.
    AccessRefused,
    /// 405 RESOURCE_LOCKED: the queue belongs to another connection.
    ResourceLocked,
    /// 406 PRECONDITION_FAILED: the queue is declared otherwise than it is.
    InequivalentArgument,
    /// 406 PRECONDITION_FAILED: an unknown delivery tag.
    UnknownDeliveryTag,
    /// 406 PRECONDITION_FAILED: a delivery was not acknowledged in time.
    DeliveryTimeout,
    /// 406 PRECONDITION_FAILED: a message is larger than the greatest size.
    MessageTooLarge,
}

/// What a client sends.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "fields are the arguments of the method that is named")]
pub enum FromClient {
    /// One step of opening a connection and a channel.
    Handshake { step: u8, last: bool, heartbeat_ms: u32 },
    /// `basic.publish`.
    BasicPublish {
        exchange: ExchangeId,
        key: RoutingKey,
        message: MessageRange,
        properties: Properties,
    },
    /// `queue.declare`, and `queue.bind` for each of its bindings.
    QueueDeclare { declaration: Declaration },
    /// `basic.consume`.
    BasicConsume { queue: QueueId, terms: Terms },
    /// `basic.get`.
    BasicGet { queue: QueueId, no_ack: bool },
    /// `basic.cancel`.
    BasicCancel { queue: QueueId },
    /// `basic.ack`.
    BasicAck { tag: DeliveryTag, multiple: bool },
    /// `basic.nack`, or `basic.reject`, with `requeue = true`.
    BasicRequeue { tag: DeliveryTag, multiple: bool, nack: bool },
    /// `basic.reject` or `basic.nack` with `requeue = false`.
    BasicReject { tag: DeliveryTag, multiple: bool },
    /// `channel.open`, after the broker has closed the one before.
    ChannelOpen,
    /// Heartbeat frame.
    Heartbeat,
}

/// What a broker sends.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "fields are the arguments of the method that is named")]
pub enum FromServer {
    /// Answer to a step of the handshake.
    HandshakeOk { step: u8, heartbeat_ms: u32 },
    /// `basic.return` 312 NO_ROUTE.
    BasicReturn { message: MessageRange, seq: PublishSeq },
    /// Publisher confirm.
    ConfirmAck { seq: PublishSeq, multiple: bool },
    /// Negative publisher confirm.
    ConfirmNack { seq: PublishSeq, multiple: bool },
    /// `queue.declare-ok`.
    DeclareOk { queue: QueueId },
    /// `basic.consume-ok`.
    ConsumeOk { queue: QueueId },
    /// `basic.cancel`: the queue is gone or cannot be reached.
    ServerCancel { queue: QueueId },
    /// `connection.blocked`: an alarm is in force, and the connection is not read.
    ConnectionBlocked,
    /// `connection.unblocked`.
    ConnectionUnblocked,
    /// `channel.close`; the client must open a new channel.
    ChannelClose { error: ChannelError },
    /// `channel.open-ok`.
    ChannelOpenOk,
    /// `basic.deliver`, or `basic.get-ok`.
    BasicDeliver {
        queue: QueueId,
        tag: DeliveryTag,
        message: MessageRange,
        redelivered: bool,
        letter: LetterId,
    },
    /// `basic.get-empty`.
    GetEmpty { queue: QueueId },
    /// Heartbeat frame.
    Heartbeat,
}
