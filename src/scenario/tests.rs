use proptest::prelude::*;

use super::*;
use crate::engine::{Chance, Distribution, Span};

const FAULT_KINDS: Tagged = Tagged {
    tag: "kind",
    meaning: "What happens.",
    variants: &[
        Variant { name: "crash", meaning: "The process dies.", keys: &[] },
        Variant {
            name: "partition",
            meaning: "The network is cut.",
            keys: &[KeySpec::new(
                "between",
                Kind::SelectorList,
                Preset::Required,
                "The sides of the cut.",
            )],
        },
    ],
};

const PRODUCER_KEYS: &[KeySpec] = &[
    KeySpec::new("name", Kind::Name, Preset::Required, "Its name."),
    KeySpec::new("connect", Kind::Names, Preset::Absent, "Its nodes."),
    KeySpec::new(
        "rate",
        Kind::Either(&[Kind::Rate, Kind::Tagged(&PROFILES)]),
        Preset::Is("5/s"),
        "How often it sends.",
    ),
    KeySpec::new(
        "catch-up",
        Kind::Either(&[Kind::ANY_DURATION, Kind::Choice(&["unlimited"])]),
        Preset::Is("unlimited"),
        "How late it may send.",
    ),
    KeySpec::new("message-size", SIZES, Preset::Is("1KiB"), "How large they are."),
];

const SIZES: Kind = Kind::Distribution { unit: Unit::Size, min: 0, max: 1 << 20 };

const PROFILES: Tagged = Tagged {
    tag: "profile",
    meaning: "Over time.",
    variants: &[Variant {
        name: "steps",
        meaning: "One after another.",
        keys: &[KeySpec::new(
            "steps",
            Kind::Tables(&[
                KeySpec::new("at", Kind::ANY_DURATION, Preset::Required, "When."),
                KeySpec::new("rate", Kind::Rate, Preset::Required, "How often."),
            ]),
            Preset::Required,
            "The steps.",
        )],
    }],
};

const SECTIONS: [&SectionSpec; 7] = [
    &SectionSpec::single(
        "cluster",
        &[&[
            KeySpec::new(
                "nodes",
                Kind::Integer { min: 1, max: 100 },
                Preset::Required,
                "How many brokers there are.",
            ),
            KeySpec::new(
                "boot-time",
                Kind::ANY_DURATION,
                Preset::Is("6s"),
                "How long a boot takes.",
            ),
        ]],
        "The machines.",
    ),
    &SectionSpec::single(
        "cluster.network",
        &[&[
            KeySpec::new("latency", Kind::DURATIONS, Preset::Is("100us"), "One way."),
            KeySpec::new("packet-loss", Kind::Chance, Preset::Is("0%"), "Of each packet."),
            KeySpec::new("bandwidth", Kind::Bandwidth, Preset::Is("unlimited"), "Each way."),
        ]],
        "The network.",
    ),
    &SectionSpec::single(
        "broker",
        &[&[
            KeySpec::new(
                "cluster_partition_handling",
                Kind::Choice(&["ignore", "autoheal", "pause_minority"]),
                Preset::Is("ignore"),
                "What a partition leads to.",
            ),
            KeySpec::new("net_ticktime", Kind::POSITIVE_DURATION, Preset::Is("60s"), "Ticks."),
            KeySpec::new("min.insync.replicas", Kind::ANY_INTEGER, Preset::Is("1"), "Copies."),
            KeySpec::new("quorum", Kind::Flag, Preset::Is("false"), "New.").since("3.8"),
            KeySpec::new("mirrors", Kind::Flag, Preset::Is("true"), "Old.").until("4.0"),
            KeySpec::new(
                "credit",
                Kind::ANY_INTEGER,
                Preset::ByVersion(&[("3.0", "200"), ("3.5", "400")]),
                "Flow control.",
            ),
            KeySpec::new("priority", Kind::Signed { min: -5, max: 5 }, Preset::Is("-1"), "Order."),
        ]],
        "The broker's own keys.",
    ),
    &SectionSpec::single(
        "nemesis",
        &[&[KeySpec::new("mean", Kind::ANY_DURATION, Preset::Required, "Between faults.")]],
        "Random faults.",
    )
    .optional(),
    &SectionSpec::repeated(
        "queue",
        &[&[
            KeySpec::new("name", Kind::Name, Preset::Required, "Its name."),
            KeySpec::new("durable", Kind::Flag, Preset::Is("true"), "Kept on disk."),
            KeySpec::new(
                "max-length",
                Kind::Size { min: 1, max: 1 << 30 },
                Preset::Absent,
                "The limit.",
            ),
        ]],
        "A queue.",
    ),
    &SectionSpec::repeated("producer", &[PRODUCER_KEYS], "Sends messages."),
    &SectionSpec::repeated(
        "fault",
        &[&[
            KeySpec::new("at", Kind::ANY_DURATION, Preset::Required, "When."),
            KeySpec::new("target", Kind::Selector, Preset::Is("random"), "What it hits."),
        ]],
        "A fault.",
    )
    .tagged(&FAULT_KINDS),
];

