//! What an image holds: the archive that the daemon makes of it, read as it comes.
//!
//! Docker writes an OCI layout with a `manifest.json` beside it; before version 25 a folder for each layer. Layers come
//! before the documents that put them in order, so that each archive is read when it passes and named afterwards.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use serde::Deserialize;
use tar::{Archive, EntryType};

/// A document that is longer is none of an image's own.
const LONGEST_DOCUMENT: u64 = 16 * 1024 * 1024;

/// What an image holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ImageContents {
    /// The layers, the lowest first.
    pub layers: Vec<LayerContents>,
    /// What made the image, in order; what made no layer is among it. Empty where the image does not say.
    pub history: Vec<MadeBy>,
}

/// A layer of an image.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LayerContents {
    /// What it adds and removes, in the order of the archive.
    pub entries: Vec<LayerEntry>,
    /// Bytes of the files in it.
    pub size: u64,
}

/// One thing that a layer does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerEntry {
    /// From the root of the image, without a `/` at its beginning.
    pub path: String,
    /// What it is.
    pub kind: LayerEntryKind,
}

/// What a layer does with a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerEntryKind {
    /// A file of that many bytes.
    File(u64),
    /// A folder, a link, a device.
    Other,
    /// What lower layers have there is gone.
    Removed,
    /// What lower layers have in the folder is gone.
    Emptied,
}

/// A step that made an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeBy {
    /// The instruction, as BuildKit tells it.
    pub instruction: String,
    /// Which of the layers it made.
    pub layer: Option<usize>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Manifest {
    config: String,
    layers: Vec<String>,
}

#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    history: Vec<Step>,
}

#[derive(Deserialize)]
struct Step {
    #[serde(default)]
    created_by: String,
    #[serde(default)]
    empty_layer: bool,
}

/// Reads the archive of one image.
pub(crate) fn read(archive: impl Read) -> io::Result<ImageContents> {
    let mut archive = Archive::new(archive);
    let mut documents: HashMap<String, Vec<u8>> = HashMap::new();
    let mut layers: HashMap<String, LayerContents> = HashMap::new();
    let mut links: HashMap<String, String> = HashMap::new();
    for entry in archive.entries()? {
        let entry = entry?;
        let path = text(&entry.path_bytes());
        match entry.header().entry_type() {
            EntryType::Symlink | EntryType::Link => {
                let target = entry.link_name_bytes().map(|target| text(&target)).unwrap_or_default();
                links.insert(path, target);
            }
            EntryType::Regular => {
                let size = entry.size();
                let mut reader = BufReader::with_capacity(1 << 16, entry);
                match reader.fill_buf()? {
                    [0x1f, 0x8b, ..] => drop(layers.insert(path, layer(MultiGzDecoder::new(reader))?)),
                    [0x28, 0xb5, 0x2f, 0xfd, ..] => {
                        return Err(io::Error::other("its layers are compressed with zstd, which is not supported"));
                    }
                    [b'{' | b'[', ..] => {
                        let mut document = Vec::new();
                        reader.take(LONGEST_DOCUMENT).read_to_end(&mut document)?;
                        documents.insert(path, document);
                    }
                    _ if size >= 512 => drop(layers.insert(path, layer(reader)?)),
                    _ => {}
                }
            }
            _ => {}
        }
    }
    put_together(&documents, layers, &links)
}

