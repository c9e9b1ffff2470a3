//! Workspaces in temporary folders.

use camino::{Utf8Path, Utf8PathBuf};
use tempfile::TempDir;

/// A workspace in a temporary folder, which is removed with it. Panics when the disk refuses: there is no test then.
#[derive(Debug)]
pub struct Fixture {
    folder: TempDir,
    root: Utf8PathBuf,
}

impl Fixture {
    /// An empty folder.
    pub fn empty() -> Self {
        let folder = tempfile::Builder::new().prefix("drydock-test-").tempdir().expect("a temporary folder");
        let root = Utf8Path::from_path(folder.path()).expect("temporary folders have UTF-8 names");
        // macOS reaches its temporary folders through a link, which would show in messages.
        let root = root.canonicalize_utf8().expect("the folder was just made");
        Self { folder, root }
    }

    /// Files written one after another, each behind a line `//- PATH`:
    ///
    /// ```
    /// let fixture = drydock_test::Fixture::new(
    ///     r#"
    /// //- package.json
    /// { "name": "root", "workspaces": ["a"] }
    /// //- a/package.json
    /// { "name": "a" }
    /// "#,
    /// );
    /// assert!(fixture.root().join("a/package.json").exists());
    /// ```
    pub fn new(text: &str) -> Self {
        let fixture = Self::empty();
        let text = text.strip_prefix('\n').unwrap_or(text);
        let mut file: Option<(&str, String)> = None;
        for line in text.split_inclusive('\n') {
            if let Some(path) = line.strip_prefix("//- ") {
                if let Some((path, content)) = file.replace((path.trim_end(), String::new())) {
                    fixture.write(path, &content);
                }
            } else {
                let (_, content) = file.as_mut().expect("a fixture begins with a line `//- PATH`");
                content.push_str(line);
            }
        }
        let (path, content) = file.expect("a fixture has files");
        fixture.write(path, &content);
        fixture
    }

    /// A copy of the folder `examples/NAME` of this repository, without what an install or a build left there.
    pub fn example(name: &str) -> Self {
        let fixture = Self::empty();
        copy(&crate::repository().join("examples").join(name), fixture.root());
        fixture
    }

    /// The folder, absolute, with links resolved.
    pub fn root(&self) -> &Utf8Path {
        &self.root
    }

    /// Writes a file, and the folders above it.
    pub fn write(&self, path: &str, content: &str) {
        let path = self.root.join(path);
        if let Some(parent) = path.parent() {
            fs_err::create_dir_all(parent).expect("a folder can be made");
        }
        fs_err::write(path, content).expect("a file can be written");
    }

    /// Reads a file.
    pub fn read(&self, path: &str) -> String {
        fs_err::read_to_string(self.root.join(path)).expect("the file is there")
    }

    /// Replaces `from`, which must be there, in a file.
    pub fn edit(&self, path: &str, from: &str, to: &str) {
        let text = self.read(path);
        assert!(text.contains(from), "{path} does not contain {from:?}");
        self.write(path, &text.replace(from, to));
    }

    /// Removes a file.
    pub fn remove(&self, path: &str) {
        fs_err::remove_file(self.root.join(path)).expect("the file is there");
    }

    /// Removes the folder and tells when that fails, which dropping does not.
    pub fn close(self) {
        self.folder.close().expect("the folder can be removed");
    }
}

fn copy(from: &Utf8Path, to: &Utf8Path) {
    fs_err::create_dir_all(to).expect("a folder can be made");
    for entry in from.read_dir_utf8().expect("the folder is there") {
        let entry = entry.expect("the folder can be read");
        if ["node_modules", "dist", ".drydock"].contains(&entry.file_name()) {
            continue;
        }
        let target = to.join(entry.file_name());
        if entry.file_type().expect("the kind of an entry is known").is_dir() {
            copy(entry.path(), &target);
        } else {
            fs_err::copy(entry.path(), target).expect("a file can be copied");
        }
    }
}
