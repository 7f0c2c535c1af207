use super::*;
use proptest::prelude::*;

fn file(name: &str, text: &str) -> File {
    File { name: name.to_owned(), bytes: text.as_bytes().to_vec() }
}

/// What is in a directory, names only.
fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<String> =
        entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn text(path: PathBuf) -> String {
    fs::read_to_string(path).unwrap()
}

/// What a report has in it.
fn report(folder: &Path) -> Vec<String> {
    let mut names = names(folder);
    assert_eq!(names.remove(0), LIST);
    names
}

#[test]
fn a_folder_replaces_the_old_one_whole() {
    let root = tempfile::tempdir().unwrap();
    let reports = Reports::open(&root.path().join("a/b")).unwrap();
    let first = [file("summary.csv", "1"), file("only-in-the-first.csv", "x")];
    let place = reports.write("mirror", &first).unwrap();
    assert_eq!(report(&place), ["only-in-the-first.csv", "summary.csv"]);
    reports.write("mirror", &[file("summary.csv", "2")]).unwrap();
    assert_eq!(report(&place), ["summary.csv"]);
    assert_eq!(text(place.join("summary.csv")), "2");
    assert_eq!(names(&root.path().join("a/b")), ["mirror"]);
}

#[test]
fn what_a_user_put_into_a_report_is_in_the_next_one() {
    let root = tempfile::tempdir().unwrap();
    let reports = Reports::open(root.path()).unwrap();
    let place = reports.write("mirror", &[file("summary.csv", "1"), file("a.svg", "")]).unwrap();
    fs::write(place.join("notes.md"), "look at n2").unwrap();
    fs::create_dir(place.join("logs")).unwrap();
    fs::write(place.join("logs/a.svg"), "theirs").unwrap();
    reports.write("mirror", &[file("summary.csv", "2")]).unwrap();
    assert_eq!(report(&place), ["logs", "notes.md", "summary.csv"]);
    assert_eq!(text(place.join("notes.md")), "look at n2");
    assert_eq!(text(place.join("logs/a.svg")), "theirs");
    // A name that is the user's stays the user's.
    let error = reports.write("mirror", &[file("summary.csv", ""), file("notes.md", "")]);
    assert!(matches!(error.unwrap_err(), FolderError::InTheWay(_)));
    assert_eq!(text(place.join("notes.md")), "look at n2");
    assert_eq!(text(place.join("summary.csv")), "2");
}

/// A folder as a call of mqsim leaves it.
fn made(root: &Path, name: &str, content: &str) {
    fill(&root.join(name), &[file("summary.csv", content)]).unwrap();
}

#[test]
fn an_interrupted_swap_is_repaired_at_the_next_start() {
    let root = tempfile::tempdir().unwrap();
    let make = |name: &str, content: &str| made(root.path(), name, content);
    // Killed while the new one was being written, at three points of it.
    make("a", "old a");
    make(".a.mqsim-new", "half of a");
    fs::create_dir(root.path().join(".d.mqsim-new")).unwrap();
    fs::create_dir(root.path().join(".e.mqsim-new")).unwrap();
    fs::write(root.path().join(".e.mqsim-new").join(LIST), &HEAD[..9]).unwrap();
    // Killed between the two renames.
    make(".b.mqsim-old", "old b");
    fs::write(root.path().join(".b.mqsim-old/notes.md"), "about b").unwrap();
    make(".b.mqsim-new", "new b");
    // Killed before the old one was removed.
    make("c", "new c");
    make(".c.mqsim-old", "old c");
    fs::write(root.path().join(".c.mqsim-old/notes.md"), "about c").unwrap();
    Reports::open(root.path()).unwrap();
    assert_eq!(names(root.path()), ["a", "b", "c"]);
    let content = |name: &str| text(root.path().join(name).join("summary.csv"));
    assert_eq!((content("a").as_str(), content("b").as_str()), ("old a", "old b"));
    assert_eq!(content("c"), "new c");
    assert_eq!(text(root.path().join("b/notes.md")), "about b");
    assert_eq!(text(root.path().join("c/notes.md")), "about c");
}

#[test]
fn what_bears_the_name_of_a_leftover_and_is_none_is_in_the_way() {
    let root = tempfile::tempdir().unwrap();
    let theirs = root.path().join(".mirror.mqsim-old");
    fs::create_dir(&theirs).unwrap();
    fs::write(theirs.join("thesis.txt"), "ten years").unwrap();
    let reports = Reports::open(root.path()).unwrap();
    let error = reports.may_write("mirror", "summary.csv").unwrap_err();
    assert!(matches!(error, FolderError::InTheWay(_)), "{error}");
    reports.write("mirror", &[file("summary.csv", "")]).unwrap_err();
    assert_eq!(names(root.path()), [".mirror.mqsim-old"]);
    assert_eq!(text(theirs.join("thesis.txt")), "ten years");
}

/// A list that somebody made up reaches no further than its folder.
#[test]
fn a_list_is_of_its_own_folder_only() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("thesis.txt"), "ten years").unwrap();
    made(root.path(), "mirror", "1");
    let list = format!("{HEAD}summary.csv\n../thesis.txt\n..\n.\n\nlogs\n");
    fs::write(root.path().join("mirror").join(LIST), list).unwrap();
    fs::create_dir(root.path().join("mirror/logs")).unwrap();
    let reports = Reports::open(root.path()).unwrap();
    reports.write("mirror", &[file("summary.csv", "2")]).unwrap();
    assert_eq!(names(root.path()), ["mirror", "thesis.txt"]);
    assert_eq!(report(&root.path().join("mirror")), ["logs", "summary.csv"]);
}

