//! Stages that are images: services and static sites.

use drydock_plan::{CopySource, ImagePath, RuntimeStage, StaticStage, WorkspacePath};

use super::{Lowering, arguments, env, env_pairs, line, run, stage_name, variable};
use crate::generated::relocate;
use crate::syntax::{Command, Copy, EnvValue, Healthcheck, Instruction};

/// Where the web server looks for its configuration and for the files it serves.
const SITE_CONFIGURATION: &str = "/etc/nginx/conf.d/default.conf";
const SITE_FILES: &str = "/usr/share/nginx/html";

impl Lowering<'_> {
    pub(super) fn runtime(&self, runtime: &RuntimeStage) -> Vec<Instruction> {
        let mut instructions = Vec::new();
        let mut pairs = env_pairs(&runtime.env);
        if !runtime.path.is_empty() {
            let folders: Vec<&str> = runtime.path.iter().map(ImagePath::as_str).collect();
            let path = variable("PATH");
            pairs.push((path.clone().into(), EnvValue::Before(line(&format!("{}:", folders.join(":"))), path)));
        }
        instructions.extend(env(pairs));
        instructions.extend(self.writable_folders(runtime));
        for copy in &runtime.copies {
            match &copy.source {
                CopySource::Context => instructions.extend(self.copy_from_context(&copy.paths)),
                CopySource::Stage(stage) => instructions.extend(self.copy_from_stage(stage, &copy.paths)),
            }
        }
        let mut directory = WorkspacePath::root();
        for (folder, words) in &runtime.setup {
            self.change_directory(&mut directory, folder, &mut instructions);
            instructions.push(run(Command::new(words.iter().cloned())));
        }
        // Last, because what they hold (a commit, a date) is new each time.
        instructions.extend(arguments(&runtime.args));
        if !runtime.args.is_empty() {
            let pairs = runtime.args.keys().map(|name| (variable(name).into(), EnvValue::Variable(variable(name))));
            instructions.push(Instruction::Env(pairs.collect()));
        }
        self.change_directory(&mut directory, &runtime.workdir, &mut instructions);
        instructions.push(Instruction::User(line(&runtime.user)));
        instructions.extend(runtime.port.map(Instruction::Expose));
        if let Some(healthcheck) = &runtime.healthcheck {
            instructions.push(healthcheck_of(runtime.port, &healthcheck.path));
        }
        instructions.extend(self.entrypoint(runtime));
        instructions.push(Instruction::Cmd(runtime.command.clone()));
        instructions
    }

    pub(super) fn site(&self, site: &StaticStage) -> Vec<Instruction> {
        let (from, source) = match &site.source {
            CopySource::Context => (None, relocate(&site.served, self.generated).display().to_owned()),
            CopySource::Stage(stage) => (Some(stage_name(stage)), self.in_image(&site.served)),
        };
        vec![
            Instruction::Copy(Copy {
                from: None,
                sources: vec![relocate(&site.configuration, self.generated).as_str().to_owned()],
                destination: SITE_CONFIGURATION.to_owned(),
            }),
            Instruction::Copy(Copy { from, sources: vec![source], destination: SITE_FILES.to_owned() }),
            Instruction::Expose(site.port),
        ]
    }

    /// The folders the image's user writes to; everything else stays root's.
    fn writable_folders(&self, runtime: &RuntimeStage) -> Option<Instruction> {
        if runtime.writable.is_empty() {
            return None;
        }
        let mut words = vec!["install".to_owned(), "-d".to_owned()];
        let (user, group) = runtime.user.split_once(':').unwrap_or((&runtime.user, &runtime.user));
        if !matches!(user, "root" | "0" | "") {
            words.extend(["-o".to_owned(), user.to_owned(), "-g".to_owned(), group.to_owned()]);
        }
        words.extend(runtime.writable.iter().map(|path| self.in_image(path)));
        Some(run(Command::new(words)))
    }

    /// `tini` reaps and passes on signals where the image has it.
    fn entrypoint(&self, runtime: &RuntimeStage) -> Option<Instruction> {
        let mut installed = self.bases(&runtime.from).flat_map(|base| &base.system_packages);
        installed
            .any(|package| package == "tini")
            .then(|| Instruction::Entrypoint(vec!["tini".to_owned(), "--".to_owned()]))
    }
}

/// Asks the service by HTTP with the Node that runs it: an image needs no further tool. An answer below 400 is good;
/// a redirection is not followed, for it may lead to another host.
fn healthcheck_of(port: Option<u16>, path: &str) -> Instruction {
    let port = port.unwrap_or(3000);
    let script = format!(
        "fetch('http://127.0.0.1:'+(process.env.PORT||{port})+{},{{redirect:'manual'}})\
         .then(r=>process.exit(r.status<400?0:1),()=>process.exit(1))",
        javascript_string(path)
    );
    Instruction::Healthcheck(Healthcheck {
        interval: 30,
        timeout: 5,
        start_period: 30,
        retries: 3,
        command: vec!["node".to_owned(), "-e".to_owned(), script],
    })
}

/// A JSON string is a string of JavaScript; single quotes read better inside the JSON around it.
fn javascript_string(text: &str) -> String {
    let double = serde_json::Value::from(text).to_string();
    if text.contains(['\'', '"', '\\']) || double.len() != text.len() + 2 { double } else { format!("'{text}'") }
}
