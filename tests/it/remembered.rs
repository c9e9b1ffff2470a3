//! A plan that an earlier run made is taken again exactly when it would be made the same.

use drydock_test::Fixture;
use tempfile::TempDir;

use crate::support::{commit_all, drydock, git};

/// A checkout, and the folder where its plans are kept.
struct Checkout {
    fixture: Fixture,
    cache: TempDir,
}

impl Checkout {
    fn new() -> Self {
        let fixture = Fixture::example("chat");
        commit_all(&fixture, "first");
        Self { fixture, cache: tempfile::tempdir().expect("there is a temporary folder") }
    }

    /// Whether the plan of `targets` was taken from memory. It must be what a run without memory makes.
    #[track_caller]
    fn is_remembered(&self, targets: &[&str]) -> bool {
        let plan = |cache: &TempDir, more: &[&str]| {
            let mut command = drydock(&self.fixture, &[&["plan"], more, targets].concat());
            let output = command.env("DRYDOCK_CACHE_DIR", cache.path()).output().expect("the binary runs");
            let said = String::from_utf8(output.stderr).expect("UTF-8");
            assert!(output.status.success(), "{said}");
            (String::from_utf8(output.stdout).expect("UTF-8"), said)
        };
        let empty = tempfile::tempdir().expect("there is a temporary folder");
        let (_, said) = plan(&self.cache, &["-v"]);
        let remembered = said.contains("Unchanged all that the plan was made of");
        let (answer, made) = (plan(&self.cache, &["--format", "json"]), plan(&empty, &["--format", "json"]));
        assert_eq!(answer, made, "what is remembered is what would be made, with its warnings");
        remembered
    }

    /// Edits the tree, after which the plan must be made anew, and be kept.
    #[track_caller]
    fn forgets_after(&self, edit: impl FnOnce(&Fixture)) {
        edit(&self.fixture);
        assert!(!self.is_remembered(&["api"]), "the plan was made of what changed");
        assert!(self.is_remembered(&["api"]), "the new one is kept");
    }

    /// Edits what no plan is made of.
    #[track_caller]
    fn remembers_after(&self, edit: impl FnOnce(&Fixture)) {
        edit(&self.fixture);
        assert!(self.is_remembered(&["api"]), "nothing changed that the plan was made of");
    }
}

#[test]
fn a_plan_is_taken_again_until_something_changes_that_it_was_made_of() {
    let checkout = Checkout::new();
    checkout.forgets_after(|_| {});

    checkout.remembers_after(|tree| commit_all(tree, "nothing"));
    checkout.remembers_after(|tree| tree.write("api/package.json", &tree.read("api/package.json")));

    // What a source imports, a new file, one that is gone.
    let source = "packages/data-provider/src/index.ts";
    checkout.forgets_after(|tree| tree.write(source, &format!("import '@chat/ui';\n{}", tree.read(source))));
    checkout.forgets_after(|tree| tree.write("packages/data-provider/src/more.ts", "export const more = 1;\n"));
    checkout.forgets_after(|tree| tree.remove("packages/data-provider/src/more.ts"));
    checkout.forgets_after(|tree| tree.edit("package-lock.json", "\"dev\": true", "\"dev\":  true"));
    checkout.forgets_after(|tree| tree.edit("drydock.toml", "3080", "3081"));
    checkout.forgets_after(|tree| tree.write(".nvmrc", "20\n"));
    checkout.forgets_after(|tree| tree.write(".gitignore", &format!("{}\nREADME.md\n", tree.read(".gitignore"))));
    let manifest = "packages/data-provider/package.json";
    checkout.forgets_after(|tree| tree.edit(manifest, "{\n  \"name\"", "{\n  \"sideEffects\": false,\n  \"name\""));
}

