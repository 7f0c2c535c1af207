#![allow(missing_docs)]
use mqsim::brokers::rabbitmq::client::LinkConfig;
use mqsim::brokers::rabbitmq::config::*;
use mqsim::brokers::rabbitmq::machine::*;
use mqsim::brokers::rabbitmq::message::*;
use mqsim::brokers::rabbitmq::spec::*;
use mqsim::engine::*;
use mqsim::observe::*;
use mqsim::scenario::Rate;
use mqsim::verdict::*;
use mqsim::workload::*;
use mqsim::world::fault::FaultKind;
use mqsim::world::*;
use std::sync::Arc;
fn main() {
    let arg = |i: usize, d: &str| std::env::args().nth(i).unwrap_or(d.to_string());
    let mode = arg(1, "mirror");
    let fault = arg(2, "crash");
    let on: u32 = arg(3, "2").parse().unwrap();
    let seed: u64 = arg(4, "1").parse().unwrap();
    let lat = Distribution::lognormal(40_000, 200_000);
    let mut topology =
        Topology::flat(LinkSpec { latency: lat, bandwidth: 1 << 30, loss: Chance::NEVER });
    let host = |name: &str, kind| Host {
        name: name.into(),
        kind,
        zone: 0,
        disk: DiskSpec {
            fsync: Distribution::lognormal(210_000, 1_500_000),
            bandwidth: 500_000_000,
            capacity: 100_000_000_000,
            write_back_age: Span::from_secs(30),
        },
        cpu: CpuSpec { cores: 2, percent: 100 },
    };
    let n = if mode == "single" { 1 } else { 3 };
    for i in 1..=n {
        topology.add(host(&format!("n{i}"), NodeKind::Broker));
    }
    let link = LinkConfig {
        nodes: if n == 1 { vec![NodeId(0)] } else { vec![NodeId(on - 1), NodeId(on % 3)] },
        reconnect_delay: Span::from_millis(100),
        heartbeat: Span::from_secs(5),
        connect_timeout: Span::from_secs(10),
    };
    let ms = Span::from_millis;
    let mut spec = Spec {
        topology,
        brokers: n,
        queues: vec![Queue {
            name: "orders".into(),
            durable: true,
            home: NodeId(0),
            mirroring: (mode == "mirror").then_some(Mirroring {
                automatic_sync: true,
                sync_batch_size: 4096,
                promote_on_shutdown_always: false,
                promote_on_failure_always: true,
            }),
        }],
        routes: vec![],
        producers: vec![ProducerSpec {
            load: Load {
                name: "p1".into(),
                to: mqsim::scenario::Located {
                    value: "orders".into(),
                    place: mqsim::scenario::Place::NOWHERE,
                },
                connect: vec![],
                pace: Pace::Open(Profile::Constant(Rate::per_second(500))),
                start: Span::ZERO,
                stop: None,
                sizes: Sizes::new(Distribution::Constant(1024)),
                catch_up: Some(ms(1000)),
                count: None,
            },
            link: link.clone(),
            exchange: ExchangeId::DEFAULT,
            key: RoutingKey(0),
            properties: Properties {
                persistent: true,
                mandatory: arg(5, "") == "mandatory",
                confirm: true,
            },
            window: Some(100),
            republish: mode != "cluster",
            republish_delay: ms(100),
            send_timeout: None,
        }],
        consumers: vec![ConsumerSpec {
            name: "c1".into(),
            link,
            queue: QueueId(0),
            no_ack: false,
            prefetch: 100,
            processing: Distribution::Constant(0),
            resubscribe_delay: ms(100),
            start: Span::ZERO,
        }],
        faults: vec![PlannedFault {
            id: FaultId(0),
            at: Time::ZERO + ms(6000),
            lasts: Some(ms(10000)),
            kind: match fault.as_str() {
                "crash" => FaultKind::Crash,
                "stop" => FaultKind::Stop,
                "power" => FaultKind::PowerLoss,
                _ => FaultKind::Pause,
            },
            target: Target::nodes(&[NodeId(0)]),
            text: "x".into(),
        }],
        net_ticktime: ms(8000),
        net_setuptime: ms(7000),
        heartbeat: ms(60000),
        max_journal_entries: 32768,
        boot_time: Distribution::Constant(6_000_000_000),
        costs: Costs::default(),
        duration: ms(40000),
        drain: ms(60000),
        limits: Limits::default(),
    };
    spec.add_client_hosts(&host("x", NodeKind::Producer));
    let catalog = Arc::new(spec.catalog());
    let mut sim = Simulation::<RabbitCluster, _>::new(
        spec.setup(seed),
        Ledger::new(catalog.clone(), LedgerOptions::new(ms(40000))),
    )
    .unwrap();
    let t = std::time::Instant::now();
    let end = sim.run().unwrap();
    let el = t.elapsed();
    for (i, m) in sim.machines().iter().enumerate() {
        use mqsim::world::Machine;
        if !m.is_settled() {
            println!(
                "unsettled {i} {}",
                match m {
                    RabbitMachine::Broker(b) => b.why(),
                    _ => String::new(),
                }
            );
        }
    }
    let st = sim.statistics();
    let fp = sim.fingerprint().clone();
    let r = sim.into_observer().finish(RunFacts {
        scenario: "x".into(),
        description: "".into(),
        mode: "m".into(),
        broker_version: "".into(),
        seed,
        ended: end.at,
        quiet: end.quiet,
        broker_bytes: st.broker_bytes,
        disk_bytes: st.disk_bytes,
        fsyncs: st.fsyncs,
        events: st.events,
        fingerprint: fp,
    });
    println!(
        "{end:?} events {} in {:?} = {:.2} M/s",
        st.events,
        el,
        st.events as f64 / el.as_secs_f64() / 1e6
    );
    let s = r.summary;
    println!(
        "attempted {} acked {} nacked {} unknown {} returned {} unsent {} delivered {} processed {} redelivered {} dup {} lost {} unexplained {} stored {} unreach {}",
        s.attempted,
        s.acked,
        s.nacked,
        s.unknown,
        s.returned,
        s.unsent,
        s.delivered,
        s.processed,
        s.redelivered,
        s.duplicated,
        s.success_lost,
        s.unexplained,
        s.stored_at_end,
        s.unreachable_at_end
    );
    println!(
        "wa {:?} ewa {:?} ra {:?} wl {:?} rl {:?} ack p50 {:?} p99 {:?} svc {:?} e2e {:?} bytes/B {:?}",
        s.write_availability,
        s.effective_write_availability,
        s.read_availability,
        s.write_longest_ms,
        s.read_longest_ms,
        s.ack_p50_us,
        s.ack_p99_us,
        s.ack_service_p50_us,
        s.e2e_p50_us,
        s.broker_bytes_per_payload_byte
    );
    for l in &r.losses {
        println!(
            "{:?} {} {} at {} {}..{} ({})",
            l.class,
            l.cause.map_or("-", |c| catalog.causes[c.index()].name),
            catalog.conditions[l.because.index()],
            l.at,
            l.first,
            l.last,
            l.count
        );
    }
    for w in &r.windows {
        println!("{:?} {} - {}", w.kind, w.start, w.end);
    }
    for e in &r.events {
        println!(
            "{} {} {} node {:?} subj {:?} {}",
            e.at,
            e.kind,
            e.what,
            e.node.map(|n| n.0 + 1),
            e.subject.map(|n| n.0 + 1),
            e.count
        );
    }
    for x in &r.remarks {
        println!("remark {x}");
    }
}
