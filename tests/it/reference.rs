//! The reference that is made from the code: `docs/reference` and `schemas`. `cargo xtask docs` writes it; these tests
//! fail when it is stale.
#![allow(
    clippy::disallowed_methods,
    clippy::format_push_string,
    clippy::format_collect,
    clippy::assigning_clones,
    reason = "files are small, and a panic names the test"
)]

mod errors;
mod places;
mod text;

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::{Map, Value, json};

use crate::support::clean;

/// Compares a file with what it should hold, or writes it when `DRYDOCK_WRITE_REFERENCE` is set.
fn check(path: &str, expected: &str) {
    let file = drydock_test::repository().join(path);
    if std::env::var_os("DRYDOCK_WRITE_REFERENCE").is_some() {
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("it can be made");
        std::fs::write(&file, expected).expect("it can be written");
    }
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(found == expected, "{path} is stale; run `cargo xtask docs`");
}

fn help(arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_drydock"));
    clean(&mut command);
    let output = command.args(arguments).env("COLUMNS", "100").output().expect("the binary runs");
    assert!(output.status.success(), "{arguments:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn the_command_line() {
    let root = help(&["--help"]);
    let listed = root.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names: Vec<&str> = listed
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(names.contains(&"build") && names.contains(&"doctor"), "{names:?}");
    let mut text = "# Commands\n\n<!-- Written by `cargo xtask docs`; edit the code. -->\n\n`cargo drydock COMMAND` and \
                    `drydock COMMAND` are the same. `drydock completions SHELL` prints completions for a shell, `drydock \
                    man` the manual page.\n\n"
        .to_owned();
    text += &format!("```text\n{}```\n", tidy(&root));
    for name in names {
        text += &format!("\n## `{name}`\n\n```text\n{}```\n", tidy(&help(&[name, "--help"])));
    }
    check("docs/reference/cli.md", &text);
}

fn tidy(text: &str) -> String {
    text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

#[test]
fn the_manual_page_has_every_command() {
    let page = help(&["man"]);
    assert!(page.starts_with(".ie") || page.contains(".TH drydock"), "{page}");
    for section in [".SH BUILD", ".SH DOCTOR", ".SH SIZE", "Exit codes"] {
        assert!(page.contains(section), "{section}");
    }
}

/// The rows of the tables in docs/configuration.md by the heading above them.
fn tables() -> BTreeMap<String, Vec<[String; 4]>> {
    let text = std::fs::read_to_string(drydock_test::repository().join("docs/configuration.md")).expect("it is there");
    let mut tables: BTreeMap<String, Vec<[String; 4]>> = BTreeMap::new();
    let mut heading = String::new();
    for line in text.lines() {
        if let Some(title) = line.strip_prefix("##") {
            heading = title.trim_matches(['#', ' ', '`']).to_owned();
        }
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let (true, [keys, kind, default, meaning]) = (line.starts_with("| `"), cells.as_slice()) else { continue };
        for key in keys.split(", ") {
            let row = [key.trim_matches('`'), kind, default, meaning].map(str::to_owned);
            tables.entry(heading.clone()).or_default().push(row);
        }
    }
    tables
}

/// What a value of a key may be, from the words of the column "type".
fn shape(key: &str, kind: &str) -> Value {
    let text = || json!({ "type": "string" });
    let texts = || json!({ "type": "array", "items": { "type": "string" } });
    let variables =
        || json!({ "type": "object", "additionalProperties": { "type": ["string", "integer", "boolean"] } });
    if key == "args" {
        return json!({ "anyOf": [variables(), texts()] });
    }
    let words: Vec<&str> = kind.split('`').skip(1).step_by(2).collect();
    let says = |word: &str| kind.split([' ', ',']).any(|part| part == word);
    let mut shapes = Vec::new();
    if kind.starts_with("list of `{") {
        return json!({ "type": "array", "items": { "type": "object" } });
    }
    if says("list") {
        shapes.push(texts());
    }
    if says("bool") {
        shapes.push(json!({ "type": "boolean" }));
    }
    if says("number") || says("bytes") {
        shapes.push(json!({ "type": "integer", "minimum": 1 }));
    }
    if says("table") {
        shapes.push(if key == "env" || key == "labels" || key == "annotations" {
            variables()
        } else {
            json!({ "type": "object" })
        });
    }
    if says("string") || says("path") || says("package") || words.iter().any(|word| word.contains(['[', '"'])) {
        shapes.push(text());
    }
    let choices: Vec<&str> = words
        .iter()
        .copied()
        .filter(|word| word.chars().all(|other| other.is_ascii_lowercase() || other == '-') && *word != "false")
        .collect();
    if !choices.is_empty() && !says("bool") {
        shapes.push(json!({ "enum": choices }));
    }
    if words.contains(&"false") {
        shapes.push(json!({ "const": false }));
    }
    if words.iter().any(|word| word.starts_with('{')) {
        shapes.push(json!({ "type": "object" }));
    }
    match shapes.len() {
        0 => panic!("no shape is known for `{key}`: {kind}"),
        1 => shapes.remove(0),
        _ => json!({ "anyOf": shapes }),
    }
}

fn schema() -> Value {
    let tables = tables();
    let table = |headings: &[&str]| {
        let mut properties = Map::new();
        for [key, kind, default, meaning] in headings.iter().flat_map(|heading| &tables[*heading]) {
            let mut property = shape(key, kind);
            let default = default.replace('`', "");
            property["description"] = format!("{} (default: {default})", meaning.replace('`', "")).into();
            properties.insert(key.clone(), property);
        }
        json!({ "type": "object", "additionalProperties": false, "properties": properties })
    };
    let of = |table: Value| json!({ "type": "object", "additionalProperties": table });
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "drydock.toml",
        "description": "What drydock builds from a JavaScript workspace",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "workspace": table(&["[workspace]", "Of images"]),
            "package": of(table(&["[package.NAME]"])),
            "target": of(table(&["[target.NAME]", "Of images"])),
        },
    })
}

