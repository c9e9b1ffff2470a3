//! A base image made of this machine's own shell, so that no registry is needed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use bollard::Docker;
use bollard::query_parameters::CreateImageOptions;
use drydock_build::{BuildRequest, Builder, CancellationToken, Output, TargetRequest};
use futures_util::TryStreamExt;
use tokio::sync::OnceCell;

/// What the steps of the tests run.
const COMMANDS: [&str; 18] = [
    "cat",
    "cp",
    "date",
    "env",
    "find",
    "head",
    "ls",
    "mkdir",
    "od",
    "sh",
    "sha256sum",
    "sleep",
    "sort",
    "ssh-add",
    "stat",
    "tr",
    "wc",
    "true",
];

static BASE: OnceCell<String> = OnceCell::const_new();

/// The reference of the base image, which is made if the daemon does not have it.
pub(crate) async fn base(builder: &Builder) -> &'static str {
    BASE.get_or_init(|| import(builder)).await
}

async fn import(builder: &Builder) -> String {
    let tar = root_file_system();
    let digest = blake3::hash(&tar).to_hex();
    let repo = "drydock-build-test/base";
    let tag = &digest.as_str()[..16];
    let reference = format!("{repo}:{tag}");
    let docker = Docker::connect_with_defaults().expect("an address of a daemon");
    // Tests in several processes must not give the tag to one image after the other.
    let lock = fs_err::File::create(std::env::temp_dir().join("drydock-build-test.lock")).unwrap();
    lock.file().lock().unwrap();
    if docker.inspect_image(&reference).await.is_err() {
        import_tar(&docker, repo, tag, tar).await;
    }
    // BuildKit unpacks a base image when it is first used. When several builds do that at once, it forgets all of their
    // results but those of one, and what was just built is built again.
    let request = BuildRequest {
        dockerfile: format!("FROM {reference} AS x\nRUN true\n"),
        targets: vec![TargetRequest { output: Output::CacheOnly, ..TargetRequest::new("x", "x") }],
        internal: true,
        ..BuildRequest::default()
    };
    let (events, _) = tokio::sync::mpsc::unbounded_channel();
    let outcome = builder.build(request, events, CancellationToken::new()).await.expect("the base image is used");
    assert!(outcome.is_success(), "{outcome:?}");
    reference
}

async fn import_tar(docker: &Docker, repo: &str, tag: &str, tar: Vec<u8>) {
    let options = CreateImageOptions {
        from_src: Some("-".to_owned()),
        repo: Some(repo.to_owned()),
        tag: Some(tag.to_owned()),
        changes: vec!["ENV PATH=/bin".to_owned()],
        ..CreateImageOptions::default()
    };
    let progress = docker.create_image(Some(options), Some(bollard::body_full(tar.into())), None);
    progress.try_collect::<Vec<_>>().await.expect("the daemon takes a base image");
}

/// The commands and the libraries that they need, as a tar archive that is the same each time.
fn root_file_system() -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut libraries = BTreeSet::new();
    for command in COMMANDS {
        let path = which(command);
        libraries.extend(libraries_of(&path));
        append(&mut archive, &path, &format!("bin/{command}"));
    }
    for library in libraries {
        let name = library.to_str().expect("paths of libraries are text").trim_start_matches('/').to_owned();
        append(&mut archive, &library, &name);
    }
    for folder in ["tmp/", "proc/", "etc/"] {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Directory);
        header.set_mode(0o777);
        header.set_size(0);
        archive.append_data(&mut header, folder, std::io::empty()).unwrap();
    }
    archive.into_inner().unwrap()
}

fn append(archive: &mut tar::Builder<Vec<u8>>, path: &Path, name: &str) {
    let content = fs_err::read(path).unwrap();
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o755);
    header.set_size(content.len() as u64);
    archive.append_data(&mut header, name, content.as_slice()).unwrap();
}

fn which(command: &str) -> PathBuf {
    let path = std::env::var_os("PATH").expect("PATH is set");
    std::env::split_paths(&path)
        .map(|folder| folder.join(command))
        .find(|path| path.exists())
        .unwrap_or_else(|| panic!("no `{command}` in PATH"))
}

/// Every absolute path that `ldd` names; none for a static program.
fn libraries_of(program: &Path) -> Vec<PathBuf> {
    let output = Command::new("ldd").arg(program).output().expect("`ldd` runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from).collect()
}
