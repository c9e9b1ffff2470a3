//! What becomes of images, as far as it is judged before the daemon is asked: every mistake is told with a way out.

use drydock_test::Fixture;

use crate::support::{acme, check, drydock};

/// Exit code and standard error of `drydock build` with each of these arguments.
fn mistakes(fixture: &Fixture, all: &[&[&str]]) -> String {
    let told = all.iter().map(|arguments| {
        let arguments = [&["build"], *arguments].concat();
        let output = drydock(fixture, &arguments).env("DOCKER_HOST", "unix:///nonexistent").output().expect("it runs");
        let code = output.status.code().expect("an exit code");
        format!("{}: {code}\n{}", arguments[1..].join(" "), String::from_utf8_lossy(&output.stderr))
    });
    told.collect::<Vec<_>>().join("\n")
}

/// A second service, so that there are two targets.
fn two_targets() -> Fixture {
    let fixture = acme();
    fixture
        .write("drydock.toml", "[target.api]\npackage = \"@acme/api\"\n\n[target.second]\npackage = \"@acme/api\"\n");
    fixture
}

#[test]
fn outputs() {
    insta::assert_snapshot!(mistakes(&two_targets(), &[
        &["--output", "type=locl,dest=out"],
        &["--output", "type=tar"],
        &["--output", "type=tar,dest=-"],
        &["--output", "type=tar,dest=out.tar"],
        &["--output", "out"],
        &["--output", "type=oci,dest=nowhere/{target}/x.tar,zip"],
        &["--output", "type=oci,dest=nowhere/x.tar", "api"],
        &["--output", "type=local,dest=package.json", "api"],
        &["--output", "out", "--push"],
        &["--no-atomic"],
        &["--metadata-file", "nowhere/meta.json"],
    ]), @"
    --output type=locl,dest=out: 2
    error[output-invalid]: `--output type=locl,dest=out` cannot be: there is no type `locl`
      = help: did you mean `type=local`?

    --output type=tar: 2
    error[output-invalid]: `--output type=tar` cannot be: it has no `dest`
      = help: write `type=tar,dest=PATH`

    --output type=tar,dest=-: 2
    error[output-invalid]: `--output type=tar,dest=-` cannot be: results do not go to the standard output
      = help: name a file

    --output type=tar,dest=out.tar: 2
    error[output-shared]: `--output type=tar,dest=out.tar` would hold 2 targets in one place
      = help: put `{target}` into it, like `dest={target}.tar`, or build one target

    --output out: 2
    error[output-shared]: `--output out` would hold 2 targets in one place
      = help: put `{target}` into it, like `dest=out/{target}`, or build one target

    --output type=oci,dest=nowhere/{target}/x.tar,zip: 2
    error[output-invalid]: `--output type=oci,dest=nowhere/{target}/x.tar,zip` cannot be: `zip` means nothing
      = help: `type`, `dest` and `push` can stand in it

    --output type=oci,dest=nowhere/x.tar api: 2
    error[output-unwritable]: `nowhere/x.tar` cannot be written: its folder does not exist
      = help: make the folder first, or name another file

    --output type=local,dest=package.json api: 2
    error[output-unwritable]: `package.json` cannot be written: it is a file
      = help: name another path, or remove it

    --output out --push: 2
    error: the argument '--output <OUTPUT>' cannot be used with '--push'

    Usage: drydock build --output <OUTPUT> [TARGET]...

    For more information, try '--help'.

    --no-atomic: 2
    error: the following required arguments were not provided:
      --push

    Usage: drydock build --push --no-atomic [TARGET]...

    For more information, try '--help'.

    --metadata-file nowhere/meta.json: 2
    error[output-unwritable]: `nowhere/meta.json` cannot be written: its folder does not exist
      = help: make the folder first, or name another file
    ");
}

#[test]
fn names_of_images() {
    let fixture = two_targets();
    insta::assert_snapshot!(mistakes(&fixture, &[
        &["--tag", "shop"],
        &["--tag", "{target}:{sha}"],
        &["--tag", "{target}:{git.sha}"],
        &["--push"],
        &["--push", "--tag", "{target}:1"],
        &["--tag", "{target}:{version"],
    ]), @"
    --tag shop: 2
    error[tag-shared]: the tag `shop` would name 2 images
      = note: of targets `api`, `second`
      = help: put `{target}` in it, or build one target

    --tag {target}:{sha}: 2
    error[template-unknown-field]: `{sha}` in the tag `{target}:{sha}` means nothing
      = help: did you mean `{git.sha}`?

    --tag {target}:{git.sha}: 2
    error[template-no-value]: `{git.sha}` in the tag `{target}:{git.sha}` has no value: the workspace is in no git repository
      = help: run drydock in a git checkout with a commit

    --push: 2
    error[push-without-registry]: `api` names no registry to push to; the same holds for 1 more
      = help: write `--tag registry.example.com/team/{target}`, or set `registry` under `[workspace]` of the configuration

    --push --tag {target}:1: 2
    error[push-without-registry]: `api:1` names no registry to push to; the same holds for 1 more
      = help: write `--tag registry.example.com/team/{target}`, or set `registry` under `[workspace]` of the configuration

    --tag {target}:{version: 2
    error[template-open-brace]: a brace of the tag `{target}:{version` is not closed
      = help: write `{target}`
    ");
    fixture.edit("api/package.json", "  \"version\": \"1.0.0\",\n", "");
    fixture.edit("package-lock.json", "\"version\": \"1.0.0\",", "");
    insta::assert_snapshot!(mistakes(&fixture, &[&["--tag", "{target}:{version}"]]), @"
    --tag {target}:{version}: 2
    error[template-no-value]: `{version}` in the tag `{target}:{version}` has no value: the package.json of `@acme/api` has no `version`
      = help: add a `version`, or use another field
    ");
}

#[test]
fn caches_platforms_and_the_rest() {
    insta::assert_snapshot!(mistakes(&two_targets(), &[
        &["--cache-to", "type=registri,ref=example.com/cache"],
        &["--cache-to", "type=registry,ref=example.com/cache"],
        &["--cache-to", "type=local,src=x:{target}"],
        &["--cache-from", "ref=x"],
        &["--platform", "linux/amd46"],
        &["--platform", "windows/amd64"],
        &["--ssh", "x=/nonexistent/agent"],
        &["--label", "team"],
        &["--annotation", "=x"],
        &["--label", "team={tema}"],
        &["--provenance=large"],
        &["--sbom=syft"],
        &["--oci-labels=sorce"],
        &["--builder", "builder"],
    ]), @"
    --cache-to type=registri,ref=example.com/cache: 2
    error[cache-invalid]: `type=registri,ref=example.com/cache` is not a cache: there is no type `registri`
      = help: did you mean `type=registry`?

    --cache-to type=registry,ref=example.com/cache: 2
    error[cache-shared]: 2 targets would overwrite each other's cache `type=registry,ref=example.com/cache`
      = help: put `{target}` into it, so that each has its own

    --cache-to type=local,src=x:{target}: 2
    error[cache-invalid]: `type=local,src=x:api` is not a cache: it has no `dest`
      = help: write `type=local,dest=…`

    --cache-from ref=x: 2
    error[cache-invalid]: `ref=x` is not a cache: it has no `type`
      = help: write `type=registry,ref=NAME`, `type=gha`, `type=inline` or `type=local,dest=FOLDER`

    --platform linux/amd46: 2
    error[platform-invalid]: `linux/amd46` is not a platform
      = help: did you mean `linux/amd64`?

    --platform windows/amd64: 2
    error[platform-invalid]: `windows/amd64` is not a platform
      = help: write a platform of Linux, like `linux/arm64`: the images are made for no other

    --ssh x=/nonexistent/agent: 2
    error[ssh-invalid]: `x=/nonexistent/agent` is not an ssh agent: `/nonexistent/agent` does not exist
      = help: add the key to an agent with `ssh-add`, and write `--ssh default`

    --label team: 2
    error[label-invalid]: `team` is not a label: it has no name and value
      = help: write `--label NAME=value`

    --annotation =x: 2
    error[label-invalid]: `=x` is not an annotation: it has no name and value
      = help: write `--annotation NAME=value`

    --label team={tema}: 2
    error[template-unknown-field]: `{tema}` in the label `team` means nothing
      = help: `{target}`, `{version}`, `{git.sha}`, `{git.short}`, `{git.branch}` and `{fingerprint}` can stand in braces

    --provenance=large: 2
    error[attestation-invalid]: `large` means nothing to `--provenance`
      = help: write `--provenance`, `--provenance=mode=min` or `--provenance=mode=max`

    --sbom=syft: 2
    error[attestation-invalid]: `syft` means nothing to `--sbom`
      = help: write `--sbom` or `--sbom=generator=IMAGE`

    --oci-labels=sorce: 2
    error: invalid value 'sorce' for '--oci-labels[=<LABELS>...]'
      [possible values: source, revision, version, created]

      tip: a similar value exists: 'source'

    For more information, try '--help'.

    --builder builder: 2
    error[builder-invalid]: `builder` is not an address of a Docker daemon
      = note: it has no scheme
      = help: set `--builder` to `unix:///PATH`, `tcp://HOST:PORT` or `ssh://[USER@]HOST`
    ");
}

#[test]
fn the_configuration_names_images() {
    let fixture = two_targets();
    fixture.write(
        "drydock.toml",
        r#"[workspace]
registry = "ghcr.io/acme"
tags = ["{target}:{version}", "docker.io/acme/{target}"]

[target.api]
package = "@acme/api"

[target.second]
package = "@acme/api"
tags = ["other:1"]
registry = "localhost:5000"
"#,
    );
    let tags = |arguments: &[&str]| {
        let output = drydock(&fixture, &[&["bake"], arguments].concat()).output().expect("it runs");
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        let lines = text.lines().map(str::trim).filter(|line| line.contains("ghcr.io") || line.contains(":5000"));
        lines.collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(tags(&[]), @r#"
    "ghcr.io/acme/api:1.0.0",
    "localhost:5000/other:1"
    "#);
    insta::assert_snapshot!(tags(&["--tag", "x/{target}"]), @r#"
    "ghcr.io/acme/x/api"
    "localhost:5000/x/second"
    "#);
}

#[test]
fn a_tag_and_a_label_of_a_branch() {
    check!(acme(), ["bake", "--tag", "{target}:{branch}"], @"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error[template-unknown-field]: `{branch}` in the tag `{target}:{branch}` means nothing
      = help: did you mean `{git.branch}`?
    ");
}

#[test]
fn a_token_that_nobody_sets() {
    let fixture = acme();
    fixture.write(".npmrc", "//npm.example.com/:_authToken=${DRYDOCK_TEST_TOKEN}\n");
    insta::assert_snapshot!(mistakes(&fixture, &[&[]]), @"
    : 4
    warning[npmrc-variable-unset]: `.npmrc` reads the environment variable `DRYDOCK_TEST_TOKEN`, which is not set
      = help: set it, or pass `--secret id=DRYDOCK_TEST_TOKEN,src=FILE`; it reaches installs as a secret
    error[docker-unreachable]: no Docker daemon answers
      = note: tried `unix:///nonexistent` (the environment variable `DOCKER_HOST`): No such file or directory (os error 2)
      = help: start the daemon (`sudo systemctl start docker`), or set `DOCKER_HOST` to where it listens
    ");
    let set = drydock(&fixture, &["build"])
        .env("DRYDOCK_TEST_TOKEN", "x")
        .env("DOCKER_HOST", "unix:///nonexistent")
        .output()
        .expect("it runs");
    assert!(!String::from_utf8_lossy(&set.stderr).contains("DRYDOCK_TEST_TOKEN"));
}
