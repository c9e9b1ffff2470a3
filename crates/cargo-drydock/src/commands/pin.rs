//! `pin`: base images by digest, in `drydock.lock`.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use drydock_build::{Builder, Environment, Registries};
use drydock_diagnostics::{Category, Diagnose, Warning, closest};
use drydock_dockerfile::base_images;
use drydock_plan::{BuildPlan, CHECKS, ImageRef, plan, plan_checks};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::bases::{self, Stored, repository, short};
use super::load::{Loaded, load};
use super::whole::replace;
use super::{build, json_text, runtime, select};
use crate::args::{GlobalArgs, PinArgs};
use crate::config::pins;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::report::units::count;
use crate::shell::Shell;

/// What keeps base images from being pinned.
#[derive(Debug, thiserror::Error)]
enum PinError {
    /// The image is in no registry, so that its digest would mean nothing elsewhere.
    #[error("`{image}` is in the daemon's store alone, and no registry has it")]
    Local { image: ImageRef, reason: String },
    /// No registry says what an image is.
    #[error("no registry says what `{image}` is")]
    Unresolved { image: ImageRef, reason: String },
    /// `--update` names what no stage begins with.
    #[error("no stage begins with an image `{name}`")]
    NotNamed { name: String, closest: Option<String> },
    /// The file with the pins cannot be written.
    #[error("could not write `{path}`")]
    Unwritable {
        path: Utf8PathBuf,
        #[source]
        source: io::Error,
    },
}

impl Diagnose for PinError {
    fn code(&self) -> &'static str {
        match self {
            Self::Local { .. } => "pin-local-image",
            Self::Unresolved { .. } => "pin-unresolved",
            Self::NotNamed { .. } => "pin-not-named",
            Self::Unwritable { .. } => "pin-unwritable",
        }
    }

    fn category(&self) -> Category {
        match self {
            Self::Local { .. } | Self::Unresolved { .. } => Category::Docker,
            Self::NotNamed { .. } | Self::Unwritable { .. } => Category::Usage,
        }
    }

    fn help(&self) -> Option<String> {
        Some(match self {
            Self::Local { image, .. } => format!(
                "push it to a registry and name it by that in the configuration (`image = \"REGISTRY/{}\"`), or name the \
                 targets that do without it: `drydock pin TARGET`",
                image.as_str().rsplit('/').next().unwrap_or_default()
            ),
            Self::Unresolved { .. } => {
                "check its name and the network, log in to its registry (`docker login`), or name \
                                        another with `image` in the configuration"
                    .to_owned()
            }
            Self::NotNamed { closest: Some(name), .. } => format!("did you mean `{name}`?"),
            Self::NotNamed { .. } => "`drydock plan` tells what stages begin with".to_owned(),
            Self::Unwritable { .. } => "check the permissions of the folder and the space left".to_owned(),
        })
    }

    fn notes(&self) -> Vec<String> {
        match self {
            Self::Local { reason, .. } | Self::Unresolved { reason, .. } => vec![reason.clone()],
            Self::NotNamed { .. } | Self::Unwritable { .. } => Vec::new(),
        }
    }
}

/// What becomes of one image, or is found of it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// It is pinned, and stays so.
    Kept,
    /// It was not pinned, and is now.
    Added,
    /// It was pinned to this before.
    Updated(String),
    /// Nothing names it any more.
    Removed,
    /// `--check`: it is not pinned.
    Missing,
    /// `--check`: its registry has this by now.
    Outdated(String),
}

/// By image: its digest, where there is one, and what becomes of it.
type States = BTreeMap<ImageRef, (Option<String>, State)>;

