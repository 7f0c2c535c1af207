//! What a connection has had (`ConnectionAudit`, `ActiveMQMessageAuditNoSync`): of each producer the ids
//! among its last 2048.

use std::collections::BTreeSet;

use super::super::super::message::MessageId;

/// `auditDepth`.
const DEPTH: u32 = 2_048;

/// What a connection has had.
#[derive(Clone, Debug, Default)]
pub(super) struct Audit(BTreeSet<MessageId>);

impl Audit {
    /// Notes a message; whether it is new.
    pub(super) fn note(&mut self, id: MessageId) -> bool {
        let is_new = self.0.insert(id);
        if let Some(sequence) = id.sequence.checked_sub(DEPTH) {
            let first = MessageId { sequence: 0, ..id };
            let old: Vec<MessageId> =
                self.0.range(first..=MessageId { sequence, ..id }).copied().collect();
            for gone in old {
                self.0.remove(&gone);
            }
        }
        is_new
    }

    /// It may come again (`rollbackDuplicate`).
    pub(super) fn roll_back(&mut self, id: MessageId) {
        self.0.remove(&id);
    }

    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_two_thousand_of_a_producer_are_known() {
        let mut audit = Audit::default();
        let id = |producer, sequence| MessageId { producer, sequence };
        assert!((0..3_000).all(|number| audit.note(id(1, number))));
        assert!(!audit.note(id(1, 2_000)), "it is known");
        assert!(audit.note(id(2, 2_000)), "another producer's");
        assert_eq!(audit.0.len(), 2_048 + 1);
        audit.roll_back(id(1, 2_999));
        assert!(audit.note(id(1, 2_999)));
    }
}
