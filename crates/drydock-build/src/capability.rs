//! What a request asks for, against what a daemon can do: better told before anything is built than by an exporter at
//! the end, or, as some daemons do, by silence.

use std::path::Path;

use crate::cache_folder;
use crate::endpoint::Environment;
use crate::engine::DaemonInfo;
use crate::error::BuildError;
use crate::event::BuildWarning;
use crate::request::{ArchiveKind, BuildRequest, CacheEntry, Output, TargetRequest};

const STORE_HELP: &str = "turn on containerd's image store (`\"features\": {\"containerd-snapshotter\": true}` in the \
                          daemon's `daemon.json`, or Docker Desktop's settings), or leave it out";

/// Checks a request, and completes what of it comes from the environment. Caches that cannot be had here, as GitHub's
/// outside of its runners, are left out with a warning.
pub(crate) fn fit(
    request: &mut BuildRequest,
    daemon: &DaemonInfo,
    environment: &Environment,
) -> Result<Vec<BuildWarning>, BuildError> {
    let mut warnings = Vec::new();
    for target in &mut request.targets {
        check(target, daemon)?;
        for caches in [&mut target.cache_from, &mut target.cache_to] {
            caches.retain_mut(|cache| match complete(cache, environment) {
                Ok(()) => true,
                Err(message) => {
                    warnings.push(warning(message));
                    false
                }
            });
        }
    }
    warnings.dedup();
    Ok(warnings)
}

fn check(target: &TargetRequest, daemon: &DaemonInfo) -> Result<(), BuildError> {
    let unsupported = |message: String, help: &str| {
        Err(BuildError::Unsupported { target: target.name.to_string(), message, help: help.to_owned() })
    };
    if target.output == Output::Registry && target.tags.is_empty() {
        return unsupported("it is to be pushed and has no tag".to_owned(), "give it a tag: `--tag REGISTRY/NAME:TAG`");
    }
    let store = |what: &str| {
        unsupported(format!("Docker {} cannot make {what} in its image store", daemon.version), STORE_HELP)
    };
    if !daemon.containerd_store {
        if target.platforms.len() > 1 {
            return store("an image of several platforms");
        }
        if let Some(kind) = target.attestations.keys().next() {
            return store(&format!("an image with `{kind}` attestations"));
        }
        if !target.annotations.is_empty() {
            return store("an image with annotations");
        }
        match &target.output {
            Output::Registry => return store("an image that goes straight to a registry"),
            Output::Archive { kind: ArchiveKind::Oci | ArchiveKind::Docker, .. } => {
                return store("an archive of an image");
            }
            Output::Archive { kind: ArchiveKind::Tar, .. } | Output::Image | Output::Folder(_) | Output::CacheOnly => {}
        }
        if let Some(cache) = target.cache_to.iter().find(|cache| cache.kind != "inline") {
            let message = format!("Docker {} cannot write a cache of type `{}`", daemon.version, cache.kind);
            return unsupported(
                message,
                "use `type=inline`, or turn on containerd's image store in the daemon's configuration",
            );
        }
    }
    let caches = || target.cache_from.iter().chain(&target.cache_to);
    let without = |caches: &[CacheEntry], attribute: &str| {
        caches.iter().any(|cache| cache.kind == "local" && !cache.attributes.contains_key(attribute))
    };
    if without(&target.cache_from, "src") {
        return unsupported("a cache of type `local` has no `src`".to_owned(), "write `type=local,src=FOLDER`");
    }
    if without(&target.cache_to, "dest") {
        return unsupported("a cache of type `local` has no `dest`".to_owned(), "write `type=local,dest=FOLDER`");
    }
    if let Some(cache) = caches().find(|cache| cache.kind == "registry" && !cache.attributes.contains_key("ref")) {
        return unsupported(format!("a cache of type `{}` has no `ref`", cache.kind), "write `type=registry,ref=NAME`");
    }
    Ok(())
}

