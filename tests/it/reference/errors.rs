//! What the code says of errors, warnings and findings: read from its sources, so that nobody writes it a second time.

use std::collections::{BTreeMap, BTreeSet};

use camino::{Utf8Path, Utf8PathBuf};
use drydock_diagnostics::Category;
use syn::parse::Parser as _;
use syn::visit::Visit as _;
use syn::{Expr, Fields, Item, Pat, Stmt};

use super::places::Places;
use super::text::{Arguments, Scope, path_end};

/// What is said with one code.
#[derive(Debug, Default)]
pub(super) struct Entry {
    /// The remark on the variant: what happened, in a sentence.
    pub(super) meaning: Option<String>,
    /// How a run ends that says it, for errors.
    pub(super) exit_codes: BTreeSet<u8>,
    pub(super) said: Vec<Said>,
}

/// A message in each of the ways it may be, and what to do about it.
#[derive(Debug, Default, Clone)]
pub(super) struct Said {
    pub(super) messages: Vec<String>,
    pub(super) helps: Vec<String>,
}

impl Entry {
    /// Adds what is said, once.
    pub(super) fn add(&mut self, said: Said) {
        let same = self.said.iter_mut().find(|other| other.messages == said.messages);
        let Some(same) = same else { return self.said.push(said) };
        for help in said.helps {
            if !same.helps.contains(&help) {
                same.helps.push(help);
            }
        }
    }
}

/// All codes.
#[derive(Debug, Default)]
pub(super) struct Codes {
    pub(super) errors: BTreeMap<String, Entry>,
    pub(super) warnings: BTreeMap<String, Entry>,
    pub(super) findings: BTreeMap<String, Entry>,
}

/// Reads every source file of the crates.
pub(super) fn read() -> Codes {
    let mut codes = Codes::default();
    let mut crates: Vec<Vec<syn::File>> = Vec::new();
    let folder = drydock_test::repository().join("crates");
    let mut folders: Vec<Utf8PathBuf> =
        folder.read_dir_utf8().expect("a folder").map(|entry| entry.expect("an entry").into_path()).collect();
    folders.sort();
    for folder in folders {
        let mut files = Vec::new();
        sources(&folder.join("src"), &mut files);
        files.sort();
        let parse = |file: &Utf8PathBuf| {
            let text = fs_err::read_to_string(file).expect("it is there");
            syn::parse_file(&text).unwrap_or_else(|error| panic!("{file}: {error}"))
        };
        crates.push(files.iter().map(parse).collect());
    }
    let types = types(&crates.iter().flatten().flat_map(|file| &file.items).collect::<Vec<_>>());
    for files in &crates {
        let places = Places::read(files, &mut codes);
        for file in files {
            errors(&file.items, &types, &places, &mut codes);
        }
    }
    codes
}

fn sources(folder: &Utf8Path, files: &mut Vec<Utf8PathBuf>) {
    let Ok(entries) = folder.read_dir_utf8() else { return };
    for entry in entries {
        let path = entry.expect("an entry").path().to_owned();
        if path.is_dir() {
            sources(&path, files);
        } else if path.extension() == Some("rs") {
            files.push(path);
        }
    }
}

/// What `thiserror` is told of a type, or of a variant of it: its remark and its message. Variants that are another error
/// have that one's message.
type Types = BTreeMap<(String, String), (Option<String>, Option<String>)>;

fn types(items: &[&Item]) -> Types {
    let mut types = Types::new();
    let mut transparent = Vec::new();
    for item in items {
        match item {
            Item::Struct(item) => {
                types.insert((item.ident.to_string(), String::new()), (remark(&item.attrs), message(&item.attrs)));
            }
            Item::Enum(item) => {
                for variant in &item.variants {
                    let key = (item.ident.to_string(), variant.ident.to_string());
                    if let (None, Fields::Unnamed(fields)) = (message(&variant.attrs), &variant.fields)
                        && let Some(syn::Type::Path(of)) = fields.unnamed.first().map(|field| &field.ty)
                    {
                        transparent.push((key.clone(), path_end(&of.path)));
                    }
                    types.insert(key, (remark(&variant.attrs), message(&variant.attrs)));
                }
            }
            _ => {}
        }
    }
    for (key, of) in transparent {
        let written = displayed(items, &of);
        let message = types.get(&(of.clone(), String::new())).and_then(|(_, message)| message.clone()).or(written);
        let message = message.or((of == "Error").then(|| "<what the system says>".to_owned()));
        types.get_mut(&key).expect("it was put there").1 = message;
    }
    types
}

/// The first text that a hand-written `Display` writes.
fn displayed(items: &[&Item], of: &str) -> Option<String> {
    let item = items.iter().find_map(|item| match item {
        Item::Impl(item) => {
            let (_, what, _) = item.trait_.as_ref()?;
            let syn::Type::Path(name) = &*item.self_ty else { return None };
            (path_end(what) == "Display" && path_end(&name.path) == of).then_some(item)
        }
        _ => None,
    })?;
    let mut first = FirstText(None);
    first.visit_item_impl(item);
    first.0.map(|text| format!("{}…", text.trim_end_matches(' ').to_owned() + " "))
}

struct FirstText(Option<String>);

impl syn::visit::Visit<'_> for FirstText {
    fn visit_lit_str(&mut self, text: &syn::LitStr) {
        self.0.get_or_insert_with(|| text.value());
    }
}

