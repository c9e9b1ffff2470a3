//! Every mistake in a workspace gives an error with a place and a way out, and the exit code of its kind.

use drydock_test::Fixture;

use crate::support::{acme, check};

#[test]
fn no_package_json() {
    check!(Fixture::empty(), ["graph"], @"
    success: false
    exit_code: 3
    ----- stdout -----

    ----- stderr -----
    error[no-manifest]: no `package.json` in `[ROOT]` or above it
      = help: run drydock inside a JavaScript workspace, or pass `--root DIR`
    ");
}

#[test]
fn a_root_that_is_no_folder() {
    check!(Fixture::empty(), ["graph", "--root", "nowhere"], @"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error[no-folder]: `nowhere` is not a folder
      = note: No such file or directory (os error 2)
      = help: pass a folder of a JavaScript workspace to `--root`
    ");
}

#[test]
fn invalid_json() {
    let fixture = acme();
    fixture.edit("api/package.json", "\"1.0.0\",", "\"1.0.0\"");
    check!(fixture, ["graph"], @r#"
    success: false
    exit_code: 3
    ----- stdout -----

    ----- stderr -----
    error[manifest-syntax]: `api/package.json` is not valid JSON: expected `,` or `}`
     --> api/package.json:4:3
      |
    4 |   "scripts": { "start": "node server.js" },
      |   ^ expected `,` or `}`
      |
      = help: correct the JSON; `npm pkg fix` or an editor shows the same place
    "#);
}

#[test]
fn workspaces_that_match_nothing() {
    let fixture = Fixture::new(
        r#"
//- package.json
{
  "name": "acme",
  "workspaces": ["pakages/*"]
}
//- packages/lib/package.json
{ "name": "lib" }
"#,
    );
    check!(fixture, ["graph"], @r#"
    success: false
    exit_code: 3
    ----- stdout -----

    ----- stderr -----
    error[no-members]: `workspaces` matches no package
     --> package.json:3:3
      |
    3 |   "workspaces": ["pakages/*"]
      |   ^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = note: `pakages/*` matches no folder
      = help: list folders that hold a package.json, for example `"workspaces": ["packages/*"]`
    "#);
}

#[test]
fn two_packages_of_one_name() {
    let fixture = acme();
    fixture.edit("api/package.json", "@acme/api", "@acme/lib");
    check!(fixture, ["graph"], @r#"
    success: false
    exit_code: 3
    ----- stdout -----

    ----- stderr -----
    error[duplicate-package-name]: two packages are named `@acme/lib`: `api/package.json` and `packages/lib/package.json`
     --> api/package.json:2:3
      |
    2 |   "name": "@acme/lib",
      |   ^^^^^^^^^^^^^^^^^^^
      |
     ::: packages/lib/package.json:2:3
      |
    2 |   "name": "@acme/lib",
      |   ^^^^^^^^^^^^^^^^^^^
      |
      = help: give one of them another `name`, or take `packages/lib/package.json` out of `workspaces`
    "#);
}

#[test]
fn a_circle_of_packages() {
    let fixture = acme();
    fixture.edit(
        "packages/lib/package.json",
        "\"main\"",
        "\"dependencies\": { \"@acme/api\": \"^1.0.0\" },\n  \"main\"",
    );
    check!(fixture, ["graph"], @r#"
    success: false
    exit_code: 3
    ----- stdout -----

    ----- stderr -----
    error[dependency-cycle]: packages depend on each other in a circle: `@acme/api` → `@acme/lib` → `@acme/api`
     --> api/package.json:5:21
      |
    5 |   "dependencies": { "@acme/lib": "^1.0.0" }
      |                     ^^^^^^^^^^^^^^^^^^^^^ `@acme/api` needs `@acme/lib`
      |
     ::: packages/lib/package.json:4:21
      |
    4 |   "dependencies": { "@acme/api": "^1.0.0" },
      |                     ^^^^^^^^^^^^^^^^^^^^^ `@acme/lib` needs `@acme/api`
      |
      = help: remove one of these dependencies, or move what they share into a package of its own
    "#);
}

#[test]
fn no_lockfile() {
    let fixture = acme();
    fixture.remove("package-lock.json");
    check!(fixture, ["plan"], @"
    success: false
    exit_code: 3
    ----- stdout -----

    ----- stderr -----
    error[lockfile-missing]: the workspace has no lockfile of npm
      = help: run `npm install` and commit the lockfile it writes
    ");
}

#[test]
fn a_lockfile_that_does_not_match() {
    let fixture = acme();
    fixture.edit("api/package.json", "\"^1.0.0\"", "\"^1.0.0\", \"express\": \"^5.0.0\"");
    check!(fixture, ["plan"], @r#"
    success: false
    exit_code: 3
    ----- stdout -----

    ----- stderr -----
    error[lockfile-entry-missing]: `package-lock.json` has no entry for `express`, which `api` needs
     --> api/package.json:5:44
      |
    5 |   "dependencies": { "@acme/lib": "^1.0.0", "express": "^5.0.0" }
      |                                            ^^^^^^^^^^^^^^^^^^^ not in the lockfile
      |
      = help: run `npm install` to complete the lockfile
    "#);
}

#[test]
fn a_lockfile_of_version_1() {
    let fixture = acme();
    fixture
        .write("package-lock.json", "{\n  \"name\": \"acme\",\n  \"lockfileVersion\": 1,\n  \"dependencies\": {}\n}\n");
    check!(fixture, ["plan"], @r#"
    success: false
    exit_code: 3
    ----- stdout -----

    ----- stderr -----
    error[lockfile-too-old]: `package-lock.json` has no `packages`: it was written by npm 6 or older (lockfileVersion 1)
     --> package-lock.json:3:3
      |
    3 |   "lockfileVersion": 1,
      |   ^^^^^^^^^^^^^^^^^^^^
      |
      = help: run `npm install --package-lock-only` with npm 7 or newer, and commit the result
    "#);
}

#[test]
fn a_lockfile_that_is_no_json() {
    let fixture = acme();
    fixture.write("package-lock.json", "{\n<<<<<<< HEAD\n}\n");
    check!(fixture, ["plan"], @"
    success: false
    exit_code: 3
    ----- stdout -----

    ----- stderr -----
    error[lockfile-syntax]: `package-lock.json` does not parse: it holds the markers of an unfinished merge
     --> package-lock.json:2:1
      |
    2 | <<<<<<< HEAD
      | ^^^^^^^^^^^^
      |
      = help: finish the merge: take one side of the file, then run the package manager's `install`
    ");
}

#[test]
fn a_target_that_does_not_exist() {
    check!(acme(), ["plan", "apo"], @"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error[unknown-target]: there is no target `apo`
      = help: did you mean `api`?
    ");
}

#[test]
fn a_package_that_is_no_target() {
    check!(acme(), ["plan", "@acme/lib"], @"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error[package-is-no-target]: no image is made of the package `@acme/lib`
      = help: build `api`, which it is part of
    ");
}

#[test]
fn a_package_outside_the_tree() {
    let fixture = acme();
    fixture.edit("api/package.json", "\"^1.0.0\"", "\"file:../../lib\"");
    check!(fixture, ["plan"], @r#"
    success: false
    exit_code: 3
    ----- stdout -----

    ----- stderr -----
    error[path-outside-workspace]: `file:../../lib` leads outside the workspace
     --> api/package.json:5:21
      |
    5 |   "dependencies": { "@acme/lib": "file:../../lib" }
      |                     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = note: `@acme/api` depends on it, and only the workspace is sent to the builder
      = help: move what it names into the workspace, or take the reference away: a build sees only the workspace
    "#);
}

#[test]
fn a_member_outside_the_tree() {
    let fixture = acme();
    fixture.edit("package.json", "\"api\"", "\"api\", \"../elsewhere\"");
    check!(fixture, ["graph"], @r#"
    success: false
    exit_code: 3
    ----- stdout -----

    ----- stderr -----
    error[path-outside-workspace]: `../elsewhere` leads outside the workspace
     --> package.json:1:19
      |
    1 | { "name": "acme", "workspaces": ["packages/*", "api", "../elsewhere"] }
      |                   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = note: `workspaces` can only name folders below its package.json
      = help: move what it names into the workspace, or take the reference away: a build sees only the workspace
    "#);
}

#[cfg(unix)]
#[test]
fn a_link_out_of_the_tree() {
    let fixture = acme();
    let outside = Fixture::new("//- secret.txt\nsecret\n");
    std::os::unix::fs::symlink(outside.root(), fixture.root().join("api/data")).expect("a link can be made");
    let output = crate::support::drydock(&fixture, &["files", "api"]).output().expect("the binary runs");
    let text = String::from_utf8_lossy(&output.stderr).replace(outside.root().as_str(), "[OUTSIDE]");
    insta::assert_snapshot!(format!("exit {:?}\n{text}", output.status.code()), @"
    exit Some(3)
    error[path-outside-workspace]: `api/data` leads outside the workspace
      = note: it is a symbolic link to `[OUTSIDE]`
      = help: move what it names into the workspace, or take the reference away: a build sees only the workspace
    ");
}

#[test]
fn errors_are_json_when_json_was_asked_for() {
    let fixture = acme();
    fixture.edit("api/package.json", "\"1.0.0\",", "\"1.0.0\"");
    check!(fixture, ["graph", "--format", "json"], @r#"
    success: false
    exit_code: 3
    ----- stdout -----

    ----- stderr -----
    {"reason":"error","code":"manifest-syntax","message":"`api/package.json` is not valid JSON: expected `,` or `}`","places":[{"path":"api/package.json","line":4,"column":3,"label":"expected `,` or `}`"}],"notes":[],"help":"correct the JSON; `npm pkg fix` or an editor shows the same place"}
    "#);
}