#[test]
fn the_schema_for_editors() {
    let text = serde_json::to_string_pretty(&schema()).expect("it is JSON") + "\n";
    check("schemas/drydock.schema.json", &text);
}

/// A key that drydock takes and the tables lack, or the other way round.
#[test]
fn the_tables_of_the_configuration_hold_every_key() {
    let source = std::fs::read_to_string(drydock_test::repository().join("crates/cargo-drydock/src/config/read.rs"));
    let source = source.expect("it is there");
    let schema = schema();
    for (name, properties) in [
        ("WORKSPACE", &schema["properties"]["workspace"]["properties"]),
        ("PACKAGE", &schema["properties"]["package"]["additionalProperties"]["properties"]),
        ("TARGET", &schema["properties"]["target"]["additionalProperties"]["properties"]),
    ] {
        let list = source.split_once(&format!("const {name}: &[&str] =")).expect("the list is there").1;
        let list = &list[..list.find("];").expect("it ends")];
        let mut known: Vec<&str> = list.split('"').skip(1).step_by(2).collect();
        let mut told: Vec<&str> = properties.as_object().expect("keys").keys().map(String::as_str).collect();
        known.sort_unstable();
        told.sort_unstable();
        assert_eq!(told, known, "{name}");
    }
}

/// Every code that an error, a warning or a finding can have, with what the code says of it.
#[test]
fn the_errors() {
    let codes = errors::read();
    let mut text =
        "# Errors, warnings and findings\n\n<!-- Written by `cargo xtask docs`; edit the code. -->\n\nEach has a \
                    code that does not change. `<name>` stands for what differs; where several \
                    lines say what to do,\nthe one that fits is told.\n"
            .to_owned();
    let sections = [
        ("Errors", "A run ends with them, and with their exit code.", "error", &codes.errors),
        ("Warnings", "A run goes on.", "warning", &codes.warnings),
        ("Findings", "What `drydock doctor` says beside errors and warnings.", "doctor", &codes.findings),
    ];
    for (title, about, word, entries) in sections {
        text += &format!("\n## {title}\n\n{about}\n");
        for (code, entry) in entries {
            text += &section(code, word, entry);
        }
    }
    assert!(codes.errors.len() > 100 && codes.warnings.len() > 30 && codes.findings.len() > 10);
    check("docs/reference/errors.md", &text);
}

fn section(code: &str, word: &str, entry: &errors::Entry) -> String {
    let mut text = format!("\n### `{code}`\n\n");
    let exits: Vec<String> = entry.exit_codes.iter().map(u8::to_string).collect();
    if let Some(meaning) = &entry.meaning {
        text += meaning;
        if !exits.is_empty() {
            text += &format!(" Exit code {}.", exits.join(" or "));
        }
        text += "\n\n";
    }
    let said: Vec<String> =
        entry.said.iter().map(|said| told(code, word, said)).filter(|text| !text.is_empty()).collect();
    if word == "error" && !said.iter().any(|text| text.contains("= help: ")) {
        // The texts come from what it is made of.
        assert!(["builder-invalid", "platform-invalid", "template-no-value"].contains(&code), "{code} has no help");
        text += "What to do is said with it.\n\n";
    }
    if said.is_empty() {
        return text.trim_end().to_owned() + "\n";
    }
    text + "```text\n" + &said.join("\n") + "```\n"
}

fn told(code: &str, word: &str, said: &errors::Said) -> String {
    let messages = said.messages.iter().map(|message| format!("{word}[{code}]: {message}\n"));
    messages.chain(said.helps.iter().map(|help| format!("  = help: {help}\n"))).collect()
}
