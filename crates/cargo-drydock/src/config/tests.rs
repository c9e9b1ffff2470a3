use drydock_diagnostics::Diagnose;

use super::*;

fn parse(text: &str) -> Result<Config, Vec<ConfigError>> {
    Config::parse(&Source {
        file: FILE_NAME.into(),
        shown: FILE_NAME.to_owned(),
        text: text.to_owned(),
        is_cargo_manifest: false,
    })
}

/// Each mistake as `line:column code: message (help)`.
fn mistakes(text: &str) -> String {
    let errors = parse(text).expect_err("a mistake");
    let lines = errors.iter().map(|error| {
        let (line, column) = error.snippets()[0].line_column();
        format!("{line}:{column} {}: {error} ({})", error.code(), error.help().expect("help"))
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn every_documented_key_is_read() {
    let config = parse(
        r#"
        [workspace]
        node = 22
        image = "node:22-alpine"
        static-image = "nginx:stable"
        server = "caddy"
        root-files = ["tsconfig.base.json"]
        install = "shared"
        root-dependencies = "none"
        production = "strict"
        lifecycle = "skip"
        env = { CI = true, HEAP = 4096, NAME = "x" }
        infer-targets = false
        checks = ["lint"]
        init = false
        registry = "ghcr.io/acme/"
        tags = ["{target}:{git.short}"]
        labels = { "org.example.team" = "shop" }
        oci-labels = true
        annotations = { "org.example.run" = "{git.sha}" }
        platforms = ["amd64", "linux/arm64/v8"]
        cache-from = ["type=registry,ref=ghcr.io/acme/cache:{target}"]
        cache-to = ["type=gha,mode=max"]
        max-size = "1.5 GB"

        [package."@acme/lib"]
        build = "compile"
        outputs = ["dist"]
        root-files = ["scripts"]
        exclude = ["**/*.test.ts"]
        lifecycle = "early"
        depends-on = ["@acme/other"]
        env = { A = "b" }
        args = ["COMMIT", "BRANCH=main"]
        secrets = ["token"]
        weight = 2

        [package.other]
        build = false

        [target.api]
        package = "@acme/api"
        kind = "service"
        skip = false
        command = "node 'server/index.js' --port 1"
        workdir = "api"
        port = 3080
        env = { HOST = "0.0.0.0" }
        assets = ["@acme/client"]
        files = ["config"]
        writable = ["logs"]
        system-packages = ["tini", "libjemalloc2=5.3.0-1"]
        args = { COMMIT = "unknown" }
        healthcheck = "/health"
        init = "tini"
        node-options = ["--max-old-space-size=512", "--title=the api"]
        jemalloc = true
        checks = ["test"]
        dev = { command = "node --watch index.js", port = 9229 }
        server = "nginx"
        compose = { port = 8081, depends-on = ["web"], environment = ["LOG_LEVEL"] }
        copy-from = [{ image = "ghcr.io/astral-sh/uv:0.6.13", from = "/uv", to = "/usr/local/bin/" }]
        image = "node:22"
        weight = 3
        tags = []
        labels = { "org.example.team" = "" }
        oci-labels = ["created"]
        "#,
    )
    .expect("valid");
    insta::assert_debug_snapshot!(config.settings);
    insta::assert_debug_snapshot!(config.images);
    insta::assert_debug_snapshot!(config.compose, @r#"
    {
        "api": ComposeSettings {
            port: Some(
                8081,
            ),
            depends_on: [
                "web",
            ],
            environment: [
                "LOG_LEVEL",
            ],
        },
    }
    "#);
}

#[test]
fn every_key_in_the_lists_is_one_that_is_read() {
    for (header, keys) in [("workspace", read::WORKSPACE), ("package.x", read::PACKAGE), ("target.x", read::TARGET)] {
        for key in keys {
            // An offset date-time is right for no key, so a key that is read complains about its type.
            let found = mistakes(&format!("[{header}]\n{key} = 2020-01-01T00:00:00Z\n"));
            assert!(!found.contains("config-unknown-key"), "{header}.{key}: {found}");
        }
    }
}

#[test]
fn mistakes_have_a_place_and_a_way_out() {
    insta::assert_snapshot!(mistakes(
        r#"[workspace]
nod = "22"
install = "shraed"
node = 20.10

[packages.x]

[package."@acme/lib"]
outputs = "dist"
build = true
zzz = 1

[target.API]
port = 1

[target.api]
port = 70000
command = "npm run build && npm start"
healthcheck = "health"
files = ["../outside", "/etc"]
env = { "A B" = "c" }
image = "node\nRUN true"
system-packages = ["tini; rm"]
kind = "stat"
"#
    ), @r#"
    2:1 config-unknown-key: unknown key `nod` in `[workspace]` (did you mean `node`?)
    3:11 config-value: `install` cannot be `shraed` (did you mean `shared`?)
    4:8 config-value: `node` is a fraction, which drops trailing zeros (quote it: `node = "20.10"`)
    6:2 config-unknown-key: unknown key `packages` in the configuration (did you mean `package`?)
    9:11 config-type: `outputs` is a string (write a list of strings)
    10:9 config-value: `build` must be the name of a script, or `false` (leave it out to run the script `build`)
    11:1 config-unknown-key: unknown key `zzz` in `[package."@acme/lib"]` (it takes `build`, `outputs`, `root-files`, `exclude`, `lifecycle`, `depends-on`, `env`, `args`, `secrets` and `weight`)
    13:9 config-value: `API` cannot be the name of a target (begin with a lowercase letter, go on with lowercase letters, digits, `.`, `_` and `-`; `package` takes the name of the package)
    17:8 config-value: `port` is no port (write a whole number from 1 to 65535)
    18:11 config-value: `command` is not a program and its arguments (no shell runs it, so `&` would mean nothing; write ["sh", "-c", "…"] to have one)
    19:15 config-value: `healthcheck` must be the path of a URL (begin with `/`, like `/health`)
    20:10 config-path: `../outside` is outside the workspace (write a path inside the workspace, relative to its root)
    20:24 config-path: `/etc` is an absolute path (write a path inside the workspace, relative to its root)
    21:9 config-value: `A B` is not the name of a variable (use letters, digits and `_`, and begin with no digit)
    22:9 config-value: `node\nRUN true` is not a reference to an image (write a name and a tag or digest, like `node:22-bookworm-slim`)
    23:20 config-value: `tini; rm` is not the name of a system package (name one package of the image's own package manager, like `tini`)
    24:8 config-value: `kind` cannot be `stat` (write `"service"`, `"static"` or `"cli"`)
    "#);
}

#[test]
fn mistakes_about_images_have_a_place_and_a_way_out() {
    insta::assert_snapshot!(mistakes(
        r#"[workspace]
registry = "https://ghcr.io"
tags = ["{targt}", "{sha}", "{nothing}", "{target"]
labels = { "" = "x", "a" = "{versoin}", "b" = 1 }
oci-labels = ["sorce"]
platforms = ["linux/amd46"]
cache-from = ["type=registri,ref=x", "ref=x", "x=y,z"]

[package.x]
weight = 0

[target.api]
weight = "much"
oci-labels = "yes"
registri = "x"
"#
    ), @"
    2:12 config-value: `https://ghcr.io` is not a registry (write its name, perhaps with a path: `ghcr.io/acme`, `localhost:5000`)
    3:9 config-value: `{targt}` means nothing (did you mean `{target}`?)
    3:20 config-value: `{sha}` means nothing (did you mean `{git.sha}`?)
    3:29 config-value: `{nothing}` means nothing (`{target}`, `{version}`, `{git.sha}`, `{git.short}`, `{git.branch}` and `{fingerprint}` can stand in braces)
    3:42 config-value: a brace is not closed (write `{target}`)
    4:12 config-value: `` is not the name of a label (name it like `org.example.team`)
    4:28 config-value: `{versoin}` means nothing (did you mean `{version}`?)
    4:47 config-type: `labels.b` is an integer (write a string)
    5:15 config-value: `oci-labels` cannot be `sorce` (did you mean `source`?)
    6:14 config-value: `linux/amd46` is not a platform (did you mean `linux/amd64`?)
    7:15 config-value: `type=registri,ref=x` is not a cache: there is no type `registri` (did you mean `type=registry`?)
    7:38 config-value: `ref=x` is not a cache: it has no `type` (write `type=registry,ref=NAME`, `type=gha`, `type=inline` or `type=local,dest=FOLDER`)
    7:47 config-value: `x=y,z` is not a cache: a part of it has no `=` (write `type=registry,ref=NAME`, `type=gha`, `type=inline` or `type=local,dest=FOLDER`)
    10:10 config-value: `weight` is not a number of jobs (write a whole number from 1: how many of the `--jobs` it takes)
    13:10 config-value: `weight` is not a number of jobs (write a whole number from 1: how many of the `--jobs` it takes)
    14:14 config-type: `oci-labels` is a string (write `true` or a list of labels)
    15:1 config-unknown-key: unknown key `registri` in `[target.api]` (did you mean `registry`?)
    ");
}

#[test]
fn a_syntax_error_has_a_place() {
    insta::assert_snapshot!(mistakes("[workspace]\nnode = \n"), @"2:8 config-syntax: `drydock.toml` is not valid TOML: string values must be quoted, expected literal string (correct the TOML)");
}

#[test]
fn packages_that_are_not_there_are_told_with_their_place() {
    let config = parse("[target.api]\npackage = \"@acme/apo\"\nassets = [\"@acme/web\"]\n").expect("valid");
    let errors = config.unknown_packages(&["@acme/api", "@acme/web"]);
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].snippets()[0].line_column(), (2, 11));
    assert_eq!(errors[0].help().as_deref(), Some("did you mean `@acme/api`?"));
}