const HEAD: &str = "format = 1\nmode = \"test\"\nduration = \"10s\"\n";

fn check(text: &str) -> Result<Scenario, Diagnostics> {
    Document::parse("bad.toml", text.to_owned())?.check(&SECTIONS, Some(Version::new([3, 5, 0, 0])))
}

/// A complete scenario with these lines added.
fn with(lines: &str) -> String {
    match lines.contains("[cluster]") || lines.contains("[[cluster]]") {
        true => format!("{HEAD}{lines}\n"),
        false => format!("{HEAD}{lines}\n[cluster]\nnodes = 3\n"),
    }
}

/// (what is wrong, the text): syntax, sections and keys.
fn bad_structure() -> Vec<(&'static str, String)> {
    let head = |text: &str| text.to_owned();
    vec![
        ("empty file", head("")),
        ("only blanks", head(" \n\t\n")),
        ("no format", head("mode = \"test\"\nduration = \"10s\"\n")),
        ("another format", head("format = 2\nmode = \"test\"\n")),
        ("format as text", head("format = \"1\"\nmode = \"test\"\n")),
        ("no mode, no duration", head("format = 1\n[cluster]\nnodes = 3\n")),
        ("text without quotes", with("warmup = 1s")),
        ("no value", with("warmup =")),
        ("quotes not closed", with("description = \"half")),
        ("the same key twice", with("seed = 1\nseed = 2")),
        ("the same section twice", with("[broker]\n[broker]\n")),
        ("no TOML at all", head("<scenario format=\"1\"/>\n")),
        ("unknown top-level key", with("warm-up = \"1s\"")),
        ("unknown key, nothing like it", with("[[queue]]\nname = \"q\"\nxyzzy = 1")),
        ("unknown section", with("[[prodcuer]]\nname = \"p1\"")),
        (
            "unknown section below one",
            with("[cluster]\nnodes = 3\n[cluster.netwrk]\nlatency = \"1ms\""),
        ),
        ("key of another section", with("nodes = 3")),
    ]
}

/// (what is wrong, the text): values.
fn bad_values() -> Vec<(&'static str, String)> {
    vec![
        ("wrong type", with("duration = 10").replace("duration = \"10s\"\n", "")),
        ("wrong type of a flag", with("[[queue]]\nname = \"q\"\ndurable = \"yes\"")),
        ("wrong unit", with("warmup = \"1 sec\"")),
        ("unknown unit", with("warmup = \"1sec\"")),
        ("no unit", with("warmup = \"100\"")),
        ("negative duration", with("warmup = \"-1s\"")),
        ("negative number", with("[cluster]\nnodes = -3")),
        ("zero nodes", with("[cluster]\nnodes = 0")),
        ("absurd number", with("[cluster]\nnodes = 99999999999999999999999999")),
        ("duration overflow", with("drain = \"99999999999999h\"")),
        ("duration too long", with("drain = \"1001h\"")),
        ("duration too fine", with("drain = \"0.5ns\"")),
        ("warmup not shorter", with("warmup = \"10s\"")),
        ("missing key of a section", with("[cluster]\nboot-time = \"1s\"")),
        ("missing section", HEAD.to_owned()),
        ("missing key of an item", with("[[queue]]\ndurable = true")),
        ("duplicate names", with("[[queue]]\nname = \"q\"\n[[queue]]\nname = \"q\"")),
        ("bad name", with("[[queue]]\nname = \"my queue\"")),
        ("bad scenario name", with("name = \".hidden\"")),
        ("one bracket", with("[queue]\nname = \"q\"")),
        ("two brackets", with("[[cluster]]\nnodes = 3")),
        ("section as value", with("broker = 5")),
        ("unknown choice", with("[broker]\ncluster_partition_handling = \"pause-minority\"")),
        ("unknown choice, nothing like it", with("[broker]\ncluster_partition_handling = \"x\"")),
        ("key from a later version", with("[broker]\nquorum = true")),
        ("unquoted version", with("broker-version = 3.10")),
        ("bad version", with("broker-version = \"3.x\"")),
        ("backward seeds", with("seeds = \"20..=1\"")),
        ("seeds without their last", with("seeds = \"1..20\"")),
        ("absurd seeds", with("seeds = \"1..=99999999\"")),
        ("chance above one", with("[cluster.network]\npacket-loss = \"150%\"")),
        ("rate without unit", with("[[producer]]\nname = \"p\"\nrate = \"500\"")),
        ("rate too high", with("[[producer]]\nname = \"p\"\nrate = \"5000G/s\"")),
        ("size too large", with("[[queue]]\nname = \"q\"\nmax-length = \"1TiB\"")),
        ("bad bandwidth", with("[cluster.network]\nbandwidth = \"1Gbps\"")),
    ]
}

