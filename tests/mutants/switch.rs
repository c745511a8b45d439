//! Writes every mutant that cargo-mutants lists into the source at once, each behind a switch: `a < b` becomes
//! `if switch::plain(&[7, 8]) { a < b } else if switch::on(7) { a == b } else { a > b }`. One build then holds them all.
//!
//! `switch LIST TREE LEFT_OUT`: LIST is what cargo-mutants lists as JSON, a mutant's number is its place in it; TREE is a package, whose
//! files are rewritten; LEFT_OUT is a JSON array of numbers. What cannot be switched (a constant is computed when it is built) stays
//! as it is, and is printed as a JSON array of numbers. Marks around what was written tell whoever reads the compiler's
//! errors to which mutant they belong: `/*(7*/ a == b /*)*/`, and around all of them `/*[7,8*/`, `/*]*/`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::ops::Range;
use std::path::Path;

use proc_macro2::Span;
use serde_json::Value;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

struct Mutant {
    number: usize,
    genre: String,
    replacement: String,
    /// In bytes of its file.
    at: Range<usize>,
}

/// A place with all that may become of it. Those of one file are in the order of `at.start`, the outer ones first.
struct Site {
    at: Range<usize>,
    /// Among sites of the same place, from the outside to the inside.
    depth: usize,
    kind: Kind,
}

enum Kind {
    /// Written before what is there.
    Insert(String),
    /// What is there, or one of these.
    Either(Vec<(usize, String)>),
    /// A guard, or none.
    Guarded(usize),
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, list, tree, left_out] = arguments.as_slice() else {
        panic!("usage: switch LIST TREE LEFT_OUT");
    };
    let list: Value = serde_json::from_str(&std::fs::read_to_string(list).expect("LIST is a file"))
        .expect("LIST is JSON");
    let left_out: BTreeSet<usize> =
        serde_json::from_str(left_out).expect("LEFT_OUT is an array of numbers");
    let mut files: BTreeMap<&str, Vec<(usize, &Value)>> = BTreeMap::new();
    for (number, mutant) in list
        .as_array()
        .expect("LIST is an array")
        .iter()
        .enumerate()
    {
        files
            .entry(text(&mutant["file"]))
            .or_default()
            .push((number, mutant));
    }
    let mut unswitched = BTreeSet::new();
    for (file, mutants) in files {
        let path = Path::new(tree).join(file);
        let source = std::fs::read_to_string(&path).expect("a mutant's file is in TREE");
        let lines = starts(&source);
        let mutants: Vec<Mutant> = mutants
            .into_iter()
            .map(|(number, mutant)| Mutant {
                number,
                genre: text(&mutant["genre"]).to_owned(),
                replacement: text(&mutant["replacement"]).to_owned(),
                at: place(&source, &lines, &mutant["span"]["start"])
                    ..place(&source, &lines, &mutant["span"]["end"]),
            })
            .collect();
        unswitched.extend(mutants.iter().map(|mutant| mutant.number));
        let mut finder = Finder {
            source: &source,
            mutants: mutants
                .into_iter()
                .filter(|mutant| !left_out.contains(&mutant.number))
                .collect(),
            sites: Vec::new(),
            switched: BTreeSet::new(),
        };
        finder.visit_file(&syn::parse_file(&source).expect("a mutant's file is Rust"));
        unswitched.retain(|number| !finder.switched.contains(number));
        let mut sites = finder.sites;
        sites.sort_by_key(|site| (site.at.start, std::cmp::Reverse(site.at.end), site.depth));
        std::fs::write(&path, render(&source, &sites, 0, 0..source.len()))
            .expect("a file of TREE can be written");
    }
    unswitched.retain(|number| !left_out.contains(number));
    println!(
        "{}",
        serde_json::to_string(&unswitched).expect("numbers are JSON")
    );
}

fn text(value: &Value) -> &str {
    value.as_str().expect("cargo-mutants says so in words")
}

fn starts(source: &str) -> Vec<usize> {
    std::iter::once(0)
        .chain(source.match_indices('\n').map(|(at, _)| at + 1))
        .collect()
}

