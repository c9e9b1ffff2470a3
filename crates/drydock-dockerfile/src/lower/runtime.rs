//! Stages that are images: services and static sites.

use drydock_plan::{CopySource, ImagePath, Probe, RuntimeStage, StaticServer, StaticStage, WorkspacePath};
use indexmap::IndexMap;

use super::{Lowering, arguments, copy_nothing, env, env_pairs, line, run, stage_name, variable, without_traces};
use crate::generated::relocate;
use crate::syntax::{Command, Copy, EnvValue, Healthcheck, Instruction};

/// Where web servers look for the files they serve.
const SITE_FILES: &str = "/srv/www";

/// Where nginx and Caddy look for their configuration.
const NGINX_CONFIGURATION: &str = "/etc/nginx/conf.d/default.conf";
const CADDY_CONFIGURATION: &str = "/etc/caddy/Caddyfile";

/// Who runs Caddy, whose image leaves that to root; and where it may write what it does without.
const CADDY_USER: &str = "1000:1000";
const CADDY_FOLDERS: [(&str, &str); 2] = [("XDG_CONFIG_HOME", "/tmp/caddy"), ("XDG_DATA_HOME", "/tmp/caddy")];

impl Lowering<'_> {
    pub(super) fn runtime(&self, runtime: &RuntimeStage) -> Vec<Instruction> {
        let mut instructions = Vec::new();
        instructions.extend(environment(&runtime.env, &runtime.path));
        instructions.extend(self.folders_of(&runtime.user, &runtime.writable));
        for copy in &runtime.copies {
            let mut copied: Vec<Instruction> = match (&copy.source, &copy.to) {
                (CopySource::Context, _) => self.copy_from_context(&copy.paths),
                (CopySource::Stage(stage), None) => self.copy_from_stage(stage, &copy.paths).collect(),
                (CopySource::Stage(stage), Some(to)) => {
                    copy.paths.iter().map(|path| self.content_from_stage(stage, path, to)).collect()
                }
            };
            if let Some((user, group)) = owner(&runtime.user).filter(|_| copy.owned) {
                for instruction in &mut copied {
                    if let Instruction::Copy(copy) = instruction {
                        copy.owner = Some(line(&format!("{user}:{group}")));
                    }
                }
            }
            instructions.extend(copied);
        }
        let mut directory = WorkspacePath::root();
        for (folder, words) in &runtime.setup {
            self.change_directory(&mut directory, folder, &mut instructions);
            instructions.push(run(without_traces(Command::new(words.iter().cloned()))));
        }
        // Last, because what they hold (a commit, a date) is new each time.
        instructions.extend(arguments(&runtime.args));
        if !runtime.args.is_empty() {
            let pairs = runtime.args.keys().map(|name| (variable(name).into(), EnvValue::Variable(variable(name))));
            instructions.push(Instruction::Env(pairs.collect()));
        }
        instructions.extend(runtime.gate.as_ref().map(|gate| copy_nothing(gate, "/")));
        self.change_directory(&mut directory, &runtime.workdir, &mut instructions);
        instructions.push(Instruction::User(line(&runtime.user)));
        let check = runtime.healthcheck.as_ref();
        instructions.extend(started(runtime.port, check, &runtime.entrypoint, &runtime.command));
        instructions
    }

    pub(super) fn site(&self, site: &StaticStage) -> Vec<Instruction> {
        let (from, source) = match &site.source {
            CopySource::Context => (None, relocate(&site.served, self.generated).display().to_owned()),
            CopySource::Stage(stage) => (Some(stage_name(stage)), self.in_image(&site.served)),
        };
        let mut instructions = Vec::new();
        let destination = match site.server {
            StaticServer::Nginx => NGINX_CONFIGURATION,
            StaticServer::Caddy => {
                let folders = CADDY_FOLDERS.map(|(name, folder)| (name.to_owned(), folder.to_owned()));
                instructions.extend(env(env_pairs(&folders.into())));
                CADDY_CONFIGURATION
            }
        };
        instructions.extend([
            Instruction::Copy(Copy {
                from: None,
                owner: None,
                sources: vec![relocate(&site.configuration, self.generated).as_str().to_owned()],
                destination: destination.to_owned(),
            }),
            Instruction::Copy(Copy { from, owner: None, sources: vec![source], destination: SITE_FILES.to_owned() }),
        ]);
        if site.server == StaticServer::Caddy {
            instructions.push(Instruction::User(line(CADDY_USER)));
        }
        instructions.push(Instruction::Expose(site.port));
        instructions.extend(site.gate.as_ref().map(|gate| copy_nothing(gate, "/")));
        instructions.extend(site.healthcheck.as_ref().map(|check| healthcheck(Some(site.port), check)));
        instructions
    }

    /// The folders that an image's user writes to.
    pub(super) fn folders_of(&self, user: &str, folders: &[WorkspacePath]) -> Option<Instruction> {
        if folders.is_empty() {
            return None;
        }
        let mut words = vec!["install".to_owned(), "-d".to_owned()];
        if let Some((user, group)) = owner(user) {
            words.extend(["-o".to_owned(), user.to_owned(), "-g".to_owned(), group.to_owned()]);
        }
        words.extend(folders.iter().map(|path| self.in_image(path)));
        Some(run(Command::new(words)))
    }
}

