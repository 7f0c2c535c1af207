//! `reset`: connections are reset, once.

use crate::scenario::{Kind, Preset};
use crate::world::event::Event;
use crate::world::fault::links::Direction;
use crate::world::network::SideState;

use super::*;

/// Connections are reset.
pub(crate) struct Reset;

impl Fault for Reset {
    const SPEC: Variant = Variant {
        name: "reset",
        meaning: "Connections are reset, once and at once, whether or not packets flow: what was on \
                  its way is gone and both ends see a reset (a firewall that forgets its table, a \
                  load balancer that restarts, `ss -K`). They may be opened again immediately.",
        keys: &[KeySpec::new(
            "target",
            Kind::Selector,
            Preset::Required,
            "`link(n1, n2)`, or nodes, then it concerns all their connections.",
        )],
    };

    const OF_LINKS: bool = true;

    const AT_ONCE: Option<&'static str> = Some(
        "a connection is reset once; to refuse new ones write kind = \"partition\" with how = \
         \"reject\"",
    );

    fn parse(_: &Values, _: Option<&Vocabulary<'_>>, _: &mut Diagnostics) -> Option<Reset> {
        Some(Reset)
    }

    fn begin<C: Cluster, O: Observer>(&self, met: &mut Met, simulation: &mut Simulation<C, O>) {
        let hosts = simulation.topology().hosts.len() as u32;
        let pairs = met.linked(hosts, Direction::Both);
        let world = &mut simulation.world;
        let now = world.kernel.now();
        // A connection that is being asked for is none yet; its handshake goes on.
        for ends in world.net.sides.chunks_exact(2) {
            let (asked, accepted) = (&ends[0], &ends[1]);
            if asked.state != SideState::Open || !pairs.contains(&(asked.node, accepted.node)) {
                continue;
            }
            for side in ends.iter().filter(|side| side.alive) {
                let event = Event::Reset { end: side.end.0, on_path: true };
                world.kernel.schedule(now, event);
            }
        }
    }
}
