//! Finds the lines of a step in a Dockerfile, for daemons that do not tell them.

use std::ops::RangeInclusive;

use crate::vertex::StepName;

/// One instruction: its lines (1-based) and its words up to the end of the last line.
pub(crate) struct Instruction {
    pub(crate) lines: RangeInclusive<u32>,
    pub(crate) text: String,
}

/// The lines of the instruction that BuildKit calls `step`. It counts, in each stage, a `FROM` of an image, `COPY`,
/// `ADD`, `RUN` and `WORKDIR`.
pub(crate) fn lines_of(dockerfile: &str, step: &StepName) -> Option<RangeInclusive<u32>> {
    let mut stages: Vec<String> = Vec::new();
    let mut inside = false;
    let mut count = 0;
    for instruction in instructions(dockerfile) {
        let mut words = instruction.text.split_whitespace();
        let keyword = words.next().unwrap_or_default().to_ascii_uppercase();
        let counts = match keyword.as_str() {
            "FROM" => {
                let words: Vec<&str> = words.filter(|word| !word.starts_with("--")).collect();
                let base = words.first().copied().unwrap_or_default();
                let name = match words.as_slice() {
                    [_, by, name, ..] if by.eq_ignore_ascii_case("as") => (*name).to_owned(),
                    _ => format!("stage-{}", stages.len()),
                };
                inside = step.stage.as_ref().is_none_or(|stage| stage.eq_ignore_ascii_case(&name));
                let external = base != "scratch" && !stages.iter().any(|stage| stage.eq_ignore_ascii_case(base));
                stages.push(name);
                count = 0;
                external
            }
            "COPY" | "ADD" | "RUN" | "WORKDIR" => true,
            _ => false,
        };
        count += u32::from(counts);
        if inside && counts && count == step.step {
            return Some(instruction.lines);
        }
    }
    None
}

/// The instructions of a Dockerfile, with lines joined that end in a backslash. Comments and empty lines between them
/// are skipped, as are those inside of one.
pub(crate) fn instructions(dockerfile: &str) -> Vec<Instruction> {
    let mut instructions = Vec::new();
    let mut open: Option<Instruction> = None;
    for (number, line) in (1..).zip(dockerfile.lines()) {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        let (text, goes_on) = match trimmed.strip_suffix('\\') {
            Some(text) => (text, true),
            None => (trimmed, false),
        };
        let instruction = match open.take() {
            Some(Instruction { lines, text: before }) => {
                Instruction { lines: *lines.start()..=number, text: format!("{before}{text}") }
            }
            None => Instruction { lines: number..=number, text: text.to_owned() },
        };
        if goes_on {
            open = Some(instruction);
        } else {
            instructions.push(instruction);
        }
    }
    instructions.extend(open);
    instructions
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCKERFILE: &str = "\
# syntax comes first
ARG NODE=22
FROM --platform=linux/amd64 node:${NODE} AS base
ENV A=1
WORKDIR /app

FROM base AS build
COPY a ./
# why
RUN one && \\
    # inside
    two && \\
    three
RUN four
FROM scratch
COPY --from=build /x /x
";

    fn lines(stage: &str, step: u32) -> Option<RangeInclusive<u32>> {
        let stage = Some(stage.to_owned());
        let step = StepName { platform: None, stage, step, steps: 9, instruction: String::new() };
        lines_of(DOCKERFILE, &step)
    }

    #[test]
    fn steps_are_found_by_stage_and_number() {
        assert_eq!(lines("base", 1), Some(3..=3));
        assert_eq!(lines("base", 2), Some(5..=5));
        assert_eq!(lines("build", 1), Some(8..=8));
        assert_eq!(lines("build", 2), Some(10..=13));
        assert_eq!(lines("build", 3), Some(14..=14));
        assert_eq!(lines("stage-2", 1), Some(16..=16));
        assert_eq!(lines("stage-2", 2), None);
        assert_eq!(lines("nothing", 1), None);
    }
}
