//! What must hold among the servers of an ensemble at every instant.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::data::{Data, Zxid};
use super::log::KEPT;
use super::server::Server;
use super::tree::Entry;

/// Checks the servers against each other: numbers in a log grow, committed prefixes agree, an epoch
/// has one leader.
///
/// # Errors
/// What does not hold.
pub fn check<D: Data>(servers: &[&Server<D>]) -> Result<(), String> {
    for (index, server) in servers.iter().enumerate() {
        let entries: Vec<Zxid> = server.log().after(Zxid::ZERO).map(|entry| entry.zxid).collect();
        if entries.windows(2).any(|pair| pair[0] >= pair[1]) {
            return Err(format!("the log of server {index} is out of order"));
        }
        for (other, peer) in servers.iter().enumerate().skip(index + 1) {
            if let (Some(epoch), Some(also)) = (server.leads(), peer.leads())
                && epoch == also
            {
                return Err(format!("servers {index} and {other} lead epoch {epoch}"));
            }
            prefixes_agree(server, peer)
                .map_err(|zxid| format!("servers {index} and {other} disagree at {zxid}"))?;
        }
    }
    Ok(())
}

/// Compares what both have committed and still have in their logs.
fn prefixes_agree<D: Data>(one: &Server<D>, two: &Server<D>) -> Result<(), Zxid> {
    let from = one.log().base().zxid.max(two.log().base().zxid);
    let upto = one.applied().min(two.applied());
    let committed = |server: &Server<D>| {
        let until = server.log().after(from).take_while(|entry| entry.zxid <= upto);
        until.cloned().collect::<Vec<_>>()
    };
    let (ones, twos) = (committed(one), committed(two));
    let same = |a: &Entry<D>, b: &Entry<D>| std::ptr::eq(a, b) || a == b;
    for (a, b) in ones.iter().zip(&twos) {
        if !same(a, b) {
            return Err(a.zxid.min(b.zxid));
        }
    }
    let shorter = ones.len().min(twos.len());
    match ones.get(shorter).or(twos.get(shorter)) {
        Some(more) => Err(more.zxid),
        None => Ok(()),
    }
}

/// How many committed transactions an [`Oracle`] remembers; who lags further behind got a snapshot.
const REMEMBERED: usize = 4 * KEPT;

/// What was ever committed and who ever led, in a run in which no majority loses what it has
/// acknowledged: no wiped disks, `forceSync` on. Looked at after each input of a server, it costs
/// next to nothing while nothing is committed.
#[derive(Clone, Debug)]
pub struct Oracle<D> {
    committed: VecDeque<Arc<Entry<D>>>,
    /// What each server had committed when it was last looked at.
    applied: BTreeMap<u32, Zxid>,
    /// Who led which epoch.
    leaders: BTreeMap<u32, u32>,
}

impl<D> Default for Oracle<D> {
    fn default() -> Self {
        Oracle { committed: VecDeque::new(), applied: BTreeMap::new(), leaders: BTreeMap::new() }
    }
}

impl<D: Data> Oracle<D> {
    /// Looks at server number `index` after something has happened to it.
    ///
    /// # Errors
    /// What does not hold: it has committed something else than others had, or leads an epoch that
    /// another one has led. Not told again for the same transaction.
    pub fn look(&mut self, index: u32, server: &Server<D>) -> Result<(), String> {
        let mut wrong = None;
        // A server alone leads the same epoch again and again.
        if let Some(epoch) = server.leads() {
            let leader = *self.leaders.entry(epoch).or_insert(index);
            if leader != index {
                wrong = Some(format!("servers {leader} and {index} have led epoch {epoch}"));
            }
        }
        let applied = server.applied();
        let before = self.applied.insert(index, applied).unwrap_or_default();
        if applied > before {
            for entry in server.log().after(before).take_while(|entry| entry.zxid <= applied) {
                if !self.agrees(entry) {
                    wrong = Some(format!("server {index} has committed another {}", entry.zxid));
                }
            }
        }
        wrong.map_or(Ok(()), Err)
    }

    fn agrees(&mut self, entry: &Arc<Entry<D>>) -> bool {
        if self.committed.back().is_none_or(|last| last.zxid < entry.zxid) {
            self.committed.push_back(entry.clone());
            if self.committed.len() > REMEMBERED {
                self.committed.pop_front();
            }
            return true;
        }
        let place = self.committed.binary_search_by_key(&entry.zxid, |known| known.zxid);
        match place {
            Ok(place) => {
                let known = &self.committed[place];
                Arc::ptr_eq(known, entry) || known == entry
            }
            // Older than what is remembered.
            Err(place) => place == 0 && self.committed.len() == REMEMBERED,
        }
    }
}
