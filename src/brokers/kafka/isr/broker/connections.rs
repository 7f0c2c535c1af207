//! Connections, and the requests that come over them (SocketServer, KafkaApis).

use std::collections::VecDeque;

use crate::observe::NodeId;
use crate::world::{ConnId, Context, Input, Lane, TimerId};

use super::super::groups::GroupRequest;
use super::super::message::{Fetch, Message, Request, Response, Timer};
use super::super::rules::Rule;
use super::produce::Waiter;
use super::session::FetchSession;
use super::transactions::Work;
use super::{Broker, Status};

/// A connection that somebody has made.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Its id on this side.
    pub conn: ConnId,
    /// Who made it.
    pub peer: NodeId,
    /// Where its requests are worked on.
    pub lane: Lane,
    /// Requests that wait for the one that is worked on.
    queue: VecDeque<(u32, Box<Request>)>,
    /// The request that is worked on: the channel is muted (SocketServer.scala, `muteChannel`).
    busy: Option<u32>,
    /// What a follower asks for.
    pub(super) session: Option<Box<FetchSession>>,
    /// A fetch that waits for data.
    pub(super) fetch: Option<Box<Fetch>>,
    /// The how manieth fetch of this broker it was that waited.
    pub(super) parked: u64,
    /// Which fetch it is.
    pub(super) generation: u32,
    /// When it is answered at the latest.
    pub(super) expires: Option<TimerId>,
}

impl Broker {
    pub(super) fn accepted(&mut self, conn: ConnId, peer: NodeId, ctx: &mut Context<'_, Message>) {
        let lane = ctx.spawn();
        ctx.bind(conn, lane);
        let connection = Connection {
            conn,
            peer,
            lane,
            queue: VecDeque::new(),
            busy: None,
            session: None,
            fetch: None,
            parked: 0,
            generation: 0,
            expires: None,
        };
        let free = self.connections.iter().position(Option::is_none);
        let place = free.unwrap_or(self.connections.len());
        match free {
            Some(place) => self.connections[place] = Some(connection),
            None => self.connections.push(Some(connection)),
        }
        self.lanes.push((lane, place as u32));
    }

    /// The connection whose lane this is.
    pub(super) fn place_of(&self, lane: Lane) -> Option<u32> {
        let found = self.lanes.binary_search_by_key(&lane, |(lane, _)| *lane).ok()?;
        Some(self.lanes[found].1)
    }

    pub(super) fn connection(&mut self, place: u32) -> Option<&mut Connection> {
        self.connections.get_mut(place as usize)?.as_mut()
    }

    pub(super) fn handle_connection(
        &mut self,
        place: u32,
        input: Input<Message>,
        ctx: &mut Context<'_, Message>,
    ) {
        match input {
            Input::Message { body: Message::Request { id, body }, .. } => {
                let mutes = self.config.has(Rule::MuteChannel);
                let Some(connection) = self.connection(place) else { return };
                // What came before is still in the socket while the channel is muted, and is read
                // first when it no longer is.
                let waits = connection.busy.is_some() || !connection.queue.is_empty() && mutes;
                if waits {
                    connection.queue.push_back((id, body));
                } else {
                    self.work(place, id, *body, ctx);
                }
            }
            // A request that was parked is answered.
            Input::Local { body: Message::Timer(Timer::Sender) } => self.next_request(place, ctx),
            Input::Closed { .. } => self.disconnected(place, ctx),
            _ => {}
        }
    }