pub(super) fn run(args: &PinArgs, global: &GlobalArgs, shell: &mut Shell) -> Result<(), Failure> {
    let mut loaded = load(global, shell)?;
    let held = std::mem::take(&mut loaded.config.settings.pins);
    let named = named(&loaded)?;
    let chosen = match select::targets(&loaded, &args.targets, false, shell)? {
        Some(targets) => images(&loaded, &targets)?,
        None => named.clone(),
    };
    let renewed = renewed(args.update.as_deref(), &named, &chosen)?;
    let file = loaded.config.lock_file(&loaded.root);
    let shown = file.strip_prefix(&loaded.root).unwrap_or(&file).to_owned();

    let is_held = |image: &&ImageRef| held.contains_key(*image);
    let missing: BTreeSet<&ImageRef> = chosen.iter().filter(|image| !is_held(image)).collect();
    let asked: Vec<&ImageRef> = if args.check {
        chosen.iter().filter(is_held).collect()
    } else {
        missing.iter().copied().chain(renewed.iter().filter(is_held)).collect()
    };
    let answers = if asked.is_empty() { Vec::new() } else { runtime::start()?.block_on(ask(args, &asked))? };

    let mut states: States = held
        .iter()
        .map(|(image, digest)| {
            let state = if named.contains(image) { State::Kept } else { State::Removed };
            (image.clone(), (Some(digest.clone()), state))
        })
        .collect();
    if args.check {
        states.extend(missing.iter().map(|image| ((*image).clone(), (None, State::Missing))));
        for (image, answer) in asked.into_iter().zip(answers) {
            let known = &held[image];
            match answer {
                Answer::Registry(digest) if digest != *known => {
                    states.insert(image.clone(), (Some(known.clone()), State::Outdated(digest)));
                }
                Answer::Registry(_) => {}
                Answer::Pulled { reason, .. } | Answer::Local(reason) | Answer::Nothing(reason) => {
                    shell.warn(&unverified(image, &reason));
                }
            }
        }
        return check(&shown, &states, shell);
    }
    let mut errors = Vec::new();
    for (image, answer) in asked.into_iter().zip(answers) {
        let before = held.get(image);
        let (digest, state) = match (answer, before) {
            (Answer::Registry(digest), None) => (digest, State::Added),
            (Answer::Registry(digest), Some(before)) if digest == *before => (digest, State::Kept),
            (Answer::Registry(digest), Some(before)) => (digest, State::Updated(before.clone())),
            (Answer::Pulled { digest, reason }, None) => {
                shell.warn(&from_store(image, &reason));
                (digest, State::Added)
            }
            (Answer::Local(reason), None) => {
                errors.push(PinError::Local { image: image.clone(), reason });
                continue;
            }
            (Answer::Nothing(reason), None)
            | (Answer::Pulled { reason, .. } | Answer::Local(reason) | Answer::Nothing(reason), Some(_)) => {
                errors.push(PinError::Unresolved { image: image.clone(), reason });
                continue;
            }
        };
        states.insert(image.clone(), (Some(digest), state));
    }
    if !errors.is_empty() {
        return Err(Failure::all(errors));
    }
    write(&file, &shown, &states, &held, shell)
}

/// The images that the targets called so begin with, as far as no digest stands with them already.
fn images(loaded: &Loaded, targets: &[String]) -> Result<BTreeSet<ImageRef>, Failure> {
    let plan = plan(&loaded.workspace, &loaded.graph, &loaded.config.settings, targets)?;
    Ok(undigested(&plan).collect())
}

/// The images of a plan that no digest stands with.
fn undigested(plan: &BuildPlan) -> impl Iterator<Item = ImageRef> {
    base_images(plan).into_iter().filter(|image| image.digest().is_none())
}

/// The images that anything begins with that can be built or checked.
fn named(loaded: &Loaded) -> Result<BTreeSet<ImageRef>, Failure> {
    let (workspace, graph, settings) = (&loaded.workspace, &loaded.graph, &loaded.config.settings);
    let found = drydock_plan::targets(workspace, graph, settings)?;
    // Images to develop in are only planned where they are named.
    let devs = found.targets.values().filter_map(|target| target.dev.as_ref()).map(|dev| &dev.name);
    let targets: Vec<String> = found.targets.keys().chain(devs).map(ToString::to_string).collect();
    let mut named = images(loaded, &targets)?;
    let packages = workspace.packages.iter().map(|package| package.name.clone()).collect();
    let checks = plan_checks(workspace, graph, settings, &packages, &CHECKS.map(str::to_owned))?;
    named.extend(undigested(&checks));
    Ok(named)
}

/// The images whose pins are to be brought up to date: none, those of the chosen targets, or those that are named, with
/// their tags or without.
fn renewed(
    update: Option<&[String]>,
    known: &BTreeSet<ImageRef>,
    chosen: &BTreeSet<ImageRef>,
) -> Result<BTreeSet<ImageRef>, PinError> {
    let names = match update {
        None => return Ok(BTreeSet::new()),
        Some([]) => return Ok(chosen.clone()),
        Some(names) => names,
    };
    let mut wanted = BTreeSet::new();
    for name in names {
        let means = |image: &&ImageRef| [image.as_str(), repository(image.as_str())].contains(&name.as_str());
        let found: Vec<&ImageRef> = known.iter().filter(means).collect();
        if found.is_empty() {
            let closest = closest(name, known.iter().map(ImageRef::as_str)).map(str::to_owned);
            return Err(PinError::NotNamed { name: name.clone(), closest });
        }
        wanted.extend(found.into_iter().cloned());
    }
    Ok(wanted)
}

/// What there is to know of an image now.
enum Answer {
    /// The digest that its registry has.
    Registry(String),
    /// The digest that it had when the daemon pulled it, and why its registry does not say more.
    Pulled { digest: String, reason: String },
    /// Nothing that other machines would know, and what the registry says.
    Local(String),
    /// Nothing, and what the registry says.
    Nothing(String),
}

