//! SVG plots, drawn with plotters on whole pixels, so that the bytes are the same everywhere.

mod canvas;
mod latency;
mod overlay;
mod palette;
mod panels;
mod rows;
mod scale;
mod sweep;
mod timeline;

pub use canvas::PlotError;
pub use latency::latency_svg;
pub(super) use overlay::overlay_svg;
pub(super) use sweep::sweep_svg;
pub use timeline::timeline_svg;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::hash_name;
    use crate::report::fixture;

    /// The same bytes in every process and on every machine, not just twice in this one. After a
    /// change of the plots that is meant, look at them and accept the new hashes.
    #[test]
    fn plots_are_the_same_bytes_everywhere() {
        let runs = [fixture::crash_run(), fixture::quiet_run(), fixture::crowded_run()];
        let hashes = runs.iter().map(|report| {
            let timeline = hash_name(&timeline_svg(report).unwrap());
            let latency = hash_name(&latency_svg(report).unwrap());
            format!("timeline {timeline:016x}, latency {latency:016x}")
        });
        insta::assert_snapshot!(hashes.collect::<Vec<_>>().join("\n"));
    }

    /// Every colour of a plot is one that becomes another on a dark screen, and those who do not see
    /// it are told what it shows.
    #[test]
    fn plots_are_for_dark_screens_and_screen_readers_too() {
        for report in [fixture::crash_run(), fixture::crowded_run()] {
            for svg in [timeline_svg(&report).unwrap(), latency_svg(&report).unwrap()] {
                assert!(svg.contains("prefers-color-scheme: dark") && svg.contains("role=\"img\""));
                let desc = svg.split_once("<desc>").unwrap().1.split_once("</desc>").unwrap().0;
                assert!(desc.len() > 20, "{desc}");
                let drawn = svg.split_once("</style>").unwrap().1;
                for attribute in ["fill=\"#", "stroke=\"#"] {
                    for color in drawn.split(attribute).skip(1).map(|rest| &rest[..6]) {
                        let rule = format!("[{attribute}{color}\"]");
                        assert!(svg.contains(&rule), "{rule}");
                    }
                }
            }
        }
    }

    /// A consumer that catches up does not press the rest flat, and its peak is written.
    #[test]
    fn a_burst_is_capped_and_told() {
        let mut report = fixture::quiet_run();
        assert!(!timeline_svg(&report).unwrap().contains("↑ up to"));
        let most = report.timeline.buckets.iter().map(|b| b.attempted).max().unwrap();
        report.timeline.buckets[1].delivered = most * 40;
        let svg = timeline_svg(&report).unwrap();
        assert!(svg.contains("↑ up to ") && svg.contains(" delivered per second"), "{svg}");
    }

    #[test]
    fn windows_are_told_by_destination() {
        let report = fixture::crash_run();
        let svg = timeline_svg(&report).unwrap();
        let window = report.windows.first().unwrap();
        let after = svg.split_once("unavailable").unwrap().1;
        assert!(after.contains(report.catalog.destination(window.destination)));
    }

    #[test]
    fn plots_are_well_formed_on_whole_pixels() {
        let svg = timeline_svg(&fixture::crowded_run()).unwrap();
        assert!(svg.contains("Ten queues &lt;on three nodes&gt; &amp; a nemesis"));
        for attribute in ["x=\"", "y=\"", "width=\"", "height=\"", "x1=\"", "y2=\""] {
            for value in svg.split(&format!(" {attribute}")).skip(1) {
                let value = value.split_once('"').unwrap().0;
                assert!(value.parse::<i32>().is_ok(), "{attribute}{value}");
            }
        }
    }

    #[test]
    fn odd_reports_can_be_drawn() {
        let mut report = fixture::quiet_run();
        report.timeline.buckets.clear();
        report.lanes.clear();
        report.latency.clear();
        report.duration = crate::engine::Span::ZERO;
        report.ended = crate::engine::Time::ZERO;
        assert!(timeline_svg(&report).unwrap().ends_with("</svg>\n"));
        assert!(latency_svg(&report).unwrap().contains("no latency was measured"));
        report.timeline.bucket = crate::engine::Span::ZERO;
        report.description = "a\u{0}b\nc".to_owned();
        assert!(timeline_svg(&report).unwrap().contains("a b c"));
        let mut tiny = fixture::crash_run();
        tiny.timeline.bucket = crate::engine::Span::from_nanos(1);
        tiny.latency[0].percentiles = vec![(0, 0), (99_999, u64::MAX), (100_000, u64::MAX)];
        timeline_svg(&tiny).unwrap();
        latency_svg(&tiny).unwrap();
    }

    /// Writes plots to look at: `MQSIM_PLOTS=folder cargo test plots_to_look_at`.
    #[test]
    fn plots_to_look_at() {
        let Some(folder) = std::env::var_os("MQSIM_PLOTS") else { return };
        let folder = std::path::Path::new(&folder);
        for report in [fixture::crash_run(), fixture::quiet_run(), fixture::crowded_run()] {
            let name = &report.scenario;
            std::fs::write(
                folder.join(format!("{name}-timeline.svg")),
                timeline_svg(&report).unwrap(),
            )
            .unwrap();
            std::fs::write(
                folder.join(format!("{name}-latency.svg")),
                latency_svg(&report).unwrap(),
            )
            .unwrap();
        }
    }
}
