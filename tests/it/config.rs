//! The configuration: where it is found, and what is said of mistakes in it.

use crate::support::{acme, check, stdout};

#[test]
fn an_unknown_key_is_told_with_its_place_and_the_nearest_key() {
    let fixture = acme();
    fixture.write("drydock.toml", "[target.api]\npackage = \"@acme/api\"\nasets = [\"@acme/lib\"]\n");
    check!(fixture, ["targets"], @r#"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error[config-unknown-key]: unknown key `asets` in `[target.api]`
     --> drydock.toml:3:1
      |
    3 | asets = ["@acme/lib"]
      | ^^^^^
      |
      = help: did you mean `assets`?
    "#);
}

#[test]
fn all_mistakes_are_told_at_once() {
    let fixture = acme();
    fixture.write("drydock.toml", "[workspace]\ninstall = \"shraed\"\nroot-files = [\"../outside\"]\n");
    check!(fixture, ["targets"], @r#"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error[config-value]: `install` cannot be `shraed`
     --> drydock.toml:2:11
      |
    2 | install = "shraed"
      |           ^^^^^^^^
      |
      = help: did you mean `shared`?

    error[config-path]: `../outside` is outside the workspace
     --> drydock.toml:3:15
      |
    3 | root-files = ["../outside"]
      |               ^^^^^^^^^^^^
      |
      = help: write a path inside the workspace, relative to its root
    "#);
}

#[test]
fn a_syntax_error_is_told_with_its_place() {
    let fixture = acme();
    fixture.write("drydock.toml", "[workspace\nnode = 22\n");
    check!(fixture, ["targets"], @"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error[config-syntax]: `drydock.toml` is not valid TOML: unclosed table, expected `]`
     --> drydock.toml:1:11
      |
    1 | [workspace
      |           ^
      |
      = help: correct the TOML
    ");
}

#[test]
fn a_package_that_does_not_exist_is_told_with_its_place() {
    let fixture = acme();
    fixture.write("drydock.toml", "[target.api]\npackage = \"@acme/apo\"\n");
    check!(fixture, ["targets"], @r#"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error[config-unknown-package]: there is no package `@acme/apo` in the workspace
     --> drydock.toml:2:11
      |
    2 | package = "@acme/apo"
      |           ^^^^^^^^^^^
      |
      = help: did you mean `@acme/api`?
    "#);
}

#[test]
fn a_cargo_workspace_can_hold_the_configuration() {
    let fixture = acme();
    fixture.write(
        "Cargo.toml",
        "[workspace]\nmembers = []\n\n[workspace.metadata.drydock.target.api]\npackage = \"@acme/api\"\nport = 8123\n",
    );
    let targets = stdout(&fixture, &["targets"]);
    assert!(targets.contains("port 8123"), "{targets}");
}

#[test]
fn a_mistake_in_a_cargo_workspace_has_a_place_too() {
    let fixture = acme();
    fixture.write("Cargo.toml", "[workspace]\nmembers = []\n\n[workspace.metadata.drydock.target.api]\nprot = 8123\n");
    check!(fixture, ["targets"], @"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error[config-unknown-key]: unknown key `prot` in `[target.api]`
     --> Cargo.toml:5:1
      |
    5 | prot = 8123
      | ^^^^
      |
      = help: did you mean `port`?
    ");
}

#[test]
fn two_configurations_are_one_too_many() {
    let fixture = acme();
    fixture.write("drydock.toml", "[workspace]\n");
    fixture.write("Cargo.toml", "[workspace]\nmembers = []\n\n[workspace.metadata.drydock]\n");
    check!(fixture, ["targets"], @"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error[config-twice]: the workspace is configured twice: in `[ROOT]/drydock.toml` and in `[ROOT]/Cargo.toml`
     --> Cargo.toml:4:1
      |
    4 | [workspace.metadata.drydock]
      | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^ and here
      |
      = help: keep one of them
    ");
}

#[test]
fn a_named_configuration_is_read_instead() {
    let fixture = acme();
    fixture.write("drydock.toml", "[target.api]\npackage = \"@acme/api\"\nport = 1111\n");
    fixture.write("ci/other.toml", "[target.api]\npackage = \"@acme/api\"\nport = 2222\n");
    let targets = stdout(&fixture, &["targets", "--config", "ci/other.toml"]);
    assert!(targets.contains("port 2222"), "{targets}");
    check!(fixture, ["targets", "--config", "missing.toml"], @"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error[config-unreadable]: could not read the configuration
      = note: failed to open file `missing.toml`: No such file or directory (os error 2)
      = help: check that the file exists and may be read
    ");
}

#[test]
fn init_writes_what_was_inferred_and_changes_nothing() {
    let fixture = acme();
    let before = stdout(&fixture, &["dockerfile"]);
    check!(fixture, ["init"], @"
    success: true
    exit_code: 0
    ----- stdout -----

    ----- stderr -----
         Created drydock.toml with 1 target
    ");
    insta::assert_snapshot!(fixture.read("drydock.toml"), @r#"
    # What drydock builds from this workspace. Everything is optional: what stands here as a comment was inferred, and goes
    # on being inferred. Take the `#` away to fix a value, or write another. `drydock targets -v` tells what led to each.

    [workspace]
    # image = "node:22-bookworm-slim"          # .nvmrc says `22`

    [target.api]
    package = "@acme/api"
    # kind = "service"                         # api/package.json has the script `start`: `node server.js`
    # command = ["node", "server.js"]          # api/package.json has the script `start`: `node server.js`
    # workdir = "api"
    # port = 3000                              # api/server.js:2 takes it when PORT is not set
    # assets = []                              # packages whose built files it serves, though nothing depends on them
    # files = []                               # further files or folders of the root that the image holds
    # writable = []                            # folders that its user may write to
    # healthcheck = "/health"                  # a path that answers when it is well; none is inferred

    [package."@acme/lib"]
    # build = "build"                          # the script that builds it
    # outputs = ["dist"]                       # what its build writes

    # Packages that are no target of their own. `[target.NAME]` with `package = …` makes one of them:
    # - @acme/lib: `@acme/api` depends on it
    "#);
    assert_eq!(stdout(&fixture, &["dockerfile"]), before);
    check!(fixture, ["init"], @"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error[init-configured]: the workspace is configured already, in `[ROOT]/drydock.toml`
      = help: `drydock init --print` prints what would be written
    ");
}
