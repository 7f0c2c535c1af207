//! `force_boot`: a node starts without waiting for the others.

use super::*;

/// A node does not wait for the others when it starts next.
#[derive(Clone, Debug, PartialEq)]
pub struct ForceBoot;

impl Command<Planner<'_>, Broker, Message> for ForceBoot {
    const SPEC: Variant = Variant {
        name: "force_boot",
        meaning: "A node that is down (`on`) starts next time with the tables on its disk, though others ran \
                  when it stopped, and may know more: what they know is lost. If one of them runs by then \
                  it takes that one's tables all the same. It fails while RabbitMQ runs on the node. \
                  [rabbitmqctl(8), force_boot; rabbit_mnesia.erl, force_load_next_boot]",
        keys: &[],
    };

    const UNTIL: Option<(&'static str, &'static str)> = Some((
        "4.2",
        "with Khepri a majority of the nodes must be there: write broker-version = \"4.1\", or start more \
         nodes",
    ));

    fn parse(values: &Values, plan: &mut Planner<'_>) -> Option<ForceBoot> {
        plan.names_its_node(values).then_some(ForceBoot)
    }

    fn give(
        &self,
        _: ActionId,
        broker: &mut Broker,
        _: &mut Context<'_, Message>,
    ) -> Option<Answer> {
        if broker.is_running() {
            return Some(Err("the rabbit application must be stopped first"));
        }
        broker.force_next_boot();
        Some(Ok(()))
    }

    fn give_offline(&self, broker: &mut Broker, _: &dyn Fn(NodeId) -> bool) -> Answer {
        broker.force_next_boot();
        Ok(())
    }
}