    fn work(&mut self, place: u32, id: u32, request: Request, ctx: &mut Context<'_, Message>) {
        ctx.spend(self.config.costs.request);
        let Some(connection) = self.connection(place) else { return };
        connection.busy = Some(id);
        let peer = connection.peer;
        if self.status != Status::Running && self.status != Status::Stopping {
            return;
        }
        match request {
            Request::Produce { acks, timeout, batches, transaction: None } => {
                self.produce(place, (acks, timeout), &batches, &[], ctx);
            }
            Request::Produce { acks, timeout, batches, transaction: Some(id) } => {
                let work = Work::Produce { acks, timeout, batches };
                self.work_in_transaction(place, id, work, ctx);
            }
            Request::Fetch(fetch) => self.fetch(place, Box::new(fetch), ctx),
            Request::ListOffsets { partition, which, epoch, committed } => {
                // Replica ids go with the request in Kafka: a follower wants the end of the log.
                let follower = peer.0 < self.config.brokers;
                let answer = self.list_offsets((follower, committed), partition, which, epoch);
                self.respond(place, answer, ctx);
            }
            Request::EpochEnds { replica, asked } => {
                let ends = asked.iter().map(|(partition, current, epoch)| {
                    self.epoch_end(replica, *partition, *current, *epoch)
                });
                let answer = Response::EpochEnds(ends.collect());
                self.respond(place, answer, ctx);
            }
            Request::InitProducerId => {
                let answer = self.init_producer_id();
                self.respond(place, answer, ctx);
            }
            Request::Metadata => {
                let view = self.view.clone();
                self.respond(place, Response::Metadata(view), ctx);
            }
            Request::LeaderAndIsr { controller_epoch, broker_epoch, states } => {
                let answer = self.leader_and_isr(controller_epoch, broker_epoch, &states, ctx);
                self.respond(place, answer, ctx);
            }
            Request::UpdateMetadata { controller_epoch, view } => {
                let answer = self.update_metadata(controller_epoch, view);
                self.respond(place, answer, ctx);
            }
            Request::StopReplica { controller_epoch, partitions } => {
                let answer = self.stop_replicas(controller_epoch, &partitions, ctx);
                self.respond(place, answer, ctx);
            }
            Request::Transaction { id, body } => self.transaction_request(place, id, &body, ctx),
            Request::WriteMarkers { marker, partitions } => {
                self.write_markers(Waiter::Connection(place), marker, &partitions, ctx);
            }
            Request::Group {
                group,
                client,
                body: GroupRequest::TxnOffsetCommit { id, by, who, offsets },
            } => {
                let request = GroupRequest::TxnOffsetCommit { id, by, who, offsets };
                self.work_in_transaction(place, id, Work::Offsets { group, client, request }, ctx);
            }
            Request::Group { group, client, body } => {
                self.group_request(place, (group, client), body, ctx);
            }
            other => self.ask_controller(place, other, ctx),
        }
    }

    /// Answers the request of a connection that is worked on, and goes on with the next.
    pub(super) fn respond(
        &mut self,
        place: u32,
        response: Response,
        ctx: &mut Context<'_, Message>,
    ) {
        let Some(connection) = self.connection(place) else { return };
        let Some(id) = connection.busy else { return };
        let bytes = response.bytes();
        ctx.send(connection.conn, Message::Response { id, body: Box::new(response) }, bytes);
        self.done(place, ctx);
    }

    /// The request of a connection that is worked on needs no answer (any more).
    pub(super) fn done(&mut self, place: u32, ctx: &mut Context<'_, Message>) {
        let Some(connection) = self.connection(place) else { return };
        connection.busy = None;
        if !connection.queue.is_empty() {
            let lane = connection.lane;
            ctx.tell(lane, Message::Timer(Timer::Sender));
        }
    }

    fn next_request(&mut self, place: u32, ctx: &mut Context<'_, Message>) {
        let Some(connection) = self.connection(place) else { return };
        if connection.busy.is_none()
            && let Some((id, request)) = connection.queue.pop_front()
        {
            self.work(place, id, *request, ctx);
        }
    }

    /// Closes a connection, as Kafka does on an error of a write that wants no answer
    /// (KafkaApis.scala, `closeConnection`).
    pub(super) fn close_connection(&mut self, place: u32, ctx: &mut Context<'_, Message>) {
        if let Some(connection) = self.connection(place) {
            let conn = connection.conn;
            ctx.close(conn);
            self.disconnected(place, ctx);
        }
    }

    fn disconnected(&mut self, place: u32, ctx: &mut Context<'_, Message>) {
        self.end_session(place);
        let Some(connection) = self.connections[place as usize].take() else { return };
        self.lanes.retain(|(lane, _)| *lane != connection.lane);
        self.forget_connection(place);
        ctx.end(connection.lane);
    }

    /// Nobody is connected any more.
    pub(super) fn forget_connections(&mut self) {
        self.connections.clear();
        self.lanes.clear();
    }
}
