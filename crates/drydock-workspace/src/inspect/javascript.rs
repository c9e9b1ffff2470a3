//! Reads JavaScript and TypeScript with a real parser: what a file imports, and what a configuration file says.

use oxc_allocator::Allocator;
use oxc_ast::ast::{
    Argument, ArrayExpressionElement, ArrowFunctionBody, BindingPattern, CallExpression, Declaration,
    ExportAllDeclaration, ExportDefaultDeclarationKind, ExportFromDeclaration, Expression, FunctionBody,
    ImportDeclaration, ImportExpression, NewExpression, ObjectExpression, ObjectPropertyKind, Program, Statement,
    StringLiteral, TemplateLiteral,
};
use oxc_ast_visit::{Visit, walk};
use oxc_parser::Parser;
use oxc_span::{GetSpan, SourceType};

/// How many references to other variables are followed before a configuration counts as computed.
const MAX_DEPTH: usize = 16;

/// Something a file names to load it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Import {
    /// As written: `../x.js`, `@acme/lib/sub`. For [`ImportKind::Path`] the parts joined by `/`.
    pub(crate) specifier: String,
    /// How it is named.
    pub(crate) kind: ImportKind,
    /// The 1-based line.
    pub(crate) line: usize,
}

/// How a file names another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ImportKind {
    /// `import … from`, `export … from`.
    Static,
    /// `import type … from`, `export type … from`: gone after compiling.
    TypeOnly,
    /// `import(…)`.
    Dynamic,
    /// `require(…)`, `require.resolve(…)`, `import.meta.resolve(…)`.
    Require,
    /// `new URL(…, import.meta.url)`.
    Url,
    /// `path.resolve(__dirname, …)`, `path.join(import.meta.dirname, …)`.
    Path,
}

/// A value of a configuration file that is written down rather than computed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Literal {
    /// A string; a path made from the file's own folder is relative to it.
    Text(String),
    /// `true` or `false`.
    Bool(bool),
    /// A list of which the strings are kept.
    List(Vec<String>),
    /// An object.
    Object,
    /// Anything else: a call, a variable, a number.
    Computed,
}

/// What the file at `path` (its name decides the dialect) loads, in the order of its text. Empty for a text that does
/// not parse.
pub(crate) fn imports(path: &str, text: &str) -> Vec<Import> {
    with_program(path, text, |program| {
        let mut collector = Collector { lines: Lines::new(text), imports: Vec::new(), strings: None };
        collector.visit_program(program);
        let mut imports = collector.imports;
        imports.sort_by_key(|import| import.line);
        imports
    })
    .unwrap_or_default()
}

/// Every string that the file writes down, with its line; of a template the part before its first expression.
pub(crate) fn strings(path: &str, text: &str) -> Vec<(String, usize)> {
    with_program(path, text, |program| {
        let mut collector = Collector { lines: Lines::new(text), imports: Vec::new(), strings: Some(Vec::new()) };
        collector.visit_program(program);
        collector.strings.unwrap_or_default()
    })
    .unwrap_or_default()
}

/// The value at `keys` of the object that a configuration file exports, and its line: `["build", "outDir"]` of
/// `export default defineConfig({ build: { outDir: 'out' } })`. Functions that return the object, calls that pass it on,
/// variables, casts and `module.exports` are seen through. `None` when the file does not parse or says nothing there.
pub(crate) fn option(path: &str, text: &str, keys: &[&str]) -> Option<(Literal, usize)> {
    with_program(path, text, |program| {
        let lines = Lines::new(text);
        let scope = Scope { program };
        let (mut value, mut depth) = (scope.exported()?, 0);
        for key in keys {
            let object = scope.object(value, &mut depth)?;
            value = scope.property(object, key, &mut depth)?;
        }
        Some((scope.literal(value, &mut depth), lines.of(value.span().start)))
    })
    .flatten()
}

