//! What BuildKit calls its units of work, and what their names say.

use std::fmt;
use std::sync::Arc;

/// Identifies a vertex: the digest of its definition. Two targets that need the same step name the same vertex.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VertexDigest(Arc<str>);

impl VertexDigest {
    /// The digest as BuildKit writes it (`sha256:…`).
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same vertex on the builder at `place` among several: its digest is the same there, its run is not.
    pub(crate) fn on(&self, place: usize) -> Self {
        if place == 0 { self.clone() } else { Self(format!("{}@{place}", self.0).into()) }
    }
}

impl From<&str> for VertexDigest {
    fn from(digest: &str) -> Self {
        Self(digest.into())
    }
}

impl fmt::Display for VertexDigest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The name of a vertex, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VertexName {
    /// A step of a Dockerfile stage.
    Step(StepName),
    /// BuildKit's own work before the steps: `[internal] load build context`, `[auth] …`, `[context …] …`.
    Internal(String),
    /// Work after the steps: images and caches exported, layers pushed.
    Export(String),
    /// Anything else, such as `importing cache manifest from …`.
    Other(String),
}

/// `[linux/arm64 api 2/7] RUN npm ci`, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepName {
    /// `os/arch[/variant]`; only there when several platforms are built.
    pub platform: Option<String>,
    /// The stage as the Dockerfile names it, or `stage-0`. BuildKit leaves it out where a Dockerfile has only one.
    pub stage: Option<String>,
    /// 1-based position among the stage's steps.
    pub step: u32,
    /// How many steps the stage has; an external `FROM`, `COPY`, `ADD`, `RUN` and `WORKDIR` count.
    pub steps: u32,
    /// The instruction with its keyword, on one line, variables filled in.
    pub instruction: String,
}

impl VertexName {
    /// Takes a name apart; what has none of the known forms is [`VertexName::Other`].
    pub fn parse(name: &str) -> Self {
        if let Some(step) = parse_step(name) {
            return Self::Step(step);
        }
        let bracketed = ["[internal]", "[auth]", "[context "];
        if bracketed.iter().any(|prefix| name.starts_with(prefix)) {
            return Self::Internal(name.to_owned());
        }
        let exporting = ["exporting ", "pushing ", "preparing build cache for export", "sending tarball"];
        if exporting.iter().any(|prefix| name.starts_with(prefix)) {
            return Self::Export(name.to_owned());
        }
        Self::Other(name.to_owned())
    }

    /// The step, if it is one.
    pub fn step(&self) -> Option<&StepName> {
        match self {
            Self::Step(step) => Some(step),
            Self::Internal(_) | Self::Export(_) | Self::Other(_) => None,
        }
    }
}

impl fmt::Display for VertexName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Step(step) => step.fmt(formatter),
            Self::Internal(name) | Self::Export(name) | Self::Other(name) => formatter.write_str(name),
        }
    }
}

impl fmt::Display for StepName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[")?;
        if let Some(platform) = &self.platform {
            write!(formatter, "{platform} ")?;
        }
        if let Some(stage) = &self.stage {
            write!(formatter, "{stage} ")?;
        }
        write!(formatter, "{}/{}] {}", self.step, self.steps, self.instruction)
    }
}

/// `[PLATFORM STAGE N/M] INSTRUCTION`; platform and stage are optional, and the numbers are padded with spaces.
fn parse_step(name: &str) -> Option<StepName> {
    let (inside, instruction) = name.strip_prefix('[')?.split_once("] ")?;
    let mut words = inside.split_whitespace();
    let last = words.next_back()?;
    let (stage, platform) = match (words.next_back(), words.next_back()) {
        // A platform has a slash, and the name of a stage has none.
        (Some(platform), None) if platform.contains('/') => (None, Some(platform)),
        words => words,
    };
    if words.next().is_some() || platform.is_some_and(|platform| !platform.contains('/')) {
        return None;
    }
    let (step, steps) = last.split_once('/')?;
    Some(StepName {
        platform: platform.map(str::to_owned),
        stage: stage.map(str::to_owned),
        step: step.parse().ok()?,
        steps: steps.parse().ok()?,
        instruction: instruction.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(platform: Option<&str>, stage: &str, step: u32, steps: u32, instruction: &str) -> VertexName {
        VertexName::Step(StepName {
            platform: platform.map(str::to_owned),
            stage: Some(stage.to_owned()).filter(|stage| !stage.is_empty()),
            step,
            steps,
            instruction: instruction.to_owned(),
        })
    }

    #[test]
    fn names_are_taken_apart() {
        let cases = [
            ("[api 2/7] RUN npm ci", step(None, "api", 2, 7, "RUN npm ci")),
            ("[build-api  3/12] COPY a b", step(None, "build-api", 3, 12, "COPY a b")),
            (
                "[linux/arm64 api 1/2] FROM docker.io/library/node:22",
                step(Some("linux/arm64"), "api", 1, 2, "FROM docker.io/library/node:22"),
            ),
            ("[linux/arm/v7 stage-1 1/1] WORKDIR /x", step(Some("linux/arm/v7"), "stage-1", 1, 1, "WORKDIR /x")),
            ("[api 1/1] RUN echo \"[x 1/2] y\"", step(None, "api", 1, 1, "RUN echo \"[x 1/2] y\"")),
            ("[3/3] RUN x", step(None, "", 3, 3, "RUN x")),
            ("[linux/amd64 1/3] RUN x", step(Some("linux/amd64"), "", 1, 3, "RUN x")),
            ("[linux/amd64->arm64 api 1/3] RUN x", step(Some("linux/amd64->arm64"), "api", 1, 3, "RUN x")),
            ("[internal] load build context", VertexName::Internal("[internal] load build context".into())),
            ("[auth] library/node:pull token", VertexName::Internal("[auth] library/node:pull token".into())),
            ("[context base] load metadata", VertexName::Internal("[context base] load metadata".into())),
            ("exporting to image", VertexName::Export("exporting to image".into())),
            ("exporting cache to registry", VertexName::Export("exporting cache to registry".into())),
            ("importing cache manifest from r/x", VertexName::Other("importing cache manifest from r/x".into())),
            ("[a b c 1/2] RUN x", VertexName::Other("[a b c 1/2] RUN x".into())),
            ("[api 1/x] RUN x", VertexName::Other("[api 1/x] RUN x".into())),
            ("", VertexName::Other(String::new())),
        ];
        for (name, expected) in cases {
            assert_eq!(VertexName::parse(name), expected, "{name}");
        }
    }

    #[test]
    fn a_name_is_written_as_it_was_read() {
        for name in ["[linux/arm64 api 1/2] FROM x", "[api 2/7] RUN npm ci", "[2/7] RUN npm ci", "exporting to image"] {
            assert_eq!(VertexName::parse(name).to_string(), name);
        }
    }
}
