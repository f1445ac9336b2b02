//! An attempt that the policy does not allow, as it is told and recorded.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use serde::Serialize;
use waxcell_operations::Operation;
use waxcell_sandbox::{Denial, Layer};

use crate::connections::{self, Told};
use crate::edit::{self, Edit};
use crate::policy::{PathAccess, PathRule, Policy};
use crate::record;

/// An attempt that the policy does not allow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// The operation, by its full name.
    pub operation: &'static str,
    /// On what: a path, or the system call with the arguments that decided. Bytes that are no text are shown as
    /// replacement characters.
    pub target: String,
    /// The bytes of the target in hexadecimal, where they are no text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_hex: Option<String>,
    /// The line of the policy, or the default, that decided.
    pub rule: String,
    /// What stopped it.
    pub layer: Layer,
    /// The error that the script got (`errno(3)`).
    pub errno: i32,
    /// How often.
    pub count: u64,
    /// First and last time since the start, in milliseconds.
    pub first_ms: u64,
    /// See `first_ms`.
    pub last_ms: u64,
    /// The process that tried first, as numbered inside the run; null where nothing tells it.
    pub process: Option<u32>,
    /// Its thread that did.
    pub thread: Option<u32>,
    /// The file that the process executed, as seen inside.
    pub program: Option<String>,
    /// Its bytes in hexadecimal, where they are no text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program_hex: Option<String>,
    /// The line that the thread was at: in `file`, or in the script. As the script's memory has it.
    pub line: Option<u32>,
    /// The Python file of the project, if it is another one than the script.
    pub file: Option<String>,
    /// Its bytes in hexadecimal, where they are no text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_hex: Option<String>,
    /// The line of the script that led to `file`.
    pub script_line: Option<u32>,
    /// The smallest change of the policy that would allow it, in words; absent where no policy can.
    pub allow: Option<String>,
    /// The same for programs. All of them are needed; none: no policy can.
    pub edits: Vec<Edit>,
}

impl Violation {
    /// `project`: its root, if it is shown. `way_out`: what it has told, names among it.
    fn of(denial: &Denial, policy: &Policy, project: Option<&Path>, way_out: &Told) -> Violation {
        let operation = denial.operation;
        let (rule, edits) = match denial.layer {
            Layer::Guard
                if operation == Operation::FsChmod && !policy.filesystem.blocked.contains(&operation) =>
            {
                (
                    "set-user-id and set-group-id bits are never set on what outlives a run".to_owned(),
                    Vec::new(),
                )
            }
            Layer::Guard => blocked(operation, &denial.target, policy),
            Layer::Filter => (format!("{operation} is refused to every script"), Vec::new()),
            Layer::Mounts | Layer::Landlock => out_of_reach(operation, &denial.target, policy, project),
            Layer::Processes => ("a run sees no processes but its own".to_owned(), Vec::new()),
            Layer::Network if operation == Operation::IpcUnix => {
                ("a run reaches no socket but its own".to_owned(), Vec::new())
            }
            Layer::Network => outside(operation, &denial.target, policy),
            // Its word is no denial of the sandbox's.
            Layer::Egress => ("the way out decides".to_owned(), Vec::new()),
        };
        let (target, target_hex) = text(&denial.target);
        let target = way_out.named(&target).unwrap_or(target);
        let (program, program_hex) = denial.program.as_deref().map(text).unzip();
        let place = denial.place.as_ref();
        let (file, file_hex) = place.and_then(|place| place.file.as_deref()).map(text).unzip();
        Violation {
            operation: operation.name(),
            target,
            target_hex,
            rule,
            layer: denial.layer,
            errno: denial.errno,
            count: denial.count,
            first_ms: denial.first.as_millis() as u64,
            last_ms: denial.last.as_millis() as u64,
            process: denial.pid,
            thread: denial.tid,
            program,
            program_hex: program_hex.flatten(),
            line: place.map(|place| place.line),
            file,
            file_hex: file_hex.flatten(),
            script_line: place.and_then(|place| place.script_line),
            allow: edit::in_words(&edits),
            edits,
        }
    }
}

/// All violations of a run: what the sandbox refused and what its way out did, in the order in which they came first. One name
/// has two addresses inside, of which a script tries one after the other: that is one attempt on it. `project`: its root, if it
/// is shown.
pub(crate) fn all(
    denials: &[Denial],
    policy: &Policy,
    project: Option<&Path>,
    way_out: &Told,
) -> Vec<Violation> {
    let mut all: Vec<Violation> = Vec::new();
    let refused = denials.iter().map(|denial| Violation::of(denial, policy, project, way_out));
    for violation in refused.chain(way_out.violations(policy)) {
        let is_same = |other: &&mut Violation| {
            violation.layer == Layer::Network
                && (other.layer, other.operation, &other.target, &other.rule, other.line, &other.file)
                    == (
                        violation.layer,
                        violation.operation,
                        &violation.target,
                        &violation.rule,
                        violation.line,
                        &violation.file,
                    )
        };
        match all.iter_mut().find(is_same) {
            Some(same) => {
                same.count += violation.count;
                same.first_ms = same.first_ms.min(violation.first_ms);
                same.last_ms = same.last_ms.max(violation.last_ms);
            }
            None => all.push(violation),
        }
    }
    all.sort_by_key(|violation| violation.first_ms);
    all
}

