//! What BuildKit says, as it says it: the JSON lines of `docker buildx build --progress=rawjson`, on stderr as there.

use drydock_build::Event;

use super::Reporter;
use crate::shell::Shell;

/// Writes what BuildKit said to each solve.
pub(super) struct Raw;

impl Reporter for Raw {
    fn begins(&mut self, _verb: &'static str, _what: &str, _shell: &mut Shell) {}

    fn event(&mut self, event: &Event, shell: &mut Shell) {
        if let Event::Raw { status, .. } = event {
            shell.say(&status.to_string());
        }
    }

    fn tick(&mut self, _shell: &mut Shell) {}

    fn finish(&mut self, _shell: &mut Shell) {}
}
