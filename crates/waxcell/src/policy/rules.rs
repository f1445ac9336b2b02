//! Lists of rules: paths, operations, names, addresses, ports. Entries that agree are merged, entries that contradict
//! each other are refused: the order of a list must not matter.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;

use waxcell_egress::Pattern;
use waxcell_operations::Operation;
use waxcell_sandbox::PathMap;

use super::document::{Node, Value};
use super::keys::Unit;
use super::model::{AddressRule, DomainRule, Filesystem, PathAccess, PathRule};
use super::network;
use super::operations::{self, Blockable};
use super::paths;
use super::text::quoted;
use super::values::Reader;

const PATHS: &str = "filesystem.allowed_paths";
const OPERATIONS: &str = "filesystem.blocked_operations";
const DOMAINS: &str = "network.allowed_domains";
const ADDRESSES: &str = "network.allow_addresses";
const PORTS: &str = "network.blocked_ports";

impl Filesystem {
    /// The rule that holds for an absolute path of the host; `None`: no rule covers it. A rule about the run's own
    /// `/tmp` covers nothing of the host.
    pub fn rule_for(&self, path: &Path) -> Option<&PathRule> {
        self.paths.iter().rev().find(|rule| !rule.is_private() && path.starts_with(&rule.path))
    }

    /// The rules that make places of the host writable, by their paths.
    pub(crate) fn writable(&self) -> PathMap<'_, &PathRule> {
        let writable = self.paths.iter().filter(|rule| rule.is_lasting_write());
        writable.map(|rule| (rule.path.as_path(), rule)).collect()
    }

    /// Whether a more general rule makes the place of this one writable.
    pub fn is_below_writable(&self, rule: &PathRule) -> bool {
        self.writable().above(&rule.path).next().is_some()
    }
}

