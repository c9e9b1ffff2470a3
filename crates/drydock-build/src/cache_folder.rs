//! The index of a folder that holds a build cache: which manifest is current under which tag.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::request::CacheEntry;

/// Where the OCI image layout keeps the tag of a manifest.
const TAG: &str = "org.opencontainers.image.ref.name";

/// The folder and the tag that a cache of type `local` names; `attribute` is `src` or `dest`.
pub(crate) fn named<'c>(cache: &'c CacheEntry, attribute: &str) -> Option<(&'c str, &'c str)> {
    if cache.kind != "local" {
        return None;
    }
    let tag = cache.attributes.get("tag").map_or("latest", String::as_str);
    Some((cache.attributes.get(attribute)?, tag))
}

/// The digest of the manifest with this tag. `None` when there is no such cache.
pub(crate) fn find(folder: &Path, tag: &str) -> Option<String> {
    let index: Value = serde_json::from_slice(&fs_err::read(index_path(folder)).ok()?).ok()?;
    let manifest = index["manifests"].as_array()?.iter().find(|manifest| manifest["annotations"][TAG] == tag)?;
    manifest["digest"].as_str().map(str::to_owned)
}

/// Makes `descriptor`, the JSON that BuildKit answers, the manifest with this tag.
pub(crate) fn record(folder: &Path, tag: &str, descriptor: &str) -> std::io::Result<()> {
    let mut descriptor: Value = serde_json::from_str(descriptor)?;
    let annotations = descriptor.as_object_mut().map(|object| object.entry("annotations").or_insert_with(|| json!({})));
    if let Some(Value::Object(annotations)) = annotations {
        annotations.insert(TAG.to_owned(), tag.into());
    }
    let path = index_path(folder);
    let read: Option<Map<String, Value>> =
        fs_err::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let mut index = read.unwrap_or_default();
    index.insert("schemaVersion".to_owned(), 2.into());
    let mut manifests = match index.remove("manifests") {
        Some(Value::Array(manifests)) => manifests,
        _ => Vec::new(),
    };
    manifests.retain(|manifest| manifest["annotations"][TAG] != tag);
    manifests.push(descriptor);
    index.insert("manifests".to_owned(), manifests.into());
    fs_err::create_dir_all(folder)?;
    fs_err::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)?;
    let partial = path.with_extension(format!("{}.partial", std::process::id()));
    fs_err::write(&partial, Value::Object(index).to_string())?;
    fs_err::rename(&partial, &path)
}

fn index_path(folder: &Path) -> PathBuf {
    folder.join("index.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_has_the_manifest_that_was_recorded_last() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("cache");
        assert_eq!(find(&folder, "latest"), None);
        let descriptor = |digest: &str| json!({ "mediaType": "x", "digest": digest, "size": 3 }).to_string();
        for (tag, digest) in [("latest", "sha256:1"), ("main", "sha256:2"), ("latest", "sha256:3")] {
            record(&folder, tag, &descriptor(digest)).unwrap();
        }
        assert_eq!(find(&folder, "latest").as_deref(), Some("sha256:3"));
        assert_eq!(find(&folder, "main").as_deref(), Some("sha256:2"));
        assert_eq!(find(&folder, "other"), None);
        insta::assert_snapshot!(
            fs_err::read_to_string(index_path(&folder)).unwrap(),
            @r#"{"schemaVersion":2,"manifests":[{"mediaType":"x","digest":"sha256:2","size":3,"annotations":{"org.opencontainers.image.ref.name":"main"}},{"mediaType":"x","digest":"sha256:3","size":3,"annotations":{"org.opencontainers.image.ref.name":"latest"}}]}"#
        );
    }
}
