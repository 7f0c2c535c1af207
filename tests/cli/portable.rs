//! `mqsim matrix` and `mqsim explain-settings` by the real binary.

use crate::sandbox::{self, Sandbox};

/// A portable scenario whose runs are short.
const ANY: &str = r#"format = 1
name = "orders"
mode = "any"
seeds = "1..=3"
duration = "12s"
drain = "120s"

[cluster]
nodes = 3
boot-time = "2s"

[[destination]]
name = "orders"

[[producer]]
name = "p1"
to = "orders"
rate = "200/s"

[[consumer]]
name = "c1"
from = "orders"

[[fault]]
at = "5s"
for = "3s"
kind = "power-loss"
target = "leader(orders)"

[[variant]]
name = "quorum"
mode = "rabbitmq-quorum"
wish = "safest"

[[variant]]
name = "kafka-0.7"
mode = "kafka-legacy"

[[variant]]
name = "kafka-min-1"
mode = "kafka-isr"
broker-version = "3.7"
wish = "safest"

[variant.topic]
"min.insync.replicas" = 1
"#;

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("any.toml", ANY);
    sandbox
}

fn file(sandbox: &Sandbox, name: &str) -> String {
    std::fs::read_to_string(sandbox.path().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// The cells of a row of `matrix.csv`.
fn row<'t>(table: &'t str, variant: &str, metric: &str) -> Vec<&'t str> {
    let rows = table.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let mut found = rows.filter(|row| row[1] == variant && row[4] == metric);
    found.next().unwrap_or_else(|| panic!("no {metric} of {variant} in\n{table}"))
}

/// The same bytes whatever the number of jobs, and in 80 columns.
#[test]
fn any_jobs_the_same_bytes_in_80_columns() {
    let sandbox = sandbox();
    let one = sandbox.mqsim("matrix any.toml --jobs 1 --out a");
    one.exits(0);
    assert_eq!(one.stderr, "");
    assert!(one.stdout.starts_with("orders · 3 variants · 9 runs\n"), "{}", one.stdout);
    let wide = one.stdout.lines().find(|line| line.chars().count() > 80);
    assert_eq!(wide, None, "{}", one.stdout);
    let other = sandbox.mqsim("matrix any.toml --jobs 3 --out b");
    assert_eq!(other.exits(0).stdout.replace("b/orders", "a/orders"), one.stdout);
    let [a, b] = ["a", "b"].map(|out| sandbox::tree(&sandbox.path().join(out)));
    assert_eq!(a.differences(&b), [""; 0]);
    let files = [".mqsim", "kafka-0.7.toml", "kafka-min-1.toml", "matrix.csv", "matrix.md"];
    let files = files.iter().chain(&["quorum.toml", "runs.csv"]);
    let files: Vec<String> = files.map(|name| format!("orders-matrix/{name}")).collect();
    assert_eq!(a.names()[1..], files);
    // From a pipe the same.
    let mut command = sandbox.command(sandbox::mqsim());
    command.args(["matrix", "-", "--quiet", "--out", "c"]).write_stdin(ANY);
    assert_eq!(sandbox::Done::of(&mut command).exits(0).stdout, "");
    assert_eq!(a.differences(&sandbox::tree(&sandbox.path().join("c"))), [""; 0]);
}

/// Every number is what `mqsim run` says of the scenario that the row names, with the seed that it names.
#[test]
fn every_cell_can_be_run_by_itself() {
    let sandbox = sandbox();
    let shown = sandbox.mqsim("matrix any.toml").exits(0).stdout.clone();
    let table = file(&sandbox, "reports/orders-matrix/matrix.csv");
    let mut lost = String::new();
    for variant in ["quorum", "kafka-0.7", "kafka-min-1"] {
        for metric in ["success_lost", "duplicated", "write_unavailable_ms", "processed_per_s"] {
            let cells = row(&table, variant, metric);
            let [.., p50, worst, seed, name] = cells[..] else { panic!("{cells:?}") };
            assert_eq!(name, format!("{variant}.toml"));
            let call =
                format!("run reports/orders-matrix/{name} --seeds 1..=3 --quiet --out again");
            sandbox.mqsim(&call).exits(0);
            let summary = file(&sandbox, &format!("again/orders-{variant}/summary.csv"));
            let mut lines = summary.lines().map(|line| line.split(',').collect::<Vec<_>>());
            let at = lines.next().unwrap().iter().position(|name| *name == metric).unwrap();
            let found: Vec<(String, f64)> =
                lines.map(|line| (line[1].to_owned(), line[at].parse().unwrap())).collect();
            let mut values: Vec<f64> = found.iter().map(|(_, value)| *value).collect();
            values.sort_by(f64::total_cmp);
            let number = |text: &str| text.parse::<f64>().unwrap();
            assert_eq!(number(p50), values[1], "{variant} {metric}");
            let least = if metric == "processed_per_s" { values[0] } else { values[2] };
            assert_eq!(number(worst), least, "{variant} {metric}");
            let of = found.iter().find(|(_, value)| *value == least).unwrap();
            assert_eq!(seed, of.0, "{variant} {metric}");
            if metric == "success_lost" && variant == "kafka-0.7" {
                assert!(
                    least > 0.0,
                    "what a broker that knows of no copies loses is seen: {table}"
                );
                lost = format!("{}/{least}", values[1]);
                assert_ne!(values[1], least, "the seeds tell the middle from the worst");
            }
        }
    }
    let line = shown.lines().find(|line| line.contains("kafka-0.7")).unwrap();
    assert_eq!(line.split_whitespace().nth(1), Some(lost.as_str()), "{line}");
    // The runs are there, one by one, and the page links to every scenario.
    assert_eq!(file(&sandbox, "reports/orders-matrix/runs.csv").lines().count(), 1 + 9);
    let page = file(&sandbox, "reports/orders-matrix/matrix.md");
    assert!(page.contains("| [kafka-0.7](kafka-0.7.toml)"), "{page}");
}

