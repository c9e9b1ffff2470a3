//! What an image is made of, for people and for programs.

use std::fmt::Write as _;

use serde::Serialize;

use super::super::json_text;
use super::measure::{Measured, Share};
use crate::report::units::{bytes, count, fit, pad};
use crate::shell::FAINT;

/// The columns of a size.
const SIZE: usize = 9;

/// An image and what it is made of.
pub(super) struct Shown<'m> {
    pub(super) target: &'m str,
    pub(super) reference: &'m str,
    pub(super) measured: &'m Measured,
    /// How many bytes it may have.
    pub(super) most: Option<u64>,
}

impl Shown<'_> {
    /// Shares, layers and the `top` packages, in at most `columns` columns.
    pub(super) fn human(&self, top: usize, columns: usize) -> String {
        let Measured { total, layers, shares, packages, hidden, compared, leaked } = self.measured;
        let mut text = String::new();
        let budget = self.most.map(|most| format!(" of {} that it may have", bytes(most))).unwrap_or_default();
        line(&mut text, &format!("{} ({}): {}{budget}", self.target, self.reference, bytes(*total)));
        line(&mut text, "");
        for (share, size) in shares {
            let percent = percent(*size, *total);
            line(&mut text, &format!("{}  {percent:>3} %  {}", right(*size), name(*share)));
        }
        if *hidden > 0 {
            let percent = percent(*hidden, *total);
            line(&mut text, &format!("{}  {percent:>3} %  replaced or removed by later layers", right(*hidden)));
        }
        line(&mut text, "");
        line(&mut text, "Layers");
        let stages = layers.iter().map(|layer| layer.stage.len());
        let stages = stages.max().unwrap_or_default().min(columns / 3);
        for layer in layers {
            let stage = fit(&layer.stage, stages);
            let instruction = fit(&layer.instruction, columns.saturating_sub(SIZE + stages + 4));
            let row = format!("{}  {}  {FAINT}{instruction}{FAINT:#}", right(layer.size), pad(&stage, stages));
            line(&mut text, row.trim_end());
        }
        line(&mut text, "");
        line(&mut text, "Packages");
        for package in packages.iter().take(top) {
            let name = fit(&package.name, columns.saturating_sub(SIZE + 2));
            let copies = match (package.is_member, package.copies) {
                (true, _) => " (workspace)".to_owned(),
                (false, 1) => String::new(),
                (false, copies) => format!(" ({copies} copies)"),
            };
            line(&mut text, &format!("{}  {name}{FAINT}{copies}{FAINT:#}", right(package.size)));
        }
        if let Some(rest) = packages.get(top..).filter(|rest| !rest.is_empty()) {
            let size: u64 = rest.iter().map(|package| package.size).sum();
            let more = format!("in {} more", count(rest.len() as u64, "package"));
            line(&mut text, &format!("{}  {FAINT}{more}{FAINT:#}", right(size)));
        }
        line(&mut text, "");
        line(
            &mut text,
            &match (compared, leaked.len()) {
                (None, _) => "What is installed was not compared with the lockfile.".to_owned(),
                (Some(compared), 0) => {
                    format!("{} installed, every one needed in production.", count(*compared as u64, "package"))
                }
                (Some(compared), leaked) => {
                    format!(
                        "{} installed, {leaked} of them not needed in production.",
                        count(*compared as u64, "package")
                    )
                }
            },
        );
        text
    }

    pub(super) fn json(&self) -> String {
        let measured = self.measured;
        let document = Document {
            version: 1,
            target: self.target,
            image: self.reference,
            size: measured.total,
            max_size: self.most,
            hidden: measured.hidden,
            shares: measured
                .shares
                .iter()
                .map(|(share, size)| ShareDocument { what: word(*share), size: *size })
                .collect(),
            layers: measured
                .layers
                .iter()
                .map(|layer| LayerDocument { size: layer.size, stage: &layer.stage, instruction: &layer.instruction })
                .collect(),
            packages: measured
                .packages
                .iter()
                .map(|package| PackageDocument {
                    name: &package.name,
                    workspace: package.is_member,
                    size: package.size,
                    copies: package.copies,
                })
                .collect(),
            compared: measured.compared,
            leaked: &measured.leaked,
        };
        json_text(&document)
    }
}

fn right(size: u64) -> String {
    format!("{:>SIZE$}", bytes(size))
}

fn percent(part: u64, whole: u64) -> u64 {
    (part * 100 + whole / 2).checked_div(whole).unwrap_or_default()
}

fn name(share: Share) -> &'static str {
    match share {
        Share::Base => "base image",
        Share::Installed => "installed packages",
        Share::Workspace => "packages of the workspace",
        Share::Other => "all else: files of the root, system packages",
    }
}

fn word(share: Share) -> &'static str {
    match share {
        Share::Base => "base",
        Share::Installed => "installed",
        Share::Workspace => "workspace",
        Share::Other => "other",
    }
}

fn line(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("writing to a string does not fail");
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Document<'a> {
    version: u32,
    target: &'a str,
    image: &'a str,
    size: u64,
    max_size: Option<u64>,
    hidden: u64,
    shares: Vec<ShareDocument>,
    layers: Vec<LayerDocument<'a>>,
    packages: Vec<PackageDocument<'a>>,
    compared: Option<usize>,
    leaked: &'a [String],
}

#[derive(Serialize)]
struct ShareDocument {
    what: &'static str,
    size: u64,
}

#[derive(Serialize)]
struct LayerDocument<'a> {
    size: u64,
    stage: &'a str,
    instruction: &'a str,
}

#[derive(Serialize)]
struct PackageDocument<'a> {
    name: &'a str,
    workspace: bool,
    size: u64,
    copies: usize,
}
