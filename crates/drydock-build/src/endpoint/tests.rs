use std::path::Path;

use super::*;

fn environment(variables: &[(&str, &str)], home: &Path) -> Environment {
    let variables = variables.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Environment { variables, home: Some(home.to_owned()) }
}

fn parse(address: &str) -> Result<Address, String> {
    let environment = environment(&[], Path::new("/home/u"));
    Endpoint::parse(address, "a test", &environment).map(|endpoint| endpoint.address).map_err(|error| match error {
        BuildError::InvalidAddress { reason, .. } => reason,
        other => panic!("unexpected {other:?}"),
    })
}

/// A Docker configuration folder with one context.
fn with_context(current: Option<&str>, name: &str, meta: &str) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let docker = home.path().join(".docker");
    let id: String = sha2::Digest::finalize(<sha2::Sha256 as sha2::Digest>::new_with_prefix(name)).iter().fold(
        String::new(),
        |mut text, byte| {
            use std::fmt::Write;
            write!(text, "{byte:02x}").unwrap();
            text
        },
    );
    let folder = docker.join("contexts/meta").join(id);
    fs_err::create_dir_all(&folder).unwrap();
    fs_err::write(folder.join("meta.json"), meta).unwrap();
    if let Some(current) = current {
        fs_err::write(docker.join("config.json"), format!("{{\"auths\":{{}},\"currentContext\":\"{current}\"}}"))
            .unwrap();
    }
    home
}

#[test]
fn addresses_are_parsed() {
    let tcp = |host: &str, port| Address::Tcp { host: host.to_owned(), port };
    let ssh = |user: Option<&str>, host: &str, port, socket: Option<&str>| Address::Ssh {
        user: user.map(str::to_owned),
        host: host.to_owned(),
        port,
        socket: socket.map(str::to_owned),
    };
    let cases = [
        ("unix:///var/run/docker.sock", Address::Unix("/var/run/docker.sock".into())),
        ("tcp://build:2375", tcp("build", 2375)),
        ("tcp://build", tcp("build", 2375)),
        ("tcp://[::1]:99", tcp("::1", 99)),
        ("ssh://build", ssh(None, "build", None, None)),
        ("ssh://me@build:2222", ssh(Some("me"), "build", Some(2222), None)),
        (
            "ssh://me@build/run/user/1000/docker.sock",
            ssh(Some("me"), "build", None, Some("/run/user/1000/docker.sock")),
        ),
        ("npipe:////./pipe/docker_engine", Address::NamedPipe(r"\\.\pipe\docker_engine".to_owned())),
    ];
    for (text, expected) in cases {
        let address = parse(text).unwrap();
        assert_eq!(address, expected, "{text}");
        if text != "tcp://build" {
            assert_eq!(address.to_string(), text);
        }
    }
}

#[test]
fn what_is_no_address_says_why() {
    for (text, reason) in [
        ("docker", "it has no scheme"),
        ("unix://", "it has no path"),
        ("tcp://", "it has no host"),
        ("tcp://build:http", "its port is not a number"),
        ("ssh://-oProxyCommand=x", "it has no host"),
        ("fd://3", "its scheme is none of `unix`, `tcp`, `ssh`, `npipe`"),
    ] {
        assert_eq!(parse(text).unwrap_err(), reason, "{text}");
    }
}

#[test]
fn docker_host_comes_first_and_brings_tls() {
    let home = with_context(Some("remote"), "remote", r#"{"Endpoints":{"docker":{"Host":"tcp://context:1"}}}"#);
    let variables = [
        ("DOCKER_HOST", "tcp://build"),
        ("DOCKER_CONTEXT", "remote"),
        ("DOCKER_TLS_VERIFY", "1"),
        ("DOCKER_CERT_PATH", "/certs"),
    ];
    let endpoint = Endpoint::resolve(&environment(&variables, home.path())).unwrap();
    assert_eq!(endpoint.address, Address::Tcp { host: "build".to_owned(), port: 2376 });
    assert_eq!(endpoint.tls, Some(TlsFiles { folder: Some("/certs".into()), verify: true }));
    assert_eq!(endpoint.origin, "the environment variable `DOCKER_HOST`");
}

#[test]
fn the_current_context_is_used() {
    let meta =
        r#"{"Name":"remote","Metadata":{},"Endpoints":{"docker":{"Host":"unix:///x.sock","SkipTLSVerify":false}}}"#;
    let home = with_context(Some("remote"), "remote", meta);
    let endpoint = Endpoint::resolve(&environment(&[("DOCKER_TLS_VERIFY", "1")], home.path())).unwrap();
    assert_eq!(endpoint.address, Address::Unix("/x.sock".into()));
    assert_eq!(endpoint.tls, None);
    assert!(
        endpoint.origin.starts_with("the Docker context `remote`, chosen by `currentContext` of "),
        "{}",
        endpoint.origin
    );
}

#[test]
fn docker_context_overrides_the_current_one() {
    let home = with_context(Some("missing"), "remote", r#"{"Endpoints":{"docker":{"Host":"ssh://me@build"}}}"#);
    let endpoint = Endpoint::resolve(&environment(&[("DOCKER_CONTEXT", "remote")], home.path())).unwrap();
    assert_eq!(endpoint.address.to_string(), "ssh://me@build");
    let error = Endpoint::resolve(&environment(&[], home.path())).unwrap_err();
    assert!(matches!(&error, BuildError::UnknownContext { name, .. } if name == "missing"), "{error:?}");
}

#[test]
fn a_broken_configuration_is_named() {
    let home = tempfile::tempdir().unwrap();
    fs_err::create_dir_all(home.path().join(".docker")).unwrap();
    fs_err::write(home.path().join(".docker/config.json"), "{").unwrap();
    let error = Endpoint::resolve(&environment(&[], home.path())).unwrap_err();
    assert!(
        matches!(&error, BuildError::InvalidDockerConfig { path, .. } if path.ends_with("config.json")),
        "{error:?}"
    );
}

#[cfg(unix)]
#[test]
fn a_usual_socket_that_listens_is_found_and_what_was_tried_is_told() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join(".colima/default");
    fs_err::create_dir_all(&folder).unwrap();
    let socket = folder.join("docker.sock");
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let sockets = default_sockets(&environment(&[("XDG_RUNTIME_DIR", "/nowhere")], home.path()));
    let origins: Vec<_> = sockets.iter().map(|(_, origin)| *origin).collect();
    assert_eq!(origins, ["the usual place", "rootless Docker", "Colima"]);
    drop(listener);
}