/// Who owns what an image's user is to write: that user and their group, unless they may write everything.
fn owner(user: &str) -> Option<(&str, &str)> {
    let (user, group) = user.split_once(':').unwrap_or((user, user));
    (!matches!(user, "root" | "0" | "")).then_some((user, group))
}

/// Environment, with folders put before those of PATH.
pub(super) fn environment(variables: &IndexMap<String, String>, path: &[ImagePath]) -> Option<Instruction> {
    let mut pairs = env_pairs(variables);
    if !path.is_empty() {
        let folders: Vec<&str> = path.iter().map(ImagePath::as_str).collect();
        let path = variable("PATH");
        pairs.push((path.clone().into(), EnvValue::Before(line(&format!("{}:", folders.join(":"))), path)));
    }
    env(pairs)
}

/// How an image listens, tells its health and is started.
pub(super) fn started(
    port: Option<u16>,
    check: Option<&drydock_plan::Healthcheck>,
    entrypoint: &[String],
    command: &[String],
) -> Vec<Instruction> {
    let mut instructions = Vec::new();
    instructions.extend(port.map(Instruction::Expose));
    instructions.extend(check.map(|check| healthcheck(port, check)));
    if !entrypoint.is_empty() {
        instructions.push(Instruction::Entrypoint(entrypoint.to_vec()));
    }
    if !command.is_empty() {
        instructions.push(Instruction::Cmd(command.to_vec()));
    }
    instructions
}

fn healthcheck(port: Option<u16>, check: &drydock_plan::Healthcheck) -> Instruction {
    let command = match &check.probe {
        Probe::Http { path, port: own } => vec!["node".to_owned(), "-e".to_owned(), fetch(port, *own, path)],
        Probe::Command(words) => words.clone(),
    };
    Instruction::Healthcheck(Healthcheck {
        interval: check.interval,
        timeout: check.timeout,
        start_period: check.start_period,
        retries: check.retries,
        command,
    })
}

/// Asks the service by HTTP with the Node that runs it: an image needs no further tool. An answer below 400 is good;
/// a redirection is not followed, for it may lead to another host. Where the port is the one that the service listens
/// on, a container that is given another by `PORT` is asked there.
fn fetch(listens: Option<u16>, asked: Option<u16>, path: &str) -> String {
    let address = match asked {
        Some(port) => format!("'http://127.0.0.1:{port}'"),
        None => format!("'http://127.0.0.1:'+(process.env.PORT||{})", listens.unwrap_or(3000)),
    };
    format!(
        "fetch({address}+{},{{redirect:'manual'}})\
         .then(r=>process.exit(r.status<400?0:1),()=>process.exit(1))",
        javascript_string(path)
    )
}

/// A JSON string is a string of JavaScript; single quotes read better inside the JSON around it.
fn javascript_string(text: &str) -> String {
    let double = serde_json::Value::from(text).to_string();
    if text.contains(['\'', '"', '\\']) || double.len() != text.len() + 2 { double } else { format!("'{text}'") }
}
