//! Who starts a process again that is frozen or has ended by itself: `[supervisor]`.
//!
//! Modelled is a service manager with a liveness probe: systemd with `Restart=always`, `RestartSec=`
//! and a watchdog (`WatchdogSec=`), or a Kubernetes container with `restartPolicy: Always` and a
//! `livenessProbe`. A process that does not run for `restart-after` fails the probe: it is killed
//! (SIGKILL; what it had written stays in the page cache) and started. One that has ended is started
//! when it has been down for so long. Nobody starts what a fault keeps down, or a host without power.
//! What is alive and of no use (a hung disk, a cut network) passes the probe. There is no back-off for
//! a process that ends again and again, as with systemd; Kubernetes would wait longer each time.

use crate::engine::Span;
use crate::observe::{NodeKind, NodeState, Observer};
use crate::scenario::{KeySpec, Kind, Preset, Scenario, SectionSpec};

use super::event::Event;
use super::machine::Cluster;
use super::simulation::Simulation;

/// The section `[supervisor]`.
pub(super) const SUPERVISOR: SectionSpec = SectionSpec::single(
    "supervisor",
    &[&[KeySpec::new(
        "restart-after",
        Kind::POSITIVE_DURATION,
        Preset::Required,
        "For how long a process is frozen before it is killed and started anew, and for how long one \
         is down that has ended by itself.",
    )
    .source("systemd.service(5): Restart=, RestartSec=, WatchdogSec=; Kubernetes: livenessProbe")]],
    "Starts processes of brokers, and of the servers that keep what they agree on, again when they are \
     frozen or have ended by themselves. Without it nobody does.",
)
.optional();

/// What `[supervisor]` says.
pub(super) fn restart_after(scenario: &Scenario) -> Option<Span> {
    scenario.get(SUPERVISOR.path).map(|values| values.duration("restart-after"))
}

impl<C: Cluster, O: Observer> Simulation<C, O> {
    /// A process was frozen or has ended by itself: it is looked at again in a while.
    pub(super) fn watch(&mut self, node: u32) {
        let topology = self.topology();
        let kind = topology.hosts[node as usize].kind;
        let Some(after) = topology.restart_after else { return };
        if matches!(kind, NodeKind::Broker | NodeKind::Coordinator) {
            let incarnation = self.world.nodes[node as usize].incarnation;
            let event = Event::Supervise { node, incarnation };
            let at = self.now() + after;
            self.world.kernel.schedule(at, event);
        }
    }

    /// Starts the process anew if it has not run since it was seen to be frozen or gone.
    pub(super) fn supervise(&mut self, node: u32, incarnation: u32) {
        let Some(after) = self.topology().restart_after else { return };
        let now = self.now();
        let n = &self.world.nodes[node as usize];
        if n.incarnation != incarnation {
            return;
        }
        if n.paused && now.since(n.paused_at) >= after {
            self.kill(node);
            self.start(node);
        } else if n.state == NodeState::Stopped {
            self.start(node);
        }
    }
}
