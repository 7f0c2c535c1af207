mod kafka_kit;
use kafka_kit::*;
#[test]
fn dump() {
    let v = std::env::var("V").unwrap();
    let mut w = v.split(' ');
    let (a, b, q) = (w.next().unwrap(), w.next().unwrap(), w.next().is_some());
    let text = std::env::var("F").map(|f| std::fs::read_to_string(f).unwrap()).unwrap_or_else(|_| chaos(a, b, q));
    let text = if std::env::var_os("LONG").is_some() {
        text.replace("duration = \"30s\"", "duration = \"90s\"").replace("rate = \"200/s\"", "rate = { profile = \"steps\", steps = [{ at = \"0s\", rate = \"200/s\" }, { at = \"30s\", rate = \"5/s\" }] }")
    } else { text };
    let sets: Vec<String> = std::env::var("SETS").unwrap_or_default().split_whitespace().map(String::from).collect();
    let report = run(&prepared(&text, &sets), number("S", 1));
    for e in &report.events {
        println!("{:>12} {:5} {:8} {:30} {} {} {:?}", e.at.as_nanos()/1000, e.node.map_or("", |n| report.catalog.node(n)), e.kind, e.what, e.destination.map_or("", |d| report.catalog.destination(d)), e.subject.map_or("", |n| report.catalog.node(n)), e.count);
    }
    for b in broken(&report) { println!("{b}"); }
    for l in &report.lanes { if let Some(d)=l.destination { println!("LANE {} {} {:?}", report.catalog.node(l.node), report.catalog.destination(d), l.stretches.last()); } }
    for w in &report.windows { println!("WINDOW {:?} {} {}..{}", w.kind, report.catalog.destination(w.destination), w.start.as_nanos()/1000, w.end.as_nanos()/1000); }
    println!("quiet {} ended {}", report.quiet, report.ended.as_nanos()/1000);
}
