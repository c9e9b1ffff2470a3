//! The command line itself: help, usage, entry by Cargo, completions.

use std::process::{Command, Stdio};

use drydock_test::Fixture;

use crate::support::{acme, check, clean, drydock, stdout};

#[test]
fn help_lists_the_commands_and_the_exit_codes() {
    check!(Fixture::empty(), ["--help"], @"
    success: true
    exit_code: 0
    ----- stdout -----
    Container builds for JavaScript monorepos: one Dockerfile from the package graph, built in parallel
    through BuildKit

    Usage: drydock [OPTIONS] <COMMAND>

    Commands:
      build        Build the images of all or the named targets, in parallel [alias: b]
      check        Run the tests, linters and type checks of all or the named packages in the daemon
      graph        Print the packages and the edges between them
      targets      List the images that can be built, and what led to each
      plan         Print the stages and targets of a build without building
      affected     List the targets whose images are not what they were at a commit, and why
      why          Tell how a change reaches the image of a target: package, stage, instruction
      replay       Tell what the last commits would have rebuilt, and which files cause most of it
      dockerfile   Print the combined Dockerfile, write it with what it needs, or check what is on disk
      bake         Print the file with which `docker buildx bake` builds the same images
      compose      Write a Compose file with a service for each target, and what it builds them from
      files        List the files that the image of a target is made from
      prune        Write a workspace of its own for one target or package: its closure's sources,
                   manifests and lockfile
      init         Write a commented drydock.toml of what was inferred
      pin          Write the digests of base images into drydock.lock, by which all that is planned goes
                   from then on
      size         Tell what the image of a target is made of: layers, packages by bytes, and what
                   should not be there
      doctor       Look for what would make builds fail or images worse: the daemon, base images,
                   lockfile, imports, secrets
      completions  Print a script that completes commands in a shell
      man          Print the manual page

    Options:
      -h, --help
              Print help (see a summary with '-h')

      -V, --version
              Print version

    Global options:
          --root <DIR>
              The workspace root, or any folder inside [default: search upwards from the current folder]

          --config <FILE>
              The configuration file [default: drydock.toml at the root, or Cargo.toml's
              workspace.metadata.drydock]

      -v, --verbose...
              Say more: what was inferred, and why

      -q, --quiet
              Say nothing but errors

          --color <WHEN>
              Whether to colour the output [default: `CARGO_TERM_COLOR`, or auto; `NO_COLOR` is
              respected]

              Possible values:
              - auto:   When the output is a terminal
              - always: Always
              - never:  Never

    Exit codes:
      0    success
      1    a build failed, `dockerfile --check` or `compose --check` found stale files,
           `affected --exit-code` found targets, `pin --check` found a base image that is not pinned or
           not the newest, `doctor` found an error,
           or `size` found too much
      2    the command line or the configuration is wrong
      3    the workspace, a manifest or the lockfile is invalid
      4    Docker is unreachable, too old, or refuses
      101  a bug in drydock
      130  interrupted

    ----- stderr -----
    ");
}

#[test]
#[allow(clippy::too_many_lines, reason = "the help has as many")]
fn build_help_tells_every_option() {
    check!(Fixture::empty(), ["build", "--help"], @"
    success: true
    exit_code: 0
    ----- stdout -----
    Build the images of all or the named targets, in parallel

    Usage: drydock build [OPTIONS] [TARGET]...

    Arguments:
      [TARGET]...
              Targets, by their name or their package's, or filters: `api...`, `...^lib`,
              `./services/*`, `[main]`, `!name` [default: all]

    Options:
      -j, --jobs <N>
              How many targets to build at once [default: the number of processors]
              
              [env: DRYDOCK_JOBS=]

          --fail-fast
              Stop the other targets when one fails; the default

          --keep-going
              Go on with the other targets when one fails

          --force
              Build images that are there already; steps may still come from the cache

          --explain
              Tell for each stage why it ran or did not, as fingerprints foretold it and as BuildKit's
              cache has it

          --no-cache
              Run every step, whatever the cache holds

          --pull
              Ask the registry for base images, whatever the daemon has

          --verify-install
              Let the image's npm judge each install in a step of its own (`npm ci --dry-run`) before it
              installs

          --build-arg <KEY[=VALUE]>
              A build argument; without a value it is taken from the environment. Can be given several
              times

          --secret <SECRET>
              A secret that steps may read: `id=NAME,env=VARIABLE` or `id=NAME,src=FILE`. Can be given
              several times

          --ssh <AGENT>
              An ssh agent that installs may use: `default`, or `ID=SOCKET`. Can be given several times

          --network <NETWORK>
              The network of steps

              Possible values:
              - default: The daemon's own
              - host:    That of the daemon's machine
              - none:    None

          --platform <PLATFORM>
              Build for these platforms, like `linux/amd64,linux/arm64` [default: the daemon's own]

          --cache-from <CACHE>
              Take steps from a cache, like `type=registry,ref=example.com/cache:{target}`. Can be given
              several times

          --cache-to <CACHE>
              Write a cache, in the same form. Can be given several times

          --builder <ADDRESS>
              Where to build: the address of a Docker daemon or a `buildkitd` [default: as `docker`
              finds it]. Can be given several times: then targets are spread over them

          --progress <HOW>
              How to show progress [default: `BUILDKIT_PROGRESS`, or auto]

              Possible values:
              - auto:    Bars on a terminal, lines elsewhere
              - tty:     Bars
              - plain:   Lines, with the output of every step
              - rawjson: What BuildKit says, as JSON lines
              - quiet:   Errors only

          --format <human|json>
              How to print
              
              [default: human]

      -h, --help
              Print help (see a summary with '-h')

    Selection:
          --affected
              Only targets whose images are not what they were

          --since <REF>
              The commit that `--affected` compares with: where its history and that of HEAD fork
              [default: the branch a pull request is for, or origin's]

          --allow-empty
              Filters may choose nothing

    Images:
      -t, --tag <TAG>
              Tag each image [default: `{target}`]. Can be given several times; `{target}`, `{version}`,
              `{git.sha}`, `{git.short}`, `{git.branch}` and `{fingerprint}` are filled in

          --push
              Push the images, once every target is built

          --atomic
              Push nothing unless every target is built; the default

          --no-atomic
              Push what is built, even though another target failed

          --load
              Put the images into Docker's store; the default, except with a `buildkitd`

      -o, --output <OUTPUT>
              Write the results elsewhere: a folder, or `type=local|tar|oci|docker,dest=PATH`,
              `type=cacheonly`

          --metadata-file <FILE>
              Write the digests and names of the images into this file, in the form of `docker buildx
              bake`

          --summary <FILE>
              Add a summary in Markdown to this file, such as `$GITHUB_STEP_SUMMARY`

          --label <KEY=VALUE>
              Label the images. Can be given several times; the fields of `--tag` are filled in

          --oci-labels[=<LABELS>...]
              Label the images with where they come from [default without a value:
              source,revision,version]

              Possible values:
              - source:   Where the sources are
              - revision: The commit
              - version:  The version of the target's package
              - created:  When the image was built, which makes every build another image

          --source-date-epoch <TIME>
              Let images say that they were made then, in seconds since 1970, or when the commit was:
              `git` [default: `SOURCE_DATE_EPOCH`]

          --annotation <KEY=VALUE>
              Annotate the images' manifests. Can be given several times; the fields of `--tag` are
              filled in

          --provenance[=<HOW>]
              Attest how the images were made: `true`, `mode=min`, `mode=max`

          --sbom[=<HOW>]
              Attest what the images hold: `true`, or `generator=IMAGE`

    Global options:
          --root <DIR>
              The workspace root, or any folder inside [default: search upwards from the current folder]

          --config <FILE>
              The configuration file [default: drydock.toml at the root, or Cargo.toml's
              workspace.metadata.drydock]

      -v, --verbose...
              Say more: what was inferred, and why

      -q, --quiet
              Say nothing but errors

          --color <WHEN>
              Whether to colour the output [default: `CARGO_TERM_COLOR`, or auto; `NO_COLOR` is
              respected]

              Possible values:
              - auto:   When the output is a terminal
              - always: Always
              - never:  Never

    ----- stderr -----
    ");
}

#[test]
fn an_unknown_command_is_a_usage_error() {
    check!(Fixture::empty(), ["biuld"], @"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: unrecognized subcommand 'biuld'

      tip: some similar subcommands exist: 'b', 'build'

    Usage: drydock [OPTIONS] <COMMAND>

    For more information, try '--help'.
    ");
}

#[test]
fn a_usage_error_is_json_when_json_was_asked_for() {
    check!(Fixture::empty(), ["build", "--jobs", "0", "--format", "json"], @r#"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    {"reason":"error","code":"usage","message":"invalid value '0' for '--jobs <N>': at least one job is needed","places":[],"notes":[],"help":"`--help` lists what can be given"}
    "#);
}

#[test]
fn cargo_passes_the_name_of_the_subcommand_first() {
    let fixture = acme();
    let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-drydock"));
    clean(&mut command);
    let output = command.args(["drydock", "graph"]).current_dir(fixture.root()).output().expect("the binary runs");
    assert!(output.status.success());
    assert_eq!(String::from_utf8(output.stdout).expect("UTF-8"), stdout(&fixture, &["graph"]));
}

#[test]
fn every_shell_gets_completions() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = stdout(&Fixture::empty(), &["completions", shell]);
        assert!(script.contains("keep-going"), "{shell}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let fixture = acme();
    let mut command = drydock(&fixture, &["graph"]);
    // The read end is closed before anything is written.
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let status = command.stdout(Stdio::from(writer)).stderr(Stdio::piped()).output().expect("the binary runs");
    assert_eq!(status.status.code(), Some(0), "{}", String::from_utf8_lossy(&status.stderr));
    assert!(status.stderr.is_empty());
}

#[test]
fn colours_come_when_they_are_wanted() {
    let fixture = Fixture::empty();
    let colored = |arguments: &[&str], environment: &[(&str, &str)]| {
        let mut command = drydock(&fixture, arguments);
        let output = command.envs(environment.iter().copied()).output().expect("the binary runs");
        String::from_utf8_lossy(&output.stderr).contains('\u{1b}')
    };
    assert!(!colored(&["graph"], &[]));
    assert!(colored(&["graph", "--color", "always"], &[("NO_COLOR", "1")]));
    assert!(colored(&["graph"], &[("CARGO_TERM_COLOR", "always")]));
    assert!(!colored(&["graph"], &[("CARGO_TERM_COLOR", "always"), ("NO_COLOR", "1")]));
}

#[test]
fn the_root_is_found_from_any_folder_inside() {
    let fixture = acme();
    let expected = stdout(&fixture, &["graph"]);
    for start in ["packages/lib", "api"] {
        let mut command = drydock(&fixture, &["graph"]);
        let output = command.current_dir(fixture.root().join(start)).output().expect("the binary runs");
        assert_eq!(String::from_utf8(output.stdout).expect("UTF-8"), expected);
    }
    let elsewhere = Fixture::empty();
    assert_eq!(stdout(&elsewhere, &["graph", "--root", fixture.root().as_str()]), expected);
}
