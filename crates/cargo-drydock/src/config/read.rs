//! The keys of the configuration.

use drydock_lockfile::{Lifecycle, PackageName, ProductionMode};
use drydock_plan::{
    BaseKind, ImageRef, InstallStrategy, PackageSettings, Settings, StaticServer, TargetKind, TargetName,
    TargetSettings,
};
use toml::de::{DeTable, DeValue};

use super::command::{SplitError, split};
use super::image::ImageSettings;
use super::value::{Key, Reader, Value};

const TABLES: &[&str] = &["workspace", "package", "target"];

/// The keys of `[workspace]`.
pub(crate) const WORKSPACE: &[&str] = &[
    "node",
    "base",
    "image",
    "static-image",
    "server",
    "root-files",
    "install",
    "root-dependencies",
    "production",
    "lifecycle",
    "env",
    "infer-targets",
    "checks",
    "init",
    "registry",
    "tags",
    "labels",
    "oci-labels",
    "annotations",
    "platforms",
    "cache-from",
    "cache-to",
    "max-size",
];

/// The keys of `[package.NAME]`.
pub(crate) const PACKAGE: &[&str] =
    &["build", "outputs", "root-files", "exclude", "lifecycle", "depends-on", "env", "args", "secrets", "weight"];

/// The keys of `[target.NAME]`.
pub(crate) const TARGET: &[&str] = &[
    "package",
    "kind",
    "skip",
    "command",
    "workdir",
    "port",
    "env",
    "assets",
    "files",
    "writable",
    "system-packages",
    "args",
    "healthcheck",
    "init",
    "node-options",
    "jemalloc",
    "copy-from",
    "server",
    "dev",
    "compose",
    "checks",
    "base",
    "image",
    "weight",
    "registry",
    "tags",
    "labels",
    "oci-labels",
    "annotations",
    "platforms",
    "cache-from",
    "cache-to",
    "max-size",
];

impl Reader {
    /// The settings that the configuration's table holds. What is wrong is recorded.
    pub(super) fn settings(&mut self, table: &DeTable<'_>) -> Settings {
        let mut settings = Settings::default();
        for (key, value) in table {
            match &**key.get_ref() {
                "workspace" => {
                    if let Some(table) = self.table("workspace", value) {
                        self.workspace(table, &mut settings);
                    }
                }
                "package" => {
                    for (name, table) in self.subtables("package", value) {
                        let package = PackageName::new(name.get_ref());
                        self.named.push((package.clone(), name.span()));
                        let package_settings = self.package_settings(name, table);
                        settings.packages.insert(package, package_settings);
                    }
                }
                "target" => {
                    for (name, table) in self.subtables("target", value) {
                        if self.target_name(name) {
                            let target_settings = self.target_settings(name, table);
                            settings.targets.insert(TargetName::new(name.get_ref()), target_settings);
                        }
                    }
                }
                _ => self.unknown(key, "the configuration", TABLES),
            }
        }
        settings
    }

    fn subtables<'t, 'i>(&mut self, key: &str, value: &'t Value<'i>) -> Vec<(&'t Key<'i>, &'t DeTable<'i>)> {
        let mut tables = Vec::new();
        for (name, value) in self.table(key, value).into_iter().flatten() {
            if let Some(table) = self.table(&format!("{key}.{}", name.get_ref()), value) {
                tables.push((name, table));
            }
        }
        tables
    }

    /// Docker's rule for the names of stages, which targets are.
    fn target_name(&mut self, name: &Key<'_>) -> bool {
        let text: &str = name.get_ref();
        let mut characters = text.chars();
        let valid = characters.next().is_some_and(|first| first.is_ascii_lowercase())
            && characters.all(|other| other.is_ascii_lowercase() || other.is_ascii_digit() || "._-".contains(other));
        if !valid {
            let message = format!("`{}` cannot be the name of a target", text.escape_debug());
            let help = "begin with a lowercase letter, go on with lowercase letters, digits, `.`, `_` and `-`; \
                        `package` takes the name of the package";
            self.wrong_value(name.span(), message, help);
        }
        valid
    }

