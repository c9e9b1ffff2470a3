//! Daemons that are not there, or not what is needed. None of these tests needs Docker.

use crate::support::{acme, check, drydock};

#[test]
fn an_address_that_is_none() {
    let fixture = acme();
    let mut command = drydock(&fixture, &["build"]);
    insta_cmd::assert_cmd_snapshot!(command.env("DOCKER_HOST", "localhost"), @"
    success: false
    exit_code: 4
    ----- stdout -----

    ----- stderr -----
    error[docker-address-invalid]: `localhost` is not an address of a Docker daemon
      = note: it has no scheme
      = help: set the environment variable `DOCKER_HOST` to `unix:///PATH`, `tcp://HOST:PORT` or `ssh://[USER@]HOST`
    ");
}

#[test]
fn a_daemon_that_is_not_there() {
    let fixture = acme();
    let mut command = drydock(&fixture, &["build"]);
    insta_cmd::assert_cmd_snapshot!(command.env("DOCKER_HOST", "unix:///nonexistent/docker.sock"), @"
    success: false
    exit_code: 4
    ----- stdout -----

    ----- stderr -----
    error[docker-unreachable]: no Docker daemon answers
      = note: tried `unix:///nonexistent/docker.sock` (the environment variable `DOCKER_HOST`): No such file or directory (os error 2)
      = help: start the daemon (`sudo systemctl start docker`), or set `DOCKER_HOST` to where it listens
    ");
}

#[test]
fn arguments_are_judged_before_the_daemon_is_asked() {
    check!(acme(), ["build", "--tag", "Upper/{target}"], @"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error[tag-invalid]: `Upper/api` is not a reference to an image
      = help: write a name in lowercase, perhaps a registry before it and a tag behind it: `registry.example.com/team/{target}:1.0`
    ");
    check!(acme(), ["build", "--secret", "token"], @"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error[secret-invalid]: `token` is not a secret: it has parts other than `id`, `env` and `src`
      = help: write `--secret id=NAME,env=VARIABLE` or `--secret id=NAME,src=FILE`
    ");
    check!(acme(), ["build", "--build-arg", "DRYDOCK_TEST_UNSET"], @"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error[build-arg-unset]: the environment variable `DRYDOCK_TEST_UNSET`, which `--build-arg DRYDOCK_TEST_UNSET` reads, is not set
      = help: set it, or write `--build-arg DRYDOCK_TEST_UNSET=value`
    ");
}

#[test]
fn a_time_that_is_none_is_told_before_the_daemon_is_asked() {
    check!(acme(), ["build", "--source-date-epoch", "yesterday"], @"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error[epoch-invalid]: `yesterday`, which `--source-date-epoch` says, is no time
      = help: write seconds since 1970, like `0`, or `git` for the time of the commit
    ");
    check!(acme(), ["build", "--source-date-epoch", "git"], @"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error[epoch-without-commit]: there is no commit whose time could be taken: the workspace is in no git repository
      = help: run drydock in a git checkout with a commit, or write seconds since 1970
    ");
    let fixture = acme();
    let mut command = drydock(&fixture, &["build"]);
    insta_cmd::assert_cmd_snapshot!(command.env("SOURCE_DATE_EPOCH", "-"), @"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error[epoch-invalid]: `-`, which the environment variable `SOURCE_DATE_EPOCH` says, is no time
      = help: write seconds since 1970, like `0`, or `git` for the time of the commit
    ");
}

/// A daemon of long ago, as far as it is asked.
#[cfg(unix)]
#[test]
fn a_daemon_that_is_too_old() {
    use std::io::{Read as _, Write as _};
    use std::os::unix::net::UnixListener;

    let fixture = acme();
    let socket = fixture.root().join("old.sock");
    let listener = UnixListener::bind(&socket).expect("a socket");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            std::thread::spawn(move || {
                let mut request = [0; 4096];
                while let Ok(read @ 1..) = stream.read(&mut request) {
                    let head = String::from_utf8_lossy(&request[..read]).into_owned();
                    let (status, body) = if head.contains("/_ping") {
                        ("200 OK", "OK".to_owned())
                    } else {
                        let message =
                            "client is newer than server (client API version: 1.52, server API version: 1.27)";
                        ("400 Bad Request", format!(r#"{{"message":"{message}"}}"#))
                    };
                    let length = body.len();
                    let answer = format!(
                        "HTTP/1.1 {status}\r\nApi-Version: 1.27\r\nServer: Docker/17.03.2-ce (linux)\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
                    );
                    if stream.write_all(answer.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    let mut command = drydock(&fixture, &["build"]);
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(fixture.root().as_str(), "[ROOT]");
    settings.bind(|| {
        insta_cmd::assert_cmd_snapshot!(command.env("DOCKER_HOST", format!("unix://{socket}")), @"
        success: false
        exit_code: 4
        ----- stdout -----

        ----- stderr -----
        error[docker-too-old]: Docker 17.03.2-ce is too old
          = note: its API is 1.27; 1.41 (Docker 20.10) is needed
          = help: update to Docker 20.10 or later
        ");
    });
}
