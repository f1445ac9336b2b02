//! The system-call filter: a default-deny list, compiled to classic BPF (`seccomp(2)`).
//!
//! *Build* is pure ([`build`]: guard in, rules out, of which [`Rules::program`] makes the filter); *apply* is
//! `sys::install_filter`. A call that is on no list gets `ENOSYS`, as on a kernel that does not have it. One that a script
//! must not make is refused by the broker, which puts it on record; so is one that has to be decided per path or counted.

mod bpf;
mod egress;
mod plain;
mod table;
mod worker;

use std::collections::BTreeMap;
use std::fmt::Write;

pub(crate) use bpf::Action;
pub(crate) use egress::egress;
pub(crate) use table::{ARCH, Call, FOREIGN, call};
pub(crate) use worker::worker;

use crate::plan::Guard;
use crate::text::Text;
use bpf::Rule;

/// What a run may name as its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Own {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Whether a process may make a terminal the one that controls it.
    pub(crate) may_take_terminal: bool,
    /// After a `fork` by the C library, whether the new process asks for room, and not the one that forks.
    pub(crate) newborn_asks: bool,
    /// Whether the broker looks at what is done to files, for the record.
    pub(crate) file_attempts: bool,
    /// Whether opening a file to read it is no call for the broker, but from a descriptor: what is refused is told by the
    /// lookout.
    pub(crate) has_lookout: bool,
    /// Whether there is a way out of its network, to whose addresses nobody is to bind a socket.
    pub(crate) has_egress: bool,
    /// Whether it is counted what is written to files. Space that is taken without writing is not in that count.
    pub(crate) counts_written: bool,
}

/// The rules of a run, one for each system call that is known. The kernel gets them as a program; the broker asks them
/// what it was handed a call for.
pub(crate) struct Rules(BTreeMap<u32, Rule>);

/// The rules for a run; for one without namespaces on a kernel with the given ABI of Landlock.
pub(crate) fn build(guard: &Guard, own: &Own, plain: Option<u32>) -> Rules {
    let told = own.file_attempts;
    let mut rules: BTreeMap<u32, Rule> = BTreeMap::new();
    for nr in table::ALLOWED {
        rules.insert(*nr as u32, Rule::Always(Action::Allow));
    }
    table::refuse(&mut rules, table::REFUSED, libc::EPERM);
    table::refuse(&mut rules, table::ABSENT, libc::ENOSYS);
    for (nr, tests) in table::conditional(own) {
        rules.insert(nr as u32, Rule::Tests(tests));
    }
    for (nr, kind) in table::BROKERED {
        let brokered = match kind {
            Call::Fork | Call::Exit | Call::ExitGroup | Call::MemfdCreate => true,
            // With mounts, looked up before the kernel says that one is read-only.
            Call::Unlink | Call::UnlinkAt | Call::Rmdir => guard.delete || plain.is_none() || told,
            // Keeps its tests on flags; what passes them is counted.
            Call::Clone => false,
            Call::SetRobustList => own.newborn_asks,
            Call::Chmod | Call::Fchmod | Call::FchmodAt | Call::FchmodAt2 => guard.chmod || told,
            Call::Chown | Call::Fchown | Call::Lchown | Call::FchownAt => guard.chown || told,
            Call::SetXattr | Call::LsetXattr | Call::FsetXattr => guard.chmod || guard.xattr || told,
            Call::RemoveXattr | Call::LremoveXattr | Call::FremoveXattr => guard.chmod || guard.xattr || told,
            Call::Mkdir | Call::MkdirAt => !guard.placeholders.is_empty() || told,
            Call::Truncate | Call::Rename | Call::RenameAt | Call::Link | Call::LinkAt => told,
            Call::Symlink | Call::SymlinkAt | Call::Chdir | Call::Fchdir => told,
            Call::Execve | Call::ExecveAt | Call::Utime | Call::UtimensAt => told,
            // Keep their tests on flags and modes.
            Call::Open | Call::OpenAt | Call::Creat | Call::RenameAt2 | Call::Mknod | Call::MknodAt => false,
            // Without namespaces there are no such sockets.
            Call::Connect => plain.is_none(),
            Call::Bind => plain.is_none() && own.has_egress,
            Call::SendTo | Call::Kill | Call::Tkill | Call::Tgkill => false,
        };
        if brokered {
            rules.insert(*nr as u32, Rule::Always(Action::Notify));
        }
    }
    if told || !guard.new_files.is_empty() {
        for (nr, flags) in table::openers() {
            let rule = match told {
                true if !own.has_lookout => Rule::Tests(table::opens(flags, Action::Notify)),
                true if nr == libc::SYS_openat => table::opens_from_elsewhere(flags),
                _ => Rule::Tests(table::opens_changing(flags)),
            };
            rules.insert(nr as u32, rule);
        }
        #[cfg(target_arch = "x86_64")]
        rules.insert(libc::SYS_creat as u32, Rule::Tests(table::makes(Action::Notify)));
    }
    if told {
        for (nr, tests) in table::makers(Action::Notify) {
            rules.insert(nr as u32, Rule::Tests(tests));
        }
    }
    if own.counts_written {
        // As a file system that has no such thing: the C library writes zeros then.
        rules.insert(libc::SYS_fallocate as u32, Rule::Always(Action::Errno(libc::EOPNOTSUPP)));
    }
    if let Some(abi) = plain {
        plain::change(&mut rules, abi);
    }
    Rules(rules)
}

/// The filter of a process of ours that needs no other calls than these.
pub(crate) fn only(calls: &[libc::c_long]) -> Vec<libc::sock_filter> {
    let rules = calls.iter().map(|nr| (*nr as u32, Rule::Always(Action::Allow))).collect();
    bpf::compile(table::ARCH, table::FOREIGN_BIT, &rules, Action::KillProcess)
}

impl Rules {
    /// What the kernel is given.
    pub(crate) fn program(&self) -> Vec<libc::sock_filter> {
        bpf::compile(table::ARCH, table::FOREIGN_BIT, &self.0, Action::Errno(libc::ENOSYS))
    }

    /// What is done about a call. Arguments are register values, which nobody can change any more.
    pub(crate) fn answer(&self, nr: i32, args: &[u64; 6]) -> Action {
        self.rule(nr).map_or(Action::Errno(libc::ENOSYS), |rule| rule.answer(args))
    }

    /// Writes a call as a person would: its name, and the arguments that decided; `_` stands for others between them,
    /// which may be different each time.
    pub(crate) fn describe<'a>(&self, nr: i32, args: &[u64; 6], buffer: &'a mut [u8; 128]) -> &'a [u8] {
        let mut text = Text::new(buffer);
        let looks_at = |argument| self.rule(nr).is_some_and(|rule| rule.looks_at(argument));
        let shown = (0..args.len()).rev().find(|argument| looks_at(*argument)).map_or(0, |last| last + 1);
        // Longer than the buffer, it is cut.
        let _ = match table::name(nr) {
            Some(name) => write!(text, "{name}("),
            None => write!(text, "system call {nr}("),
        };
        for (position, argument) in args.iter().take(shown).enumerate() {
            let comma = if position == 0 { "" } else { ", " };
            let _ = match looks_at(position) {
                true => write!(text, "{comma}{:#x}", *argument as u32),
                false => write!(text, "{comma}_"),
            };
        }
        let _ = text.write_str(")");
        text.bytes()
    }

    fn rule(&self, nr: i32) -> Option<&Rule> {
        self.0.get(&(nr as u32))
    }
}

#[cfg(test)]
mod tests;