async fn ask(args: &PinArgs, images: &[&ImageRef]) -> Result<Vec<Answer>, Failure> {
    let environment = Environment::of_process();
    let endpoint = build::endpoint(args.builder.as_ref(), &environment)?;
    let builder = Builder::connect(endpoint, &environment).await?;
    let registries = Registries::of(std::slice::from_ref(&builder));
    let asked = images.iter().map(|image| async {
        let reason = match bases::in_registry(&builder, &registries, image).await {
            Ok(digest) if pins::is_digest(&digest) => return Ok(Answer::Registry(digest)),
            Ok(digest) => format!("its registry calls it `{digest}`, which is no SHA-256"),
            Err(reason) => reason,
        };
        Ok::<_, Failure>(match bases::in_store(&builder, image).await? {
            Some(Stored::Pulled(digest)) => Answer::Pulled { digest, reason },
            Some(Stored::Local(_)) => Answer::Local(reason),
            None => Answer::Nothing(reason),
        })
    });
    join_all(asked).await.into_iter().collect()
}

fn from_store(image: &ImageRef, reason: &str) -> Warning {
    let message =
        format!("`{image}` is pinned to what the daemon once pulled, for its registry does not say: {reason}");
    Warning::new("pin-from-store", message).with_help("run `drydock pin --update` when it answers")
}

fn unverified(image: &ImageRef, reason: &str) -> Warning {
    let message = format!("whether there is a newer `{image}` cannot be told: {reason}");
    Warning::new("pin-unverified", message).with_help("builds go on with what is pinned")
}

/// Tells what is not as it should be.
fn check(file: &Utf8Path, states: &States, shell: &mut Shell) -> Result<(), Failure> {
    let stale = |state: &State| *state != State::Kept;
    let wrong = states.values().filter(|(_, state)| stale(state)).count();
    if shell.is_json() {
        shell.print(&document(file, states))?;
    } else {
        for (image, (digest, state)) in states {
            let digest = short(digest.as_deref().unwrap_or_default());
            match state {
                State::Missing => shell.println(&format!("{image} is not pinned"))?,
                State::Removed => shell.println(&format!("{image} is pinned, and nothing names it"))?,
                State::Outdated(now) => {
                    let now = short(now);
                    shell.println(&format!("{image} is pinned to {digest}, and its registry has {now}"))?;
                }
                State::Kept | State::Added | State::Updated(_) => {}
            }
        }
    }
    if wrong == 0 {
        shell.status("Current", format!("{} in {file}", count(states.len() as u64, "base image")));
        return Ok(());
    }
    let outdated = states.values().any(|(_, state)| matches!(state, State::Outdated(_)));
    let command = if outdated { "drydock pin --update" } else { "drydock pin" };
    shell.status_wrong("Stale", format!("{}; run `{command}`", count(wrong as u64, "base image")));
    Err(Failure::Reported(Exit::Failed))
}

/// Writes the file, where it is to be another, and tells what became of each image.
fn write(
    file: &Utf8Path,
    shown: &Utf8Path,
    states: &States,
    held: &BTreeMap<ImageRef, String>,
    shell: &mut Shell,
) -> Result<(), Failure> {
    let stay = states.iter().filter(|(_, (_, state))| *state != State::Removed);
    let pins: BTreeMap<ImageRef, String> =
        stay.filter_map(|(image, (digest, _))| Some((image.clone(), digest.clone()?))).collect();
    for (image, (digest, state)) in states {
        let digest = short(digest.as_deref().unwrap_or_default());
        match state {
            State::Added => shell.status("Pinned", format!("{image} to {digest}")),
            State::Updated(before) => {
                shell.status("Updated", format!("{image} from {} to {digest}", short(before)));
            }
            State::Removed => shell.status("Removed", format!("{image}, which nothing names any more")),
            State::Kept | State::Missing | State::Outdated(_) => {}
        }
    }
    let images = count(pins.len() as u64, "base image");
    if pins.is_empty() && held.is_empty() {
        shell.status("Finished", "no base image has a tag to pin");
    } else if pins == *held {
        shell.status("Current", format!("{images} in {shown}"));
    } else {
        replace(file.as_std_path(), pins::text(&pins))
            .map_err(|source| PinError::Unwritable { path: shown.to_owned(), source })?;
        shell.status("Wrote", format!("{images} to {shown}"));
    }
    if shell.is_json() { shell.print(&document(shown, states)) } else { Ok(()) }
}

fn document(file: &Utf8Path, states: &States) -> String {
    let images = states.iter().map(|(image, (digest, state))| {
        let (word, other) = match state {
            State::Kept => ("kept", Value::Null),
            State::Added => ("added", Value::Null),
            State::Updated(before) => ("updated", json!({ "before": before })),
            State::Removed => ("removed", Value::Null),
            State::Missing => ("missing", Value::Null),
            State::Outdated(now) => ("outdated", json!({ "now": now })),
        };
        let mut image = json!({ "image": image.as_str(), "digest": digest, "state": word });
        if let (Value::Object(image), Value::Object(other)) = (&mut image, other) {
            image.extend(other);
        }
        image
    });
    json_text(&json!({ "version": 1, "file": file.as_str(), "images": images.collect::<Vec<_>>() }))
}