/// Git's index decides of files that are tracked though they are ignored. No file of the tree changes with it.
#[test]
fn what_git_tracks_is_asked_again() {
    let checkout = Checkout::new();
    checkout.fixture.write(".gitignore", &format!("{}\n*.generated.ts\n", checkout.fixture.read(".gitignore")));
    checkout.fixture.write("packages/data-provider/src/a.generated.ts", "export const a = 1;\n");
    checkout.forgets_after(|_| {});
    checkout.forgets_after(|tree| drop(git(tree, &["add", "-f", "packages/data-provider/src/a.generated.ts"])));
}

/// While the index is what it was, git's answer is known, also after one that changed nothing of interest.
#[test]
fn git_is_not_asked_again_for_what_its_index_says() {
    let checkout = Checkout::new();
    checkout.forgets_after(|_| {});
    let says_without_git = || {
        let mut command = drydock(&checkout.fixture, &["plan", "-v", "api"]);
        command.env("DRYDOCK_CACHE_DIR", checkout.cache.path()).env("PATH", "");
        let output = command.output().expect("the binary runs");
        String::from_utf8(output.stderr).expect("UTF-8")
    };
    let said = says_without_git();
    assert!(said.contains("Unchanged all that the plan was made of"), "{said}");

    drop(git(&checkout.fixture, &["update-index", "--assume-unchanged", "package.json"]));
    let said = says_without_git();
    assert!(said.contains("error[git-not-found]"), "the index is another: {said}");
    checkout.remembers_after(|_| {});
    let said = says_without_git();
    assert!(said.contains("Unchanged all that the plan was made of"), "{said}");
}

/// An edit that leaves size and modification time alone still moves the change time.
#[cfg(unix)]
#[test]
fn an_edit_that_looks_like_none_is_seen() {
    let checkout = Checkout::new();
    checkout.forgets_after(|_| {});
    let source = "packages/data-provider/src/index.ts";
    for (file, from, to) in [("drydock.toml", "3080", "3081"), (source, "2000", "1999")] {
        checkout.forgets_after(|tree| {
            let path = tree.root().join(file);
            let modified = std::fs::metadata(&path).and_then(|file| file.modified()).expect("it is there");
            tree.edit(file, from, to);
            let file = std::fs::File::options().write(true).open(&path).expect("it is there");
            file.set_modified(modified).expect("times can be set");
        });
    }
}

#[cfg(unix)]
#[test]
fn modes_and_links_count() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let checkout = Checkout::new();
    let folder = checkout.fixture.root().join("packages/data-provider");
    checkout.forgets_after(|_| {});
    checkout.forgets_after(|_| {
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(folder.join("src/index.ts"), mode).expect("modes can be set");
    });
    checkout.forgets_after(|_| symlink("index.ts", folder.join("src/link.ts")).expect("links can be made"));
    checkout.forgets_after(|_| {
        std::fs::remove_file(folder.join("src/link.ts")).expect("it is there");
        symlink("../package.json", folder.join("src/link.ts")).expect("links can be made");
    });
}

#[test]
fn each_selection_has_its_own() {
    let checkout = Checkout::new();
    assert!(!checkout.is_remembered(&["api"]));
    assert!(!checkout.is_remembered(&[]));
    assert!(checkout.is_remembered(&["api"]));
    assert!(checkout.is_remembered(&[]));
}

#[test]
fn what_is_damaged_or_cut_off_is_made_anew() {
    let checkout = Checkout::new();
    checkout.forgets_after(|_| {});
    let kept = || {
        let entries = fs_err::read_dir(checkout.cache.path().join("plans")).expect("a plan was kept");
        let files: Vec<_> = entries.map(|entry| entry.expect("it can be listed").path()).collect();
        assert_eq!(files.len(), 1, "{files:?}");
        files[0].clone()
    };
    let whole = fs_err::read(kept()).unwrap();
    let mut damaged = whole.clone();
    *damaged.last_mut().expect("it is not empty") ^= 1;
    for bytes in [&damaged[..], &whole[..whole.len() / 2], &[]] {
        fs_err::write(kept(), bytes).unwrap();
        checkout.forgets_after(|_| {});
    }
}
