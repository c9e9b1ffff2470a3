//! The text of a Dockerfile. Lines stay under [`WIDTH`] columns where words allow it.

use std::fmt::{self, Write as _};

use super::{Argument, Base, Copy, EnvValue, Healthcheck, Instruction, Mount, Run, Sharing, Stage, Syntax};
use super::{Line, quote};

/// Where a line is broken. A physical line may have 64 KiB, so this is for readers.
const WIDTH: usize = 110;

const INDENT: &str = "    ";

/// Of the rest of a command that does not fit on its line.
const DEEP_INDENT: &str = "        ";

impl Syntax {
    /// The text before the first stage: remarks and global arguments.
    pub fn head(&self) -> String {
        let mut text = comment(&self.header.join("\n"));
        if !self.arguments.is_empty() {
            text.push('\n');
        }
        for argument in &self.arguments {
            text.push_str(&render_argument(argument));
            text.push('\n');
        }
        text
    }
}

impl fmt::Display for Syntax {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.head())?;
        for stage in &self.stages {
            write!(formatter, "\n{stage}")?;
        }
        Ok(())
    }
}

impl Stage {
    /// The remark as lines of comment; empty when there is none.
    pub fn remark(&self) -> String {
        self.comment.as_deref().map(comment).unwrap_or_default()
    }

    /// The stage without its remark.
    pub fn body(&self) -> String {
        let mut text = format!("FROM {} AS {}\n", self.base, self.name);
        for instruction in &self.instructions {
            writeln!(text, "{instruction}").expect("writing to a string does not fail");
        }
        text
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}", self.remark(), self.body())
    }
}

impl fmt::Display for Base {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stage(name) => write!(formatter, "{name}"),
            Self::Image(image) => write!(formatter, "{image}"),
            Self::Argument(name) => write!(formatter, "${{{name}}}"),
            Self::Scratch => formatter.write_str("scratch"),
        }
    }
}

impl fmt::Display for Instruction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Arg(argument) => render_argument(argument),
            Self::Env(pairs) => render_pairs("ENV", pairs.iter().map(|(key, value)| (key.as_str(), env_value(value)))),
            Self::Label(pairs) => {
                render_pairs("LABEL", pairs.iter().map(|(key, value)| (key.as_str(), quote::value(value))))
            }
            Self::Workdir(path) => format!("WORKDIR {}", quote::value(path)),
            Self::Copy(copy) => render_copy(copy),
            Self::Run(run) => render_run(run),
            Self::User(user) => format!("USER {}", quote::value(user)),
            Self::Expose(port) => format!("EXPOSE {port}"),
            Self::Healthcheck(check) => render_healthcheck(check),
            Self::Entrypoint(command) => format!("ENTRYPOINT {}", quote::json_array(command)),
            Self::Cmd(command) => format!("CMD {}", quote::json_array(command)),
        };
        formatter.write_str(&text)
    }
}

/// Lines of a remark. Control characters become spaces, so that a remark stays one.
fn comment(text: &str) -> String {
    text.lines().fold(String::new(), |mut lines, line| {
        let line: String = line.chars().map(|character| if character.is_control() { ' ' } else { character }).collect();
        let _ = writeln!(lines, "{}", format!("# {line}").trim_end());
        lines
    })
}

fn render_argument(argument: &Argument) -> String {
    match &argument.default {
        Some(default) => format!("ARG {}={}", argument.name, quote::value(default)),
        None => format!("ARG {}", argument.name),
    }
}

fn env_value(value: &EnvValue) -> String {
    match value {
        EnvValue::Text(text) => quote::value(text),
        EnvValue::Variable(name) => format!("${{{name}}}"),
        EnvValue::Before(text, name) => quote::value_before(text, name),
    }
}

/// `key=value` pairs.
fn render_pairs<'a>(instruction: &str, pairs: impl Iterator<Item = (&'a str, String)>) -> String {
    let words: Vec<String> = pairs
        .map(|(key, value)| {
            // A key is a word like any other, quoted where it must be.
            let key = Line::new(key).map_or_else(|_| String::new(), |key| quote::value(&key));
            format!("{key}={value}")
        })
        .collect();
    fill(instruction, &words, INDENT)
}

