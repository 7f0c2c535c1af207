//! What the portable form becomes in each mode, as a page: made of what the families say, so that it cannot
//! differ from what is done.

use crate::brokers::kit::{Hosts, Setting};

use super::Families;

/// The part of `docs/portable.md` that is about each mode.
#[must_use]
pub fn document(families: &Families) -> String {
    let mut page = String::new();
    for info in families.modes() {
        let Some(dialect) = info.dialect() else { continue };
        let (first, last) = info.mode.versions;
        let product = info.about.product;
        page += &format!("\n### {}\n\n{product} {first} to {last}", info.mode.name);
        page += &format!("; {} if the variant names no release.\n\n", info.mode.version);
        page += "| portable | becomes |\n| --- | --- |\n";
        let hosts = match dialect.hosts {
            Hosts::All => "a broker on each".to_owned(),
            Hosts::First(1) => "one broker, on the first".to_owned(),
            Hosts::First(count) => format!("brokers on the first {count}"),
            Hosts::Groups => {
                "as many as make whole groups of `copies` brokers, from the first".to_owned()
            }
        };
        page += &format!("| the cluster's hosts | {hosts} |\n");
        let sections: Vec<String> =
            dialect.destination.lines().map(|line| format!("`{line}`")).collect();
        page += &format!("| `[[destination]]` | {} |\n", sections.join("<br>"));
        page += &format!("| `copies` | {} |\n", dialect.copies);
        page += &format!("| `leader(DESTINATION)` | `{}` |\n", dialect.leader);
        let follower = match dialect.follower {
            "" => "nobody: a fault that is aimed at one is left out".to_owned(),
            selector => format!("`{selector}`"),
        };
        page += &format!("| `follower(DESTINATION, NUMBER)` | {follower} |\n");
        page += &settings("whatever is wished", dialect.always);
        page += &settings("`safest`", dialect.safest);
        page += &settings("`fastest`", dialect.fastest);
    }
    page
}

/// A row a setting, with its source.
fn settings(wish: &str, settings: &[Setting]) -> String {
    let row = |setting: &Setting| {
        let since = match setting.since {
            "" => String::new(),
            since => format!(" (from {since} on)"),
        };
        format!("| {wish} | `{}`{since}; {} |\n", setting.set, setting.source)
    };
    settings.iter().map(row).collect()
}
