//! Whoever starts a process again that is frozen or has ended by itself.

use insta::assert_snapshot;
use mqsim::engine::Span;
use mqsim::world::fault::FaultKind;
use mqsim::world::{PlannedFault, Setup};

use crate::faults;
use crate::toy::*;

/// A server that ends by itself 50 ms after it has booted first.
fn halting() -> Setup<Toy> {
    let toy =
        Toy::server().on(On::Boot, [Do::After(ms(50), "halt")]).on(On::Word("halt"), [Do::Exit]);
    setup(vec![toy], 1)
}

/// A server that only stands there.
fn standing() -> Setup<Toy> {
    setup(vec![Toy::server().on(On::Stop, [Do::Exit])], 1)
}

/// What is told of faults and processes within a second, with a supervisor or without.
fn told(mut setup: Setup<Toy>, schedule: Vec<PlannedFault>, after: Option<Span>) -> String {
    setup.topology.restart_after = after;
    faults::told(setup, schedule)
}

#[test]
fn who_ends_by_itself_stays_down_unless_there_is_a_supervisor() {
    assert_snapshot!(told(halting(), Vec::new(), None), @r"
    50 ms n1 Stopped
    1000 ms n1 Booting
    ");
    assert_snapshot!(told(halting(), Vec::new(), Some(ms(300))), @r"
    50 ms n1 Stopped
    350 ms n1 Booting
    350 ms n1 Up
    400 ms n1 Stopped
    700 ms n1 Booting
    700 ms n1 Up
    750 ms n1 Stopped
    1000 ms n1 Booting
    ");
}

#[test]
fn who_is_frozen_for_long_is_killed_and_started() {
    let pause = |lasts| vec![fault(100, Some(lasts), FaultKind::Pause, &[1])];
    assert_snapshot!(told(standing(), pause(299), Some(ms(300))), @r"
    100 ms fault 0 Begun n1
    100 ms n1 Paused
    399 ms fault 0 Ended n1
    399 ms n1 Up
    ");
    assert_snapshot!(told(standing(), pause(500), Some(ms(300))), @r"
    100 ms fault 0 Begun n1
    100 ms n1 Paused
    400 ms n1 Killed
    400 ms n1 Booting
    400 ms n1 Up
    600 ms fault 0 Ended n1
    ");
    assert_snapshot!(told(standing(), pause(500), None), @r"
    100 ms fault 0 Begun n1
    100 ms n1 Paused
    600 ms fault 0 Ended n1
    600 ms n1 Up
    ");
}

#[test]
fn what_a_fault_keeps_down_or_without_power_nobody_starts() {
    for kind in [FaultKind::Crash, FaultKind::Stop, FaultKind::PowerLoss] {
        let faults = || vec![fault(100, Some(500), kind.clone(), &[1])];
        let alone = told(standing(), faults(), None);
        assert_eq!(told(standing(), faults(), Some(ms(300))), alone);
    }
}
