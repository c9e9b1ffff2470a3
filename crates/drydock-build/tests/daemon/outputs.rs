//! Results that come back as files.

use std::collections::BTreeMap;
use std::io::Read;

use drydock_build::{ArchiveKind, Output};

use crate::bench::{Bench, generated};

const DOCKERFILE: &str = "FROM BASE AS x
RUN mkdir -p /out/deep && echo NONCE > /out/deep/file && head -c 300000 /dev/zero > /out/zeros && cp /bin/true /out/run && ls -s /out/deep
FROM scratch AS y
COPY --from=x /out/ /
COPY a /link-target
FROM scratch AS z
COPY a /only
";

#[tokio::test(flavor = "multi_thread")]
async fn file_systems_come_to_folders_of_several_targets_at_once() {
    let bench = Bench::new().await;
    let out = tempfile::tempdir().unwrap();
    let mut request = bench.request(DOCKERFILE, &["y", "z"]);
    request.context = vec![generated("a", "content")];
    for target in &mut request.targets {
        target.output = Output::Folder(out.path().join(target.name.as_str()));
    }
    for _ in 0..2 {
        let told = bench.build(request.clone()).await;
        assert!(told.outcome.is_success(), "{:?}", told.outcome);
        let read = |path: &str| fs_err::read(out.path().join(path)).unwrap();
        assert_eq!(read("y/deep/file"), format!("{}\n", bench.nonce).as_bytes());
        assert_eq!(read("y/zeros"), vec![0; 300_000]);
        assert_eq!(read("y/link-target"), b"content");
        assert_eq!(read("z/only"), b"content");
        assert!(!out.path().join("z/zeros").exists());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs_err::metadata(out.path().join("y/run")).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o755);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn file_systems_come_as_archives() {
    let bench = Bench::new().await;
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join("y.tar");
    let mut request = bench.request(DOCKERFILE, &["y"]);
    request.context = vec![generated("a", "content")];
    request.targets[0].output = Output::Archive { kind: ArchiveKind::Tar, path: path.clone() };
    let told = bench.build(request).await;
    assert!(told.outcome.is_success(), "{:?}", told.outcome);
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(fs_err::File::open(&path).unwrap()).entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        files.insert(entry.path().unwrap().to_str().unwrap().to_owned(), content);
    }
    assert_eq!(files["deep/file"], format!("{}\n", bench.nonce).as_bytes());
    assert_eq!(files["link-target"], b"content");
    assert_eq!(fs_err::read_dir(out.path()).unwrap().count(), 1, "nothing partial stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn images_come_as_archives_where_the_store_allows_it() {
    let bench = Bench::new().await;
    let out = tempfile::tempdir().unwrap();
    for (kind, member) in [(ArchiveKind::Oci, "oci-layout"), (ArchiveKind::Docker, "manifest.json")] {
        let path = out.path().join(member);
        let mut request = bench.request(DOCKERFILE, &["z"]);
        request.context = vec![generated("a", "content")];
        request.targets[0].output = Output::Archive { kind, path: path.clone() };
        let told = bench.try_build(request).await;
        if bench.builder.info().containerd_store {
            assert!(told.unwrap().outcome.is_success());
            let mut archive = tar::Archive::new(fs_err::File::open(&path).unwrap());
            let mut names = archive.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().to_path_buf());
            assert!(names.any(|name| name.to_str() == Some(member)));
        } else {
            let error = told.err().unwrap();
            assert!(error.to_string().contains("cannot make an archive of an image"), "{error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_cannot_be_written_fails_its_target() {
    let bench = Bench::new().await;
    let out = tempfile::tempdir().unwrap();
    fs_err::write(out.path().join("file"), "").unwrap();
    let mut request = bench.request(DOCKERFILE, &["z"]);
    request.context = vec![generated("a", "content")];
    request.targets[0].output = Output::Folder(out.path().join("file/below"));
    let told = bench.build(request).await;
    match told.result("z") {
        drydock_build::TargetResult::Failed(failure) => {
            assert!(failure.message.contains("cannot be written"), "{failure:?}");
        }
        other => panic!("unexpected {other:?}"),
    }
}
