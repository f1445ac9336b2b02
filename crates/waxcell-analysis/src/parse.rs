//! The only file that knows the parser (`ruff_python_parser`, where every release may change everything). Rules read the
//! tree that it makes.
//!
//! Three dangers of a hostile script end here.
//!
//! *Nesting.* The parser recurses, on stacks that it takes from the heap (1 to 2 KiB a level), so depth is bounded
//! before it starts, on the token stream. One path it forgets: defaults of `lambda` parameters recurse on the stack
//! that is there, so that stack is made large enough for every `lambda` in the text.
//!
//! *Recovery.* After a syntax error inside an f-string the parser reads on in its own way: what the lexer takes for a
//! string may become code (`f'{a' #` does it). So where there are f-strings, all brackets and operators of the text
//! are bounded, wherever they stand; and the tree, however deep, is taken apart without recursion.
//!
//! *Volume.* Findings are bounded in number.

use ruff_python_ast::token::TokenKind;
use ruff_python_ast::{self as ast, Mod, Stmt};
use ruff_python_parser::{Mode, ParseOptions, lexer, parse_unchecked};
use ruff_text_size::{Ranged, TextRange};

use crate::dismantle::dismantle;
use crate::finding::Problem;
use crate::version::PythonVersion;
use crate::{MAX_PER_RULE, rules};

/// Brackets within brackets: the limit of every CPython tokenizer.
const MAX_BRACKETS: usize = 200;
/// Blocks within blocks: the limit of every CPython tokenizer.
const MAX_BLOCKS: usize = 99;
/// f-strings within f-strings: the limit of CPython 3.12 and later.
const MAX_STRINGS: usize = 150;
/// Levels of one expression: CPython 3.13 compiles 9,997 levels, older ones fewer than 3,000.
const MAX_LEVELS: usize = 10_000;
/// Brackets, operators and keywords in a script with f-strings, each of which may turn out to be a level.
const MAX_HIDDEN: usize = 250_000;
/// `lambda` in the text, strings and comments included.
const MAX_LAMBDAS: usize = 20_000;
/// Stack that the parser needs for one level that it does not guard, in a debug build, twice over.
const LEVEL_STACK: usize = 4 << 10;
/// Stack that the parser and the rest of this file need at least.
const BASE_STACK: usize = 512 << 10;
/// How many bytes may be read again only to find the place of a finding.
const SEARCH_BUDGET: usize = 16 << 20;

/// What is wrong with the syntax of `text` for an interpreter of version `target`; if nothing is, what `read` makes of
/// the syntax tree and the comments. Offsets are those of `text`. A tree is as deep as the bounds above allow: whoever
/// reads it must not recurse from statement to statement or from expression to expression.
pub(crate) fn parse(
    text: &str,
    target: PythonVersion,
    read: impl FnOnce(&[Stmt], &mut dyn Iterator<Item = TextRange>) -> Vec<Problem>,
) -> Vec<Problem> {
    if let Err(excess) = survey(text) {
        let at = place_of_excess(text, excess);
        return vec![Problem {
            start: at,
            end: at,
            message: excess.message(),
            ..Problem::of(&rules::TOO_DEEP)
        }];
    }
    let stack = BASE_STACK + lambdas(text) * LEVEL_STACK;
    stacker::maybe_grow(stack, stack, || parse_bounded(text, target, read))
}

fn parse_bounded(
    text: &str,
    target: PythonVersion,
    read: impl FnOnce(&[Stmt], &mut dyn Iterator<Item = TextRange>) -> Vec<Problem>,
) -> Vec<Problem> {
    let version = ast::PythonVersion { major: target.major, minor: target.minor };
    let parsed = parse_unchecked(text, ParseOptions::from(Mode::Module).with_target_version(version));
    let errors = parsed.errors().iter().take(MAX_PER_RULE).map(|error| Problem {
        start: error.location.start().to_usize(),
        end: error.location.end().to_usize(),
        message: sentence(&error.error.to_string()),
        help: format!("correct the script; Python {target} does not read it either"),
        ..Problem::of(&rules::SYNTAX_ERROR)
    });
    let unsupported = parsed.unsupported_syntax_errors().iter().take(MAX_PER_RULE).map(|error| Problem {
        start: error.range.start().to_usize(),
        end: error.range.end().to_usize(),
        message: sentence(&error.to_string()),
        help: format!("run it on another version of Python, or write it for Python {target}"),
        ..Problem::of(&rules::UNSUPPORTED_SYNTAX)
    });
    let mut problems: Vec<Problem> = errors.chain(unsupported).collect();
    if problems.is_empty()
        && let Mod::Module(module) = parsed.syntax()
    {
        let comments = parsed.tokens().iter().filter(|token| token.kind() == TokenKind::Comment);
        problems = read(&module.body, &mut comments.map(|token| token.range()));
    }
    dismantle(parsed.into_syntax());
    problems
}

