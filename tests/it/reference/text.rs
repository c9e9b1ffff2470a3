//! What an expression of the sources would say: its literals, with names where values would stand.

use std::collections::HashMap;

use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{Expr, Item, Pat, Stmt, Token};

/// What is between the brackets of `format!`.
pub(super) type Arguments = Punctuated<Expr, Token![,]>;

/// How far functions that call each other are followed.
const DEPTH: usize = 6;

/// What names mean.
#[derive(Clone, Default)]
pub(super) struct Scope<'a> {
    functions: HashMap<String, &'a syn::Block>,
    constants: HashMap<String, &'a Expr>,
    /// What was bound in the function, with the place in it for what was taken apart.
    locals: Vec<(String, &'a Expr, Option<usize>)>,
    depth: usize,
}

impl<'a> Scope<'a> {
    pub(super) fn of(items: &'a [Item]) -> Self {
        let mut scope = Self::default();
        for item in items {
            match item {
                Item::Fn(function) => {
                    scope.functions.insert(function.sig.ident.to_string(), &function.block);
                }
                Item::Const(constant) => {
                    scope.constants.insert(constant.ident.to_string(), &constant.expr);
                }
                Item::Impl(item) => {
                    for item in &item.items {
                        if let syn::ImplItem::Fn(function) = item {
                            scope.functions.insert(function.sig.ident.to_string(), &function.block);
                        }
                    }
                }
                _ => {}
            }
        }
        scope
    }

    /// What a name was bound to last.
    pub(super) fn bound(&self, name: &str) -> Option<&'a Expr> {
        let local = self.locals.iter().rfind(|(local, ..)| local == name);
        local.filter(|(_, _, part)| part.is_none()).map(|(_, expression, _)| *expression)
    }

    /// Binds what a statement binds.
    pub(super) fn bind(&mut self, local: &'a syn::Local) {
        let mut locals = Locals(std::mem::take(&mut self.locals));
        if let Some(value) = &local.init {
            locals.bind(&local.pat, &value.expr, None);
        }
        self.locals = locals.0;
    }

    /// The texts that an expression may come to; none when that is not written down.
    pub(super) fn says(&self, expression: &Expr) -> Vec<String> {
        let mut texts = self.all(expression, None);
        let mut seen = Vec::new();
        texts.retain(|text| {
            !seen.contains(text) && {
                seen.push(text.clone());
                true
            }
        });
        texts
    }

    /// The same of one part, where the expression comes to several at once.
    fn all(&self, expression: &Expr, part: Option<usize>) -> Vec<String> {
        match expression {
            Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => vec![text.value()],
            Expr::Macro(call) if call.mac.path.is_ident("format") => {
                self.formatted(call.mac.parse_body_with(Arguments::parse_terminated))
            }
            Expr::Reference(inner) => self.all(&inner.expr, part),
            Expr::Paren(inner) => self.all(&inner.expr, part),
            Expr::Group(inner) => self.all(&inner.expr, part),
            Expr::Tuple(tuple) => {
                let element = part.and_then(|part| tuple.elems.get(part));
                element.map(|element| self.all(element, None)).unwrap_or_default()
            }
            Expr::If(branch) => {
                let other = branch.else_branch.iter().flat_map(|(_, other)| self.all(other, part));
                self.block(&branch.then_branch, part).into_iter().chain(other).collect()
            }
            Expr::Match(of) => of.arms.iter().flat_map(|arm| self.all(&arm.body, part)).collect(),
            Expr::Block(block) => self.block(&block.block, part),
            Expr::Return(said) => said.expr.iter().flat_map(|said| self.all(said, part)).collect(),
            Expr::MethodCall(call) => match call.method.to_string().as_str() {
                "to_owned" | "to_string" | "into" | "clone" | "as_str" => self.all(&call.receiver, part),
                "map_or_else" | "map_or" | "unwrap_or_else" | "unwrap_or" | "map" => {
                    let given = call.args.iter().flat_map(|argument| match argument {
                        Expr::Closure(closure) => self.all(&closure.body, part),
                        other => self.all(other, part),
                    });
                    given.collect()
                }
                _ if matches!(&*call.receiver, Expr::Path(path) if path.path.is_ident("self")) => {
                    self.called(&call.method.to_string(), part)
                }
                _ => Vec::new(),
            },
            Expr::Call(call) => {
                let Expr::Path(called) = &*call.func else { return Vec::new() };
                match path_end(&called.path).as_str() {
                    "Some" | "from" | "Ok" => call.args.iter().flat_map(|inner| self.all(inner, part)).collect(),
                    name => {
                        let called = self.called(name, part);
                        if called.is_empty() {
                            // What is done with a text then changes its form, not what it says.
                            return call.args.first().map(|inner| self.all(inner, None)).unwrap_or_default();
                        }
                        called
                    }
                }
            }
            Expr::Path(path) => self.named(&path_end(&path.path)),
            _ => Vec::new(),
        }
    }

    fn named(&self, name: &str) -> Vec<String> {
        if self.depth > DEPTH {
            return Vec::new();
        }
        let deeper = Self { depth: self.depth + 1, ..self.clone() };
        let local = self.locals.iter().rfind(|(local, ..)| local == name);
        let locals = local.map(|(_, expression, part)| deeper.all(expression, *part)).unwrap_or_default();
        if locals.is_empty()
            && let Some(constant) = self.constants.get(name)
        {
            return deeper.all(constant, None);
        }
        locals
    }

    fn called(&self, name: &str, part: Option<usize>) -> Vec<String> {
        let Some(block) = self.functions.get(name).filter(|_| self.depth < DEPTH) else { return Vec::new() };
        let mut locals = Locals(Vec::new());
        locals.visit_block(block);
        Self { locals: locals.0, depth: self.depth + 1, ..self.clone() }.block(block, part)
    }

    /// What a block answers at its end, or returns on the way.
    fn block(&self, block: &syn::Block, part: Option<usize>) -> Vec<String> {
        let mut returns = Returns(Vec::new());
        let (tail, before) = match block.stmts.split_last() {
            Some((Stmt::Expr(tail, None), before)) => (Some(tail), before),
            _ => (None, &block.stmts[..]),
        };
        for statement in before {
            returns.visit_stmt(statement);
        }
        let answers = returns.0.iter().chain(tail);
        answers.flat_map(|answer| self.all(answer, part)).collect()
    }

    /// What `format!` would make of its arguments.
    pub(super) fn formatted(&self, arguments: syn::Result<Arguments>) -> Vec<String> {
        let Ok(arguments) = arguments else { return Vec::new() };
        let mut arguments = arguments.into_iter();
        let Some(Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. })) = arguments.next() else {
            return Vec::new();
        };
        let (mut unnamed, mut named) = (Vec::new(), HashMap::new());
        for argument in arguments {
            match argument {
                Expr::Assign(said) => {
                    if let Expr::Path(path) = &*said.left {
                        named.insert(path_end(&path.path), *said.right);
                    }
                }
                other => unnamed.push(other),
            }
        }
        let mut unnamed = unnamed.into_iter();
        let mut texts = vec![String::new()];
        let text = text.value();
        let mut rest = text.as_str();
        while let Some(at) = rest.find(['{', '}']) {
            append(&mut texts, &[rest[..at].to_owned()]);
            if rest[at..].starts_with("{{") || rest[at..].starts_with("}}") {
                append(&mut texts, &[rest[at..=at].to_owned()]);
                rest = &rest[at + 2..];
                continue;
            }
            let end = at + rest[at..].find('}').expect("a field ends");
            let name = rest[at + 1..end].split(':').next().unwrap_or_default();
            let value = match name {
                "" => unnamed.next(),
                name => named.get(name).cloned(),
            };
            append(&mut texts, &self.field(name, value.as_ref()));
            rest = &rest[end + 1..];
        }
        append(&mut texts, &[rest.to_owned()]);
        texts
    }

    /// What stands in a field: the texts where they are few and written down, else its name.
    fn field(&self, name: &str, value: Option<&Expr>) -> Vec<String> {
        let known = match value {
            Some(value) => self.says(value),
            None => self.named(name),
        };
        if (1..=2).contains(&known.len()) {
            return known;
        }
        let name = value.and_then(name_of).unwrap_or_else(|| name.to_owned());
        let name = name.trim_end_matches("_name").replace('_', " ");
        vec![if name.is_empty() || name.starts_with(|first: char| first.is_ascii_digit()) {
            "…".to_owned()
        } else {
            format!("<{name}>")
        }]
    }
}

