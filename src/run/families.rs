//! The one place that lists the broker families and their modes.

use std::sync::Arc;

use crate::brokers::kafka::{isr, legacy};
use crate::brokers::kit::{About, Dialect, Family, Mode};
use crate::brokers::{activemq, artemis, rabbitmq, rocketmq};
use crate::scenario::{Diagnostics, Scenario, SectionSpec, Variant, Version};
use crate::verdict;
use crate::world::{self, fault};

use super::planned::Planned;

/// What comes of a scenario.
type Plan = Result<Arc<dyn Planned>, Diagnostics>;

/// A value of `mode`, with its family.
#[derive(Clone, Copy, Debug)]
pub struct ModeInfo {
    /// The mode.
    pub mode: &'static Mode,
    /// What is true of all modes of its family.
    pub about: &'static About,
    /// Its place among them.
    place: usize,
    plan: fn(&Scenario, usize) -> Plan,
    dialect: fn(usize) -> Option<&'static Dialect>,
}

fn plan<F: Family>(scenario: &Scenario, place: usize) -> Plan {
    Ok(Arc::new(F::plan(scenario, F::MODES[place].0)?))
}

fn dialect<F: Family>(place: usize) -> Option<&'static Dialect> {
    F::dialect(F::MODES[place].0)
}

impl ModeInfo {
    /// Every section that a scenario of this mode may have.
    pub(super) fn sections(&self) -> Vec<&'static SectionSpec> {
        let faults = [&&fault::FAULT, &&fault::NEMESIS, &&fault::NEMESIS_FAULT];
        let common = world::SECTIONS.iter().chain(faults).chain([&&verdict::EXPECT]);
        common.chain(self.about.sections).copied().collect()
    }

    /// Whether a release is one that this mode simulates; all patches of the last one are.
    pub(super) fn covers(&self, version: Version) -> bool {
        let (first, last) = self.mode.versions;
        let last: Version = last.parse().expect("the table's versions are versions");
        version.cmp_spec(first).is_ge() && version.numbers()[..2] <= last.numbers()[..2]
    }

    /// The release that is simulated if a scenario names none.
    pub(super) fn default_version(&self) -> Version {
        self.mode.version.parse().expect("the table's versions are versions")
    }

    /// How it reads a portable scenario; `None` if it cannot.
    #[must_use]
    pub fn dialect(&self) -> Option<&'static Dialect> {
        (self.dialect)(self.place)
    }

    pub(super) fn plan(&self, scenario: &Scenario) -> Plan {
        (self.plan)(scenario, self.place)
    }
}

/// The broker families that can be simulated. [`Families::default`] are those of mqsim itself.
#[derive(Clone, Debug)]
pub struct Families {
    modes: Vec<ModeInfo>,
}

impl Default for Families {
    fn default() -> Families {
        Families::none()
            .with::<rabbitmq::spec::Spec>()
            .with::<legacy::spec::Spec>()
            .with::<isr::spec::Spec>()
            .with::<rocketmq::spec::Spec>()
            .with::<activemq::spec::Spec>()
            .with::<artemis::spec::Spec>()
    }
}

impl Families {
    /// No family at all, to begin with.
    #[must_use]
    pub fn none() -> Families {
        Families { modes: Vec::new() }
    }

    /// The same with one more, behind the others.
    #[must_use]
    pub fn with<F: Family>(mut self) -> Families {
        let modes = F::MODES.iter().enumerate();
        let about = F::ABOUT;
        let info = |(place, (_, mode)): (usize, &'static (F::Mode, Mode))| ModeInfo {
            mode,
            about,
            place,
            plan: plan::<F>,
            dialect: dialect::<F>,
        };
        self.modes.extend(modes.map(info));
        self
    }

    /// The values of `mode`.
    #[must_use]
    pub fn modes(&self) -> &[ModeInfo] {
        &self.modes
    }

    /// The mode of this name.
    #[must_use]
    pub fn mode(&self, name: &str) -> Option<&ModeInfo> {
        self.modes.iter().find(|info| info.mode.name == name)
    }

    /// The mode that a word means: one by its name; by the name of a product alone the last of its
    /// modes, which keeps messages best.
    #[must_use]
    pub fn meant(&self, word: &str) -> Option<&ModeInfo> {
        let product = |info: &&ModeInfo| info.about.product.eq_ignore_ascii_case(word);
        self.mode(word).or_else(|| self.modes.iter().rfind(product))
    }

    /// The selectors of the world and of every family.
    #[must_use]
    pub fn selectors(&self) -> Vec<Selectable> {
        let mut rows: Vec<Selectable> = Vec::new();
        let families = self.modes.iter().flat_map(|info| info.about.words.selectors);
        for spec in world::SELECTORS.iter().chain(families) {
            let row = Selectable { name: spec.to_string(), meaning: spec.meaning.to_owned() };
            if !rows.contains(&row) {
                rows.push(row);
            }
        }
        rows
    }

    /// What an operator can do, in the modes that have it.
    #[must_use]
    pub fn actions(&self) -> Vec<Selectable> {
        let mut rows: Vec<Selectable> = Vec::new();
        for info in &self.modes {
            let sections = info.about.sections.iter().filter(|section| section.path == "action");
            for kind in sections.filter_map(|section| section.tagged).flat_map(|t| t.variants) {
                let meaning = format!("{} (an action of {})", kind.meaning, info.about.product);
                let row = Selectable { name: kind.name.to_owned(), meaning };
                if !rows.contains(&row) {
                    rows.push(row);
                }
            }
        }
        rows
    }
}

/// Something that can be written in a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selectable {
    /// How it is written.
    pub name: String,
    /// What it means, in one sentence.
    pub meaning: String,
}

/// The kinds of faults.
#[must_use]
pub fn faults() -> Vec<Selectable> {
    let row = |kind: &Variant| Selectable {
        name: kind.name.to_owned(),
        meaning: kind.meaning.to_owned(),
    };
    fault::KINDS.variants.iter().map(row).collect()
}
