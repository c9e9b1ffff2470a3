//! The stand-in for `debian:CODENAME-slim`: what debootstrap makes, trimmed like the real one, with
//! the machine's apt sources and certificates so that builds reach what the machine reaches.

use std::process::Command;

use anyhow::Result;

use super::{LABEL, Workshop, hash};
use crate::apt::{self, Mirror};
use crate::host;

/// Raise it when `make` changes in a way that its inputs do not show.
const RECIPE: &str = "debian 1";

/// What the machine brings into every image.
pub(super) struct Machine {
    mirror: Mirror,
    security_url: Option<String>,
    /// How the machine reaches its mirrors: `Acquire::http::Proxy "…";` and the like.
    apt_settings: String,
    /// The certificate bundle, public roots and the machine's own.
    ca_bundle: String,
    /// The machine's own certificates, by file name.
    own_certificates: Vec<(String, String)>,
    /// Settings that npm needs to reach a registry from here.
    pub(super) npmrc: String,
}

const CA_BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";
const OWN_CERTIFICATES: &str = "/usr/local/share/ca-certificates";

impl Machine {
    pub(super) fn read() -> Result<Self> {
        host::ensure_programs(&[("debootstrap", "debootstrap"), ("npm", "npm")])?;
        if !std::path::Path::new(CA_BUNDLE).exists() {
            host::install(&["ca-certificates"])?;
        }
        let mut own_certificates = Vec::new();
        for entry in fs_err::read_dir(OWN_CERTIFICATES).into_iter().flatten().flatten() {
            let path = entry.path();
            // `update-ca-certificates` takes exactly this extension.
            if path.extension().is_some_and(|extension| extension == "crt") && path.is_file() {
                let name = entry.file_name().to_string_lossy().into_owned();
                own_certificates.push((name, fs_err::read_to_string(path)?));
            }
        }
        own_certificates.sort();
        let mirror = Mirror::of_machine()?;
        Ok(Self {
            security_url: mirror.security_url(),
            mirror,
            apt_settings: apt::network_settings()?,
            ca_bundle: fs_err::read_to_string(CA_BUNDLE)?,
            own_certificates,
            npmrc: super::fetch::npm_settings()?,
        })
    }

    fn sources(&self, codename: &str) -> String {
        let url = &self.mirror.url;
        let mut text = format!("deb {url} {codename} main\ndeb {url} {codename}-updates main\n");
        if let Some(security) = &self.security_url {
            text.push_str(&format!("deb {security} {codename}-security main\n"));
        }
        text
    }
}

/// Keeps packages' documentation out, as the slim images do.
const DPKG_EXCLUDES: &str = "\
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/groff/*
path-exclude /usr/share/info/*
path-exclude /usr/share/locale/*
path-exclude /usr/share/man/*
";

/// Keeps downloaded archives out of layers; builds with a cache mount remove this file.
const DOCKER_CLEAN: &str = "\
APT::Keep-Downloaded-Packages \"false\";
DPkg::Post-Invoke { \"rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true\"; };
Dir::Cache::pkgcache \"\";
Dir::Cache::srcpkgcache \"\";
";

pub(super) fn recipe(machine: &Machine, codename: &str) -> String {
    let certificates: String = machine.own_certificates.iter().flat_map(|(name, text)| [name.as_str(), text]).collect();
    hash(&[
        RECIPE,
        codename,
        &machine.sources(codename),
        &machine.apt_settings,
        &machine.ca_bundle,
        &certificates,
        DPKG_EXCLUDES,
        DOCKER_CLEAN,
    ])
}

pub(super) fn make(workshop: &Workshop<'_>, name: &str, codename: &str, recipe: &str) -> Result<String> {
    let machine = workshop.machine;
    let folder = workshop.state.join("images").join(codename);
    let tree = folder.join("root");
    let extra = folder.join("extra");
    remove(&folder)?;
    fs_err::create_dir_all(&extra)?;

    // Through `env`, because sudo drops variables.
    let mut debootstrap = host::as_root("env")?;
    if let Some(proxy) = apt::proxy() {
        debootstrap.arg(format!("http_proxy={proxy}"));
    }
    debootstrap.args(["debootstrap", "--variant=minbase", "--include=ca-certificates"]);
    debootstrap.arg("--keyring").arg(&machine.mirror.keyring);
    debootstrap.arg(codename).arg(&tree).arg(&machine.mirror.url);
    host::run_quiet(&mut debootstrap)?;

    // Files of ours are laid out by us and copied over the tree as root in one go.
    let mut files = vec![
        ("etc/apt/sources.list".to_owned(), machine.sources(codename)),
        ("etc/apt/apt.conf.d/docker-clean".to_owned(), DOCKER_CLEAN.to_owned()),
        ("etc/dpkg/dpkg.cfg.d/docker".to_owned(), DPKG_EXCLUDES.to_owned()),
        (CA_BUNDLE.trim_start_matches('/').to_owned(), machine.ca_bundle.clone()),
    ];
    if !machine.apt_settings.is_empty() {
        files.push(("etc/apt/apt.conf.d/machine".to_owned(), machine.apt_settings.clone()));
    }
    let certificates = OWN_CERTIFICATES.trim_start_matches('/');
    for (file, text) in &machine.own_certificates {
        files.push((format!("{certificates}/{file}"), text.clone()));
    }
    for (path, text) in files {
        let path = extra.join(path);
        fs_err::create_dir_all(path.parent().expect("it is below `extra`"))?;
        fs_err::write(path, text)?;
    }
    host::run_quiet(host::as_root("cp")?.args(["--recursive", "--no-preserve=all"]).arg(extra.join(".")).arg(&tree))?;

    let archive = folder.join("root.tar");
    let mut tar = host::as_root("tar")?;
    tar.args(["--create", "--numeric-owner", "--file"]).arg(&archive).arg("--directory").arg(&tree);
    for dropped in [
        "./dev/*",
        "./proc/*",
        "./sys/*",
        "./tmp/*",
        "./var/cache/apt/*",
        "./var/lib/apt/lists/*",
        "./var/log/*.log",
        "./usr/share/locale/*",
        "./usr/share/man/*",
        "./usr/share/info/*",
        "./etc/resolv.conf",
        "./etc/hostname",
    ] {
        tar.arg(format!("--exclude={dropped}"));
    }
    host::run_quiet(tar.arg("."))?;

    let mut import = workshop.engine.docker();
    import.args(["import", "--change", "CMD [\"bash\"]"]);
    import.args(["--change", "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]);
    import.arg("--change").arg(format!("LABEL {LABEL}={recipe}")).arg(&archive).arg(name);
    host::run_quiet(&mut import)?;
    remove(&folder)?;
    Ok(format!("debootstrap {codename}"))
}

/// The tree belongs to root.
fn remove(folder: &std::path::Path) -> Result<()> {
    let mut command: Command = host::as_root("rm")?;
    host::run_quiet(command.args(["--recursive", "--force", "--one-file-system"]).arg(folder)).map(drop)
}
