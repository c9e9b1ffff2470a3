//! Files that are whole at every moment.

use std::io;
use std::path::Path;

/// Writes `bytes` to `path` so that whoever reads it meanwhile, or finds it after a run that was cut off, sees the old
/// ones or the new ones, never a part. A file that is there keeps its mode, and a link its target; a new file
/// can be read by all, as a later step of a pipeline may be another user.
///
/// # Errors
///
/// When the folder cannot be written to, or the disk is full.
pub(super) fn replace(path: &Path, bytes: impl AsRef<[u8]>) -> io::Result<()> {
    // Over the file that a link names, not over the link.
    let path = &fs_err::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    io::Write::write_all(&mut file, bytes.as_ref())?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let new = || std::fs::Permissions::from_mode(0o644);
        file.as_file()
            .set_permissions(fs_err::metadata(path).map_or_else(|_| new(), |metadata| metadata.permissions()))?;
    }
    let named = |error: tempfile::PersistError| {
        io::Error::new(error.error.kind(), format!("failed to write `{}`: {}", path.display(), error.error))
    };
    file.persist(path).map_err(named)?;
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn modes_and_links_stay() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        let mode = |path: &Path| fs_err::metadata(path).unwrap().permissions().mode() & 0o777;
        replace(&file, "old").unwrap();
        assert_eq!(mode(&file), 0o644);
        fs_err::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        fs_err::os::unix::fs::symlink("file", &link).unwrap();
        replace(&link, "new").unwrap();
        assert_eq!((fs_err::read_to_string(&file).unwrap().as_str(), mode(&file)), ("new", 0o600));
        assert!(fs_err::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 2, "nothing is left beside them");
    }
}
