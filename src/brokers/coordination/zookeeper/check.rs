//! What must hold among the servers of an ensemble at every instant.

use super::data::{Data, Zxid};
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