/// Layers in their order, and what made them.
fn put_together(
    documents: &HashMap<String, Vec<u8>>,
    mut layers: HashMap<String, LayerContents>,
    links: &HashMap<String, String>,
) -> io::Result<ImageContents> {
    let lacks = |what: &str| io::Error::other(format!("the archive has no {what}"));
    let manifests = documents.get("manifest.json").ok_or_else(|| lacks("manifest.json"))?;
    let manifests: Vec<Manifest> = serde_json::from_slice(manifests)?;
    let manifest = manifests.into_iter().next().ok_or_else(|| lacks("image"))?;
    let config: Config =
        serde_json::from_slice(documents.get(&manifest.config).ok_or_else(|| lacks("configuration"))?)?;
    let mut contents = ImageContents::default();
    for path in &manifest.layers {
        // Before version 25, a layer that occurs twice is a link to `../ID/layer.tar` the second time.
        let path = links.get(path).map_or(path.as_str(), |target| target.trim_start_matches("../"));
        // An image can have one empty layer several times.
        let again = manifest.layers.iter().filter(|other| *other == path).count() > 1;
        let layer = if again { layers.get(path).cloned() } else { layers.remove(path) };
        contents.layers.push(layer.ok_or_else(|| lacks(&format!("layer `{path}`")))?);
    }
    let mut next = 0..contents.layers.len();
    contents.history = config
        .history
        .into_iter()
        .map(|Step { created_by, empty_layer }| MadeBy {
            instruction: created_by,
            layer: if empty_layer { None } else { next.next() },
        })
        .collect();
    Ok(contents)
}

/// Reads the archive of a layer.
fn layer(archive: impl Read) -> io::Result<LayerContents> {
    let mut layer = LayerContents::default();
    let mut archive = Archive::new(archive);
    for entry in archive.entries()? {
        let entry = entry?;
        let path = text(&entry.path_bytes());
        let path = path.trim_start_matches("./").trim_end_matches('/');
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let (path, kind) = match name.strip_prefix(".wh.") {
            Some(".wh..opq") => (folder.to_owned(), LayerEntryKind::Emptied),
            Some(removed) if folder.is_empty() => (removed.to_owned(), LayerEntryKind::Removed),
            Some(removed) => (format!("{folder}/{removed}"), LayerEntryKind::Removed),
            None if entry.header().entry_type() == EntryType::Regular => {
                (path.to_owned(), LayerEntryKind::File(entry.size()))
            }
            None => (path.to_owned(), LayerEntryKind::Other),
        };
        if let LayerEntryKind::File(size) = kind {
            layer.size += size;
        }
        layer.entries.push(LayerEntry { path, kind });
    }
    Ok(layer)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use tar::{Builder, Header};

    use super::*;

    fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut builder = Builder::new(Vec::new());
        for (path, bytes) in files {
            let mut header = Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            builder.append_data(&mut header, path, *bytes).unwrap();
        }
        builder.into_inner().unwrap()
    }

    #[test]
    fn layers_come_in_the_order_of_the_manifest_plain_or_compressed() {
        let lower = archive(&[("app/a", b"aaaa"), ("app/b", b"bb")]);
        let upper = archive(&[("app/.wh.a", b""), ("app/c/.wh..wh..opq", b""), ("app/d", b"d")]);
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(&upper).unwrap();
        let packed = packed.finish().unwrap();
        let config = br#"{"history": [{"created_by": "COPY a"}, {"created_by": "ENV A=1", "empty_layer": true}, {"created_by": "RUN rm a"}]}"#;
        let manifest = br#"[{"Config": "blobs/c", "RepoTags": null, "Layers": ["blobs/2", "blobs/1"]}]"#;
        let image =
            archive(&[("blobs/1", &packed), ("blobs/2", &lower), ("blobs/c", config), ("manifest.json", manifest)]);
        let contents = read(&image[..]).unwrap();
        let shown: Vec<String> = contents
            .layers
            .iter()
            .map(|layer| {
                let entries: Vec<String> =
                    layer.entries.iter().map(|entry| format!("{} {:?}", entry.path, entry.kind)).collect();
                format!("{}: {}", layer.size, entries.join(", "))
            })
            .collect();
        assert_eq!(shown, ["6: app/a File(4), app/b File(2)", "1: app/a Removed, app/c Emptied, app/d File(1)"]);
        let history: Vec<_> = contents.history.iter().map(|step| (step.instruction.as_str(), step.layer)).collect();
        assert_eq!(history, [("COPY a", Some(0)), ("ENV A=1", None), ("RUN rm a", Some(1))]);
    }

    #[test]
    fn what_is_no_image_is_an_error() {
        assert!(read(&archive(&[("a", b"b")])[..]).unwrap_err().to_string().contains("no manifest.json"));
    }
}