/// (what is wrong, the text): distributions, faults, and odd texts.
fn bad_tables() -> Vec<(&'static str, String)> {
    vec![
        (
            "unknown distribution",
            with("[cluster.network]\nlatency = { distribution = \"normal\" }"),
        ),
        (
            "parameter of another distribution",
            with(
                "[cluster.network]\nlatency = { distribution = \"uniform\", \
                 min = \"1ms\", max = \"2ms\", p99 = \"1ms\" }",
            ),
        ),
        (
            "percentile below the median",
            with(
                "[cluster.network]\nlatency = { distribution = \"lognormal\", \
                 median = \"2ms\", p99 = \"1ms\" }",
            ),
        ),
        ("no kind of fault", with("[[fault]]\nat = \"1s\"")),
        ("unknown kind of fault", with("[[fault]]\nat = \"1s\"\nkind = \"krash\"")),
        (
            "key of another fault",
            with("[[fault]]\nat = \"1s\"\nkind = \"crash\"\nbetween = [\"n1\", \"n2\"]"),
        ),
        ("bad selector", with("[[fault]]\nat = \"1s\"\nkind = \"crash\"\ntarget = \"leader(q\"")),
        ("empty list", with("[[fault]]\nat = \"1s\"\nkind = \"partition\"\nbetween = []")),
        (
            "key written in two ways",
            with("[broker]\nmin.insync.replicas = 2\n\"min.insync.replicas\" = 2"),
        ),
        ("several at once", with("seed = -1\nwarmup = 5\n[[queue]]\nnam = \"q\"")),
        ("control characters", with("x\u{7f}y = 1\n\"\\u001b[31m\" = 2")),
        ("Windows line ends", with("[[queue]]\r\nname = \"q\"\r\nnam = 5\r\n")),
        ("a byte order mark", format!("\u{feff}{}", with("warmup = \"1\""))),
        ("deep nesting", with(&format!("x = {}", "[".repeat(100_000)))),
        ("many unknown keys in one line", with(&format!("x = {{ {} }}", "y = 1, ".repeat(3)))),
        ("a date", with("description = 2024-01-01")),
        (
            "a very long line",
            with(&format!("description = \"{}\"\n\"{}\" = 1", "x".repeat(50), "é".repeat(5000))),
        ),
        (
            "a long line before",
            with(&format!("x = {{ description = \"{}\", y = 1 }}", "é".repeat(5000))),
        ),
    ]
}