    fn workspace(&mut self, table: &DeTable<'_>, settings: &mut Settings) {
        let mut images = ImageSettings::default();
        let mut based = None;
        for (key, value) in table {
            if self.image_key(key, value, &mut images) {
                continue;
            }
            match &**key.get_ref() {
                "node" => settings.node = self.version("node", value),
                "base" => {
                    settings.base = self.base(value);
                    based = Some(value.span());
                }
                "image" => settings.image = self.image("image", value),
                "static-image" => settings.static_image = self.image("static-image", value),
                "server" => settings.server = self.server(value),
                "root-files" => settings.root_files = self.paths("root-files", value),
                "install" => {
                    let choices = [
                        ("auto", InstallStrategy::Auto),
                        ("shared", InstallStrategy::Shared),
                        ("target", InstallStrategy::Target),
                        ("package", InstallStrategy::Package),
                    ];
                    settings.install = self.choice("install", value, &choices).unwrap_or_default();
                }
                "root-dependencies" => settings.root_dependencies = self.root_dependencies(value),
                "production" => {
                    let choices = [("omit-dev", ProductionMode::NpmParity), ("strict", ProductionMode::Strict)];
                    settings.production_mode = self.choice("production", value, &choices).unwrap_or_default();
                }
                "lifecycle" => settings.root_lifecycle = self.lifecycle(value),
                "env" => settings.env = self.environment("env", value),
                "infer-targets" => settings.infer_targets = self.boolean("infer-targets", value),
                "checks" => settings.checks = self.texts("checks", value),
                "init" => settings.init = self.init(value),
                _ => self.unknown(key, "`[workspace]`", WORKSPACE),
            }
        }
        self.images.all = images;
        // What needs no shell is built in another image, which may have a name.
        if let (Some(span), Some(_)) = (based, &settings.image)
            && settings.base != Some(BaseKind::Distroless)
        {
            self.wrong_value(span, "`base` and `image` both say what stages begin with", "keep one of them");
        }
    }

    fn base(&mut self, value: &Value<'_>) -> Option<BaseKind> {
        let choices = [("slim", BaseKind::Slim), ("alpine", BaseKind::Alpine), ("distroless", BaseKind::Distroless)];
        self.choice("base", value, &choices)
    }

    fn root_dependencies(&mut self, value: &Value<'_>) -> Option<Vec<String>> {
        if value.get_ref().is_array() {
            return Some(self.texts("root-dependencies", value));
        }
        let choices = [("all", false), ("none", true)];
        self.choice("root-dependencies", value, &choices)?.then(Vec::new)
    }

    fn lifecycle(&mut self, value: &Value<'_>) -> Option<Lifecycle> {
        let choices = [("deferred", Lifecycle::Deferred), ("early", Lifecycle::Early), ("skip", Lifecycle::Skip)];
        self.choice("lifecycle", value, &choices)
    }

    fn package_settings(&mut self, name: &Key<'_>, table: &DeTable<'_>) -> PackageSettings {
        let mut settings = PackageSettings::default();
        for (key, value) in table {
            match &**key.get_ref() {
                "build" => {
                    settings.build = match value.get_ref() {
                        DeValue::Boolean(false) => Some(None),
                        DeValue::String(_) => self.text("build", value).map(Some),
                        _ => {
                            let message = "`build` must be the name of a script, or `false`";
                            self.wrong_value(value.span(), message, "leave it out to run the script `build`");
                            None
                        }
                    };
                }
                "outputs" => settings.outputs = Some(self.texts("outputs", value)),
                "root-files" => settings.root_files = self.paths("root-files", value),
                "exclude" => settings.exclude = self.texts("exclude", value),
                "lifecycle" => settings.lifecycle = self.lifecycle(value),
                "depends-on" => settings.depends_on = self.packages("depends-on", value),
                "env" => settings.env = self.environment("env", value),
                "args" => settings.args = self.arguments("args", value),
                "secrets" => settings.secrets = self.texts("secrets", value),
                "weight" => {
                    if let Some(weight) = self.weight(value) {
                        self.images.package_weights.insert(PackageName::new(name.get_ref()), weight);
                    }
                }
                _ => self.unknown(key, &format!("`[package.{}]`", quoted(name.get_ref())), PACKAGE),
            }
        }
        settings
    }