/// Adds what GitHub's runners say in their environment, and which manifest of a folder is meant.
fn complete(cache: &mut CacheEntry, environment: &Environment) -> Result<(), String> {
    if let Some((folder, tag)) = cache_folder::named(cache, "src")
        && !cache.attributes.contains_key("digest")
    {
        let Some(digest) = cache_folder::find(Path::new(folder), tag) else {
            return Err(format!("the cache in `{folder}` is left out: there is none yet"));
        };
        cache.attributes.insert("digest".to_owned(), digest);
        return Ok(());
    }
    if cache.kind != "gha" {
        return Ok(());
    }
    let mut from = |key: &str, variable: &str| {
        if let (false, Some(value)) = (cache.attributes.contains_key(key), environment.variable(variable)) {
            cache.attributes.insert(key.to_owned(), value.to_owned());
        }
    };
    from("token", "ACTIONS_RUNTIME_TOKEN");
    if environment.variable("ACTIONS_CACHE_SERVICE_V2").is_some() {
        from("url_v2", "ACTIONS_RESULTS_URL");
        cache.attributes.entry("version".to_owned()).or_insert_with(|| "2".to_owned());
    } else {
        from("url", "ACTIONS_CACHE_URL");
    }
    let has = |key: &str| cache.attributes.contains_key(key);
    if has("token") && (has("url") || has("url_v2")) {
        Ok(())
    } else {
        Err("the cache of type `gha` is left out: it is only there in GitHub Actions".to_owned())
    }
}

fn warning(message: String) -> BuildWarning {
    BuildWarning { vertex: None, message, detail: Vec::new(), url: None, dockerfile_lines: Vec::new() }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn daemon(containerd_store: bool) -> DaemonInfo {
        DaemonInfo {
            kind: crate::DaemonKind::Docker,
            version: "28.5.2".to_owned(),
            api: "1.51".to_owned(),
            buildkit: None,
            containerd_store,
            os: "linux".to_owned(),
            arch: "amd64".to_owned(),
            cpus: Some(2),
            memory: None,
            root: None,
            insecure_registries: Vec::new(),
        }
    }

    fn refusal(containerd_store: bool, change: impl FnOnce(&mut TargetRequest)) -> Option<String> {
        let mut target = TargetRequest::new("api", "api");
        change(&mut target);
        let mut request = BuildRequest { targets: vec![target], ..BuildRequest::default() };
        fit(&mut request, &daemon(containerd_store), &Environment::default()).err().map(|error| error.to_string())
    }

    #[test]
    fn what_the_old_store_cannot_do_is_said_before_the_build() {
        let two = |target: &mut TargetRequest| target.platforms = vec!["linux/amd64".into(), "linux/arm64".into()];
        assert_eq!(
            refusal(false, two).unwrap(),
            "target `api`: Docker 28.5.2 cannot make an image of several platforms in its image store"
        );
        assert_eq!(refusal(true, two), None);
        let provenance =
            |target: &mut TargetRequest| drop(target.attestations.insert("provenance".into(), "mode=max".into()));
        assert!(refusal(false, provenance).unwrap().contains("`provenance` attestations"));
        let cache = |text: &'static str| {
            move |target: &mut TargetRequest| target.cache_to = vec![CacheEntry::parse(text).unwrap()]
        };
        assert!(
            refusal(false, cache("type=registry,ref=a/b")).unwrap().contains("cannot write a cache of type `registry`")
        );
        assert_eq!(refusal(false, cache("type=inline")), None);
        assert_eq!(refusal(true, cache("type=registry,ref=a/b")), None);
        assert!(refusal(false, cache("type=local,dest=x")).unwrap().contains("cannot write a cache of type `local`"));
        assert!(refusal(true, cache("type=local")).unwrap().contains("no `dest`"));
        assert!(refusal(true, cache("type=registry")).unwrap().contains("no `ref`"));
    }

    #[test]
    fn githubs_cache_is_completed_on_its_runners_and_left_out_elsewhere() {
        let mut target = TargetRequest::new("api", "api");
        target.cache_from = vec![CacheEntry::parse("type=gha,scope=api").unwrap()];
        target.cache_to = target.cache_from.clone();
        let request = BuildRequest { targets: vec![target], ..BuildRequest::default() };

        let mut elsewhere = request.clone();
        let warnings = fit(&mut elsewhere, &daemon(true), &Environment::default()).unwrap();
        assert_eq!(warnings.len(), 1);
        assert_eq!((elsewhere.targets[0].cache_from.len(), elsewhere.targets[0].cache_to.len()), (0, 0));

        let variables =
            [("ACTIONS_RUNTIME_TOKEN", "t"), ("ACTIONS_RESULTS_URL", "u"), ("ACTIONS_CACHE_SERVICE_V2", "1")];
        let variables = variables.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let mut runner = request;
        assert_eq!(fit(&mut runner, &daemon(true), &Environment { variables, home: None }).unwrap(), []);
        let attributes = &runner.targets[0].cache_from[0].attributes;
        let expected = [("scope", "api"), ("token", "t"), ("url_v2", "u"), ("version", "2")];
        assert_eq!(*attributes, BTreeMap::from(expected.map(|(key, value)| (key.to_owned(), value.to_owned()))));
    }
}