fn render_copy(copy: &Copy) -> String {
    let mut words: Vec<String> = copy.sources.iter().map(|source| quote::copy_source(source)).collect();
    words.push(quote::copy_destination(&copy.destination));
    let mut head = "COPY".to_owned();
    if let Some(stage) = &copy.from {
        let _ = write!(head, " --from={stage}");
    }
    if let Some(owner) = &copy.owner {
        let _ = write!(head, " --chown={}", quote::value(owner));
    }
    if words.iter().all(|word| quote::is_plain(word)) {
        return fill(&head, &words, INDENT);
    }
    let last = words.len() - 1;
    let elements: Vec<String> = words
        .iter()
        .enumerate()
        .map(|(index, word)| {
            let open = if index == 0 { "[" } else { "" };
            let close = if index == last { "]" } else { "," };
            format!("{open}{}{close}", quote::json_string(word))
        })
        .collect();
    fill(&head, &elements, INDENT)
}

fn render_run(run: &Run) -> String {
    let mounts: Vec<String> = run.mounts.iter().map(|mount| format!("--mount={}", render_mount(mount))).collect();
    let commands: Vec<_> = run.script.commands.iter().map(super::Command::shell_words).collect();
    let on_a_line = |(environment, words): &(Vec<String>, Vec<String>)| [&environment[..], words].concat().join(" ");
    let shell = commands.iter().map(on_a_line).collect::<Vec<_>>().join(" && ");
    if shell.contains('\n') {
        // Only a JSON string has an escape for a line break.
        let words = [mounts, vec![quote::json_array(&["/bin/sh", "-c", &shell])]].concat();
        return format!("RUN {}", words.join(&format!(" \\\n{INDENT}")));
    }
    if mounts.len() <= 1 {
        let line = format!("RUN {}", [mounts.clone(), vec![shell]].concat().join(" "));
        if line.len() <= WIDTH {
            return line;
        }
    }
    let mut text = "RUN ".to_owned();
    for mount in &mounts {
        let _ = write!(text, "{mount} \\\n{INDENT}");
    }
    for (index, command) in commands.iter().enumerate() {
        if index > 0 {
            let _ = write!(text, " \\\n{INDENT}&& ");
        }
        let line = on_a_line(command);
        if INDENT.len() + line.len() <= WIDTH {
            text.push_str(&line);
            continue;
        }
        // The command begins a line of its own below its environment.
        let (environment, words) = command;
        text.push_str(&fill_words(environment, DEEP_INDENT));
        if !environment.is_empty() {
            let _ = write!(text, " \\\n{DEEP_INDENT}");
        }
        text.push_str(&fill_words(words, DEEP_INDENT));
    }
    text
}

fn render_mount(mount: &Mount) -> String {
    match mount {
        Mount::Cache { id, target, sharing } => {
            let sharing = match sharing {
                Sharing::Shared => "shared",
                Sharing::Locked => "locked",
            };
            format!("type=cache,id={id},target={target},sharing={sharing}")
        }
        Mount::Secret { id, target: Some(target) } => format!("type=secret,id={id},target={target}"),
        Mount::Secret { id, target: None } => format!("type=secret,id={id}"),
        Mount::Ssh => "type=ssh".to_owned(),
    }
}

fn render_healthcheck(check: &Healthcheck) -> String {
    let Healthcheck { interval, timeout, start_period, retries, command } = check;
    format!(
        "HEALTHCHECK --interval={interval}s --timeout={timeout}s --start-period={start_period}s --retries={retries} \
         \\\n{INDENT}CMD {}",
        quote::json_array(command)
    )
}

fn fill_words(words: &[String], indent: &str) -> String {
    words.split_first().map_or_else(String::new, |(first, rest)| fill(first, rest, indent))
}

/// Words on lines that stay under [`WIDTH`] where words allow it; further lines are indented.
fn fill(head: &str, words: &[String], indent: &str) -> String {
    let mut text = head.to_owned();
    let mut column = head.chars().count();
    for word in words {
        let length = word.chars().count();
        if column + 1 + length + " \\".len() > WIDTH && column > indent.len() {
            let _ = write!(text, " \\\n{indent}{word}");
            column = indent.len() + length;
        } else {
            let _ = write!(text, " {word}");
            column += 1 + length;
        }
    }
    text
}

#[cfg(test)]
mod tests;
