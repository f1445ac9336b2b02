//! Rules per system-call number, compiled to a binary search in classic BPF.
//!
//! Only the low 32 bits of an argument are compared: the kernel takes these arguments as `int`, so bits above them
//! change nothing for it and must change nothing for the filter (CVE-2019-10063).

use std::collections::BTreeMap;

use libc::sock_filter;

/// What the kernel does with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Allow,
    Errno(i32),
    Notify,
    KillProcess,
}

impl Action {
    pub(super) const fn code(self) -> u32 {
        match self {
            Action::Allow => libc::SECCOMP_RET_ALLOW,
            Action::Errno(errno) => libc::SECCOMP_RET_ERRNO | errno as u32,
            Action::Notify => libc::SECCOMP_RET_USER_NOTIF,
            Action::KillProcess => libc::SECCOMP_RET_KILL_PROCESS,
        }
    }
}

/// One question about an argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Test {
    pub(super) argument: u8,
    pub(super) mask: u32,
    pub(super) any_of: Vec<u32>,
    /// What to do if the masked argument is one of the values; `None` goes on to the next test.
    pub(super) hit: Option<Action>,
    /// What to do otherwise; `None` goes on to the next test.
    pub(super) miss: Option<Action>,
}

/// What decides about one system call. A list of tests must not run out: the last one answers both ways.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    Always(Action),
    Tests(Vec<Test>),
}

const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const AND: u16 = (libc::BPF_ALU | libc::BPF_AND | libc::BPF_K) as u16;
const JUMP: u16 = (libc::BPF_JMP | libc::BPF_JA) as u16;
const IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const IF_AT_LEAST: u16 = (libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;

const OFFSET_NR: u32 = 0;
const OFFSET_ARCH: u32 = 4;
const OFFSET_ARGS: u32 = 16;

const fn instruction(code: u16, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

const fn give(action: Action) -> sock_filter {
    instruction(RETURN, action.code(), 0, 0)
}

/// Compiles the rules for one architecture. A call made through another one kills the process, as no program does
/// that by accident; numbers with `foreign_bit` (x32) get the default.
pub(super) fn compile(
    arch: u32,
    foreign_bit: Option<u32>,
    rules: &BTreeMap<u32, Rule>,
    default: Action,
) -> Vec<sock_filter> {
    let mut program = vec![
        instruction(LOAD, OFFSET_ARCH, 0, 0),
        instruction(IF_EQUAL, arch, 1, 0),
        give(Action::KillProcess),
        instruction(LOAD, OFFSET_NR, 0, 0),
    ];
    if let Some(bit) = foreign_bit {
        program.push(instruction(IF_AT_LEAST, bit, 0, 1));
        program.push(give(default));
    }
    program.extend(search(&segments(rules, default)));
    assert!(program.len() <= 4096, "the kernel takes 4096 instructions");
    program
}

/// Neighbouring numbers with the same rule are one segment, from its first number up to the next segment's.
fn segments(rules: &BTreeMap<u32, Rule>, default: Action) -> Vec<(u32, Rule)> {
    let mut segments = vec![(0, Rule::Always(default))];
    let mut next = 0;
    for (nr, rule) in rules {
        if *nr != next {
            segments.push((next, Rule::Always(default)));
        }
        segments.push((*nr, rule.clone()));
        next = nr + 1;
    }
    segments.push((next, Rule::Always(default)));
    segments.dedup_by(|later, earlier| {
        let same_start = later.0 == earlier.0;
        if same_start {
            earlier.1 = later.1.clone();
        }
        same_start
    });
    segments.dedup_by(|later, earlier| later.1 == earlier.1);
    segments
}

/// Each leaf ends in a return, so a branch needs only to jump over the code of its left side.
fn search(segments: &[(u32, Rule)]) -> Vec<sock_filter> {
    if let [(_, rule)] = segments {
        return leaf(rule);
    }
    let (left, right) = segments.split_at(segments.len() / 2);
    let left_code = search(left);
    let mut code = match u8::try_from(left_code.len()) {
        Ok(distance) => vec![instruction(IF_AT_LEAST, right[0].0, distance, 0)],
        Err(_) => {
            vec![instruction(IF_AT_LEAST, right[0].0, 0, 1), instruction(JUMP, left_code.len() as u32, 0, 0)]
        }
    };
    code.extend(left_code);
    code.extend(search(right));
    code
}

fn leaf(rule: &Rule) -> Vec<sock_filter> {
    match rule {
        Rule::Always(action) => vec![give(*action)],
        Rule::Tests(tests) => tests.iter().flat_map(test).collect(),
    }
}

/// `load; and; if-equal...; miss; hit`. One instruction stands in the place of the miss in every shape, so a
/// comparison that holds always jumps over the rest of the comparisons and that one.
fn test(test: &Test) -> Vec<sock_filter> {
    // Arguments are 64 bits wide; on little-endian machines the low half comes first.
    const { assert!(cfg!(target_endian = "little")) };
    let mut code = vec![instruction(LOAD, OFFSET_ARGS + 8 * u32::from(test.argument), 0, 0)];
    if test.mask != u32::MAX {
        code.push(instruction(AND, test.mask, 0, 0));
    }
    let count = test.any_of.len();
    for (position, value) in test.any_of.iter().enumerate() {
        code.push(instruction(IF_EQUAL, *value, (count - position) as u8, 0));
    }
    code.push(test.miss.map_or(instruction(JUMP, u32::from(test.hit.is_some()), 0, 0), give));
    code.extend(test.hit.map(give));
    code
}