#[test]
fn a_failed_write_leaves_the_old_folder_and_nothing_else() {
    let root = tempfile::tempdir().unwrap();
    let reports = Reports::open(root.path()).unwrap();
    let place = reports.write("mirror", &[file("summary.csv", "old")]).unwrap();
    let twice = [file("summary.csv", "new"), file("no/such/folder.csv", "new")];
    let error = reports.write("mirror", &twice).unwrap_err();
    assert!(error.to_string().starts_with("cannot create"), "{error}");
    assert_eq!(names(root.path()), ["mirror"]);
    assert_eq!(text(place.join("summary.csv")), "old");
}

#[test]
fn what_is_not_a_report_is_never_removed() {
    let root = tempfile::tempdir().unwrap();
    let reports = Reports::open(root.path()).unwrap();
    fs::create_dir(root.path().join("mirror")).unwrap();
    fs::write(root.path().join("mirror/thesis.txt"), "ten years").unwrap();
    fs::write(root.path().join("mirror/summary.csv"), "of the thesis").unwrap();
    fs::write(root.path().join("plain"), "a file").unwrap();
    for name in ["mirror", "plain"] {
        let error = reports.write(name, &[file("summary.csv", "")]).unwrap_err();
        assert!(matches!(error, FolderError::Foreign { .. }), "{error}");
    }
    assert_eq!(names(root.path()), ["mirror", "plain"]);
    assert_eq!(text(root.path().join("mirror/thesis.txt")), "ten years");
}

#[test]
fn a_directory_that_was_made_in_vain_goes_again() {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("out");
    Reports::open(&out).unwrap().abandon();
    assert!(!out.exists());
    let reports = Reports::open(&out).unwrap();
    reports.write("mirror", &[file("summary.csv", "")]).unwrap();
    reports.abandon();
    assert_eq!(names(&out), ["mirror"]);
}

#[test]
fn a_file_in_the_way_is_an_error_with_its_name() {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("out");
    fs::write(&out, "a file").unwrap();
    let error = Reports::open(&out).unwrap_err().to_string();
    assert!(error.contains(out.to_str().unwrap()), "{error}");
}

#[test]
fn errors_say_what_to_do_about_them() {
    let shown = |kind: ErrorKind| {
        let path = PathBuf::from("reports");
        FolderError::Io { step: "write to", path, source: kind.into() }.to_string()
    };
    assert_eq!(
        shown(ErrorKind::StorageFull),
        "cannot write to reports: the disk is full\n  \
         = help: make room, or name another disk with --out"
    );
    assert!(shown(ErrorKind::FileTooLarge).contains("ulimit -f"));
    assert!(shown(ErrorKind::Other).contains("--out"));
}

/// Files and folders that anybody may have: with the names that mqsim uses, or used.
fn theirs() -> impl Strategy<Value = Vec<(String, String)>> {
    let folder = prop_oneof![
        Just(""),
        Just("mirror/"),
        Just(".mirror.mqsim-new/"),
        Just(".mirror.mqsim-old/"),
        Just(".env.mqsim-old/"),
        Just(".config.new/"),
        Just("src/"),
    ];
    let name = prop_oneof![
        Just("summary.csv"),
        Just("notes.md"),
        Just(".mirror.new"),
        Just(".venv.old"),
        Just(".x.mqsim-new"),
        Just(".x.mqsim-old"),
        Just(".mqsim.new"),
        Just("mirror"),
        Just(LIST),
    ];
    let path = (folder, name).prop_map(|(folder, name)| format!("{folder}{name}"));
    prop::collection::vec((path, "[a-z]{1,6}"), 0..8)
}

/// Every file below a folder, and every folder, with what is in it.
fn tree(folder: &Path) -> std::collections::BTreeMap<PathBuf, String> {
    let mut found = std::collections::BTreeMap::new();
    for name in names(folder) {
        let path = folder.join(name);
        if path.is_dir() {
            found.extend(tree(&path));
            found.insert(path.join(""), String::new());
        } else {
            found.insert(path.clone(), text(path));
        }
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is in a directory that was named by mistake is there afterwards, as it was.
    #[test]
    fn what_is_not_ours_is_the_same_afterwards(theirs in theirs(), ours: bool) {
        let root = tempfile::tempdir().unwrap();
        let summary = file("summary.csv", "ours");
        if ours {
            made(root.path(), "mirror", "older");
        }
        for (path, content) in theirs {
            let path = root.path().join(path);
            let _ = fs::create_dir_all(path.parent().unwrap());
            // What is there already stays, and so does a folder's own list: a changed list is
            // the user's doing.
            if let Ok(mut file) = fs::File::create_new(path) {
                file.write_all(content.as_bytes()).unwrap();
            }
        }
        let mut before = tree(root.path());
        let written = Reports::open(root.path())
            .and_then(|reports| reports.write("mirror", std::slice::from_ref(&summary)));
        let mut after = tree(root.path());
        if let Ok(place) = written {
            prop_assert_eq!(after.remove(&place.join("summary.csv")).unwrap(), "ours");
            prop_assert!(after.remove(&place.join(LIST)).unwrap().starts_with(HEAD));
            after.remove(&place.join(""));
            if ours {
                before.remove(&place.join("summary.csv"));
                before.remove(&place.join(LIST));
            }
            before.remove(&place.join(""));
        }
        prop_assert_eq!(before, after);
    }
}