/// Bytes as text, and in hexadecimal if they are none.
fn text(bytes: &[u8]) -> (String, Option<String>) {
    let lossy = String::from_utf8_lossy(bytes);
    let hex = matches!(lossy, Cow::Owned(_)).then(|| record::hex(bytes));
    (lossy.into_owned(), hex)
}

/// Of what the run's own network does not lead to.
fn outside(operation: Operation, target: &[u8], policy: &Policy) -> (String, Vec<Edit>) {
    let stands = |key: &str| format!("{key} ({})", place(policy, key));
    let written = String::from_utf8_lossy(target);
    let address: Option<SocketAddr> = written.parse().ok();
    let blocked =
        address.map(|address| address.port()).filter(|port| policy.network.blocked_ports.contains(port));
    let unblock = || blocked.map(Edit::unblock_port);
    match (operation, address) {
        (Operation::NetListen, _) => {
            ("a run listens at addresses of its own loopback".to_owned(), Vec::new())
        }
        (Operation::NetConnect, Some(address)) if connections::leads_out(address.ip(), policy) => {
            (stands("network.blocked_ports"), unblock().into_iter().collect())
        }
        (Operation::NetConnect, Some(address)) => {
            let mut edits = Edit::allow_address(&address.ip().to_string());
            edits.extend(unblock());
            (stands("network.allowed_domains"), edits)
        }
        (Operation::NetUdp, Some(address)) if connections::leads_out(address.ip(), policy) => {
            ("datagrams go to the resolver alone".to_owned(), Vec::new())
        }
        (Operation::NetDns, None) => (stands("network.allowed_domains"), Edit::allow_name(&written)),
        _ => (stands("network.allowed_domains"), Vec::new()),
    }
}

fn blocked(operation: Operation, target: &[u8], policy: &Policy) -> (String, Vec<Edit>) {
    let place = place(policy, "filesystem.blocked_operations");
    let path = Path::new(OsStr::from_bytes(target));
    let mut edits = vec![Edit::unblock(operation)];
    if !policy.filesystem.rule_for(path).is_some_and(PathRule::is_lasting_write) {
        match Edit::add_path(written_to(operation, path), PathAccess::Write, &policy.project_root) {
            Some(edit) => edits.push(edit),
            None => edits.clear(),
        }
    }
    (format!("filesystem.blocked_operations ({place})"), edits)
}

/// Of a file that is not shown, or not to be written to or executed.
fn out_of_reach(
    operation: Operation,
    target: &[u8],
    policy: &Policy,
    project: Option<&Path>,
) -> (String, Vec<Edit>) {
    let path = Path::new(OsStr::from_bytes(target));
    let rule = match policy.filesystem.rule_for(path) {
        Some(PathRule { access, written, line, .. }) => {
            let file = policy.source.path.as_deref().unwrap_or(Path::new("the policy"));
            format!(
                "filesystem.allowed_paths: `{written}`, access {} ({}:{line})",
                access.name(),
                file.display()
            )
        }
        None if path.starts_with(&policy.project_root) && project.is_none() => {
            "the project root is a home or a folder of the system, of which only what \
             filesystem.allowed_paths names is shown (the default)"
                .to_owned()
        }
        None if operation == Operation::ProcExec && path.starts_with(&policy.project_root) => {
            "nothing of the project is executed but by the interpreter (the default)".to_owned()
        }
        None if operation == Operation::FsRead && path.starts_with(&policy.project_root) => {
            "credentials and what the host executes are kept from the script (the default)".to_owned()
        }
        None if path.starts_with(&policy.project_root) => {
            "the project is read-only where filesystem.allowed_paths says nothing else (the default)"
                .to_owned()
        }
        None => format!("filesystem.allowed_paths ({})", place(policy, "filesystem.allowed_paths")),
    };
    let access = match operation {
        Operation::FsRead => PathAccess::Read,
        // What may be executed stands in no such list, and a socket leads to a process of the host.
        Operation::ProcExec | Operation::IpcUnix => return (rule, Vec::new()),
        _ => PathAccess::Write,
    };
    (rule, Edit::add_path(written_to(operation, path), access, &policy.project_root).into_iter().collect())
}

/// What an operation needs to be given: a name is removed from its folder, and that is what has to be writable.
fn written_to(operation: Operation, path: &Path) -> &Path {
    match operation {
        Operation::FsDelete | Operation::FsRename => path.parent().unwrap_or(path),
        _ => path,
    }
}

/// Where a setting stands.
pub(crate) fn place(policy: &Policy, key: &str) -> String {
    match (&policy.source.path, policy.lines.get(key)) {
        (Some(path), Some(line)) => format!("{}:{line}", path.display()),
        _ => "the default".to_owned(),
    }
}
