//! Stages that are images of static sites.

use drydock_lockfile::WorkspacePath;

use crate::error::PlanError;
use crate::members::{Member, key_part};
use crate::model::{
    CopySource, Healthcheck, ImageRef, Probe, Stage, StageId, StageKind, StaticServer, StaticStage, TargetName,
};
use crate::plan::Planner;
use crate::settings::{BaseKind, Settings};
use crate::targets::FoundTarget;
use crate::web_server;

/// What static targets are served by. Unprivileged, so it listens above 1024 and owns what it writes.
const NGINX: &str = "nginxinc/nginx-unprivileged:stable-bookworm";

/// The same by Caddy.
const CADDY: &str = "caddy:2";

/// Both on Alpine.
const NGINX_ALPINE: &str = "nginxinc/nginx-unprivileged:stable-alpine";
const CADDY_ALPINE: &str = "caddy:2-alpine";

/// The web server's image on what the target, or else the workspace, says.
fn static_image(server: StaticServer, target: Option<BaseKind>, settings: &Settings) -> &'static str {
    match (server, target.or(settings.base)) {
        (StaticServer::Nginx, Some(BaseKind::Alpine)) => NGINX_ALPINE,
        (StaticServer::Nginx, Some(BaseKind::Slim | BaseKind::Distroless) | None) => NGINX,
        (StaticServer::Caddy, Some(BaseKind::Alpine)) => CADDY_ALPINE,
        (StaticServer::Caddy, Some(BaseKind::Slim | BaseKind::Distroless) | None) => CADDY,
    }
}

impl Planner<'_> {
    /// The image of a static site.
    pub(crate) fn site(&mut self, name: &TargetName, target: &FoundTarget) -> Result<Stage, PlanError> {
        let own = self.members.find(target.package.as_str()).expect("targets are members");
        let served = self.served(name, target, own)?;
        let source = if let Some(id) = self.build_ids.get(&own) {
            CopySource::Stage(id.clone())
        } else {
            self.context.add_path(&served)?;
            CopySource::Context
        };
        let port = target.port.expect("a static target is given a port");
        let configured = self.settings.targets.get(name);
        let web_server = configured.and_then(|target| target.server).or(self.settings.server).unwrap_or_default();
        let configuration = match web_server {
            StaticServer::Nginx => format!(".drydock/nginx/{name}.conf"),
            StaticServer::Caddy => format!(".drydock/caddy/{name}.Caddyfile"),
        };
        let configuration = WorkspacePath::new(&configuration).expect("names of targets hold no `/`");
        let text = web_server::configuration(web_server, port, target.site.as_ref().map(|site| site.kind));
        self.context.add_bytes(configuration.clone(), text.into_bytes(), false);
        let healthcheck = configured.and_then(|target| target.healthcheck.clone());
        if let Some(Healthcheck { probe: Probe::Http { path, .. }, .. }) = &healthcheck {
            return Err(PlanError::ProbeWithoutNode { target: name.clone(), path: path.clone() });
        }
        let stage = StaticStage {
            server: web_server,
            image: configured
                .and_then(|target| target.image.clone())
                .or_else(|| self.settings.static_image.clone())
                .unwrap_or_else(|| {
                    let base = configured.and_then(|target| target.base);
                    ImageRef::new(static_image(web_server, base, self.settings))
                }),
            target: name.clone(),
            source,
            served,
            configuration,
            port,
            healthcheck,
            gate: self.gate_ids.get(name).cloned(),
        };
        Ok(Stage { id: StageId::new(name.as_str()), kind: StageKind::Static(stage), comment: None })
    }

    fn served(&self, name: &TargetName, target: &FoundTarget, own: Member) -> Result<WorkspacePath, PlanError> {
        let package = self.members.package(own);
        let configured = self.members.settings(own).and_then(|settings| settings.outputs.as_ref());
        if let Some(first) = configured.and_then(|outputs| outputs.first()) {
            let key = || format!("package.{}.outputs", key_part(package.name.as_str()));
            let folder = first.trim_end_matches(['*', '/']);
            return package
                .path
                .join(folder)
                .map_err(|_| PlanError::OutsideWorkspace { key: key(), path: first.clone() });
        }
        if let Some(site) = &target.site {
            return Ok(site.directory.clone());
        }
        let facts = &self.facts[&own];
        match &facts.outputs {
            Some(outputs) if !outputs.whole_package && outputs.paths.len() == 1 => {
                return Ok(outputs.paths[0].path.clone());
            }
            Some(_) => {}
            None => {
                for folder in ["public", "dist", "."] {
                    let folder = package.path.join(folder).expect("a name stays inside");
                    if facts.has_file(&folder.join("index.html").expect("a name stays inside")) && !folder.is_root() {
                        return Ok(folder);
                    }
                }
            }
        }
        Err(PlanError::ServedFolderMissing {
            target: name.clone(),
            package: package.name.clone(),
            snippet: Box::new(package.manifest.snippet(&["scripts", "build"], "what does it write?")),
        })
    }
}