#[test]
fn bad_inputs_are_told_clearly() {
    let mut shown = String::new();
    for (what, text) in [bad_structure(), bad_values(), bad_tables()].concat() {
        let wrong = check(&text).expect_err(what);
        assert!(wrong.iter().all(|one| !one.help.is_empty()), "{what} has no remedy");
        shown.push_str(&format!("=== {what}\n{wrong}\n"));
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn what_cannot_be_read_as_text_is_told() {
    let read = |bytes: &[u8]| Document::from_bytes("bad.toml", bytes).unwrap_err().to_string();
    insta::assert_snapshot!(read(b"format = 1\n\xff\xfe"));
    insta::assert_snapshot!(read(&vec![b'#'; MOST_BYTES + 1]));
    assert!(Document::from_bytes("good.toml", HEAD.as_bytes()).is_ok());
}

#[test]
fn the_mode_is_read_first() {
    let document = Document::parse("a.toml", with("unknown = 1")).unwrap();
    assert_eq!(document.mode().unwrap().value, "test");
    assert_eq!(document.mode_among(&["other", "test"]).unwrap(), 1);
    assert_eq!(document.broker_version().unwrap(), None);
    insta::assert_snapshot!(document.mode_among(&["tests", "other"]).unwrap_err());
    let mut changed = document.clone();
    changed.set("mode=other").unwrap();
    assert_eq!(changed.mode_among(&["other", "test"]).unwrap(), 0);
    changed.set("broker-version=3.x").unwrap();
    insta::assert_snapshot!(changed.broker_version().unwrap_err());
}

#[test]
fn colours_are_optional() {
    let wrong = check(&with("seed = -1")).unwrap_err();
    assert!(wrong.render(true).contains("\u{1b}["));
    assert!(!wrong.render(false).contains('\u{1b}'));
}

#[test]
fn many_mistakes_are_cut() {
    let lines: String = (0..200).map(|n| format!("key{n} = {n}\n")).collect();
    let wrong = check(&with(&lines)).unwrap_err();
    assert_eq!((wrong.len(), wrong.iter().count()), (200, MOST));
    assert!(wrong.to_string().ends_with("and 150 more like these; mend the first ones first\n"));
}

/// The largest file there may be, all of it wrong, is told in good time.
#[test]
fn a_large_file_of_mistakes_is_told() {
    let mut lines = String::new();
    for n in 0.. {
        let line = format!("k{n}=1\n");
        if HEAD.len() + lines.len() + line.len() + 30 > MOST_BYTES {
            break;
        }
        lines.push_str(&line);
    }
    let wrong = check(&with(&lines)).unwrap_err();
    assert!(wrong.len() > 90_000 && wrong.to_string().len() < 50_000, "{}", wrong.len());
}

#[test]
fn more_items_than_the_limit_are_refused() {
    let items = |count: usize| -> String {
        let queues: String = (0..count).map(|n| format!("[[queue]]\nname = \"q{n}\"\n")).collect();
        with(&queues)
    };
    assert_eq!(check(&items(MOST_ITEMS)).unwrap().many("queue").len(), MOST_ITEMS);
    let told = check(&items(MOST_ITEMS + 1)).unwrap_err().to_string();
    assert!(told.contains("there are 10001 sections [[queue]]"), "{told}");
}

#[test]
fn values_have_their_defaults_and_places() {
    let text = with(
        "broker-version = \"3.5\"\nseeds = \"1..=20\"\n\
         [cluster.network]\npacket-loss = 0.001\nbandwidth = \"1Gbit/s\"\n\
         latency = { distribution = \"lognormal\", median = \"100us\", p99 = \"400us\" }\n\
         [broker]\nmin.insync.replicas = 2\n\
         [[queue]]\nname = \"orders\"\nmax-length = \"1MiB\"\n\
         [[fault]]\nat = \"1.5s\"\nkind = \"partition\"\n\
         between = [\"n1\", \"n2, leader(orders)\"]",
    );
    let document = Document::parse("dir/good.toml", text).unwrap();
    let scenario = document.check(&SECTIONS, document.broker_version().unwrap()).unwrap();
    let settings = scenario.settings();
    assert_eq!(settings.name, "good");
    assert_eq!((settings.seed, settings.seeds.count()), (1, 20));
    assert_eq!(settings.drain, Span::from_secs(600));
    let network = scenario.one("cluster.network");
    assert_eq!(network.chance("packet-loss"), Chance::from_billionths(1_000_000));
    assert_eq!(network.bandwidth("bandwidth"), 125_000_000);
    assert_eq!(network.distribution("latency"), Distribution::lognormal(100_000, 400_000));
    let broker = scenario.one("broker");
    assert_eq!(broker.integer("min.insync.replicas"), 2);
    assert_eq!((broker.integer("credit"), broker.signed("priority")), (400, -1));
    assert!(broker.is_set("min.insync.replicas") && !broker.is_set("credit"));
    assert_eq!(scenario.sources().line_column(broker.span("min.insync.replicas")), Some((11, 23)));
    assert_eq!(scenario.sources().line_column(broker.place()), Some((10, 2)));
    let queue = &scenario.many("queue")[0];
    assert_eq!((queue.path(), queue.size("max-length")), ("queue.orders", 1 << 20));
    assert_eq!(scenario.sources().line_column(queue.place()).map(|(line, _)| line), Some(12));
    let fault = &scenario.many("fault")[0];
    assert_eq!((fault.path(), fault.choice("kind")), ("fault.0", "partition"));
    assert_eq!(fault.duration("at"), Span::from_millis(1500));
    assert_eq!(fault.selectors("between")[1].value.to_string(), "n2,leader(orders)");
    assert_eq!(fault.selector("target").value.calls[0].name, "random");
    assert!(scenario.get("nemesis").is_none() && !scenario.one("broker").is_set("quorum"));
}

#[test]
fn defaults_follow_the_version() {
    let document = Document::parse("good.toml", with("")).unwrap();
    let credit = |version| {
        let scenario = document.check(&SECTIONS, version).unwrap();
        scenario.one("broker").integer("credit")
    };
    assert_eq!(credit(Some(Version::new([2, 8, 0, 0]))), 200);
    assert_eq!(credit(Some(Version::new([3, 4, 9, 0]))), 200);
    assert_eq!(credit(Some(Version::new([3, 5, 0, 0]))), 400);
    assert_eq!(credit(None), 400);
}

#[test]
fn keys_that_no_longer_exist_are_refused() {
    let document = Document::parse("old.toml", with("[broker]\nmirrors = true")).unwrap();
    assert!(document.check(&SECTIONS, Some(Version::new([3, 13, 7, 0]))).is_ok());
    let wrong = document.check(&SECTIONS, Some(Version::new([4, 0, 0, 0]))).unwrap_err();
    insta::assert_snapshot!(wrong);
}

#[test]
fn the_specs_here_have_no_flaws() {
    for spec in SECTIONS {
        assert_eq!(flaws(spec), Vec::<String>::new());
    }
}

#[test]
fn tagged_keys_are_described_with_their_tag() {
    let rows = describe(SECTIONS[6]);
    let between = rows.iter().find(|row| row.key == "between").expect("it is listed");
    assert_eq!(between.only_with, "kind = \"partition\"");
    let rows = describe(SECTIONS[5]);
    let keys: Vec<&str> = rows.iter().map(|row| row.key.as_str()).collect();
    assert!(keys.contains(&"rate.profile") && keys.contains(&"rate.steps.at"), "{keys:?}");
    assert_eq!(distributions(Unit::Size).len(), 7);
}

/// The good scenario that the fuzz test damages.
const SEEDLING: &str = "format = 1\nmode = \"t\"\nduration = \"10s\"\n[cluster]\nnodes = 3\n\
    [cluster.network]\nlatency = { distribution = \"uniform\", min = \"1ms\", max = \"2ms\" }\n\
    [broker]\nmin.insync.replicas = 2\n[[producer]]\nname = \"p1\"\n\
    rate = { profile = \"steps\", steps = [{ at = \"0s\", rate = \"5/s\" }] }\n\
    [[fault]]\nat = \"1s\"\nkind = \"crash\"\ntarget = \"leader(q, 1),n2\"\n";

/// Reads as the program does, and renders what is wrong.
fn whole_way(bytes: &[u8], argument: &str) {
    let result = Document::from_bytes("fuzz.toml", bytes).and_then(|mut document| {
        if !argument.is_empty() {
            document.set(argument)?;
        }
        document.mode_among(&["t"])?;
        let scenario = document.check(&SECTIONS, document.broker_version()?)?;
        assert!(!scenario.settings().mode.is_empty());
        Ok(())
    });
    if let Err(wrong) = result {
        assert!(!wrong.render(false).is_empty() && !wrong.render(true).is_empty());
    }
}

#[test]
fn the_seedling_is_good() {
    let document = Document::parse("seedling.toml", SEEDLING.to_owned()).unwrap();
    document.check(&SECTIONS, None).map(drop).unwrap_or_else(|wrong| panic!("{wrong}"));
}

proptest! {
    #[test]
    fn no_damage_makes_it_panic(
        cuts in prop::collection::vec(
            (0..SEEDLING.len(), 0..12_usize, any::<prop::sample::Index>()),
            1..4,
        ),
        argument in "[a-z.0-9=\"\\[{é ]{0,24}",
    ) {
        let pieces: [&[u8]; 12] = [
            b"", b"\"", b"=", b"[", b"]]", b"\n", b"-1", b"1e999", b".", b"\xff",
            "é\u{7f}".as_bytes(),
            b"99999999999999999999999999999999999999999",
        ];
        let mut bytes = SEEDLING.as_bytes().to_vec();
        for (at, length, piece) in cuts {
            let at = at.min(bytes.len());
            let end = (at + length).min(bytes.len());
            bytes.splice(at..end, piece.get(&pieces).iter().copied());
        }
        whole_way(&bytes, &argument);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        whole_way(&bytes, "a.b=1");
    }

    #[test]
    fn no_value_makes_it_panic(
        section in "(|cluster.network.|producer.(p1|0).|fault.0.|broker.)",
        key in "(duration|seeds?|name|warmup|latency|packet-loss|bandwidth|rate|catch-up\
            |message-size|at|target|kind|connect|[a-z.]{0,9})",
        value in "([-+]?[0-9]{0,25}(\\.[0-9]{0,22})?[a-zA-Z%/=.]{0,7}\
            |\\{ ?[a-z]{1,9} = [0-9\"]{1,4} ?\\}|\\PC{0,12})",
    ) {
        whole_way(SEEDLING.as_bytes(), &format!("{section}{key}={value}"));
    }
}
