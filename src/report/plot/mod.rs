//! SVG plots, drawn with plotters on whole pixels, so that the bytes are the same everywhere.

mod canvas;
mod latency;
mod palette;
mod panels;
mod rows;
mod scale;
mod timeline;

pub use canvas::PlotError;
pub use latency::latency_svg;
pub use timeline::timeline_svg;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

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
