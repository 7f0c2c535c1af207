//! Reads, of followers and of consumers (ReplicaManager.fetchMessages, DelayedFetch).

use crate::brokers::kafka::PartitionId;
use crate::observe::NodeId;
use crate::world::{Context, Lane};

use super::super::message::{
    EpochEnd, Error, Fetch, FetchPart, FetchedPart, Message, Response, Timer, Which,
};
use super::super::rules::Rule;
use super::{Broker, Replica, Role};

/// Who reads, and so up to where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reader {
    /// Up to the end.
    Follower,
    /// Up to the high watermark.
    Consumer,
    /// `read_committed`: up to the last stable offset.
    Committed,
}

impl Reader {
    const fn of(fetch: &Fetch) -> Reader {
        match fetch.replica {
            Some(_) => Reader::Follower,
            None if fetch.committed => Reader::Committed,
            None => Reader::Consumer,
        }
    }

    fn upto(self, replica: &Replica) -> u64 {
        match self {
            Reader::Follower => replica.log.end(),
            Reader::Consumer => replica.high_watermark,
            Reader::Committed => replica.last_stable(),
        }
    }
}

impl Broker {
    /// A fetch request: answered at once if there is something to say, else it waits.
    pub(super) fn fetch(
        &mut self,
        place: u32,
        mut fetch: Box<Fetch>,
        ctx: &mut Context<'_, Message>,
    ) {
        if let Some(follower) = fetch.replica {
            for part in self.take_fetch(place, follower, &mut fetch, ctx.clock()) {
                self.follower_has(follower, fetch.broker_epoch, &part, ctx);
            }
        }
        self.answer_fetch(place, fetch, true, ctx);
    }

    /// Reads for a fetch and answers it, unless it may and should wait for more.
    fn answer_fetch(
        &mut self,
        place: u32,
        mut fetch: Box<Fetch>,
        may_wait: bool,
        ctx: &mut Context<'_, Message>,
    ) {
        let (mut bytes, mut telling) = (0u64, false);
        let mut parts = Vec::new();
        let (asked, all) = self.asked_now(place, &mut fetch);
        let costs = &self.config.costs;
        ctx.spend(costs.fetch_partition * all as u64);
        let cost = costs.read;
        for part in &asked {
            let left = u64::from(fetch.max_bytes).saturating_sub(bytes);
            let reader = Reader::of(&fetch);
            let mut read = self.read((&fetch, reader), part, left, bytes == 0);
            if !read.records.is_empty() {
                ctx.spend(cost);
                if !self.load(part.partition, &read, ctx) {
                    read = FetchedPart::failed(part.partition, Error::Unknown);
                }
            }
            let size: u64 = read.records.iter().map(|piece| piece.bytes).sum();
            bytes += size;
            telling |= read.error != Error::None
                || read.diverging.is_some()
                || read.preferred.is_some()
                || self.needs_high_watermark(&fetch, part.partition);
            parts.push(read);
        }
        let waits = bytes < u64::from(fetch.min_bytes.max(1)) && !telling && all > 0;
        if waits && may_wait && !fetch.max_wait.is_zero() {
            if fetch.replica.is_none() {
                fetch.parts = asked;
            }
            return self.park_fetch(place, fetch, ctx);
        }
        let mut wire = all as u32;
        if let Some(follower) = fetch.replica {
            self.told_high_watermarks(follower, &asked);
            wire = self.tell(place, &asked, &mut parts);
        }
        self.respond(place, Response::Fetch(parts, wire), ctx);
    }

    /// What a fetch would read of one partition, were it the only one.
    pub(super) fn read_for(&self, fetch: &Fetch, part: &FetchPart) -> FetchedPart {
        self.read((fetch, Reader::of(fetch)), part, u64::from(fetch.max_bytes), true)
    }

    /// Whether a follower, from which consumers may read, was not told yet how far they may
    /// (ReplicaManager.scala 2.4.2, `followerNeedsHwUpdate`).
    fn needs_high_watermark(&self, fetch: &Fetch, partition: PartitionId) -> bool {
        if !self.config.reads_from_followers() || !self.config.has(Rule::TellHighWatermark) {
            return false;
        }
        let (Some(follower), Some(replica)) = (fetch.replica, self.replica(partition)) else {
            return false;
        };
        let Role::Leader(leading) = &replica.role else { return false };
        let known = leading.others.iter().find(|other| other.node == follower);
        known.is_some_and(|other| other.told < replica.high_watermark)
    }