fn remark(attributes: &[syn::Attribute]) -> Option<String> {
    let lines = attributes.iter().filter(|attribute| attribute.path().is_ident("doc")).filter_map(|attribute| {
        let syn::Meta::NameValue(value) = &attribute.meta else { return None };
        literal(&value.value).map(|text| text.trim().to_owned())
    });
    let text = lines.collect::<Vec<_>>().join(" ");
    (!text.is_empty()).then_some(text)
}

fn message(attributes: &[syn::Attribute]) -> Option<String> {
    let attribute = attributes.iter().find(|attribute| attribute.path().is_ident("error"))?;
    let syn::Meta::List(list) = &attribute.meta else { return None };
    // `.field` is short for `self.field`, and no expression.
    let text = list.tokens.to_string().replace(", .", ", ").replace("(.", "(");
    Scope::default().formatted(Arguments::parse_terminated.parse_str(&text)).into_iter().next()
}

/// The errors of a file: what their `Diagnose` says.
fn errors(items: &[Item], types: &Types, places: &Places, codes: &mut Codes) {
    let scope = Scope::of(items);
    for item in items {
        let Item::Impl(item) = item else { continue };
        let Some((_, of, _)) = &item.trait_ else { continue };
        let (true, syn::Type::Path(name)) = (path_end(of) == "Diagnose", &*item.self_ty) else { continue };
        let name = path_end(&name.path);
        let by_variant = |method: &str| -> Vec<(String, &Expr)> {
            let methods = item.items.iter().filter_map(|item| match item {
                syn::ImplItem::Fn(function) if function.sig.ident == method => Some(function),
                _ => None,
            });
            methods.flat_map(|function| arms(&function.block)).collect()
        };
        let (helps, categories) = (by_variant("help"), by_variant("category"));
        for (variant, code) in by_variant("code") {
            let Some(code) = literal(code) else { continue };
            // A code of all variants is told of each.
            let all = types.keys().filter(|(of, own)| *of == name && (variant == "_" || *own == variant));
            for key in all {
                let entry = codes.errors.entry(code.clone()).or_default();
                let (remark, message) = types[key].clone();
                entry.meaning = entry.meaning.take().or(remark);
                entry.exit_codes.extend(of_variant(&categories, &key.1).into_iter().filter_map(exit_code));
                let mut said = Said { messages: message.into_iter().collect(), helps: Vec::new() };
                for help in of_variant(&helps, &key.1) {
                    said.helps.extend(scope.says(help));
                }
                said.helps.retain(|help| !help.is_empty());
                let by_place = places
                    .said
                    .get(&format!("{}::{}", key.0, key.1))
                    .into_iter()
                    .flatten()
                    .filter(|_| said.helps.is_empty());
                if said.messages == ["<message>"] {
                    let before = entry.said.len();
                    by_place.for_each(|place| entry.add(place.clone()));
                    if entry.said.len() > before {
                        continue;
                    }
                    said.messages.clear();
                } else {
                    let helps: Vec<String> = by_place.flat_map(|place| place.helps.clone()).collect();
                    said.helps.extend(helps);
                }
                entry.add(Said { messages: said.messages.clone(), helps: Vec::new() });
                entry.add(said);
            }
        }
    }
}

/// What a function answers for a variant.
fn of_variant<'e>(all: &[(String, &'e Expr)], variant: &str) -> Vec<&'e Expr> {
    let named =
        |name: &str| -> Vec<&'e Expr> { all.iter().filter(|(of, _)| of == name).map(|(_, said)| *said).collect() };
    let own = named(variant);
    if own.is_empty() { named("_") } else { own }
}

/// What a function answers for each variant of `self`, and for `_` in all other cases.
fn arms(block: &syn::Block) -> Vec<(String, &Expr)> {
    let Some(Stmt::Expr(tail, None)) = block.stmts.last() else { return Vec::new() };
    let mut tail = tail;
    if let Expr::Call(call) = tail
        && let (Expr::Path(called), Some(inner)) = (&*call.func, call.args.first())
        && called.path.is_ident("Some")
    {
        tail = inner;
    }
    let Expr::Match(of) = tail else { return vec![("_".to_owned(), tail)] };
    let mut arms = Vec::new();
    for arm in &of.arms {
        arms.extend(variants(&arm.pat).into_iter().map(|variant| (variant, &*arm.body)));
    }
    arms
}

fn variants(pattern: &Pat) -> Vec<String> {
    match pattern {
        Pat::Or(or) => or.cases.iter().flat_map(variants).collect(),
        Pat::Struct(pattern) => vec![path_end(&pattern.path)],
        Pat::TupleStruct(pattern) => vec![path_end(&pattern.path)],
        Pat::Path(pattern) => vec![path_end(&pattern.path)],
        Pat::Wild(_) => vec!["_".to_owned()],
        _ => Vec::new(),
    }
}

/// The text of a literal.
pub(super) fn literal(expression: &Expr) -> Option<String> {
    let Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) = expression else { return None };
    Some(text.value())
}

fn exit_code(category: &Expr) -> Option<u8> {
    let Expr::Path(path) = category else { return None };
    let category = match path_end(&path.path).as_str() {
        "Build" => Category::Build,
        "Usage" => Category::Usage,
        "Workspace" => Category::Workspace,
        "Docker" => Category::Docker,
        _ => return None,
    };
    Some(category.exit_code())
}
