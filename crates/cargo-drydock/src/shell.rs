//! The only way to the terminal. stdout takes what was asked for, stderr everything else.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};

use anstream::adapter::strip_str;
use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use drydock_diagnostics::Warning;

use crate::args::{ColorWhen, GlobalArgs};
use crate::failure::Failure;
use crate::render::Diagnostic;

/// How much is said on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verbosity {
    /// Errors only.
    Quiet,
    /// Status, warnings, errors.
    Normal,
    /// Reasons too.
    Verbose,
}

/// The green of what is done and the cyan of what is underway, as Cargo has them.
pub(crate) const DONE: Style = AnsiColor::Green.on_default().bold();
/// See [`DONE`].
pub(crate) const UNDERWAY: Style = AnsiColor::Cyan.on_default().bold();
/// What went wrong.
pub(crate) const WRONG: Style = AnsiColor::Red.on_default().bold();
/// What may be wrong.
pub(crate) const WARNED: Style = AnsiColor::Yellow.on_default().bold();
/// What matters less.
pub(crate) const FAINT: Style = Style::new().dimmed();

/// How many warnings of one kind are shown.
const SHOWN_OF_A_KIND: usize = 2;

/// The width of the verb in front of a status line.
const VERB_WIDTH: usize = 12;

/// A line in Cargo's style: the verb right-aligned and coloured.
pub(crate) fn status_line(style: Style, verb: &str, message: &str) -> String {
    format!("{style}{verb:>VERB_WIDTH$}{style:#} {message}")
}

/// Where output goes, and how it may look.
#[derive(Debug)]
pub(crate) struct Shell {
    out: AutoStream<io::Stdout>,
    err: AutoStream<io::Stderr>,
    verbosity: Verbosity,
    json: bool,
    /// Whether stderr is read by a program too.
    json_diagnostics: bool,
}

impl Shell {
    /// The process's own streams, before the arguments are known.
    pub(crate) fn early(json: bool) -> Self {
        let choice = color_choice(None);
        Self {
            out: AutoStream::new(io::stdout(), choice_for(choice, &io::stdout())),
            err: AutoStream::new(io::stderr(), choice_for(choice, &io::stderr())),
            verbosity: Verbosity::Normal,
            json,
            json_diagnostics: json,
        }
    }

    /// The process's own streams, as the arguments and the environment want them.
    pub(crate) fn new(args: &GlobalArgs, json: bool) -> Self {
        let choice = color_choice(args.color);
        let verbosity = match (args.quiet, args.verbose) {
            (true, _) => Verbosity::Quiet,
            (false, 0) => Verbosity::Normal,
            (false, _) => Verbosity::Verbose,
        };
        Self {
            out: AutoStream::new(io::stdout(), choice_for(choice, &io::stdout())),
            err: AutoStream::new(io::stderr(), choice_for(choice, &io::stderr())),
            verbosity,
            json,
            json_diagnostics: json,
        }
    }

    /// Whether the answer is for a program.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Makes errors and warnings JSON lines though the answer is none, because what is beside them on stderr is.
    pub(crate) fn set_json_diagnostics(&mut self, wanted: bool) {
        self.json_diagnostics = self.json || wanted;
    }

    /// How much is said.
    pub(crate) fn verbosity(&self) -> Verbosity {
        self.verbosity
    }

    /// Whether stderr shows colours.
    pub(crate) fn colors_err(&self) -> bool {
        self.err.current_choice() != ColorChoice::Never
    }

