//! Why a solve failed, from what BuildKit attaches to its error.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use bollard_buildkit_proto::google::rpc;
use prost::Message;
use serde::Deserialize;
use tonic::Status;

/// What an error says of itself, as far as it does. Docker 20.10 attaches nothing; the message alone must do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ErrorDetails {
    pub(crate) message: String,
    pub(crate) vertex: Option<String>,
    pub(crate) command: Option<String>,
    pub(crate) exit_code: Option<i32>,
    pub(crate) dockerfile_lines: Vec<RangeInclusive<u32>>,
}

#[derive(Deserialize)]
struct SourceDetail {
    #[serde(default)]
    ranges: Vec<SourceRange>,
}

#[derive(Deserialize)]
struct SourceRange {
    start: SourcePosition,
    #[serde(default)]
    end: Option<SourcePosition>,
}

#[derive(Deserialize)]
struct SourcePosition {
    #[serde(default)]
    line: u32,
}

#[derive(Deserialize)]
struct VertexDetail {
    digest: String,
}

#[derive(Deserialize)]
struct ExitDetail {
    #[serde(alias = "Code")]
    code: i64,
}

impl ErrorDetails {
    /// Reads message and details of a solve's error.
    pub(crate) fn of(status: &Status) -> Self {
        let mut details = Self { message: message(status.message()), ..Self::default() };
        if let Some((command, exit_code)) = failed_command(&details.message) {
            details.command = Some(command);
            details.exit_code = exit_code;
        }
        let mut lines = BTreeSet::new();
        let attached = rpc::Status::decode(status.details()).unwrap_or_default().details;
        for detail in attached {
            let kind = detail.type_url.rsplit(['/', '.']).next().unwrap_or_default();
            match kind {
                "Source+json" => {
                    if let Ok(SourceDetail { ranges }) = serde_json::from_slice(&detail.value) {
                        lines.extend(ranges.iter().map(SourceRange::lines).filter(|(start, _)| *start > 0));
                    }
                }
                "Vertex+json" => {
                    if let Ok(VertexDetail { digest }) = serde_json::from_slice(&detail.value) {
                        details.vertex = Some(digest);
                    }
                }
                "ExitMessage+json" => {
                    if let Ok(ExitDetail { code }) = serde_json::from_slice(&detail.value) {
                        details.exit_code = i32::try_from(code).ok();
                    }
                }
                _ => {}
            }
        }
        details.dockerfile_lines = merged(lines);
        details
    }
}

impl SourceRange {
    fn lines(&self) -> (u32, u32) {
        let start = self.start.line;
        (start, self.end.as_ref().map_or(start, |end| end.line.max(start)))
    }
}

/// Joins ranges that touch.
fn merged(lines: BTreeSet<(u32, u32)>) -> Vec<RangeInclusive<u32>> {
    let mut ranges: Vec<RangeInclusive<u32>> = Vec::new();
    for (start, end) in lines {
        match ranges.last_mut() {
            Some(last) if start <= last.end() + 1 => *last = *last.start()..=end.max(*last.end()),
            _ => ranges.push(start..=end),
        }
    }
    ranges
}

/// The message without what frontends and relays put before it.
fn message(message: &str) -> String {
    let mut message = message.trim();
    for prefix in ["failed to solve with frontend dockerfile.v0: ", "failed to build LLB: ", "failed to solve: "] {
        message = message.strip_prefix(prefix).unwrap_or(message);
    }
    message.to_owned()
}

/// The command and its exit code in `process "…" did not complete successfully: exit code: 1`, or in the
/// `executor failed running […]: exit code: 1` of Docker 20.10.
fn failed_command(message: &str) -> Option<(String, Option<i32>)> {
    let exit_code = || message.rsplit_once("exit code: ")?.1.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok();
    if let Some((_, rest)) = message.split_once("process \"")
        && let Some((quoted, _)) = rest.rsplit_once("\" did not complete successfully")
    {
        // Go quotes as JSON does, but for bytes that are no text.
        let command = serde_json::from_str(&format!("\"{quoted}\"")).unwrap_or_else(|_| quoted.to_owned());
        return Some((command, exit_code()));
    }
    let (_, rest) = message.split_once("executor failed running [")?;
    let (command, _) = rest.rsplit_once("]:")?;
    Some((command.to_owned(), exit_code()))
}

#[cfg(test)]
mod tests {
    use bollard_buildkit_proto::google::protobuf::Any;
    use tonic::Code;

    use super::*;

    fn status(message: &str, details: &[(&str, &str)]) -> Status {
        let details = details
            .iter()
            .map(|(kind, json)| Any { type_url: (*kind).to_owned(), value: json.as_bytes().to_vec() })
            .collect();
        let attached = rpc::Status { code: 2, message: message.to_owned(), details };
        Status::with_details(Code::Unknown, message, attached.encode_to_vec().into())
    }

    #[test]
    fn details_are_read() {
        let status = status(
            "process \"/bin/sh -c echo \\\"hi\\\" && exit 42\" did not complete successfully: exit code: 42",
            &[
                ("github.com/moby/buildkit/stack.Stack+json", "{}"),
                ("github.com/moby/buildkit/gatewayapi.ExitMessage+json", "{\"Code\":42}"),
                ("github.com/moby/buildkit/errdefs.Vertex+json", "{\"digest\":\"sha256:00\"}"),
                (
                    "github.com/moby/buildkit/errdefs.Source+json",
                    "{\"info\":{\"filename\":\"Dockerfile\",\"data\":\"RlJPTQ==\"},\"ranges\":[{\"start\":{\"line\":4},\"end\":{\"line\":4}},{\"start\":{\"line\":3},\"end\":{\"line\":3}},{\"start\":{\"line\":9}}]}",
                ),
            ],
        );
        let details = ErrorDetails::of(&status);
        assert_eq!(details.vertex.as_deref(), Some("sha256:00"));
        assert_eq!(details.command.as_deref(), Some("/bin/sh -c echo \"hi\" && exit 42"));
        assert_eq!(details.exit_code, Some(42));
        assert_eq!(details.dockerfile_lines, [3..=4, 9..=9]);
    }

    #[test]
    fn a_bare_message_must_do_on_old_daemons() {
        let details = ErrorDetails::of(&status(
            "failed to solve with frontend dockerfile.v0: failed to build LLB: executor failed running [/bin/sh -c exit 3]: exit code: 3",
            &[],
        ));
        assert_eq!(details.message, "executor failed running [/bin/sh -c exit 3]: exit code: 3");
        assert_eq!(details.command.as_deref(), Some("/bin/sh -c exit 3"));
        assert_eq!(details.exit_code, Some(3));
    }

    #[test]
    fn what_is_no_command_has_none() {
        let details =
            ErrorDetails::of(&status("target stage \"x\" could not be found", &[("x/y.Source+json", "not json")]));
        assert_eq!(
            details,
            ErrorDetails { message: "target stage \"x\" could not be found".to_owned(), ..ErrorDetails::default() }
        );
    }
}