/// Every text with every end.
fn append(texts: &mut Vec<String>, ends: &[String]) {
    *texts = texts.iter().flat_map(|text| ends.iter().map(move |end| format!("{text}{end}"))).collect();
}

/// What a value is called where it is used.
fn name_of(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Path(path) => Some(path_end(&path.path)).filter(|name| name != "self"),
        Expr::Field(field) => match &field.member {
            syn::Member::Named(name) => Some(name.to_string()),
            syn::Member::Unnamed(_) => name_of(&field.base),
        },
        Expr::MethodCall(call) => name_of(&call.receiver).or_else(|| Some(call.method.to_string())),
        Expr::Call(call) => call.args.first().and_then(name_of),
        Expr::Reference(inner) => name_of(&inner.expr),
        Expr::Paren(inner) => name_of(&inner.expr),
        Expr::Unary(inner) => name_of(&inner.expr),
        Expr::Index(inner) => name_of(&inner.expr),
        _ => None,
    }
}

/// The last word of a path.
pub(super) fn path_end(path: &syn::Path) -> String {
    path.segments.last().map(|part| part.ident.to_string()).unwrap_or_default()
}

/// Finds what names are bound to.
struct Locals<'a>(Vec<(String, &'a Expr, Option<usize>)>);

impl<'a> Locals<'a> {
    fn bind(&mut self, pattern: &Pat, value: &'a Expr, part: Option<usize>) {
        match pattern {
            Pat::Ident(name) => self.0.push((name.ident.to_string(), value, part)),
            Pat::Type(typed) => self.bind(&typed.pat, value, part),
            Pat::Tuple(tuple) => {
                for (place, element) in tuple.elems.iter().enumerate() {
                    match value {
                        Expr::Tuple(values) => {
                            if let Some(value) = values.elems.get(place) {
                                self.bind(element, value, None);
                            }
                        }
                        _ => self.bind(element, value, Some(place)),
                    }
                }
            }
            _ => {}
        }
    }
}

impl<'a> Visit<'a> for Locals<'a> {
    fn visit_local(&mut self, local: &'a syn::Local) {
        if let Some(value) = &local.init {
            self.bind(&local.pat, &value.expr, None);
        }
        visit::visit_local(self, local);
    }
}

/// Finds what is returned before the end.
struct Returns(Vec<Expr>);

impl Visit<'_> for Returns {
    fn visit_expr_return(&mut self, said: &syn::ExprReturn) {
        self.0.extend(said.expr.as_deref().cloned());
    }

    fn visit_expr_closure(&mut self, _: &syn::ExprClosure) {}
}