/// Lines and columns count from one, columns in characters.
fn place(source: &str, lines: &[usize], at: &Value) -> usize {
    let number = |name: &str| {
        usize::try_from(at[name].as_u64().expect("a place has a number")).expect("it is small")
    };
    let line = lines[number("line") - 1];
    let column = number("column") - 1;
    line + source[line..]
        .char_indices()
        .nth(column)
        .map_or(source.len() - line, |(at, _)| at)
}

struct Finder<'a> {
    source: &'a str,
    mutants: Vec<Mutant>,
    sites: Vec<Site>,
    switched: BTreeSet<usize>,
}

impl Finder<'_> {
    /// The mutants of this kind at this place, taken.
    fn of(&mut self, genre: &str, at: &Range<usize>) -> Vec<(usize, String)> {
        let found: Vec<_> = self
            .mutants
            .iter()
            .filter(|mutant| mutant.genre == genre && mutant.at == *at)
            .map(|mutant| (mutant.number, mutant.replacement.clone()))
            .collect();
        self.switched
            .extend(found.iter().map(|(number, _)| *number));
        found
    }

    fn either(&mut self, at: Range<usize>, depth: usize, others: Vec<(usize, String)>) {
        if !others.is_empty() {
            self.sites.push(Site {
                at,
                depth,
                kind: Kind::Either(others),
            });
        }
    }

    fn body(&mut self, signature: &syn::Signature, block: &syn::Block) {
        // Two values of one `impl Trait` were of two types.
        if matches!(&signature.output, syn::ReturnType::Type(_, kind) if matches!(**kind, syn::Type::ImplTrait(_)))
        {
            return;
        }
        let (Some(first), Some(last)) = (block.stmts.first(), block.stmts.last()) else {
            return;
        };
        let at = range(first.span()).start..range(last.span()).end;
        let mut before = String::new();
        for (number, value) in self.of("FnValue", &at) {
            write!(before, "/*[{number}*/ if crate::switch::on({number}) {{ return /*({number}*/ {value} /*)*/; }} /*]*/ ")
                .expect("a String takes all");
        }
        if !before.is_empty() {
            self.sites.push(Site {
                at: at.start..at.start,
                depth: 0,
                kind: Kind::Insert(before),
            });
        }
    }
}

fn range(span: Span) -> Range<usize> {
    span.byte_range()
}

/// `if let A = a && b`: it can neither be put in parentheses nor be made an `||`.
fn binds(expr: &syn::Expr) -> bool {
    match expr {
        syn::Expr::Let(_) => true,
        syn::Expr::Binary(binary) => {
            matches!(binary.op, syn::BinOp::And(_)) && (binds(&binary.left) || binds(&binary.right))
        }
        _ => false,
    }
}

