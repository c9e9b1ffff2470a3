//! Texts with a promise, so that an instruction made of them can always be written.

use std::fmt;

/// Why a text has no place in a Dockerfile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// It holds a line break or a NUL byte where the format knows no escape for them.
    #[error("holds a line break or a NUL byte")]
    LineBreak,
    /// It is no name of this sort.
    #[error("is not a valid name")]
    Name,
}

macro_rules! promised_text {
    ($(#[$documentation:meta])* $name:ident) => {
        $(#[$documentation])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, "{:?}", self.0)
            }
        }
    };
}

promised_text! {
    /// Any text without a line break or a NUL byte: what ENV, WORKDIR, USER, LABEL and the default of an ARG can say.
    Line
}
promised_text! {
    /// The name of an environment variable or label: a [`Line`] that is not empty and holds no `=`.
    Key
}
promised_text! {
    /// The name of a variable that can be referred to: letters, digits and `_`, not beginning with a digit.
    Variable
}
promised_text! {
    /// The name of a stage, as BuildKit takes it: lowercase letters, digits, `-`, `_` and `.`, beginning with a letter;
    /// neither `scratch` nor `context`, which have a meaning of their own.
    StageName
}
promised_text! {
    /// A reference to an image: letters, digits, `.`, `_`, `-`, `/`, `:` and `@`, beginning with a letter or digit.
    Image
}
promised_text! {
    /// The id of a secret or of a cache: letters, digits, `_`, `-` and `.`, so that it stands in a mount as it is.
    MountId
}

impl Line {
    /// Takes any text on one line.
    pub fn new(text: &str) -> Result<Self, TextError> {
        if text.contains(['\n', '\0']) { Err(TextError::LineBreak) } else { Ok(Self(text.to_owned())) }
    }
}

impl Key {
    /// Takes a name.
    pub fn new(text: &str) -> Result<Self, TextError> {
        let line = Line::new(text)?;
        if text.is_empty() || text.contains('=') { Err(TextError::Name) } else { Ok(Self(line.0)) }
    }
}

impl Variable {
    /// Takes a name.
    pub fn new(text: &str) -> Result<Self, TextError> {
        if is_variable(text) { Ok(Self(text.to_owned())) } else { Err(TextError::Name) }
    }
}

impl StageName {
    /// Takes a name.
    pub fn new(text: &str) -> Result<Self, TextError> {
        let alphabet =
            text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte));
        if alphabet
            && text.starts_with(|first: char| first.is_ascii_lowercase())
            && !["scratch", "context"].contains(&text)
        {
            Ok(Self(text.to_owned()))
        } else {
            Err(TextError::Name)
        }
    }
}

impl Image {
    /// Takes a reference. Whether such an image exists is the daemon's to say.
    pub fn new(text: &str) -> Result<Self, TextError> {
        let alphabet = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-/:@".contains(&byte));
        if alphabet && text.starts_with(|first: char| first.is_ascii_alphanumeric()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(TextError::Name)
        }
    }
}

impl MountId {
    /// Takes an id.
    pub fn new(text: &str) -> Result<Self, TextError> {
        let alphabet = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        if alphabet && !text.is_empty() { Ok(Self(text.to_owned())) } else { Err(TextError::Name) }
    }
}

impl From<Variable> for Key {
    fn from(variable: Variable) -> Self {
        Self(variable.0)
    }
}

/// Whether a shell and BuildKit take the text as the name of a variable.
pub(crate) fn is_variable(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && text.starts_with(|first: char| !first.is_ascii_digit())
}