    fn told_high_watermarks(&mut self, follower: NodeId, asked: &[FetchPart]) {
        if !self.config.reads_from_followers() {
            return;
        }
        for part in asked {
            let Some(replica) = self.replica_mut(part.partition) else { continue };
            let high_watermark = replica.high_watermark;
            if let Role::Leader(leading) = &mut replica.role
                && let Some(other) = leading.other(follower)
            {
                other.told = high_watermark;
            }
        }
    }

    /// From whom a consumer in a rack reads: from the most advanced replica there that is in sync and has the
    /// offset; `None` if that is the leader (ReplicaManager.scala 2.4, `findPreferredReadReplica`;
    /// RackAwareReplicaSelector.java).
    fn preferred_replica(&self, replica: &Replica, rack: u32, offset: u64) -> Option<NodeId> {
        let config = &self.config;
        let Role::Leader(leading) = &replica.role else { return None };
        if !config.reads_from_followers() || config.racks[self.me.index()] == rack {
            return None;
        }
        let near = leading.others.iter().filter(|other| {
            replica.isr().has(other.node)
                && self.view.alive.has(other.node)
                && config.racks[other.node.index()] == rack
                && other.end.is_some_and(|end| end >= offset)
        });
        near.max_by_key(|other| (other.end, std::cmp::Reverse(other.node))).map(|other| other.node)
    }

    /// What is read comes from the page cache, or the request waits for the disk; `false` if that
    /// cannot be read. The error goes to who asked (ReplicaManager.scala, `readFromLocalLog`), and
    /// from 1.0 on the log directory is offline then (KIP-112; Log.scala 1.0, `maybeHandleIOException`).
    fn load(
        &mut self,
        partition: PartitionId,
        read: &FetchedPart,
        ctx: &mut Context<'_, Message>,
    ) -> bool {
        let Some(replica) = self.replica(partition) else { return true };
        let Some(first) = read.records.first() else { return true };
        let from = replica.log.position(first.base);
        let bytes: u64 = read.records.iter().map(|piece| piece.bytes).sum();
        if ctx.load(replica.log.file(), from, from + bytes).is_ok() {
            return true;
        }
        if self.config.has(Rule::SpareOtherLogs) {
            self.disk_failed(ctx);
        }
        false
    }

    fn park_fetch(&mut self, place: u32, fetch: Box<Fetch>, ctx: &mut Context<'_, Message>) {
        for part in &fetch.parts {
            if let Some(replica) = self.replica_mut(part.partition)
                && !replica.fetches.contains(&place)
            {
                replica.fetches.push(place);
            }
        }
        self.fetches_parked += 1;
        let parked = self.fetches_parked;
        let Some(connection) = self.connection(place) else { return };
        connection.parked = parked;
        connection.generation = connection.generation.wrapping_add(1);
        let expires = Timer::FetchExpired { slot: place, generation: connection.generation };
        let wait = fetch.max_wait;
        connection.fetch = Some(fetch);
        connection.expires = Some(ctx.after(wait, Lane::MAIN, Message::Timer(expires)));
    }

    /// A parked fetch has waited long enough.
    pub(super) fn fetch_expired(
        &mut self,
        place: u32,
        generation: u32,
        ctx: &mut Context<'_, Message>,
    ) {
        let Some(connection) = self.connection(place) else { return };
        if connection.generation == generation
            && let Some(fetch) = connection.fetch.take()
        {
            connection.expires = None;
            self.answer_fetch(place, fetch, false, ctx);
        }
    }

