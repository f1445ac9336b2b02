//! Rules per system-call number, compiled to a binary search in classic BPF.
//!
//! Only the low 32 bits of an argument are compared: the kernel takes these arguments as `int`, so bits above them
//! change nothing for it and must change nothing for the filter (CVE-2019-10063).

use std::collections::BTreeMap;

use libc::sock_filter;
use waxcell_operations::Operation;

/// What the kernel does with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Allow,
    /// Fails, as programs try it by habit and do without.
    Errno(i32),
    /// Fails, and is an attempt that goes on record: the broker is asked, and says so.
    Refuse(i32, Operation),
    Notify,
    KillProcess,
}

impl Action {
    pub(super) const fn code(self) -> u32 {
        match self {
            Action::Allow => libc::SECCOMP_RET_ALLOW,
            Action::Errno(errno) => libc::SECCOMP_RET_ERRNO | errno as u32,
            Action::Notify | Action::Refuse(..) => libc::SECCOMP_RET_USER_NOTIF,
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
    /// One list of tests where the low half of an argument is this, else the other.
    Either {
        argument: u8,
        is: u32,
        then: Vec<Test>,
        otherwise: Vec<Test>,
    },
}

impl Rule {
    /// What is done about a call with these arguments.
    pub(super) fn answer(&self, args: &[u64; 6]) -> Action {
        let tests = match self {
            Rule::Always(action) => return *action,
            Rule::Tests(tests) => tests,
            Rule::Either { argument, is, then, .. } if args[usize::from(*argument)] as u32 == *is => then,
            Rule::Either { otherwise, .. } => otherwise,
        };
        let answer = tests.iter().find_map(|test| {
            let argument = args[usize::from(test.argument)] as u32 & test.mask;
            if test.any_of.contains(&argument) { test.hit } else { test.miss }
        });
        answer.unwrap_or(Action::KillProcess)
    }

    /// With every refusal a question to the broker: neighbours that differ in nothing else are one.
    fn seen_by_the_kernel(mut self) -> Rule {
        let plainly = |action: &mut Action| {
            if let Action::Refuse(..) = action {
                *action = Action::Notify;
            }
        };
        if let Rule::Always(action) = &mut self {
            plainly(action);
        }
        let lists = match &mut self {
            Rule::Always(_) => [None, None],
            Rule::Tests(tests) => [Some(tests), None],
            Rule::Either { then, otherwise, .. } => [Some(then), Some(otherwise)],
        };
        let tests = lists.into_iter().flatten().flatten();
        tests.flat_map(|test| [&mut test.hit, &mut test.miss]).flatten().for_each(plainly);
        self
    }

    /// Which arguments it looks at.
    pub(super) fn looks_at(&self, argument: usize) -> bool {
        let is_tested = |tests: &[Test]| tests.iter().any(|test| usize::from(test.argument) == argument);
        match self {
            Rule::Always(_) => false,
            Rule::Tests(tests) => is_tested(tests),
            Rule::Either { then, otherwise, .. } => is_tested(then) || is_tested(otherwise),
        }
    }
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

/// Compiles the rules for one architecture. A call made through another one is the broker's affair; numbers with
/// `foreign_bit` (x32) get the default.
pub(super) fn compile(
    arch: u32,
    foreign_bit: Option<u32>,
    rules: &BTreeMap<u32, Rule>,
    default: Action,
) -> Vec<sock_filter> {
    let mut program = vec![
        instruction(LOAD, OFFSET_ARCH, 0, 0),
        instruction(IF_EQUAL, arch, 1, 0),
        give(Action::Notify),
        instruction(LOAD, OFFSET_NR, 0, 0),
    ];
    if let Some(bit) = foreign_bit {
        program.push(instruction(IF_AT_LEAST, bit, 0, 1));
        program.push(give(default));
    }
    let rules = rules.iter().map(|(nr, rule)| (*nr, rule.clone().seen_by_the_kernel())).collect();
    let mut code = Code(Vec::new());
    code.search(&segments(&rules, default));
    program.extend(code.0.into_iter().rev());
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

/// A program from its end to its beginning: jumps lead forward only, so that what they lead to is there before them.
struct Code(Vec<sock_filter>);

/// A place in [`Code`].
#[derive(Clone, Copy, PartialEq, Eq)]
struct Label(usize);

/// How far the two ways of a comparison reach.
const REACH: usize = u8::MAX as usize;
/// More than a test has instructions between its comparisons and what they lead to.
const MARGIN: usize = 64;

impl Code {
    fn push(&mut self, instruction: sock_filter) -> Label {
        self.0.push(instruction);
        Label(self.0.len() - 1)
    }

    /// How far it is from the next instruction to a place.
    fn distance(&self, to: Label) -> usize {
        self.0.len() - to.0 - 1
    }

    /// The same place, or a jump to it that is near.
    fn near(&mut self, to: Label) -> Label {
        if self.distance(to) < REACH - 1 {
            return to;
        }
        self.push(instruction(JUMP, self.distance(to) as u32, 0, 0))
    }

    fn compare(&mut self, code: u16, value: u32, then: Label, otherwise: Label) -> Label {
        let [jt, jf] = [then, otherwise].map(|label| {
            let distance = self.distance(label);
            assert!(distance <= REACH, "a comparison reaches 255 instructions");
            distance as u8
        });
        self.push(instruction(code, value, jt, jf))
    }

    /// Where an action is given: the place nearest by, or a new one.
    fn give(&mut self, action: Action) -> Label {
        let wanted = give(action);
        let from = self.0.len().saturating_sub(REACH - MARGIN);
        let is_same = |other: &sock_filter| other.code == wanted.code && other.k == wanted.k;
        match self.0[from..].iter().rposition(is_same) {
            Some(position) => Label(from + position),
            None => self.push(wanted),
        }
    }

    /// A binary search.
    fn search(&mut self, segments: &[(u32, Rule)]) -> Label {
        if let [(_, rule)] = segments {
            return match rule {
                Rule::Always(action) => self.give(*action),
                Rule::Tests(tests) => self.tests(tests),
                Rule::Either { argument, is, then, otherwise } => {
                    let otherwise = self.tests(otherwise);
                    let then = self.tests(then);
                    let [then, otherwise] = [then, otherwise].map(|label| self.near(label));
                    self.compare(IF_EQUAL, *is, then, otherwise);
                    self.load(*argument)
                }
            };
        }
        let (left, right) = segments.split_at(segments.len() / 2);
        let from_right = self.search(right);
        let from_left = self.search(left);
        let from_right = self.near(from_right);
        let from_left = self.near(from_left);
        self.compare(IF_AT_LEAST, right[0].0, from_right, from_left)
    }

    /// The low half of an argument, for what was pushed last.
    fn load(&mut self, argument: u8) -> Label {
        // Arguments are 64 bits wide; on little-endian machines the low half comes first.
        const { assert!(cfg!(target_endian = "little")) };
        self.push(instruction(LOAD, OFFSET_ARGS + 8 * u32::from(argument), 0, 0))
    }

    /// One test after the other. Who comes to one from the test before still has its argument, if it is the same.
    fn tests(&mut self, tests: &[Test]) -> Label {
        let mut next = None;
        for (position, test) in tests.iter().enumerate().rev() {
            let mut way = |action: Option<Action>| action.map(|action| self.give(action)).or(next);
            let (Some(hit), Some(miss)) = (way(test.hit), way(test.miss)) else {
                // A list that runs out: the last test answers both ways.
                return self.push(give(Action::KillProcess));
            };
            let mut entry = miss;
            for value in test.any_of.iter().rev() {
                entry = self.compare(IF_EQUAL, *value, hit, entry);
            }
            let before = position.checked_sub(1).map(|before| &tests[before]);
            if before.is_none_or(|before| (before.argument, before.mask) != (test.argument, test.mask)) {
                if test.mask != u32::MAX {
                    self.push(instruction(AND, test.mask, 0, 0));
                }
                entry = self.load(test.argument);
            }
            next = Some(entry);
        }
        match next {
            Some(entry) => entry,
            None => self.give(Action::KillProcess),
        }
    }
}