impl<'a> Visit<'a> for Finder<'_> {
    // Computed when it is built: no switch would have been set.
    fn visit_item_const(&mut self, _: &'a syn::ItemConst) {}
    fn visit_impl_item_const(&mut self, _: &'a syn::ImplItemConst) {}
    fn visit_trait_item_const(&mut self, _: &'a syn::TraitItemConst) {}
    fn visit_item_static(&mut self, _: &'a syn::ItemStatic) {}
    fn visit_type(&mut self, _: &'a syn::Type) {}

    fn visit_item_fn(&mut self, node: &'a syn::ItemFn) {
        if node.sig.constness.is_none() {
            self.body(&node.sig, &node.block);
            visit::visit_item_fn(self, node);
        }
    }

    fn visit_impl_item_fn(&mut self, node: &'a syn::ImplItemFn) {
        if node.sig.constness.is_none() {
            self.body(&node.sig, &node.block);
            visit::visit_impl_item_fn(self, node);
        }
    }

    fn visit_trait_item_fn(&mut self, node: &'a syn::TraitItemFn) {
        if let Some(block) = &node.default {
            self.body(&node.sig, block);
        }
        visit::visit_trait_item_fn(self, node);
    }

    fn visit_expr_binary(&mut self, node: &'a syn::ExprBinary) {
        let at = range(node.span());
        let operator = range(node.op.span());
        if !binds(&node.left) && !binds(&node.right) {
            let others = self.of("BinaryOperator", &operator);
            let others = others
                .into_iter()
                .map(|(number, other)| {
                    let (before, after) = (
                        &self.source[at.start..operator.start],
                        &self.source[operator.end..at.end],
                    );
                    (number, format!("{before}{other}{after}"))
                })
                .collect();
            self.either(at, 2, others);
        }
        visit::visit_expr_binary(self, node);
    }

    fn visit_expr_unary(&mut self, node: &'a syn::ExprUnary) {
        let others = self.of("UnaryOperator", &range(node.op.span()));
        let inner = self.source[range(node.expr.span())].to_owned();
        self.either(
            range(node.span()),
            2,
            others
                .into_iter()
                .map(|(number, _)| (number, inner.clone()))
                .collect(),
        );
        visit::visit_expr_unary(self, node);
    }

    fn visit_expr_struct(&mut self, node: &'a syn::ExprStruct) {
        let at = range(node.span());
        for field in &node.fields {
            let gone = range(field.span());
            let others = self.of("StructField", &gone);
            let after = &self.source[gone.end..at.end];
            let rest = after.trim_start().strip_prefix(',').unwrap_or(after);
            let without = format!("{}{rest}", &self.source[at.start..gone.start]);
            self.either(
                at.clone(),
                2,
                others
                    .into_iter()
                    .map(|(number, _)| (number, without.clone()))
                    .collect(),
            );
        }
        visit::visit_expr_struct(self, node);
    }

    fn visit_arm(&mut self, node: &'a syn::Arm) {
        let gone = self.of("MatchArm", &range(node.span()));
        if let Some((_, guard)) = &node.guard {
            let at = range(guard.span());
            let others = self.of("MatchArmGuard", &at);
            self.either(at.clone(), 1, others);
            for (number, _) in gone {
                self.sites.push(Site {
                    at: at.clone(),
                    depth: 0,
                    kind: Kind::Guarded(number),
                });
            }
        } else {
            let end = range(node.pat.span()).end;
            for (number, _) in gone {
                let kind = Kind::Insert(format!(
                    " /*[{number}*/ if !crate::switch::on({number}) /*]*/"
                ));
                self.sites.push(Site {
                    at: end..end,
                    depth: 0,
                    kind,
                });
            }
        }
        visit::visit_arm(self, node);
    }
}

/// The source of `within`, with the sites in it from the one numbered `from` on.
fn render(source: &str, sites: &[Site], from: usize, within: Range<usize>) -> String {
    let mut out = String::new();
    let mut done = within.start;
    for (index, site) in sites.iter().enumerate().skip(from) {
        if within.end < site.at.start {
            break;
        }
        if site.at.start < done || within.end < site.at.end {
            continue;
        }
        out.push_str(&source[done..site.at.start]);
        done = site.at.end;
        match &site.kind {
            Kind::Insert(text) => out.push_str(text),
            Kind::Guarded(number) => {
                let guard = render(source, sites, index + 1, site.at.clone());
                write!(
                    out,
                    "/*[{number}*/ !crate::switch::on({number}) && ({guard}) /*]*/"
                )
                .expect("a String takes all");
            }
            Kind::Either(others) => {
                let numbers: Vec<_> = others
                    .iter()
                    .map(|(number, _)| number.to_string())
                    .collect();
                let numbers = numbers.join(",");
                let plain = render(source, sites, index + 1, site.at.clone());
                write!(
                    out,
                    "(/*[{numbers}*/ if crate::switch::plain(&[{numbers}]) {{ {plain} }}"
                )
                .expect("a String takes all");
                for (place, (number, other)) in others.iter().enumerate() {
                    let condition = if place + 1 == others.len() {
                        String::new()
                    } else {
                        format!(" if crate::switch::on({number})")
                    };
                    write!(out, " else{condition} {{ /*({number}*/ {other} /*)*/ }}")
                        .expect("a String takes all");
                }
                out.push_str(" /*]*/)");
            }
        }
    }
    out.push_str(&source[done..within.end]);
    out
}