    /// There may be something new for whoever waits for this partition.
    pub(super) fn wake_fetches(&mut self, partition: PartitionId, ctx: &mut Context<'_, Message>) {
        self.stir(partition);
        for place in self.waiting_for(partition) {
            let Some(connection) = self.connection(place) else { continue };
            let Some(fetch) = connection.fetch.take() else { continue };
            if self.has_news_of(place, &fetch, partition) {
                let Some(connection) = self.connection(place) else { continue };
                if let Some(timer) = connection.expires.take() {
                    ctx.cancel(timer);
                }
                self.answer_fetch(place, fetch, false, ctx);
                continue;
            }
            let consumes = fetch.replica.is_none();
            if let Some(connection) = self.connection(place) {
                connection.fetch = Some(fetch);
            }
            if let Some(replica) = self.replica_mut(partition).filter(|_| consumes) {
                replica.fetches.push(place);
            }
        }
    }

    /// Who waits for a partition, in the order in which they began to (DelayedOperationPurgatory, whose
    /// watchers are a queue). A consumer is to be put back if it goes on waiting.
    fn waiting_for(&mut self, partition: PartitionId) -> Vec<u32> {
        let Some(replica) = self.replica_mut(partition) else { return Vec::new() };
        let mut places = std::mem::take(&mut replica.fetches);
        places.extend(&replica.sessions);
        let since = |place: &u32| {
            let connection = self.connections.get(*place as usize)?.as_ref()?;
            connection.fetch.is_some().then_some(connection.parked)
        };
        places.retain(|place| since(place).is_some());
        places.sort_by_key(since);
        places
    }

    /// Whether a parked fetch would be answered now that something has changed in one partition: if
    /// one byte is enough, nothing else can be a reason, since there was none before.
    fn has_news_of(&mut self, place: u32, fetch: &Fetch, partition: PartitionId) -> bool {
        if fetch.replica.is_some() {
            let asks = self.asked_of(place, partition);
            return asks.is_some_and(|part| self.has_news(fetch, &[part]));
        }
        if fetch.min_bytes > 1 {
            return self.has_news(fetch, &fetch.parts);
        }
        let place = fetch.parts.binary_search_by_key(&partition, |part| part.partition);
        place.is_ok_and(|place| self.has_news(fetch, &fetch.parts[place..=place]))
    }

    /// Whether a parked fetch would be answered now for what is in some of its partitions
    /// (DelayedFetch.tryComplete).
    fn has_news(&self, fetch: &Fetch, parts: &[FetchPart]) -> bool {
        let mut bytes = 0;
        for part in parts {
            let serves = |replica: &&Replica| replica.leads() || self.serves_consumers(fetch);
            let Some(replica) = self.replica(part.partition).filter(serves) else { return true };
            if self.needs_high_watermark(fetch, part.partition) {
                return true;
            }
            let upto = Reader::of(fetch).upto(replica);
            if part.offset > replica.log.end() {
                return true;
            }
            if part.offset < upto {
                bytes += replica.log.read(part.offset, upto).map(|p| p.bytes).sum::<u64>();
                if bytes >= u64::from(fetch.min_bytes) {
                    return true;
                }
            }
        }
        false
    }

    /// Fetches that wait for a partition are answered by what its replica is now.
    pub(super) fn answer_parked(&mut self, partition: PartitionId, ctx: &mut Context<'_, Message>) {
        self.stir(partition);
        for place in self.waiting_for(partition) {
            self.answer_parked_fetch(place, ctx);
        }
    }

    /// A fetch that waits is answered with what there is now.
    pub(super) fn answer_parked_fetch(&mut self, place: u32, ctx: &mut Context<'_, Message>) {
        let Some(connection) = self.connection(place) else { return };
        let timer = connection.expires.take();
        if let Some(fetch) = connection.fetch.take() {
            if let Some(timer) = timer {
                ctx.cancel(timer);
            }
            self.answer_fetch(place, fetch, false, ctx);
        }
    }

    /// Whether this broker may answer who knows this leader epoch (Partition.scala 2.1,
    /// `checkCurrentLeaderEpoch`; KIP-320).
    fn check_epoch(&self, replica: &Replica, epoch: Option<u32>) -> Error {
        let Some(epoch) = epoch.filter(|_| self.config.has(Rule::FenceByLeaderEpoch)) else {
            return Error::None;
        };
        match epoch.cmp(&replica.leader_epoch()) {
            std::cmp::Ordering::Less => Error::FencedLeaderEpoch,
            std::cmp::Ordering::Equal => Error::None,
            std::cmp::Ordering::Greater => Error::UnknownLeaderEpoch,
        }
    }

