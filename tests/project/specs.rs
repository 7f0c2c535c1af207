//! Every table of keys is sound: defaults read by the parser of the file, no key twice, every
//! key with its meaning.

use mqsim::run::Families;
use mqsim::scenario::{SectionSpec, TOP, flaws};
use mqsim::world::fault;

#[test]
fn no_known_section_has_flaws() {
    let mut all: Vec<&SectionSpec> = vec![&TOP, &fault::FAULT];
    all.extend([&fault::NEMESIS, &fault::NEMESIS_FAULT]);
    all.push(&mqsim::verdict::EXPECT);
    all.extend(mqsim::world::SECTIONS);
    for info in Families::default().modes() {
        all.extend(info.about.sections);
    }
    let flaws: Vec<String> = all.into_iter().flat_map(flaws).collect();
    assert!(flaws.is_empty(), "{}", flaws.join("\n"));
}
