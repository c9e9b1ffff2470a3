//! Asking git for objects by their names: one process each for content and for sizes, many questions at a time.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use crate::error::WorkspaceError;
use crate::git::{self, Repository};

/// How many questions are put before their answers are read. So many names fit into the buffer of a pipe several times,
/// so that git, which may wait for us to read, never keeps us waiting to write.
const AT_ONCE: usize = 256;

/// A running `git cat-file`.
pub(super) struct Objects {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Objects {
    /// One that answers with content.
    pub(super) fn contents(repository: &Repository) -> Result<Self, WorkspaceError> {
        Self::start(repository, "--batch")
    }

    /// One that answers with sizes.
    pub(super) fn sizes(repository: &Repository) -> Result<Self, WorkspaceError> {
        Self::start(repository, "--batch-check=%(objectname) %(objecttype) %(objectsize)")
    }

    fn start(repository: &Repository, form: &str) -> Result<Self, WorkspaceError> {
        let mut child = git::command(repository.root())
            .args(["cat-file", form])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(git::not_run)?;
        let input = child.stdin.take().expect("the input is piped");
        let output = BufReader::with_capacity(1 << 16, child.stdout.take().expect("the output is piped"));
        Ok(Self { child, input, output })
    }

    /// The content of each of `names`, in their order. Only of one that was started for content.
    pub(super) fn read<S: AsRef<str>>(&mut self, names: &[S]) -> Result<Vec<Vec<u8>>, WorkspaceError> {
        self.ask(names, |objects, size| {
            let mut content = vec![0; size];
            objects.output.read_exact(&mut content)?;
            objects.output.read_exact(&mut [0])?;
            Ok(content)
        })
    }

    /// The size of each of `names` in bytes, in their order. Only of one that was started for sizes.
    pub(super) fn size<S: AsRef<str>>(&mut self, names: &[S]) -> Result<Vec<u64>, WorkspaceError> {
        self.ask(names, |_, size| Ok(size as u64))
    }

    /// Writes `name LF` for each; reads `name type size LF` and what `rest` takes behind it.
    fn ask<S: AsRef<str>, T>(
        &mut self,
        names: &[S],
        rest: impl Fn(&mut Self, usize) -> io::Result<T>,
    ) -> Result<Vec<T>, WorkspaceError> {
        let mut answers = Vec::with_capacity(names.len());
        for chunk in names.chunks(AT_ONCE) {
            let mut question = String::new();
            for name in chunk {
                question.push_str(name.as_ref());
                question.push('\n');
            }
            let put = self.input.write_all(question.as_bytes()).and_then(|()| self.input.flush());
            put.map_err(|error| unreadable(chunk.first(), &error))?;
            for name in chunk {
                let answer = self.head().and_then(|size| rest(self, size));
                answers.push(answer.map_err(|error| unreadable(Some(name), &error))?);
            }
        }
        Ok(answers)
    }

    /// The size in the line that begins an answer.
    fn head(&mut self) -> io::Result<usize> {
        let mut head = String::new();
        self.output.read_line(&mut head)?;
        let size = head.trim_end().rsplit(' ').next().and_then(|size| size.parse().ok());
        size.ok_or_else(|| {
            let said = if head.trim().is_empty() { "git ended" } else { head.trim() };
            io::Error::other(said.to_owned())
        })
    }
}

fn unreadable<S: AsRef<str>>(name: Option<&S>, error: &io::Error) -> WorkspaceError {
    let name = name.map(AsRef::as_ref).unwrap_or_default();
    WorkspaceError::Git { message: format!("could not read the object {name}: {error}") }
}

impl Drop for Objects {
    fn drop(&mut self) {
        // It ends by itself when its input closes; killing it needs no wait for that.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