/// What is expected of a variant is judged and told, and nothing is if nothing is asked.
#[test]
fn verdicts_where_they_are_asked() {
    let sandbox = sandbox();
    assert!(!sandbox.mqsim("matrix any.toml --seed 1").exits(0).stdout.contains("expected"));
    let expects = |variant: &str| {
        format!("{ANY}\n[[expect]]\nmetric = \"success_lost\"\nmax = 0\nvariant = \"{variant}\"\n")
    };
    sandbox.write("held.toml", expects("kafka-min-1"));
    let held = sandbox.mqsim("matrix held.toml");
    let line = |text: &str, name: &str| {
        text.lines().find(|line| line.trim_start().starts_with(name)).unwrap().to_owned()
    };
    assert!(line(&held.exits(0).stdout, "kafka-min-1").ends_with("holds"), "{}", held.stdout);
    sandbox.write("broken.toml", expects("kafka-0.7"));
    let broken = sandbox.mqsim("matrix broken.toml");
    broken.exits(1);
    assert!(line(&broken.stdout, "kafka-0.7 ").ends_with("broken"), "{}", broken.stdout);
    assert!(line(&broken.stdout, "quorum").ends_with("-"), "nothing is asked: {}", broken.stdout);
    let told = sandbox::unwrapped(&broken.stdout);
    let text = file(&sandbox, "reports/orders-matrix/kafka-0.7.toml");
    let at = 1 + text.lines().position(|line| line == "[[expect]]").unwrap();
    let said = format!("kafka-0.7.toml:{at}: broken: success_lost <= 0, found ");
    assert!(told.contains(&said), "{said}\n{told}");
    let json = sandbox.mqsim("matrix broken.toml --json");
    let json: serde_json::Value = serde_json::from_str(&json.exits(1).stdout).unwrap();
    assert_eq!(json["variants"][1]["standing"], "broken");
    assert_eq!(json["variants"][1]["file"], "kafka-0.7.toml");
    assert_eq!(json["variants"][0]["metrics"]["success_lost"]["worst"], 0.0);
}

/// What `explain-settings` prints is what the folder has, and it runs.
#[test]
fn a_variant_is_printed_as_its_broker_has_it() {
    let sandbox = sandbox();
    sandbox.mqsim("matrix any.toml --seed 1 --set producer.p1.rate=100/s --quiet").exits(0);
    let line = "explain-settings any.toml kafka-min-1 --set producer.p1.rate=100/s";
    let printed = sandbox.mqsim(line).exits(0).stdout.clone();
    assert_eq!(printed, file(&sandbox, "reports/orders-matrix/kafka-min-1.toml"));
    for line in [
        "mode = \"kafka-isr\"",
        "broker-version = \"3.7\"",
        "replication-factor = 3",
        "min.insync.replicas = 1",
        "enable.idempotence = true",
        "target = \"leader(orders/0)\"",
        "rate = \"100/s\"",
    ] {
        assert!(printed.lines().any(|other| other == line), "{line} is not in\n{printed}");
    }
    assert!(!printed.contains("variant ="), "{printed}");
}

/// Text, what is put in its place, and what is said.
type Wrong = (&'static str, &'static str, &'static str, &'static str);