/// The values at `keys` where lists stand on the way (several configurations in one file, several outputs of one):
/// those of all their elements, in the order of the text.
pub(crate) fn options(path: &str, text: &str, keys: &[&str]) -> Vec<(Literal, usize)> {
    with_program(path, text, |program| {
        let scope = Scope { program };
        let mut found = Vec::new();
        if let Some(exported) = scope.exported() {
            scope.every(exported, keys, &mut 0, &mut found);
        }
        let lines = Lines::new(text);
        found.into_iter().map(|(literal, offset)| (literal, lines.of(offset))).collect()
    })
    .unwrap_or_default()
}

fn with_program<T>(path: &str, text: &str, read: impl FnOnce(&Program<'_>) -> T) -> Option<T> {
    let allocator = Allocator::default();
    let source_type = SourceType::from_path(path).unwrap_or_else(|_| SourceType::tsx());
    // Plain `.js` may hold JSX or either module form; the parser takes all of them as an unambiguous module.
    let source_type = if source_type.is_typescript() { source_type } else { source_type.with_jsx(true) };
    let parsed = Parser::new(&allocator, text, source_type).parse();
    if parsed.panicked { None } else { Some(read(&parsed.program)) }
}

/// Byte offsets of line starts.
struct Lines(Vec<u32>);

impl Lines {
    fn new(text: &str) -> Self {
        let starts = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self(starts.map(|(offset, _)| u32::try_from(offset).unwrap_or(u32::MAX)).collect())
    }

    fn of(&self, offset: u32) -> usize {
        self.0.partition_point(|end| *end < offset) + 1
    }
}

struct Collector {
    lines: Lines,
    imports: Vec<Import>,
    strings: Option<Vec<(String, usize)>>,
}

impl Collector {
    fn add(&mut self, specifier: impl Into<String>, kind: ImportKind, offset: u32) {
        self.imports.push(Import { specifier: specifier.into(), kind, line: self.lines.of(offset) });
    }
}

impl<'a> Visit<'a> for Collector {
    fn visit_import_declaration(&mut self, import: &ImportDeclaration<'a>) {
        let kind = if import.import_kind.is_type() { ImportKind::TypeOnly } else { ImportKind::Static };
        self.add(import.source.value.as_str(), kind, import.span.start);
        walk::walk_import_declaration(self, import);
    }

    fn visit_export_from_declaration(&mut self, export: &ExportFromDeclaration<'a>) {
        let kind = if export.export_kind.is_type() { ImportKind::TypeOnly } else { ImportKind::Static };
        self.add(export.source.value.as_str(), kind, export.span.start);
        walk::walk_export_from_declaration(self, export);
    }

    fn visit_export_all_declaration(&mut self, export: &ExportAllDeclaration<'a>) {
        let kind = if export.export_kind.is_type() { ImportKind::TypeOnly } else { ImportKind::Static };
        self.add(export.source.value.as_str(), kind, export.span.start);
        walk::walk_export_all_declaration(self, export);
    }

    fn visit_import_expression(&mut self, import: &ImportExpression<'a>) {
        if let Some(specifier) = plain_text(&import.source) {
            self.add(specifier, ImportKind::Dynamic, import.span.start);
        }
        walk::walk_import_expression(self, import);
    }

    fn visit_call_expression(&mut self, call: &CallExpression<'a>) {
        let start = call.span.start;
        let first = call.arguments.first().and_then(Argument::as_expression);
        match callee_name(&call.callee).as_deref() {
            Some("require" | "require.resolve" | "import.meta.resolve") => {
                if let Some(specifier) = first.and_then(plain_text) {
                    self.add(specifier, ImportKind::Require, start);
                }
            }
            Some(_) => {
                if let Some(path) = own_folder_path(call) {
                    self.add(path, ImportKind::Path, start);
                }
            }
            None => {}
        }
        walk::walk_call_expression(self, call);
    }

    fn visit_new_expression(&mut self, new: &NewExpression<'a>) {
        let is_url = matches!(&new.callee, Expression::Identifier(name) if name.name == "URL");
        let mut arguments = new.arguments.iter().filter_map(Argument::as_expression);
        if is_url
            && let (Some(path), Some(base)) = (arguments.next().and_then(plain_text), arguments.next())
            && member_name(base).as_deref() == Some("import.meta.url")
        {
            self.add(path, ImportKind::Url, new.span.start);
        }
        walk::walk_new_expression(self, new);
    }

    fn visit_string_literal(&mut self, literal: &StringLiteral<'a>) {
        let line = self.lines.of(literal.span.start);
        if let Some(strings) = &mut self.strings {
            strings.push((literal.value.to_string(), line));
        }
    }

    fn visit_template_literal(&mut self, template: &TemplateLiteral<'a>) {
        let line = self.lines.of(template.span.start);
        if let (Some(strings), Some(head)) = (&mut self.strings, template.quasis.first()) {
            strings.push((head.value.raw.to_string(), line));
        }
        walk::walk_template_literal(self, template);
    }
}

/// A string, or a template without expressions.
fn plain_text(expression: &Expression<'_>) -> Option<String> {
    match expression {
        Expression::StringLiteral(literal) => Some(literal.value.to_string()),
        Expression::TemplateLiteral(template) if template.expressions.is_empty() => {
            template.quasis.first().map(|quasi| quasi.value.raw.to_string())
        }
        _ => None,
    }
}

/// `a.b.c` of identifiers and `import.meta` as text.
fn member_name(expression: &Expression<'_>) -> Option<String> {
    match expression {
        Expression::Identifier(identifier) => Some(identifier.name.to_string()),
        Expression::ImportMeta(_) => Some("import.meta".to_owned()),
        Expression::StaticMemberExpression(member) => {
            Some(format!("{}.{}", member_name(&member.object)?, member.property.name))
        }
        _ => None,
    }
}

fn callee_name(callee: &Expression<'_>) -> Option<String> {
    member_name(callee)
}

/// The path, relative to the file's folder, that `path.resolve(__dirname, 'a', 'b')` and its kin make.
fn own_folder_path(call: &CallExpression<'_>) -> Option<String> {
    let callee = callee_name(&call.callee)?;
    let function = callee.rsplit('.').next()?;
    if !matches!(function, "resolve" | "join") {
        return None;
    }
    let mut arguments = call.arguments.iter().filter_map(Argument::as_expression);
    let base = match arguments.next()? {
        // Tools run in the folder of their configuration.
        Expression::CallExpression(call) => format!("{}()", callee_name(&call.callee)?),
        other => member_name(other)?,
    };
    if !matches!(base.as_str(), "__dirname" | "import.meta.dirname" | "dirname" | "currentDir" | "process.cwd()") {
        return None;
    }
    let parts: Option<Vec<String>> = arguments.map(plain_text).collect();
    parts.filter(|parts| !parts.is_empty()).map(|parts| parts.join("/"))
}

/// The path, relative to the file's folder, that `fileURLToPath(new URL('a', import.meta.url))` makes.
fn own_folder_url(expression: &Expression<'_>) -> Option<String> {
    let new = match expression {
        Expression::CallExpression(call) if callee_name(&call.callee)?.ends_with("fileURLToPath") => {
            call.arguments.first()?.as_expression()?
        }
        Expression::StaticMemberExpression(member) if member.property.name == "pathname" => &member.object,
        _ => return None,
    };
    let Expression::NewExpression(new) = new else { return None };
    let is_url = matches!(&new.callee, Expression::Identifier(name) if name.name == "URL");
    let mut arguments = new.arguments.iter().filter_map(Argument::as_expression);
    let path = arguments.next().and_then(plain_text)?;
    let base = arguments.next().and_then(member_name)?;
    (is_url && base == "import.meta.url").then_some(path)
}

/// Looks things up in one file.
struct Scope<'p, 'a> {
    program: &'p Program<'a>,
}

impl<'p, 'a> Scope<'p, 'a> {
    /// What the file exports as its default, or assigns to `module.exports`.
    fn exported(&self) -> Option<&'p Expression<'a>> {
        self.program.body.iter().find_map(|statement| match statement {
            Statement::ExportDefaultDeclaration(export) => match &export.declaration {
                ExportDefaultDeclarationKind::FunctionDeclaration(function) => returned(function.body.as_deref()?),
                other => other.as_expression(),
            },
            Statement::ExpressionStatement(statement) => match &statement.expression {
                Expression::AssignmentExpression(assignment) => {
                    let target = assignment.left.as_simple_assignment_target()?.as_member_expression()?;
                    let object = member_name(target.object())?;
                    let is_exports = object == "module" && target.static_property_name() == Some("exports");
                    is_exports.then_some(&assignment.right)
                }
                _ => None,
            },
            _ => None,
        })
    }

    /// The initialiser of a variable declared at the top of the file.
    fn variable(&self, name: &str) -> Option<&'p Expression<'a>> {
        self.program.body.iter().find_map(|statement| {
            let declaration = match statement {
                Statement::VariableDeclaration(declaration) => declaration,
                Statement::ExportDeclaration(export) => match &export.declaration {
                    Declaration::VariableDeclaration(declaration) => declaration,
                    _ => return None,
                },
                _ => return None,
            };
            declaration.declarations.iter().find_map(|declarator| {
                let is_it = matches!(&declarator.id, BindingPattern::BindingIdentifier(id) if id.name == name);
                is_it.then_some(declarator.init.as_ref()).flatten()
            })
        })
    }

    /// Sees through parentheses, casts, variables, functions that return a value, and calls that pass an object on.
    fn resolve(&self, expression: &'p Expression<'a>, depth: &mut usize) -> &'p Expression<'a> {
        *depth += 1;
        if *depth > MAX_DEPTH {
            return expression;
        }
        let inner = match expression {
            Expression::ParenthesizedExpression(inner) => Some(&inner.expression),
            Expression::TSAsExpression(cast) => Some(&cast.expression),
            Expression::TSSatisfiesExpression(cast) => Some(&cast.expression),
            Expression::AwaitExpression(wait) => Some(&wait.argument),
            Expression::Identifier(identifier) => self.variable(identifier.name.as_str()),
            Expression::ArrowFunctionExpression(function) => match function.get_expression() {
                Some(expression) => Some(expression),
                None => match &function.body {
                    ArrowFunctionBody::FunctionBody(body) => returned(body),
                    _ => None,
                },
            },
            Expression::FunctionExpression(function) => function.body.as_deref().and_then(returned),
            // `process.env.OUT_DIR || 'dist'`: what holds where nobody says otherwise.
            Expression::LogicalExpression(logical)
                if !logical.operator.is_and()
                    && member_name(&logical.left).is_some_and(|name| name.starts_with("process.env.")) =>
            {
                Some(&logical.right)
            }
            // `defineConfig(x)`, `withPlugin(x)`; not a path, which `literal` reads.
            Expression::CallExpression(call) if own_folder_path(call).is_none() => {
                let find = |is_wanted: fn(&Expression<'a>) -> bool| {
                    call.arguments.iter().filter_map(Argument::as_expression).find(|argument| {
                        let mut ahead = *depth;
                        is_wanted(self.resolve(argument, &mut ahead))
                    })
                };
                // An object before a list: `withPlugins([…], { … })`.
                find(|argument| matches!(argument, Expression::ObjectExpression(_)))
                    .or_else(|| find(|argument| matches!(argument, Expression::ArrayExpression(_))))
            }
            _ => None,
        };
        inner.map_or(expression, |inner| self.resolve(inner, depth))
    }

    fn object(&self, expression: &'p Expression<'a>, depth: &mut usize) -> Option<&'p ObjectExpression<'a>> {
        match self.resolve(expression, depth) {
            Expression::ObjectExpression(object) => Some(object),
            // Several configurations in one file: the first is the one that builds.
            Expression::ArrayExpression(array) => match array.elements.first()? {
                ArrayExpressionElement::SpreadElement(_) | ArrayExpressionElement::Elision(_) => None,
                element => match self.resolve(element.as_expression()?, depth) {
                    Expression::ObjectExpression(object) => Some(object),
                    _ => None,
                },
            },
            _ => None,
        }
    }

    fn property(&self, object: &'p ObjectExpression<'a>, key: &str, depth: &mut usize) -> Option<&'p Expression<'a>> {
        // The last one wins, as in JavaScript; a spread in between is looked into.
        object.properties.iter().rev().find_map(|property| match property {
            ObjectPropertyKind::ObjectProperty(property) => {
                (property.key.static_name().as_deref() == Some(key)).then_some(&property.value)
            }
            ObjectPropertyKind::SpreadProperty(spread) => {
                let inner = self.object(&spread.argument, depth)?;
                self.property(inner, key, depth)
            }
        })
    }

    /// Collects what is at `keys` below `expression`, in each element of the lists on the way.
    fn every(&self, expression: &'p Expression<'a>, keys: &[&str], depth: &mut usize, found: &mut Vec<(Literal, u32)>) {
        let resolved = self.resolve(expression, depth);
        match (resolved, keys) {
            (Expression::ArrayExpression(array), keys) => {
                for element in array.elements.iter().filter_map(|element| element.as_expression()) {
                    let mut depth = *depth;
                    self.every(element, keys, &mut depth, found);
                }
            }
            (Expression::ObjectExpression(object), [key, rest @ ..]) => {
                if let Some(value) = self.property(object, key, depth) {
                    self.every(value, rest, depth, found);
                }
            }
            (_, []) => found.push((self.literal(expression, depth), resolved.span().start)),
            (_, [_, ..]) => found.push((Literal::Computed, resolved.span().start)),
        }
    }

    fn literal(&self, expression: &'p Expression<'a>, depth: &mut usize) -> Literal {
        let expression = self.resolve(expression, depth);
        if let Some(text) = plain_text(expression) {
            return Literal::Text(text);
        }
        match expression {
            Expression::BooleanLiteral(value) => Literal::Bool(value.value),
            Expression::ObjectExpression(_) => Literal::Object,
            Expression::CallExpression(call) => {
                own_folder_path(call).or_else(|| own_folder_url(expression)).map_or(Literal::Computed, Literal::Text)
            }
            Expression::StaticMemberExpression(_) => {
                own_folder_url(expression).map_or(Literal::Computed, Literal::Text)
            }
            Expression::ArrayExpression(array) => Literal::List(
                array
                    .elements
                    .iter()
                    .filter_map(|element| element.as_expression())
                    .filter_map(|element| match self.literal(element, depth) {
                        Literal::Text(text) => Some(text),
                        _ => None,
                    })
                    .collect(),
            ),
            _ => Literal::Computed,
        }
    }
}

/// The value of the last `return` at the top of a function's body.
fn returned<'p, 'a>(body: &'p FunctionBody<'a>) -> Option<&'p Expression<'a>> {
    body.statements.iter().rev().find_map(|statement| match statement {
        Statement::ReturnStatement(statement) => statement.argument.as_ref(),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_name_a_file_is_seen() {
        use ImportKind::{Dynamic, Path, Require, Static, TypeOnly, Url};

        let text = r#"
import a, { b } from '../a.js';
import type { T } from "./types";
export * from './all';
export { x } from '@acme/lib/sub';
const c = require('../../c.cjs');
const d = await import(`./d.mjs`);
const e = new URL('../e.txt', import.meta.url);
const f = path.resolve(__dirname, '../..', 'f.json');
const g = join(import.meta.dirname, 'g');
const h = createRequire(import.meta.url)('x');
const dynamic = require(name);
"#;
        let found: Vec<_> = imports("x.ts", text).into_iter().map(|i| (i.line, i.kind, i.specifier)).collect();
        let expected = [
            (2, Static, "../a.js"),
            (3, TypeOnly, "./types"),
            (4, Static, "./all"),
            (5, Static, "@acme/lib/sub"),
            (6, Require, "../../c.cjs"),
            (7, Dynamic, "./d.mjs"),
            (8, Url, "../e.txt"),
            (9, Path, "../../f.json"),
            (10, Path, "g"),
        ];
        assert_eq!(found, expected.map(|(line, kind, text)| (line, kind, text.to_owned())));
    }

    #[test]
    fn options_are_read_through_what_people_write_around_them() {
        let out = |text: &str| option("vite.config.ts", text, &["build", "outDir"]);
        let text = |value: &str, line| Some((Literal::Text(value.to_owned()), line));
        assert_eq!(out("export default { build: { outDir: 'a' } }"), text("a", 1));
        assert_eq!(out("import x from 'y';\nexport default defineConfig({\n build: { outDir: 'b' } })"), text("b", 3));
        assert_eq!(out("export default defineConfig(({ mode }) => ({ build: { outDir: `c` } }))"), text("c", 1));
        assert_eq!(
            out("export default defineConfig(async () => { const x = 1; return { build: { outDir: 'd' } }; })"),
            text("d", 1)
        );
        assert_eq!(out("const c = { build: { outDir: 'e' } } satisfies X;\nexport default c"), text("e", 1));
        assert_eq!(
            out("module.exports = { ...base, build: { outDir: path.resolve(__dirname, '../f') } }"),
            text("../f", 1)
        );
        assert_eq!(out("const out = 'g'; export default { build: { outDir: out } }"), text("g", 1));
        assert_eq!(out("export default { build: { outDir: process.env.OUT ?? 'h' } }"), text("h", 1));
        assert_eq!(
            out("export default { build: { outDir: fileURLToPath(new URL('./i', import.meta.url)) } }"),
            text("./i", 1)
        );
        assert_eq!(out("export default { build: { outDir: path.join(process.cwd(), 'j') } }"), text("j", 1));
        assert_eq!(out("export default { build: { outDir: pick() } }"), Some((Literal::Computed, 1)));
        assert_eq!(out("export default { build: {} }"), None);
        assert_eq!(out("const a = a; export default a"), None);
        assert_eq!(out("this is not { javascript"), None);
    }

    #[test]
    fn several_configurations_are_all_read() {
        let read = |text: &str| options("rollup.config.mjs", text, &["output", "file"]);
        let text = |value: &str, line| (Literal::Text(value.to_owned()), line);
        assert_eq!(
            read("export default [\n{ output: [{ file: 'a' },\n{ file: 'b' }] },\n{ output: { file: 'c' } }, more()]"),
            [text("a", 2), text("b", 3), text("c", 4), (Literal::Computed, 4)]
        );
        assert_eq!(read("export default { output: { dir: 'x' } }"), []);
        assert_eq!(read("export default { output: { file: pkg.main } }"), [(Literal::Computed, 1)]);
    }

    #[test]
    fn lists_and_switches_are_values_too() {
        let text = "module.exports = { content: ['./src/**', '../lib/src/**/*.ts'], on: true }";
        let (content, _) = option("tailwind.config.cjs", text, &["content"]).unwrap();
        assert_eq!(content, Literal::List(vec!["./src/**".to_owned(), "../lib/src/**/*.ts".to_owned()]));
        assert_eq!(option("x.cjs", text, &["on"]).unwrap().0, Literal::Bool(true));
        assert_eq!(strings("x.cjs", text).len(), 2);
    }
}
