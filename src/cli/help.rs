//! What stands at the end of `--help`: examples, and the exit codes of this very command.

/// `mqsim --version`: with the build, by which results are told apart (see [`crate::report::BUILD`]).
pub(super) const VERSION: &str =
    concat!(env!("CARGO_PKG_VERSION"), " (build ", env!("MQSIM_BUILD"), ")");

/// Exit codes that mean the same for every command.
macro_rules! failed {
    () => {
        "  4    the environment or mqsim itself failed: unwritable folder, disk full, unexplained loss
"
    };
}

macro_rules! interrupted {
    () => {
        "  130  interrupted; nothing half-written is left behind"
    };
}

pub(super) const MQSIM: &str = concat!(
    "\
Examples:
  mqsim new rabbitmq-mirrored --out outage.toml    a scenario to begin with
  mqsim run outage.toml                            what becomes of the messages
  mqsim check outage.toml --seeds 1..=100          whether that holds for other seeds

Exit codes (`mqsim COMMAND --help` has those of a command):
  0    all expectations hold
  1    an expectation or a claimed invariant broke
  2    the scenario or the command line is wrong; nothing was written
  3    undecided: too few seeds, not quiet at the end, or ended by max-events
",
    failed!(),
    interrupted!()
);

pub(super) const RUN: &str = concat!(
    "\
Examples:
  mqsim run outage.toml
  mqsim run outage.toml --seed 7 --set producer.p1.rate=5k/s
  mqsim new kafka-isr | mqsim run -

Exit codes:
  0    all expectations hold
  1    an expectation or a claimed invariant broke
  2    the scenario or the command line is wrong; nothing was written
  3    undecided: the run was not quiet at its end, or max-events ended it
",
    failed!(),
    interrupted!(),
    "\nOf several scenarios the worst counts: 4, then 1, then 3."
);

pub(super) const CHECK: &str = concat!(
    "\
Examples:
  mqsim check scenarios --seeds 1..=200
  mqsim check scenarios --locked --junit report.xml
  mqsim check outage.toml --seeds 1..=10000 --resume outage.journal
  mqsim check scenarios/gate.toml --forever --time-budget 8h

Exit codes:
  0    all expectations hold
  1    an expectation or a claimed invariant broke, or a scenario drifted from mqsim.lock
  2    a scenario or the command line is wrong; nothing was written
  3    undecided: too few seeds, a run not quiet at its end, or ended by max-events
",
    failed!(),
    interrupted!(),
    "\nOf several scenarios the worst counts: 4, then 1, then 3."
);

pub(super) const LOCK: &str = concat!(
    "\
Examples:
  mqsim lock scenarios
  mqsim lock scenarios --accept

Exit codes:
  0    the lock says what the scenarios do
  1    a scenario does something else or is gone, and --accept was not given; nothing was written
  2    a scenario, a lock or the command line is wrong; nothing was written
  3    max-events of the scenario ended a run; nothing was written
",
    failed!()
);

pub(super) const EXPLAIN: &str = concat!(
    "\
Examples:
  mqsim explain outage.toml
  mqsim explain outage.toml --message p1/5012 --seed 7

Exit codes:
  0    it was explained
  2    the scenario or the command line is wrong, or there is no such message
",
    failed!()
);

pub(super) const COMPARE: &str = concat!(
    "\
Examples:
  mqsim compare outage.toml --set-b producer.p1.confirms=false --seeds 1..=20
  mqsim compare before.toml after.toml --markdown comparison.md
  mqsim compare old/outage reports/outage --tolerance success_lost=0,ack_p99_us=10%

Exit codes:
  0    B is no worse than A by more than is tolerated
  1    regression: a metric of B is worse than is tolerated, by its mean over the seeds
  2    the input or the command line is wrong; nothing was written
  3    undecided: a metric with a tolerance was not measured on both sides, or max-events ended it
",
    failed!(),
    interrupted!()
);

pub(super) const EXPLAIN_SETTINGS: &str = "\
Examples:
  mqsim explain-settings scenarios/matrix.toml rabbitmq-quorum-safest
  mqsim explain-settings scenarios/matrix.toml rabbitmq-quorum-safest | mqsim run -

Exit codes:
  0    the scenario was printed
  2    the scenario is wrong, or has no such variant";

pub(super) const MATRIX: &str = concat!(
    "\
Examples:
  mqsim matrix scenarios/matrix.toml
  mqsim matrix scenarios/matrix.toml --seed 1 --set producer.p1.rate=500/s

Exit codes:
  0    every run came to its end, and what the scenario expects holds
  1    something that is expected of a variant is broken
  2    the scenario or the command line is wrong; nothing was written
  3    it cannot be said, or max-events ended runs; what is done is kept for the same call
",
    failed!(),
    interrupted!()
);

pub(super) const SWEEP: &str = concat!(
    "\
Examples:
  mqsim sweep outage.toml --set producer.p1.rate=1k/s,5k/s --seeds 1..=20
  mqsim sweep outage.toml --set fault.0.for=5s,30s --shard 2/8 --out shards

Exit codes:
  0    every run came to its end, whatever was lost in it
  2    the scenario or the command line is wrong; nothing was written
  3    max-events ended runs; what is done is kept for the same call
",
    failed!(),
    interrupted!()
);

pub(super) const MERGE: &str = concat!(
    "\
Examples:
  mqsim merge shards --out reports

Exit codes:
  0    the folder is what one call would have written
  2    shards are missing, damaged or of different sweeps; nothing was written
",
    failed!(),
    interrupted!()
);

/// Of commands that print a text.
macro_rules! printed {
    () => {
        "\n\nExit codes:
  0    it was printed
  2    there is no such thing, or the command line is wrong
  4    it could not be written"
    };
}

pub(super) const NEW: &str = concat!(
    "\
Examples:
  mqsim new rabbitmq-mirrored --out outage.toml
  mqsim new --from zone-lost-4.1 --out zones.toml
  mqsim new kafka | mqsim run -",
    printed!()
);

pub(super) const SCHEMA: &str = concat!(
    "\
Examples:
  mqsim schema kafka-isr > mqsim.schema.json       then `#:schema ./mqsim.schema.json` in line 1
  mqsim schema                                     of all modes: an editor can then say less",
    printed!()
);

pub(super) const LIST: &str = concat!(
    "\
Examples:
  mqsim list
  mqsim list rabbitmq-mirrored
  mqsim list kafka-isr topic producer               these sections only
  mqsim list failures rabbitmq power-loss           which known failures there are, by any words
  mqsim list failures 3.12                          by version
  mqsim list metrics",
    printed!()
);

pub(super) const COMPLETIONS: &str = concat!(
    "\
Examples:
  mqsim completions bash > ~/.local/share/bash-completion/completions/mqsim
  mqsim completions zsh > ~/.zfunc/_mqsim
  mqsim completions fish > ~/.config/fish/completions/mqsim.fish",
    printed!()
);

pub(super) const MAN: &str = concat!(
    "\
Examples:
  mqsim man | man -l -
  mqsim man sweep > mqsim-sweep.1",
    printed!()
);