impl Reader<'_, '_, '_> {
    pub(super) fn path_rules(&mut self) -> Vec<PathRule> {
        let mut rules: BTreeMap<_, (PathRule, Range<usize>)> = BTreeMap::new();
        for node in self.list(PATHS) {
            let Some(rule) = self.path_rule(&node) else { continue };
            let Some((first, place)) = rules.get(&rule.path) else {
                rules.insert(rule.path.clone(), (rule, node.span));
                continue;
            };
            if (first.access, first.shared, first.execute) == (rule.access, rule.shared, rule.execute) {
                self.diagnostics
                    .warning(&node.span, format!("{} is named twice", quoted(&rule.written)))
                    .context(place.clone(), "the same path")
                    .help("keep one of them");
            } else {
                let message =
                    format!("{} contradicts another entry for the same path", quoted(&rule.written));
                self.diagnostics
                    .error(&node.span, message)
                    .context(place.clone(), "the other")
                    .help("keep one of them");
            }
        }
        let mut rules: Vec<(PathRule, Range<usize>)> = rules.into_values().collect();
        // Stable, so that paths of the same depth stay in the order of their names.
        rules.sort_by_cached_key(|(rule, _)| rule.path.components().count());
        self.refuse_writable_policy(&rules);
        rules.into_iter().map(|(rule, _)| rule).collect()
    }

    /// A script that may write to its policy has none.
    fn refuse_writable_policy(&mut self, rules: &[(PathRule, Range<usize>)]) {
        let Some(file) = self.file else { return };
        // The most specific one that covers it.
        let covering = rules.iter().rfind(|(rule, _)| !rule.is_private() && file.starts_with(&rule.path));
        if let Some((rule, span)) = covering.filter(|(rule, _)| rule.is_lasting_write()) {
            let file = file.strip_prefix(self.root).map_or(file, |inside| inside);
            self.diagnostics
                .error(
                    span,
                    format!(
                        "{} holds this policy: a script could rewrite its own rules",
                        quoted(&rule.written)
                    ),
                )
                .help(format!(
                    "add `{{path: {}, access: read}}`, or move the policy elsewhere",
                    file.display()
                ));
        }
    }

    fn path_rule(&mut self, node: &Node) -> Option<PathRule> {
        let (path_node, access, shared, execute) = match &node.value {
            Value::Map(entries) => {
                let [path, access, shared, execute] =
                    self.fields(entries, PATHS, ["path", "access", "shared", "execute"]);
                let Some(path) = path else {
                    self.diagnostics
                        .error(&node.span, format!("an entry of `{PATHS}` has no `path`"))
                        .help("write `{path: ./data, access: read}`");
                    return None;
                };
                (path, access, shared, execute)
            }
            _ => (node, None, None, None),
        };
        let written = self.text_in(path_node, PATHS)?;
        let path = match paths::resolve(written, self.root) {
            Ok(path) => path,
            Err(problem) => {
                self.diagnostics.error(&path_node.span, problem.about(written)).help(problem.help());
                return None;
            }
        };
        let access = match access {
            Some(node) => self.access(node)?,
            None => PathAccess::Write,
        };
        if let Err(problem) = paths::refuse_impossible(&path, access) {
            self.diagnostics.error(&path_node.span, problem.about(written)).help(problem.help());
            return None;
        }
        let private = paths::is_private_by_default(&path);
        let shared = match shared {
            Some(node) => {
                if !private {
                    self.diagnostics
                        .error(&node.span, "`shared` only has a meaning for `/tmp` and `/var/tmp`")
                        .help("remove it: every other path is the host's own");
                    return None;
                }
                self.flag_in(node, "shared")?
            }
            None => false,
        };
        if private && !shared && access == PathAccess::Read {
            self.diagnostics
                .error(&node.span, format!("the run's own {} cannot be read-only", quoted(written)))
                .help(format!(
                    "write `{{path: {}, access: read, shared: true}}` for the host's",
                    path.display()
                ));
            return None;
        }
        if shared && access == PathAccess::None {
            self.diagnostics
                .error(&node.span, "`shared: true` and `access: none` contradict each other")
                .help("keep one of them");
            return None;
        }
        let execute = match execute {
            Some(node) => self.execute(node, access)?,
            None => false,
        };
        if execute {
            self.diagnostics
                .warning(
                    &node.span,
                    format!("programs that a script wrote to {} can be executed", quoted(written)),
                )
                .help("they are held to this policy as the script is; without `execute: true` none starts");
        }
        let line = self.diagnostics.line(node.span.start);
        Some(PathRule { path, written: written.to_owned(), access, shared, execute, line })
    }

    fn execute(&mut self, node: &Node, access: PathAccess) -> Option<bool> {
        let execute = self.flag_in(node, "execute")?;
        let help = match access {
            PathAccess::Write => return Some(execute),
            PathAccess::Read => "remove it: what can be read there can be executed in any case",
            PathAccess::None => "remove it: nothing there can be reached",
        };
        self.diagnostics.error(&node.span, "`execute` only has a meaning with `access: write`").help(help);
        None
    }

    fn access(&mut self, node: &Node) -> Option<PathAccess> {
        let all = [PathAccess::Read, PathAccess::Write, PathAccess::None];
        // `access:` with nothing behind it, or `null`, is not `none`.
        if node.value == Value::Null {
            self.diagnostics
                .error(&node.span, "`access` has no value")
                .help("write `read`, `write` or `none`");
            return None;
        }
        let word = self.word_in(node, "access", &all.map(PathAccess::name))?;
        all.into_iter().find(|access| access.name() == word)
    }

    pub(super) fn blocked_operations(&mut self) -> BTreeSet<Operation> {
        let mut blocked = BTreeSet::new();
        for node in self.list(OPERATIONS) {
            let Some(name) = self.text_in(&node, OPERATIONS) else { continue };
            let Some(operation) = Operation::parse(name) else {
                let help = match operations::meant(name) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "write `fs.delete`, `fs.chmod`, `fs.chown` or `fs.xattr`".to_owned(),
                };
                self.diagnostics.error(&node.span, format!("unknown operation {}", quoted(name))).help(help);
                continue;
            };
            match operations::blockable(operation) {
                Blockable::OnLastingPaths | Blockable::Always => {
                    blocked.insert(operation);
                }
                Blockable::Otherwise(way) => {
                    self.diagnostics
                        .error(
                            &node.span,
                            format!("`{operation}` cannot be blocked by itself in this version"),
                        )
                        .help(way);
                }
            }
        }
        blocked
    }

    pub(super) fn domain_rules(&mut self, blocked: &BTreeSet<u16>) -> Vec<DomainRule> {
        let mut rules: Vec<(DomainRule, Range<usize>)> = Vec::new();
        let mut seen: BTreeMap<Pattern, usize> = BTreeMap::new();
        for node in self.list(DOMAINS) {
            let Some((name_node, ports)) = self.destination(&node, DOMAINS, "name", blocked) else {
                continue;
            };
            let Some(written) = self.text_in(name_node, DOMAINS) else { continue };
            let pattern = match network::domain(written) {
                Ok(pattern) => pattern,
                Err(problem) => {
                    let message = problem.about(written);
                    self.diagnostics.error(&name_node.span, message).help(problem.help());
                    continue;
                }
            };
            match seen.get(&pattern).map(|at| &rules[*at]) {
                Some((first, place)) => self.repeated(&node.span, written, first.ports == ports, place),
                None => {
                    seen.insert(pattern.clone(), rules.len());
                    rules.push((DomainRule { pattern, ports }, node.span));
                }
            }
        }
        rules.into_iter().map(|(rule, _)| rule).collect()
    }

    pub(super) fn address_rules(&mut self, blocked: &BTreeSet<u16>) -> Vec<AddressRule> {
        let mut rules: Vec<(AddressRule, Range<usize>)> = Vec::new();
        let mut seen = BTreeMap::new();
        for node in self.list(ADDRESSES) {
            let Some((address_node, ports)) = self.destination(&node, ADDRESSES, "address", blocked) else {
                continue;
            };
            let Some(written) = self.text_in(address_node, ADDRESSES) else { continue };
            let (address, prefix) = match network::listed(written, &ports) {
                Ok(address) => address,
                Err(problem) => {
                    let message = format!("{}: {problem}", quoted(written));
                    self.diagnostics.error(&address_node.span, message).help(problem.help());
                    continue;
                }
            };
            match seen.get(&(address, prefix)).map(|at: &usize| &rules[*at]) {
                Some((first, place)) => self.repeated(&node.span, written, first.ports == ports, place),
                None => {
                    seen.insert((address, prefix), rules.len());
                    rules.push((AddressRule { address, prefix, ports }, node.span));
                }
            }
        }
        rules.into_iter().map(|(rule, _)| rule).collect()
    }

    /// Says that an entry stands there twice: with the same meaning, or with another.
    fn repeated(&mut self, span: &Range<usize>, written: &str, agrees: bool, first: &Range<usize>) {
        match agrees {
            true => self.diagnostics.warning(span, format!("{} is named twice", quoted(written))),
            false => {
                self.diagnostics.error(span, format!("{} is named twice, with other ports", quoted(written)))
            }
        }
        .context(first.clone(), "first here")
        .help("keep one of them");
    }

    /// A destination, plain or as `{name: ..., ports: [...]}`; the ports are empty if there are none.
    fn destination<'v>(
        &mut self,
        node: &'v Node,
        form: &str,
        name: &'static str,
        blocked: &BTreeSet<u16>,
    ) -> Option<(&'v Node, Vec<u16>)> {
        let Value::Map(entries) = &node.value else { return Some((node, Vec::new())) };
        let [target, ports] = self.fields(entries, form, [name, "ports"]);
        let Some(target) = target else {
            self.diagnostics
                .error(&node.span, format!("an entry of `{form}` has no `{name}`"))
                .help(format!("write `{{{name}: ..., ports: [443]}}`"));
            return None;
        };
        let Some(ports) = ports else { return Some((target, Vec::new())) };
        let Value::Seq(items) = &ports.value else {
            self.diagnostics
                .error(&ports.span, format!("`ports` takes a list, this is {}", ports.value.describe()))
                .help("write `ports: [443]`");
            return None;
        };
        if items.is_empty() {
            self.diagnostics
                .error(&ports.span, "`ports` is empty: nothing could be reached")
                .help("name the ports, or leave `ports` out for every port that is not blocked");
            return None;
        }
        let mut allowed = BTreeSet::new();
        for item in items {
            let Some(port) = self.port(item) else { continue };
            if blocked.contains(&port) {
                self.diagnostics
                    .error(&item.span, format!("port {port} is allowed here and blocked by `{PORTS}`"))
                    .help(format!("leave it out here, or write `network: blocked_ports:` without {port}"));
            }
            allowed.insert(port);
        }
        Some((target, allowed.into_iter().collect()))
    }

    pub(super) fn blocked_ports(&mut self) -> BTreeSet<u16> {
        self.list(PORTS).iter().filter_map(|node| self.port(node)).collect()
    }

    fn port(&mut self, node: &Node) -> Option<u16> {
        let number = self.number_in(node, "port", Unit::Count, 1.0, 65_535.0)?;
        u16::try_from(number.whole).ok()
    }
}