    fn target_settings(&mut self, name: &Key<'_>, table: &DeTable<'_>) -> TargetSettings {
        let mut settings = TargetSettings::default();
        let mut images = ImageSettings::default();
        let mut based = None;
        for (key, value) in table {
            if self.image_key(key, value, &mut images) {
                continue;
            }
            match &**key.get_ref() {
                "package" => settings.package = self.package("package", value),
                "kind" => {
                    let choices =
                        [("service", TargetKind::Service), ("static", TargetKind::Static), ("cli", TargetKind::Cli)];
                    settings.kind = self.choice("kind", value, &choices);
                }
                "skip" => settings.skip = self.boolean("skip", value).unwrap_or_default(),
                "command" => settings.command = self.command("command", value),
                "workdir" => settings.workdir = self.path("workdir", value),
                "port" => settings.port = self.port("port", value),
                "env" => settings.env = self.environment("env", value),
                "assets" => settings.assets = self.packages("assets", value),
                "files" => settings.files = self.paths("files", value),
                "writable" => settings.writable = self.paths("writable", value),
                "system-packages" => settings.system_packages = self.system_packages(value),
                "args" => settings.args = self.arguments("args", value),
                "healthcheck" => settings.healthcheck = self.healthcheck(value),
                "init" => settings.init = self.init(value),
                "node-options" => settings.node_options = self.node_options(value),
                "jemalloc" => settings.jemalloc = self.boolean("jemalloc", value).unwrap_or_default(),
                "copy-from" => settings.copy_from = self.copies(value),
                "server" => settings.server = self.server(value),
                "dev" => settings.dev = self.dev(value),
                "compose" => {
                    if let Some(compose) = self.compose(value) {
                        self.compose.insert(TargetName::new(name.get_ref()), compose);
                    }
                }
                "checks" => settings.checks = Some(self.texts("checks", value)),
                "base" => {
                    settings.base = self.base(value);
                    based = Some(value.span());
                }
                "image" => settings.image = self.image("image", value),
                "weight" => {
                    if let Some(weight) = self.weight(value) {
                        self.images.target_weights.insert(TargetName::new(name.get_ref()), weight);
                    }
                }
                _ => self.unknown(key, &format!("`[target.{}]`", name.get_ref()), TARGET),
            }
        }
        self.images.targets.insert(TargetName::new(name.get_ref()), images);
        if let (Some(span), Some(_)) = (based, &settings.image) {
            self.wrong_value(span, "`base` and `image` both say what the image begins with", "keep one of them");
        }
        settings
    }

    fn server(&mut self, value: &Value<'_>) -> Option<StaticServer> {
        self.choice("server", value, &[("nginx", StaticServer::Nginx), ("caddy", StaticServer::Caddy)])
    }

    /// A reference to an image. BuildKit judges its grammar; what would break out of the Dockerfile's line does not pass.
    pub(super) fn image(&mut self, key: &str, value: &Value<'_>) -> Option<ImageRef> {
        let text = self.text(key, value)?;
        if text.starts_with('-') || text.chars().any(|character| character.is_whitespace() || character.is_control()) {
            let message = format!("`{}` is not a reference to an image", text.escape_debug());
            self.wrong_value(value.span(), message, "write a name and a tag or digest, like `node:22-bookworm-slim`");
            return None;
        }
        Some(ImageRef::new(&text))
    }

    pub(super) fn command(&mut self, key: &str, value: &Value<'_>) -> Option<Vec<String>> {
        if value.get_ref().is_array() {
            let words = self.texts(key, value);
            if words.is_empty() {
                self.wrong_value(value.span(), format!("`{key}` is empty"), "name the program and its arguments");
                return None;
            }
            return Some(words);
        }
        let line = self.text(key, value)?;
        let help = match split(&line) {
            Ok(words) if !words.is_empty() => return Some(words),
            Ok(_) => "name the program and its arguments".to_owned(),
            Err(SplitError::OpenQuote) => "close the quote".to_owned(),
            Err(SplitError::NeedsShell(character)) => {
                format!(
                    "no shell runs it, so `{character}` would mean nothing; write [\"sh\", \"-c\", \"…\"] to have one"
                )
            }
        };
        self.wrong_value(value.span(), format!("`{key}` is not a program and its arguments"), help);
        None
    }

    /// Names as Debian and Alpine allow them, with an optional version.
    fn system_packages(&mut self, value: &Value<'_>) -> Vec<String> {
        let mut names = Vec::new();
        for (name, span) in self.spanned_texts("system-packages", value) {
            let valid = name.starts_with(|first: char| first.is_ascii_alphanumeric())
                && name.chars().all(|other| other.is_ascii_alphanumeric() || "+-._=:~<>".contains(other));
            if valid {
                names.push(name);
            } else {
                let message = format!("`{}` is not the name of a system package", name.escape_debug());
                self.wrong_value(span, message, "name one package of the image's own package manager, like `tini`");
            }
        }
        names
    }
}

/// A key as TOML wants it written.
pub(super) fn quoted(key: &str) -> String {
    let bare = !key.is_empty() && key.chars().all(|other| other.is_ascii_alphanumeric() || "_-".contains(other));
    if bare { key.to_owned() } else { format!("\"{}\"", key.escape_debug()) }
}
