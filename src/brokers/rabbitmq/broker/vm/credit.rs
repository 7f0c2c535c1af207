//! Credit flow: who sends faster than the receiver works is stopped (credit_flow.erl, v3.10).
//!
//! A sender starts with credit for so many messages and spends one a message; the receiver grants
//! more each time it has taken so many. A sender at zero is *blocked*. Blocked processes go on with
//! what they have, but grant nothing to those who send to them: so the shortage travels up the
//! chain queue → channel → reader, and only the reader, at the client's socket, really stops.
//! Between the queue and the reader there may thus be the credit of two steps.

/// `{InitialCredit, MoreCreditAfter}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CreditSpec {
    /// Messages that a sender may send before it hears of the receiver.
    pub initial: u32,
    /// The receiver grants so much each time it has taken so many.
    pub more_after: u32,
}

/// What a sender may still send to one receiver (`{credit_from, From}`). It goes below zero: a
/// blocked process that gets more work hands it on all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credit(i64);

impl Credit {
    /// The credit of a sender that has sent nothing yet.
    #[must_use]
    pub const fn new(spec: CreditSpec) -> Credit {
        Credit(spec.initial as i64)
    }

    /// `send/2`: one message goes out. Whether that was the last for which there was credit.
    pub fn send(&mut self) -> bool {
        self.0 -= 1;
        self.0 == 0
    }

    /// `handle_bump_msg/1`: the receiver grants more. Whether that unblocks the sender.
    pub fn bump(&mut self, more: u32) -> bool {
        let before = self.0;
        self.0 += i64::from(more);
        before <= 0 && self.0 > 0
    }

    /// Whether the sender is blocked by this receiver.
    #[must_use]
    pub const fn is_blocked(self) -> bool {
        self.0 <= 0
    }

    /// What is left; negative if a blocked sender went on.
    #[must_use]
    pub const fn left(self) -> i64 {
        self.0
    }
}

/// How many messages of one sender a receiver still takes before it grants more
/// (`{credit_to, To}`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grants(u32);

impl Grants {
    /// Nothing taken yet.
    #[must_use]
    pub const fn new(spec: CreditSpec) -> Grants {
        Grants(spec.more_after)
    }

    /// `ack/2`: one message is taken. What is granted for it and those before it, if anything.
    pub fn ack(&mut self, spec: CreditSpec) -> Option<u32> {
        self.0 -= 1;
        if self.0 > 0 {
            return None;
        }
        self.0 = spec.more_after;
        Some(spec.more_after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SPEC: CreditSpec = CreditSpec { initial: 400, more_after: 200 };

    #[test]
    fn the_last_message_of_the_credit_blocks_and_the_grant_unblocks() {
        let mut credit = Credit::new(SPEC);
        let blocked_by: Vec<u32> = (1..=500).filter(|_| credit.send()).collect();
        assert_eq!(blocked_by, [400], "once, though it goes on");
        assert_eq!(credit.left(), -100);
        assert!(credit.bump(200), "100 are left");
        assert!(!credit.bump(200));
    }

    proptest! {
        /// A sender that stops when it is blocked has never more than the initial credit
        /// outstanding, whatever the order of sends, receipts and arrivals of grants.
        #[test]
        fn no_more_is_outstanding_than_the_initial_credit(
            steps in prop::collection::vec(0_u8..3, 0..4000),
            (initial, more_after) in (1_u32..50).prop_flat_map(|more| (more..100, Just(more))),
        ) {
            let spec = CreditSpec { initial, more_after };
            let (mut credit, mut grants) = (Credit::new(spec), Grants::new(spec));
            let (mut outstanding, mut under_way, mut granted) = (0_u32, Vec::new(), 0);
            let mut taken = 0;
            for step in steps {
                match step {
                    0 if !credit.is_blocked() => {
                        credit.send();
                        outstanding += 1;
                    }
                    1 if outstanding > 0 => {
                        outstanding -= 1;
                        taken += 1;
                        under_way.extend(grants.ack(spec));
                    }
                    2 => {
                        if let Some(more) = under_way.pop() {
                            granted += more;
                            credit.bump(more);
                        }
                    }
                    _ => {}
                }
                prop_assert!(outstanding <= initial);
                prop_assert!(granted <= taken);
            }
            // Every grant arrives, and with all taken the sender can go on.
            while outstanding > 0 {
                outstanding -= 1;
                under_way.extend(grants.ack(spec));
            }
            for more in under_way {
                credit.bump(more);
            }
            prop_assert!(!credit.is_blocked());
            prop_assert!(credit.left() > i64::from(initial) - i64::from(more_after));
        }
    }
}