    /// Whether a fetch may be served by a follower.
    fn serves_consumers(&self, fetch: &Fetch) -> bool {
        fetch.replica.is_none() && self.config.reads_from_followers()
    }

    /// A replica that may serve a consumer, which knows this leader epoch: the leader's or a follower's
    /// (KIP-392; Partition.scala 2.4, `localReplicaWithEpochOrException`).
    fn kept_here(&self, partition: PartitionId, epoch: Option<u32>) -> Result<&Replica, Error> {
        let Some(replica) = self.replica(partition) else {
            return Err(Error::UnknownTopicOrPartition);
        };
        match self.check_epoch(replica, epoch) {
            Error::None if matches!(replica.role, Role::None) => Err(Error::NotLeaderOrFollower),
            Error::None => Ok(replica),
            error => Err(error),
        }
    }

    /// The leader's replica of a partition, for who knows this leader epoch.
    fn led_here(&self, partition: PartitionId, epoch: Option<u32>) -> Result<&Replica, Error> {
        let Some(replica) = self.replica(partition) else {
            return Err(Error::UnknownTopicOrPartition);
        };
        match self.check_epoch(replica, epoch) {
            Error::None if replica.leads() => Ok(replica),
            Error::None => Err(Error::NotLeaderOrFollower),
            error => Err(error),
        }
    }

    /// Reads one partition: a follower up to the end, a consumer up to the high watermark
    /// (Partition.scala 3.9, `readRecords`).
    fn read(
        &self,
        (fetch, reader): (&Fetch, Reader),
        part: &FetchPart,
        left: u64,
        first: bool,
    ) -> FetchedPart {
        let found = match self.serves_consumers(fetch) {
            true => self.kept_here(part.partition, part.epoch),
            false => self.led_here(part.partition, part.epoch),
        };
        let replica = match found {
            Ok(replica) => replica,
            Err(error) => return FetchedPart::failed(part.partition, error),
        };
        let near = fetch.rack.and_then(|rack| self.preferred_replica(replica, rack, part.offset));
        if near.is_some() {
            let nothing = FetchedPart::failed(part.partition, Error::None);
            return FetchedPart {
                preferred: near,
                high_watermark: replica.high_watermark,
                ..nothing
            };
        }
        let (log, end) = (&replica.log, replica.log.end());
        let stable =
            if self.config.has(Rule::StopAtLastStable) { reader } else { Reader::Consumer };
        let mut answer = FetchedPart {
            high_watermark: match reader {
                Reader::Committed => stable.upto(replica),
                Reader::Follower | Reader::Consumer => replica.high_watermark,
            },
            log_start: log.start(),
            ..FetchedPart::failed(part.partition, Error::None)
        };
        if let Some(last) = part.last_epoch.filter(|_| self.config.has(Rule::TruncateOnFetch)) {
            let known = replica.epochs.end_for(last, end);
            match known {
                Some(known) if known.epoch < last || known.end < part.offset => {
                    answer.diverging = Some(known);
                    return answer;
                }
                Some(_) => {}
                None => {
                    answer.error = Error::OffsetOutOfRange;
                    return answer;
                }
            }
        }
        if part.offset > end || part.offset < log.start() {
            answer.error = Error::OffsetOutOfRange;
            return answer;
        }
        let upto =
            if reader == Reader::Committed { stable.upto(replica) } else { reader.upto(replica) };
        let limit = left.min(u64::from(part.max_bytes));
        let mut bytes = 0;
        for piece in log.read(part.offset, upto) {
            let room = limit.saturating_sub(bytes);
            let fits = (u128::from(room) * u128::from(piece.messages.count)
                / u128::from(piece.bytes.max(1))) as u32;
            // The first message is read however large it is (KIP-74).
            let least = u32::from(first && answer.records.is_empty());
            let count = fits.max(least).min(piece.messages.count);
            if piece.whole && (fits >= piece.messages.count || least > 0) {
                answer.records.push(piece);
                bytes += piece.bytes;
                continue;
            }
            if count == 0 || piece.whole {
                break;
            }
            let part = piece.part(0, count);
            bytes += part.bytes;
            answer.records.push(part);
            if count < piece.messages.count {
                break;
            }
        }
        if reader != Reader::Consumer {
            answer.sequenced = replica.producers.of(&mut answer.records);
        }
        if let (Some(first), Some(last)) = (answer.records.first(), answer.records.last()) {
            if reader == Reader::Committed && self.config.has(Rule::HideAborted) {
                answer.aborted = replica.transactions.aborted(first.base, last.end());
            }
            answer.values = replica.values.between(first.base, last.end()).to_vec();
            if reader == Reader::Follower {
                answer.times = replica.segments.times_between(first.base, last.end());
            }
        }
        answer
    }