    /// Writes what was asked for to stdout.
    pub(crate) fn print(&mut self, text: &str) -> Result<(), Failure> {
        let result = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
        // Nothing else can be done about a full disk either; the reader has an incomplete answer and must know.
        result.map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::BrokenPipe,
            _ => OutputError(error).into(),
        })
    }

    /// A line of stdout.
    pub(crate) fn println(&mut self, text: &str) -> Result<(), Failure> {
        self.print(&format!("{text}\n"))
    }

    /// Says what is done, in Cargo's style: a right-aligned verb and what it is about.
    pub(crate) fn status(&mut self, verb: &str, message: impl AsRef<str>) {
        if self.verbosity > Verbosity::Quiet && !self.json_diagnostics {
            self.say(&status_line(DONE, verb, message.as_ref()));
        }
    }

    /// Says how something went wrong, in the same style.
    pub(crate) fn status_wrong(&mut self, verb: &str, message: impl AsRef<str>) {
        if !self.json_diagnostics {
            self.say(&status_line(WRONG, verb, message.as_ref()));
        }
    }

    /// Says the lines at the end of a build.
    pub(crate) fn summary(&mut self, lines: &[String]) {
        if self.verbosity > Verbosity::Quiet {
            for line in lines {
                self.say(line);
            }
        }
    }

    /// Says a line that only matters to those who asked for more.
    pub(crate) fn verbose(&mut self, verb: &str, message: impl AsRef<str>) {
        if self.verbosity == Verbosity::Verbose && !self.json_diagnostics {
            self.say(&status_line(UNDERWAY, verb, message.as_ref()));
        }
    }

    /// Shows a warning.
    pub(crate) fn warn(&mut self, warning: &Warning) {
        if self.verbosity > Verbosity::Quiet {
            self.diagnostic(&Diagnostic::from(warning));
        }
    }

    /// Shows warnings. Of many of one kind only some, unless more was asked for: a hundred would hide the others.
    pub(crate) fn warn_all<'w>(&mut self, warnings: impl IntoIterator<Item = &'w Warning>) {
        let mut seen: BTreeMap<&'static str, usize> = BTreeMap::new();
        for warning in warnings {
            let count = seen.entry(warning.code).or_default();
            *count += 1;
            if *count <= SHOWN_OF_A_KIND || self.json || self.verbosity == Verbosity::Verbose {
                self.warn(warning);
            }
        }
        if self.json || self.verbosity != Verbosity::Normal {
            return;
        }
        for (code, count) in seen.into_iter().filter(|(_, count)| *count > SHOWN_OF_A_KIND) {
            let more = count - SHOWN_OF_A_KIND;
            let noun = if more == 1 { "warning" } else { "warnings" };
            self.warn(&Warning::new(code, format!("{more} more {noun} of this kind")).with_help("`-v` shows all"));
        }
    }

    /// Shows an error or a warning.
    pub(crate) fn diagnostic(&mut self, diagnostic: &Diagnostic) {
        let text = if self.json_diagnostics { diagnostic.to_json() } else { diagnostic.to_human(width()) };
        self.say(&text);
    }

    /// Writes a line to stderr. When nobody can read what we have to say, there is nobody to tell.
    pub(crate) fn say(&mut self, line: &str) {
        // In one piece, so that it stands in one piece where others write too.
        let text = if self.colors_err() { format!("{line}\n") } else { format!("{}\n", strip_str(line)) };
        let _ = self.err.write_all(text.as_bytes());
    }
}

/// The columns of the terminal behind stderr, or what Cargo assumes where there is none.
pub(crate) fn width() -> usize {
    let from_terminal = terminal_size::terminal_size_of(io::stderr()).map(|(width, _)| usize::from(width.0));
    from_terminal.filter(|width| *width >= 20).unwrap_or(140)
}

/// The standard output takes no more.
#[derive(Debug, thiserror::Error)]
#[error("could not write to the standard output")]
struct OutputError(#[source] io::Error);

impl drydock_diagnostics::Diagnose for OutputError {
    fn code(&self) -> &'static str {
        "output"
    }

    fn category(&self) -> drydock_diagnostics::Category {
        drydock_diagnostics::Category::Usage
    }

    fn help(&self) -> Option<String> {
        Some("check where the output goes: its disk may be full".to_owned())
    }
}

/// The argument over `NO_COLOR` over `CARGO_TERM_COLOR`.
fn color_choice(argument: Option<ColorWhen>) -> ColorChoice {
    match argument {
        Some(ColorWhen::Auto) => ColorChoice::Auto,
        Some(ColorWhen::Always) => ColorChoice::Always,
        Some(ColorWhen::Never) => ColorChoice::Never,
        None if std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) => ColorChoice::Never,
        None => match std::env::var("CARGO_TERM_COLOR").as_deref() {
            Ok("always") => ColorChoice::Always,
            Ok("never") => ColorChoice::Never,
            _ => ColorChoice::Auto,
        },
    }
}

/// A choice that needs no second look at the stream.
fn choice_for<S: IsTerminal + anstream::stream::RawStream>(choice: ColorChoice, stream: &S) -> ColorChoice {
    match choice {
        ColorChoice::Auto => AutoStream::choice(stream),
        other => other,
    }
}
