//! `docs/zero-configuration.md`, of what is known.

use std::path::Path;

use anyhow::Result;
use serde_json::Value;

use super::REPOSITORIES;

/// Writes the page of the results in a folder, one file for each repository.
pub(super) fn written(results: &Path) -> Result<String> {
    let mut rows = String::new();
    let mut said = String::new();
    for (repository, commit, what) in REPOSITORIES {
        let short = repository.rsplit('/').next().unwrap_or(repository);
        let Ok(text) = fs_err::read_to_string(results.join(format!("{short}.json"))) else { continue };
        let seen: Value = serde_json::from_str(&text)?;
        rows += &format!("| [{repository}](https://github.com/{repository}/tree/{commit}) | {what} {}\n", row(&seen));
        let lines = lines(&seen);
        if !lines.is_empty() {
            said += &format!("{repository}:\n\n{}\n", lines.concat());
        }
    }
    Ok(format!(
        "# Zero configuration\n\n\
         <!-- Written by `cargo xtask survey`; edit that. -->\n\n\
         Real repositories with npm workspaces, each at a fixed commit and as it is: no file was added or changed. *Targets* are \
         the images that were found, *builds* how many of those that were tried were built, *starts* how many of them went \
         on running and answered on their port, or as commands ended well, without the databases and keys that some of them \
         want.\n\n\
         | repository | what it is | `init` | `plan` | `dockerfile` | targets | builds | starts | lines of configuration |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n\
         {rows}\n\
         ## What was said\n\n\
         Of what did not build, the error of the step that failed; of what did not start, the container's.\n\n\
         {}\n",
        said.trim_end()
    ))
}

/// The columns that were found out.
fn row(seen: &Value) -> String {
    let works = |command: &str| {
        let step = seen["works"].as_array().into_iter().flatten().find(|step| step["command"] == command);
        if step.is_some_and(|step| step["works"] == true) { "yes" } else { "no" }
    };
    let targets: Vec<&Value> = seen["targets"].as_array().into_iter().flatten().collect();
    let tried: Vec<&&Value> = targets.iter().filter(|target| !target["tried"].is_null()).collect();
    let of = |key: &str| match tried.len() {
        0 => "–".to_owned(),
        all => format!("{} of {all}", tried.iter().filter(|target| target["tried"][key] == true).count()),
    };
    let [init, plan, dockerfile] = ["init", "plan", "dockerfile"].map(works);
    let found = targets.len();
    format!("| {init} | {plan} | {dockerfile} | {found} | {} | {} | 0 |", of("builds"), of("starts"))
}

/// What was said of each target, one line each; of a repository without any, why.
fn lines(seen: &Value) -> Vec<String> {
    let steps = seen["works"].as_array().into_iter().flatten().filter(|step| step["command"] == "plan");
    let refused = steps.filter_map(|step| step["says"].as_str()).map(|says| format!("- no plan: {}\n", escaped(says)));
    let targets = seen["targets"].as_array().into_iter().flatten();
    let tried = targets.filter_map(|target| {
        let (name, tried) = (target["name"].as_str()?, &target["tried"]);
        let says = escaped(tried["says"].as_str()?);
        let outcome = match (tried["builds"] == true, tried["starts"] == true) {
            (false, _) => "is not built: ",
            (true, false) => "is built, and does not start: ",
            (true, true) => "is built, and starts: ",
        };
        Some(format!("- `{name}` {outcome}{says}\n"))
    });
    refused.chain(tried).collect()
}

/// Text that Markdown shows as it is.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut in_code = false;
    for character in text.chars() {
        in_code ^= character == '`';
        if !in_code && matches!(character, '<' | '*' | '_' | '[' | ']' | '|') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_repository_is_a_row_and_a_line_for_each_target() {
        let seen = json!({
            "works": [{ "command": "init", "works": true }, { "command": "plan", "works": true }, { "command": "dockerfile", "works": true }],
            "targets": [
                { "name": "api", "tried": { "builds": true, "starts": false, "says": "ends with 1: set A_KEY in `.env_a`" } },
                { "name": "web", "tried": { "builds": true, "starts": true, "says": "answers 200" } },
                { "name": "old", "tried": { "builds": false, "says": "`old`, `npm run build`: no" } },
            ],
        });
        assert_eq!(row(&seen), "| yes | yes | yes | 3 | 2 of 3 | 1 of 3 | 0 |");
        assert_eq!(
            lines(&seen).concat(),
            "- `api` is built, and does not start: ends with 1: set A\\_KEY in `.env_a`\n\
             - `web` is built, and starts: answers 200\n\
             - `old` is not built: `old`, `npm run build`: no\n"
        );
        let refused = json!({ "works": [{ "command": "plan", "works": false, "says": "[no-targets]: none" }] });
        assert_eq!(row(&refused), "| no | no | no | 0 | – | – | 0 |");
        assert_eq!(lines(&refused), ["- no plan: \\[no-targets\\]: none\n"]);
    }
}