    /// A follower's fetch says that it has everything before its offset
    /// (ReplicaManager.updateFollowerLogReadResults; Partition.updateFollowerFetchState).
    fn follower_has(
        &mut self,
        follower: NodeId,
        broker_epoch: u64,
        part: &FetchPart,
        ctx: &mut Context<'_, Message>,
    ) {
        let (config, now) = (self.config.clone(), ctx.clock());
        let Ok(replica) = self.led_here(part.partition, part.epoch) else { return };
        let end = replica.log.end();
        // What diverges, or is not there, says nothing (KAFKA-13141).
        let diverges = part.last_epoch.is_some_and(|last| {
            config.has(Rule::TruncateOnFetch)
                && replica
                    .epochs
                    .end_for(last, end)
                    .is_none_or(|known| known.epoch < last || known.end < part.offset)
        });
        if diverges || part.offset > end || part.offset < replica.log.start() {
            return;
        }
        let Some(replica) = self.replica_mut(part.partition) else { return };
        let Role::Leader(leading) = &mut replica.role else { return };
        let Some(other) = leading.other(follower) else { return };
        let before = other.end;
        other.broker_epoch = broker_epoch;
        other.fetched_from(&config, part.offset, end, now);
        self.maybe_expand_isr(part.partition, follower, ctx);
        if before != Some(part.offset) {
            self.touch(part.partition);
            self.advanced_by_follower(part.partition, ctx);
        }
    }

    /// `ListOffsets`: a new leader whose high watermark is not yet where its epoch began cannot
    /// say where consumers' end is (Partition.scala 2.2, `fetchOffsetForTimestamp`; KIP-207).
    pub(super) fn list_offsets(
        &mut self,
        (follower, committed): (bool, bool),
        partition: PartitionId,
        which: Which,
        epoch: Option<u32>,
    ) -> Response {
        let replica = match self.led_here(partition, epoch) {
            Ok(replica) => replica,
            Err(error) => return Response::ListOffsets(error, 0, None),
        };
        let offset = match which {
            Which::Earliest => replica.log.start(),
            Which::Since(time) => {
                let upto = if committed { replica.last_stable() } else { replica.high_watermark };
                self.offset_since(replica, time, upto)
            }
            Which::Latest if follower => replica.log.end(),
            Which::Latest => {
                let start = match &replica.role {
                    Role::Leader(leading) => leading.epoch_start,
                    _ => 0,
                };
                if self.config.has(Rule::OffsetNotAvailable) && replica.high_watermark < start {
                    return Response::ListOffsets(Error::OffsetNotAvailable, 0, None);
                }
                if committed { replica.last_stable() } else { replica.high_watermark }
            }
        };
        let of = replica.log.at(offset).map(|piece| piece.epoch);
        if which == Which::Latest && !follower {
            self.acted_by(partition, offset);
        }
        Response::ListOffsets(Error::None, offset, of)
    }

    /// `OffsetForLeaderEpoch` for one partition.
    pub(super) fn epoch_end(
        &self,
        _replica: Option<NodeId>,
        partition: PartitionId,
        current: Option<u32>,
        epoch: u32,
    ) -> (PartitionId, Error, Option<EpochEnd>) {
        let replica = match self.led_here(partition, current) {
            Ok(replica) => replica,
            Err(error) => return (partition, error, None),
        };
        let end = replica.log.end();
        let found = if self.config.has(Rule::EpochEndNamesEpoch) {
            replica.epochs.end_for(epoch, end)
        } else {
            replica.epochs.end_for_same(epoch, end)
        };
        (partition, Error::None, found)
    }
}