/// A message of the parser in our style: lower case, no full stop.
fn sentence(message: &str) -> String {
    let message = message.trim_end_matches('.');
    let mut chars = message.chars();
    match (chars.next(), chars.next()) {
        (Some(first), Some(second)) if first.is_ascii_uppercase() && second.is_ascii_lowercase() => {
            first.to_ascii_lowercase().to_string() + &message[1..]
        }
        _ => message.into(),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Excess {
    Brackets,
    Blocks,
    Strings,
    Levels,
    Hidden,
    Lambdas,
}

impl Excess {
    fn message(self) -> String {
        match self {
            Excess::Brackets => format!("more than {MAX_BRACKETS} brackets within each other"),
            Excess::Blocks => format!("more than {MAX_BLOCKS} blocks within each other"),
            Excess::Strings => format!("more than {MAX_STRINGS} f-strings within each other"),
            Excess::Levels => format!("an expression of more than {MAX_LEVELS} levels"),
            Excess::Hidden => format!("f-strings beside more than {MAX_HIDDEN} brackets and operators"),
            Excess::Lambdas => format!("more than {MAX_LAMBDAS} times `lambda`"),
        }
    }
}

/// Checks every bound before the parser sees the text.
fn survey(text: &str) -> Result<(), Excess> {
    // Nothing is counted in a text that has not the room for so many.
    if text.len() > MAX_LAMBDAS * "lambda".len() && lambdas(text) > MAX_LAMBDAS {
        return Err(Excess::Lambdas);
    }
    let interpolates = survey_tokens(text)?;
    let hides = interpolates && text.len() > MAX_HIDDEN && hidden(text) > MAX_HIDDEN;
    if hides { Err(Excess::Hidden) } else { Ok(()) }
}

/// Checks the bounds on the token stream; tells whether there are f-strings or t-strings in it.
fn survey_tokens(text: &str) -> Result<bool, Excess> {
    let mut lexer = lexer::lex(text, Mode::Module);
    let mut depth = Depth::default();
    let mut interpolates = false;
    loop {
        let kind = lexer.next_token();
        depth.step(kind)?;
        match kind {
            TokenKind::EndOfFile => return Ok(interpolates),
            TokenKind::FStringStart | TokenKind::TStringStart => interpolates = true,
            _ => {}
        }
    }
}

fn lambdas(text: &str) -> usize {
    text.matches("lambda").count()
}

/// How many levels a parser could at most make of `text` if it took everything for code.
fn hidden(text: &str) -> usize {
    let brackets_and_operators = text.bytes().filter(|byte| b"([{-+~*".contains(byte)).count();
    let words = ["not", "if", "else", "await", "async", "yield", "lambda"];
    words.iter().map(|word| text.matches(word).count()).sum::<usize>() + brackets_and_operators
}

/// About where an excess begins. The lexer does not tell places, so the shortest beginning of the text that exceeds a
/// bound is searched for; with a hostile megabyte in front the search ends early and the place is a little before it.
fn place_of_excess(text: &str, excess: Excess) -> usize {
    if matches!(excess, Excess::Hidden | Excess::Lambdas) {
        return 0;
    }
    let (mut within, mut beyond) = (0, text.len());
    let mut budget = SEARCH_BUDGET;
    while beyond - within > 1 {
        let middle = text.floor_char_boundary(within + (beyond - within) / 2);
        let Some(left) = budget.checked_sub(middle) else { break };
        budget = left;
        if middle == within {
            break;
        }
        if survey_tokens(&text[..middle]).is_err() { beyond = middle } else { within = middle }
    }
    within
}

/// How deep the syntax tree can be at the current token, never underestimated for a valid script.
#[derive(Debug)]
struct Depth {
    blocks: usize,
    strings: usize,
    /// The open brackets and f-strings, outermost first, on a ground level that is always there.
    open: Vec<Level>,
    /// The sum of `chain` and `sticky` over `open`.
    levels: usize,
}

#[derive(Debug)]
struct Level {
    /// What closes it.
    closer: TokenKind,
    /// Operators that may be each other's operands: a comma ends them.
    chain: usize,
    /// Keywords that only the end of the bracket or statement ends.
    sticky: usize,
    /// `lambda`s whose colon is still to come: commas separate their parameters.
    lambdas: usize,
}

impl Level {
    const fn new(closer: TokenKind) -> Level {
        Level { closer, chain: 0, sticky: 0, lambdas: 0 }
    }
}

impl Default for Depth {
    fn default() -> Self {
        Depth { blocks: 0, strings: 0, open: vec![Level::new(TokenKind::EndOfFile)], levels: 0 }
    }
}

impl Depth {
    fn step(&mut self, kind: TokenKind) -> Result<(), Excess> {
        match kind {
            TokenKind::Lpar => self.open(TokenKind::Rpar),
            TokenKind::Lsqb => self.open(TokenKind::Rsqb),
            TokenKind::Lbrace => self.open(TokenKind::Rbrace),
            TokenKind::FStringStart => self.open(TokenKind::FStringEnd),
            TokenKind::TStringStart => self.open(TokenKind::TStringEnd),
            TokenKind::Rpar
            | TokenKind::Rsqb
            | TokenKind::Rbrace
            | TokenKind::FStringEnd
            | TokenKind::TStringEnd => self.close(kind),
            TokenKind::Newline | TokenKind::Semi => self.end_statement(),
            // Never within brackets: the parser starts afresh here, and so an unclosed bracket hundreds of lines before
            // is reported as what it is.
            TokenKind::Assert
            | TokenKind::Break
            | TokenKind::Class
            | TokenKind::Continue
            | TokenKind::Def
            | TokenKind::Del
            | TokenKind::Except
            | TokenKind::Finally
            | TokenKind::Global
            | TokenKind::Import
            | TokenKind::Nonlocal
            | TokenKind::Pass
            | TokenKind::Raise
            | TokenKind::Return
            | TokenKind::Try
            | TokenKind::While => self.end_statement(),
            TokenKind::Indent => self.blocks += 1,
            TokenKind::Dedent => self.blocks = self.blocks.saturating_sub(1),
            TokenKind::Comma => {
                let level = self.top();
                if level.lambdas == 0 {
                    let ended = std::mem::take(&mut level.chain);
                    self.levels -= ended;
                }
            }
            TokenKind::Colon => {
                let level = self.top();
                level.lambdas = level.lambdas.saturating_sub(1);
            }
            TokenKind::Lambda => {
                self.top().lambdas += 1;
                self.chain();
            }
            TokenKind::Yield | TokenKind::Async => {
                self.top().sticky += 1;
                self.levels += 1;
            }
            // What never makes an operand of what follows.
            TokenKind::Name
            | TokenKind::Int
            | TokenKind::Float
            | TokenKind::Complex
            | TokenKind::String
            | TokenKind::FStringMiddle
            | TokenKind::TStringMiddle
            | TokenKind::Comment
            | TokenKind::NonLogicalNewline
            | TokenKind::EndOfFile
            | TokenKind::Equal
            | TokenKind::EqEqual
            | TokenKind::NotEqual
            | TokenKind::Less
            | TokenKind::LessEqual
            | TokenKind::Greater
            | TokenKind::GreaterEqual
            | TokenKind::And
            | TokenKind::Or
            | TokenKind::In
            | TokenKind::Is
            | TokenKind::For
            | TokenKind::True
            | TokenKind::False
            | TokenKind::None
            | TokenKind::Ellipsis
            | TokenKind::Unknown => {}
            _ => self.chain(),
        }
        if self.open.len() - 1 - self.strings > MAX_BRACKETS {
            Err(Excess::Brackets)
        } else if self.blocks > MAX_BLOCKS {
            Err(Excess::Blocks)
        } else if self.strings > MAX_STRINGS {
            Err(Excess::Strings)
        } else if self.levels > MAX_LEVELS {
            Err(Excess::Levels)
        } else {
            Ok(())
        }
    }

    fn end_statement(&mut self) {
        self.open.clear();
        self.open.push(Level::new(TokenKind::EndOfFile));
        (self.levels, self.strings) = (0, 0);
    }

    fn top(&mut self) -> &mut Level {
        if self.open.is_empty() {
            self.open.push(Level::new(TokenKind::EndOfFile));
        }
        let last = self.open.len() - 1;
        &mut self.open[last]
    }

    fn chain(&mut self) {
        self.top().chain += 1;
        self.levels += 1;
    }

    /// A bracket is an operator as well: `a()()()` is a chain.
    fn open(&mut self, closer: TokenKind) {
        self.chain();
        self.strings += usize::from(is_string(closer));
        self.open.push(Level::new(closer));
    }

    /// Only the bracket that fits closes; after any other the script is wrong, and the depth stays what it may be.
    fn close(&mut self, closer: TokenKind) {
        if self.open.len() > 1 && self.top().closer == closer {
            self.strings -= usize::from(is_string(closer));
            if let Some(level) = self.open.pop() {
                self.levels -= level.chain + level.sticky;
            }
        }
    }
}

fn is_string(closer: TokenKind) -> bool {
    matches!(closer, TokenKind::FStringEnd | TokenKind::TStringEnd)
}
