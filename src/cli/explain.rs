//! `mqsim explain`.

use super::args::Explain;
use super::exit::Exit;
use super::run::processors;
use super::simulator::Simulator;
use super::{console, machine};
use crate::engine::Span;
use crate::report::number;
use crate::run::{End, Explanation, Tried, Turning};

/// Explains one message, and prints it.
pub(super) fn execute(simulator: &impl Simulator, wanted: &Explain) -> Exit {
    let prepared = match simulator.load(&wanted.scenario, &wanted.set, machine::memory()) {
        Ok(prepared) => prepared,
        Err(message) => {
            console::error(&message);
            return Exit::Input;
        }
    };
    let seed = wanted.seed.unwrap_or_else(|| simulator.seed(&prepared));
    let jobs = wanted.jobs.map_or_else(processors, |jobs| jobs as usize);
    let variant = |set: &str| {
        let sets: Vec<String> = wanted.set.iter().cloned().chain([set.to_owned()]).collect();
        simulator.load(&wanted.scenario, &sets, machine::memory()).ok()
    };
    match simulator.explain(&prepared, seed, &wanted.which(), &variant, jobs) {
        Ok(explanation) => {
            console::print(&Page::of(&explanation).text);
            Exit::Holds
        }
        Err((message, is_input)) => {
            console::error(&message);
            if is_input { Exit::Input } else { Exit::Failure }
        }
    }
}

/// The page as it grows.
struct Page {
    text: String,
    columns: usize,
}

impl Page {
    fn of(told: &Explanation) -> Page {
        let mut page = Page { text: String::new(), columns: console::columns() };
        let Explanation { message, scenario, broker, seed, .. } = told;
        page.heading(&format!("{message} · {scenario} · seed {seed} · {broker}"));
        told.ends.iter().for_each(|end| page.end(end));
        if !told.before.is_empty() {
            page.heading("\nWhen it was first sent");
            told.before.iter().for_each(|sentence| page.wrapped("  ", sentence));
        }
        page.heading("\nWhat happened");
        for (at, sentence) in &told.story {
            page.wrapped(&format!("{:>13}  ", at.to_string()), sentence);
        }
        if let Some(turning) = &told.turning {
            page.heading("\nPoint of no return");
            page.turning(turning);
            page.heading("\nWhich setting would have saved it");
            page.settings(told);
        }
        page
    }

    fn heading(&mut self, text: &str) {
        let (gap, text) = text.strip_prefix('\n').map_or(("", text), |text| ("\n", text));
        self.text += &format!("{gap}{}\n", console::heading(text));
    }

    fn wrapped(&mut self, lead: &str, sentence: &str) {
        let then = lead.chars().count();
        self.text += &console::wrapped(lead, then, sentence, self.columns);
    }

    fn end(&mut self, end: &End) {
        let End { destination, outcome, fate, lost, cause, because } = end;
        let to = destination.as_ref().map_or("nowhere".to_owned(), |to| format!("to {to}"));
        let verdict = if *lost { ", and so lost" } else { "" };
        self.wrapped("  ", &format!("{to}: {outcome}, {fate}{verdict}"));
        for (lead, word) in [("why", cause), ("because", because)] {
            if let Some((name, meaning)) = word {
                self.wrapped("  ", &format!("{lead}: {name}. {meaning}"));
            }
        }
    }

    fn turning(&mut self, turning: &Turning) {
        let text = match turning {
            Turning::Never => {
                "None of a fault: with every fault over, and none to come, it is lost as well."
                    .to_owned()
            }
            Turning::Point { at, what } => format!(
                "{}: {what}. Had every fault been over just before, it would not be lost; at any later moment of \
                 this story it is too late.",
                at
            ),
        };
        self.wrapped("  ", &text);
    }

    fn settings(&mut self, told: &Explanation) {
        let Explanation { saved_by, tried, as_it_is, .. } = told;
        if saved_by.is_empty() {
            let text = match tried {
                0 => "There is none to try that this scenario does not have already.".to_owned(),
                1 => "Not the one that was tried.".to_owned(),
                _ => format!("None of {tried} that were tried, one at a time."),
            };
            return self.wrapped("  ", &text);
        }
        let text = format!(
            "{} of {tried} that were tried, one at a time, with the same seed. `lost` are all messages that their \
             producers took for a success.",
            saved_by.len()
        );
        self.wrapped("  ", &text);
        let mut rows = vec![
            ["", "this message", "lost", "acked", "writes away", "acked after"].map(str::to_owned),
        ];
        rows.push(row(as_it_is));
        rows.extend(saved_by.iter().map(row));
        let wide = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
        let wide: Vec<usize> = (0..6).map(|column| wide(column).unwrap_or(0)).collect();
        for row in &rows {
            let mut line = format!("  {:<1$}", row[0], wide[0]);
            for (cell, wide) in row.iter().zip(&wide).skip(1) {
                line += &format!("  {cell:>wide$}");
            }
            self.text += &format!("{}\n", line.trim_end());
        }
    }
}

/// A row of the table of settings.
fn row(tried: &Tried) -> [String; 6] {
    let Tried { set, outcome, fate, success_lost, write_longest_ms, ack_p50_us, acked } = tried;
    let away = write_longest_ms.map_or("-".to_owned(), |ms| match ms {
        0 => "never".to_owned(),
        ms => number::span(Span::from_millis(ms)),
    });
    [
        set.clone(),
        format!("{outcome}, {fate}"),
        success_lost.to_string(),
        acked.to_string(),
        away,
        ack_p50_us.map_or("-".to_owned(), number::latency),
    ]
}
