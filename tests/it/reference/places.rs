//! The places in the sources where warnings and findings are made, and errors whose texts differ from place to place.

use std::collections::{BTreeMap, HashMap};

use syn::visit::{self, Visit};
use syn::{Expr, FnArg, Pat};

use super::errors::{Codes, Said, literal};
use super::text::{Scope, path_end};

/// What is said of errors whose message or help is a field: by `Type::Variant`.
#[derive(Default)]
pub(super) struct Places {
    pub(super) said: BTreeMap<String, Vec<Said>>,
    /// What makes such an error of its parameters.
    makers: HashMap<MakerName, Maker>,
}

/// The name of a function or closure, with the file of the latter.
type MakerName = (Option<usize>, String);

/// The variant, and which parameters are message and help.
#[derive(Clone)]
struct Maker {
    variant: String,
    message: Option<usize>,
    help: Option<usize>,
}

impl Places {
    /// Reads a crate. Warnings and findings are put with the codes.
    pub(super) fn read(files: &[syn::File], codes: &mut Codes) -> Self {
        let mut places = Self::default();
        // Who makes errors of parameters must be known before their calls are looked at.
        for pass in [Pass::Makers, Pass::All] {
            for (number, file) in files.iter().enumerate() {
                let scope = Scope::of(&file.items);
                let mut finder = Finder {
                    file: &scope,
                    number,
                    scope: scope.clone(),
                    within: Vec::new(),
                    implemented: String::new(),
                    pass,
                    places: &mut places,
                    codes,
                };
                finder.visit_file(file);
            }
        }
        places
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Pass {
    Makers,
    All,
}

struct Finder<'a, 'c> {
    file: &'a Scope<'a>,
    number: usize,
    /// What is known where we are.
    scope: Scope<'a>,
    /// The functions and closures that we are in, with their parameters.
    within: Vec<(MakerName, Vec<String>)>,
    /// What `Self` is.
    implemented: String,
    pass: Pass,
    places: &'c mut Places,
    codes: &'c mut Codes,
}

impl<'a> Finder<'a, '_> {
    fn function(&mut self, signature: &syn::Signature, block: &'a syn::Block) {
        let parameters = signature.inputs.iter().filter_map(|input| match input {
            FnArg::Typed(typed) => Some(name_of(&typed.pat)),
            FnArg::Receiver(_) => None,
        });
        self.within.push(((None, signature.ident.to_string()), parameters.collect()));
        let outer = std::mem::replace(&mut self.scope, self.file.clone());
        visit::visit_block(self, block);
        self.scope = outer;
        self.within.pop();
    }

    /// Which parameter of what we are in a value is.
    fn parameter(&self, value: &Expr) -> Option<usize> {
        let mut value = value;
        while let Expr::MethodCall(call) = value {
            value = &call.receiver;
        }
        let Expr::Path(path) = value else { return None };
        let name = path_end(&path.path);
        self.within.last()?.1.iter().position(|parameter| *parameter == name)
    }

    /// The code that an expression makes a warning or finding of, or that its first steps make one of.
    fn made(&mut self, expression: &Expr) -> Option<(String, Vec<String>, bool)> {
        match expression {
            Expr::Call(call) => {
                let Expr::Path(called) = &*call.func else { return None };
                let path: Vec<String> = called.path.segments.iter().map(|part| part.ident.to_string()).collect();
                let path: Vec<&str> = path.iter().map(String::as_str).collect();
                let (code, is_warning) = match path.as_slice() {
                    ["Warning", "new"] => (literal(call.args.first()?)?, true),
                    ["Finding", "new"] => (literal(call.args.get(1)?)?, false),
                    _ => return None,
                };
                Some((code, self.scope.says(call.args.last()?), is_warning))
            }
            Expr::MethodCall(call) => self.made(&call.receiver),
            Expr::Path(path) => {
                let bound = self.scope.bound(&path_end(&path.path))?;
                self.made(bound)
            }
            _ => None,
        }
    }

    fn add(&mut self, (code, messages, is_warning): (String, Vec<String>, bool), helps: Vec<String>) {
        let codes = if is_warning { &mut self.codes.warnings } else { &mut self.codes.findings };
        codes.entry(code).or_default().add(Said { messages, helps });
    }

    /// A call of what makes an error of its parameters.
    fn call(&mut self, name: &str, arguments: &[&Expr]) {
        let parts: Vec<&Expr>;
        let arguments = match arguments {
            [Expr::Tuple(tuple)] => {
                parts = tuple.elems.iter().collect();
                &parts[..]
            }
            other => other,
        };
        let name = name.to_owned();
        let makers = &self.places.makers;
        let maker = makers.get(&(Some(self.number), name.clone())).or_else(|| makers.get(&(None, name)));
        let Some(maker) = maker.filter(|_| self.pass == Pass::All).cloned() else { return };
        let says = |place: usize| arguments.get(place).map(|argument| self.scope.says(argument)).unwrap_or_default();
        let said = Said {
            messages: maker.message.map(says).unwrap_or_default(),
            helps: maker.help.map(says).unwrap_or_default(),
        };
        self.said(maker.variant, said);
    }

    fn said(&mut self, variant: String, said: Said) {
        if self.pass == Pass::All && !(said.messages.is_empty() && said.helps.is_empty()) {
            self.places.said.entry(variant).or_default().push(said);
        }
    }
}

/// The names in a parameter that may be several at once.
fn names_of(pattern: &Pat) -> Vec<String> {
    match pattern {
        Pat::Tuple(tuple) => tuple.elems.iter().map(name_of).collect(),
        one => vec![name_of(one)],
    }
}

fn name_of(pattern: &Pat) -> String {
    match pattern {
        Pat::Ident(name) => name.ident.to_string(),
        Pat::Type(typed) => name_of(&typed.pat),
        _ => String::new(),
    }
}

impl<'a> Visit<'a> for Finder<'a, '_> {
    fn visit_item_mod(&mut self, module: &'a syn::ItemMod) {
        let is_test = module.attrs.iter().any(|attribute| attribute.path().is_ident("cfg"));
        if !is_test {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_impl(&mut self, item: &'a syn::ItemImpl) {
        if let syn::Type::Path(of) = &*item.self_ty {
            self.implemented = path_end(&of.path);
        }
        visit::visit_item_impl(self, item);
    }

    fn visit_item_fn(&mut self, function: &'a syn::ItemFn) {
        self.function(&function.sig, &function.block);
    }

    fn visit_impl_item_fn(&mut self, function: &'a syn::ImplItemFn) {
        self.function(&function.sig, &function.block);
    }

    fn visit_local(&mut self, local: &'a syn::Local) {
        let closure = local.init.as_ref().and_then(|init| match &*init.expr {
            Expr::Closure(closure) => Some(closure),
            _ => None,
        });
        if let Some(closure) = closure {
            let name = (Some(self.number), name_of(&local.pat));
            self.within.push((name, closure.inputs.iter().flat_map(names_of).collect()));
            visit::visit_expr(self, &closure.body);
            self.within.pop();
        } else {
            visit::visit_local(self, local);
        }
        self.scope.bind(local);
    }

    fn visit_expr_struct(&mut self, made: &'a syn::ExprStruct) {
        let field = |name: &str| {
            let mut fields = made.fields.iter();
            fields
                .find(|field| matches!(&field.member, syn::Member::Named(own) if own == name))
                .map(|field| &field.expr)
        };
        let mut path = made.path.segments.iter().rev().map(|part| part.ident.to_string());
        let (message, help) = (field("message"), field("help"));
        if let (Some(variant), Some(of)) = (path.next(), path.next())
            && (message.is_some() || help.is_some())
        {
            let of = if of == "Self" { self.implemented.clone() } else { of };
            let variant = format!("{of}::{variant}");
            let place = |field: Option<&Expr>| field.and_then(|field| self.parameter(field));
            let maker = Maker { variant: variant.clone(), message: place(message), help: place(help) };
            let says = |field: Option<&Expr>| field.map(|field| self.scope.says(field)).unwrap_or_default();
            let said = Said { messages: says(message), helps: says(help) };
            if maker.message.is_none() && maker.help.is_none() {
                self.said(variant, said);
            } else if let Some((name, _)) = self.within.last() {
                self.places.makers.insert(name.clone(), maker);
            }
        }
        visit::visit_expr_struct(self, made);
    }

    fn visit_expr_call(&mut self, call: &'a syn::ExprCall) {
        if self.pass == Pass::All
            && let Some(made) = self.made(&Expr::Call(call.clone()))
        {
            self.add(made, Vec::new());
        }
        if let Expr::Path(called) = &*call.func {
            self.call(&path_end(&called.path), &call.args.iter().collect::<Vec<_>>());
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_expr_method_call(&mut self, call: &'a syn::ExprMethodCall) {
        if self.pass == Pass::All
            && (call.method == "with_help" || call.method == "help")
            && let Some(help) = call.args.first()
            && let Some(made) = self.made(&call.receiver)
        {
            let helps = self.scope.says(help);
            self.add(made, helps);
        }
        self.call(&call.method.to_string(), &call.args.iter().collect::<Vec<_>>());
        visit::visit_expr_method_call(self, call);
    }
}