const WRONG: [Wrong; 19] = [
    (
        "mode = \"rabbitmq-quorum\"",
        "mode = \"rabitmq-quorum\"",
        "32:8",
        "did you mean `rabbitmq-quorum`?",
    ),
    (
        "wish = \"safest\"\n\n[[variant]]",
        "wish = \"saftest\"\n\n[[variant]]",
        "33:8",
        "did you mean `safest`?",
    ),
    (
        "\"min.insync.replicas\"",
        "\"min.insync.replica\"",
        "46:1",
        "did you mean `min.insync.replicas`?",
    ),
    ("[variant.topic]", "[variant.topics]", "46:1", "did you mean `topic`?"),
    ("[[destination]]", "[[destinations]]", "12:3", "did you mean `destination`?"),
    ("to = \"orders\"", "to = \"order\"", "17:6", "did you mean `orders`?"),
    ("rate = \"200/s\"", "rate = \"200/s\"\nacks = \"all\"", "19:1", "[variant.producer]"),
    (
        "rate = \"200/s\"",
        "rate = \"200/s\"\nconnect = \"n1\"",
        "19:11",
        "`connect` is not portable",
    ),
    ("[cluster]", "[broker]\na = 1\n[cluster]", "8:2", "[variant.broker]"),
    ("leader(orders)", "leader(order)", "28:10", "did you mean `orders`?"),
    ("leader(orders)", "leadr(orders)", "28:10", "did you mean `leader`?"),
    ("leader(orders)", "controller", "28:10", "a portable scenario has leader(DESTINATION)"),
    ("leader(orders)", "node(4)", "28:10", "write node(1) to node(3)"),
    ("leader(orders)", "follower(orders, 0)", "28:10", "write follower(orders, 1)"),
    (
        "name = \"orders\"\n\n[[producer]]",
        "name = \"orders\"\ncopies = 4\n\n[[producer]]",
        "14:10",
        "fewer `copies`",
    ),
    ("broker-version = \"3.7\"", "broker-version = \"99\"", "39:1", "in variant `kafka-min-1`"),
    ("name = \"kafka-0.7\"", "name = \"quorum\"", "36:8", "quorum"),
    (
        "seeds = \"1..=3\"",
        "seeds = \"1..=3\"\nbroker-version = \"3.7\"",
        "5:",
        "write it in [[variant]]",
    ),
    ("seeds = \"1..=3\"", "sedes = \"1..=3\"", "4:1", "did you mean `seeds`?"),
];

/// A mistake is told with file, line, column and the nearest right word, before anything runs or is written.
#[test]
fn mistakes_have_a_place_and_a_remedy() {
    let sandbox = Sandbox::new();
    let mut wrong = Vec::new();
    for (old, new, place, help) in WRONG {
        assert!(ANY.contains(old), "{old}");
        sandbox.write("any.toml", ANY.replacen(old, new, 1));
        let done = sandbox.mqsim("matrix any.toml");
        let said = sandbox::unwrapped(&done.stderr);
        if done.code != Some(2)
            || !said.contains(&format!("any.toml:{place}"))
            || !said.contains(help)
        {
            wrong.push(format!("{new}: {place}, {help}: {:?}\n{}", done.code, done.stderr));
        }
        assert!(!sandbox.path().join("reports").exists());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Each kind of scenario says which command it is for.
#[test]
fn the_other_kind_of_scenario_is_named() {
    let sandbox = sandbox();
    sandbox.ship("single");
    for line in ["run any.toml", "check any.toml", "sweep any.toml --set duration=9s,10s"] {
        let done = sandbox.mqsim(line);
        assert!(done.exits(2).stderr.contains("any.toml:3:8"), "{line}: {}", done.stderr);
        assert!(done.stderr.contains("mqsim matrix"), "{}", done.stderr);
    }
    let done = sandbox.mqsim("matrix single.toml");
    assert!(done.exits(2).stderr.contains("mode = \"any\""), "{}", done.stderr);
    let done = sandbox.mqsim("explain-settings any.toml quorun");
    assert!(done.exits(2).stderr.contains("did you mean `quorum`?"), "{}", done.stderr);
    let done = sandbox.mqsim("matrix anny.toml");
    assert!(done.exits(2).stderr.contains("there is no such file"), "{}", done.stderr);
}

/// Killed in the middle, it goes on from there to the same bytes.
#[cfg(unix)]
#[test]
fn interrupted_it_goes_on() {
    let sandbox = sandbox();
    let call = ["matrix", "any.toml", "--seeds", "1..=12", "--jobs", "1"];
    sandbox.call(&[&call[..], &["--out", "whole", "--quiet"]].concat()).exits(0);
    let journal = sandbox.path().join("killed/.orders-matrix.journal");
    for runs in [1, 4, 9] {
        let child = std::process::Command::new(sandbox::mqsim())
            .current_dir(sandbox.path())
            .args(call.iter().chain(&["--out", "killed"]))
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("it starts");
        sandbox::kill_when_noted(child, &journal, runs);
    }
    let done = sandbox.call(&[&call[..], &["--out", "killed"]].concat());
    let said = &done.exits(0).stderr;
    assert!(said.contains("were done already: going on"), "{said}");
    let [whole, killed] = ["whole", "killed"].map(|out| sandbox::tree(&sandbox.path().join(out)));
    assert_eq!(whole.differences(&killed), [""; 0]);
}
