//! pnpm's filters on the commands that take targets and packages.

use crate::support::{acme, check, commit_all, stdout};

#[test]
fn packages_of_the_graph() {
    let fixture = acme();
    let names = |filters: &[&str]| -> String {
        let text = stdout(&fixture, &[&["graph", "--format", "json"], filters].concat());
        let document: serde_json::Value = serde_json::from_str(&text).expect("a document");
        let packages = document["packages"].as_array().expect("packages").iter();
        packages.map(|package| package["name"].as_str().expect("a name")).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(&[]), "@acme/lib @acme/api");
    assert_eq!(names(&["@acme/lib"]), "@acme/lib");
    assert_eq!(names(&["...@acme/lib"]), "@acme/lib @acme/api");
    assert_eq!(names(&["...^@acme/lib"]), "@acme/api");
    assert_eq!(names(&["api..."]), "@acme/lib @acme/api", "a target's name stands for its package");
    assert_eq!(names(&["./packages/*"]), "@acme/lib");
    assert_eq!(names(&["!@acme/lib"]), "@acme/api");
    assert_eq!(names(&["...lib"]), "@acme/lib @acme/api", "the scope may be left out where one package is meant");
    commit_all(&fixture, "first");
    fixture.write("packages/lib/build.js", "1");
    assert_eq!(names(&["[HEAD]"]), "@acme/lib");
    assert_eq!(names(&["...[HEAD]"]), "@acme/lib @acme/api");
}

#[test]
fn targets_of_a_plan() {
    let fixture = acme();
    for filter in ["...@acme/lib", "a*", "{api}", "./api"] {
        let text = stdout(&fixture, &["plan", filter, "--format", "github-matrix"]);
        assert!(text.contains("\"target\":\"api\""), "{filter}: {text}");
    }
}

#[test]
fn filters_that_choose_nothing_are_a_mistake() {
    let fixture = acme();
    check!(fixture, ["plan", "./packages/*"], @"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error[filter-empty]: the filters `./packages/*` leave no target
      = note: they choose `@acme/lib`, and no image is made of that alone
      = help: pass `--allow-empty` where that is fine
    ");
    check!(fixture, ["plan", "...@acme/libb"], @"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error[filter-unknown]: no package and no target is called `@acme/libb`
      = help: did you mean `@acme/lib`?
    ");
    fixture.write("packages/other/package.json", r#"{ "name": "@other/lib", "version": "1.0.0" }"#);
    check!(fixture, ["graph", "lib..."], @"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error[filter-ambiguous]: several packages are called `lib`: `@acme/lib`, `@other/lib`
      = help: write the name with its scope
    ");
    check!(fixture, ["plan", "{packages"], @"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error[filter-invalid]: `{packages` is not a filter: a brace is not closed
      = help: write a name (`api`, `@acme/*`), a folder (`./packages/*`, `{packages/api}`), what changed (`[origin/main]`), with `...` after it for what it depends on, before it for what depends on it
    ");
    check!(fixture, ["graph", "./nowhere/*"], @"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error[filter-empty]: the filters `./nowhere/*` leave no package
      = help: pass `--allow-empty` where that is fine
    ");
    check!(fixture, ["plan", "./packages/*", "--allow-empty", "--format", "github-matrix"], @r#"
    success: true
    exit_code: 0
    ----- stdout -----
    {"include":[]}

    ----- stderr -----
        Finished no target is chosen
    "#);
}
