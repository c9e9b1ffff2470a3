//! What a RUN runs: commands joined by `&&`, quoted for a POSIX shell.

use super::quote;
use super::text::{MountId, is_variable};

/// Commands, each run when the one before it succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// At least one.
    pub commands: Vec<Command>,
}

/// One command.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Command {
    /// Environment of this command alone.
    pub environment: Vec<(String, ShellValue)>,
    /// The command and its arguments, each taken literally.
    pub words: Vec<String>,
}

/// A value in the environment of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShellValue {
    /// This text.
    Text(String),
    /// The content of a mounted secret; empty when it is not given.
    Secret(MountId),
}

impl Command {
    /// A command without environment of its own.
    pub fn new<S: Into<String>>(words: impl IntoIterator<Item = S>) -> Self {
        Self { environment: Vec::new(), words: words.into_iter().map(Into::into).collect() }
    }

    /// The environment and the command as words of a shell, quoted.
    pub(super) fn shell_words(&self) -> (Vec<String>, Vec<String>) {
        let mut environment = Vec::with_capacity(self.environment.len() + 1);
        // A shell takes only its own names of variables in front of a command; `env` takes any.
        let assignable = self.environment.iter().all(|(name, _)| is_variable(name));
        if !assignable {
            environment.push("env".to_owned());
        }
        environment.extend(self.environment.iter().map(|(name, value)| match value {
            ShellValue::Text(text) if assignable && text.is_empty() => format!("{name}="),
            ShellValue::Text(text) if assignable => format!("{name}={}", quote::shell_word(text)),
            ShellValue::Text(text) => quote::shell_word(&format!("{name}={text}")),
            ShellValue::Secret(id) => {
                let value = format!(r#""$(cat /run/secrets/{id} 2>/dev/null)""#);
                if assignable {
                    format!("{name}={value}")
                } else {
                    format!("{}{value}", quote::shell_word(&format!("{name}=")))
                }
            }
        }));
        let mut words = Vec::with_capacity(self.words.len());
        let mut own = self.words.iter();
        if let Some(first) = own.next() {
            words.push(quote::shell_command_word(first));
        }
        words.extend(own.map(|word| quote::shell_word(word)));
        (environment, words)
    }
}

impl From<Command> for Script {
    fn from(command: Command) -> Self {
        Self { commands: vec![command] }
    }
}
