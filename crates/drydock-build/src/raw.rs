//! BuildKit's status messages as BuildKit itself writes them in JSON (`--progress=rawjson`).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bollard_buildkit_proto::google::protobuf::Timestamp;
use bollard_buildkit_proto::moby::buildkit::v1 as api;
use serde_json::{Map, Value, json};

/// The message as an object. What is empty is left out, as Go does it.
pub(crate) fn json(status: &api::StatusResponse) -> Value {
    let mut object = Map::new();
    let mut set = |key: &str, values: Vec<Value>| {
        if !values.is_empty() {
            object.insert(key.to_owned(), values.into());
        }
    };
    set("vertexes", status.vertexes.iter().map(vertex).collect());
    set("statuses", status.statuses.iter().map(part).collect());
    set("logs", status.logs.iter().map(log).collect());
    set("warnings", status.warnings.iter().map(warning).collect());
    Value::Object(object)
}

fn vertex(vertex: &api::Vertex) -> Value {
    let group =
        vertex.progress_group.as_ref().map(|group| json!({ "id": group.id, "name": group.name, "weak": group.weak }));
    filled([
        ("digest", vertex.digest.as_str().into()),
        ("inputs", vertex.inputs.as_slice().into()),
        ("name", vertex.name.as_str().into()),
        ("started", time(vertex.started.as_ref())),
        ("completed", time(vertex.completed.as_ref())),
        ("cached", vertex.cached.into()),
        ("error", vertex.error.as_str().into()),
        ("progressGroup", group.unwrap_or_default()),
    ])
}

fn part(status: &api::VertexStatus) -> Value {
    let mut object = filled([
        ("vertex", status.vertex.as_str().into()),
        ("name", status.name.as_str().into()),
        ("total", status.total.into()),
        ("timestamp", time(status.timestamp.as_ref())),
        ("started", time(status.started.as_ref())),
        ("completed", time(status.completed.as_ref())),
    ]);
    object["id"] = status.id.as_str().into();
    object["current"] = status.current.into();
    object
}

fn log(log: &api::VertexLog) -> Value {
    let mut object = filled([
        ("vertex", log.vertex.as_str().into()),
        ("stream", log.stream.into()),
        ("timestamp", time(log.timestamp.as_ref())),
    ]);
    object["data"] = STANDARD.encode(&log.msg).into();
    object
}

fn warning(warning: &api::VertexWarning) -> Value {
    let position = |position: Option<&bollard_buildkit_proto::pb::Position>| {
        position.map(|position| json!({ "line": position.line, "character": position.character })).unwrap_or_default()
    };
    let ranges: Vec<Value> = warning
        .ranges
        .iter()
        .map(|range| filled([("start", position(range.start.as_ref())), ("end", position(range.end.as_ref()))]))
        .collect();
    let detail: Vec<String> = warning.detail.iter().map(|line| STANDARD.encode(line)).collect();
    let source = warning.info.as_ref().map(|info| {
        filled([
            ("filename", info.filename.as_str().into()),
            ("data", STANDARD.encode(&info.data).into()),
            ("language", info.language.as_str().into()),
        ])
    });
    filled([
        ("vertex", warning.vertex.as_str().into()),
        ("level", warning.level.into()),
        ("short", STANDARD.encode(&warning.short).into()),
        ("detail", detail.into()),
        ("url", warning.url.as_str().into()),
        ("sourceInfo", source.unwrap_or_default()),
        ("range", ranges.into()),
    ])
}

/// The fields that are not empty.
fn filled<const N: usize>(fields: [(&str, Value); N]) -> Value {
    let is_filled = |value: &Value| match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(value) => value.as_i64() != Some(0),
        Value::String(value) => !value.is_empty(),
        Value::Array(value) => !value.is_empty(),
        Value::Object(value) => !value.is_empty(),
    };
    fields.into_iter().filter(|(_, value)| is_filled(value)).map(|(key, value)| (key.to_owned(), value)).collect()
}

/// RFC 3339 in UTC, with as many decimals as there are.
fn time(timestamp: Option<&Timestamp>) -> Value {
    let Some(Timestamp { seconds, nanos }) = timestamp else { return Value::Null };
    let (year, month, day) = date(seconds.div_euclid(86_400));
    let of_day = seconds.rem_euclid(86_400);
    let mut text =
        format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}", of_day / 3600, of_day / 60 % 60, of_day % 60);
    if *nanos != 0 {
        text.push_str(format!(".{nanos:09}").trim_end_matches('0'));
    }
    text.push('Z');
    text.into()
}

/// Year, month and day of the Gregorian calendar, so many days after 1970-01-01. Counts in eras of 400 years that begin
/// on a 1st of March, so that the leap day comes last.
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_look_as_buildkit_writes_them() {
        let at = |seconds, nanos| Some(Timestamp { seconds, nanos });
        let status = api::StatusResponse {
            vertexes: vec![api::Vertex {
                digest: "sha256:1".to_owned(),
                name: "[a 1/1] RUN x".to_owned(),
                started: at(1_763_690_400, 14_500_000),
                ..api::Vertex::default()
            }],
            statuses: vec![api::VertexStatus {
                id: "x".to_owned(),
                timestamp: at(951_782_399, 0),
                ..api::VertexStatus::default()
            }],
            logs: vec![api::VertexLog {
                stream: 1,
                timestamp: at(951_868_800, 1),
                msg: b"hi\n".to_vec(),
                ..api::VertexLog::default()
            }],
            warnings: Vec::new(),
        };
        insta::assert_snapshot!(json(&status), @r#"{"vertexes":[{"digest":"sha256:1","name":"[a 1/1] RUN x","started":"2025-11-21T02:00:00.0145Z"}],"statuses":[{"timestamp":"2000-02-28T23:59:59Z","id":"x","current":0}],"logs":[{"stream":1,"timestamp":"2000-03-01T00:00:00.000000001Z","data":"aGkK"}]}"#);
    }
}
