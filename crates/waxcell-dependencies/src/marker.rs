//! When a requirement applies: `python_version < "3.11" and extra == "http"`.
//!
//! Source: packaging specifications, *Dependency specifiers* (PEP 508), *Environment markers*.

use crate::Name;
use crate::specifier::Specifiers;
use crate::version::Version;

/// A condition, as it is evaluated: what is compared, and behind its two operands the word that joins them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Marker(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Compare(Operand, String, Operand),
    And,
    Or,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Operand {
    Variable(String),
    Text(String),
}

/// Whether a requirement applies. In their order: the least is what both of two give, the greatest what either does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Applies {
    /// It does not.
    No,
    /// It depends on something that is not known here.
    Maybe,
    /// It does.
    Yes,
}

/// What is known about where a script runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// `major.minor` of the interpreter (`python_version`).
    pub python: (u8, u8),
    /// `platform_machine`, as `x86_64`.
    pub machine: String,
}

const VARIABLES: [&str; 12] = [
    "python_version",
    "python_full_version",
    "os_name",
    "sys_platform",
    "platform_release",
    "platform_system",
    "platform_version",
    "platform_machine",
    "platform_python_implementation",
    "implementation_name",
    "implementation_version",
    "extra",
];

const OPERATORS: [&str; 8] = ["===", "~=", "==", "!=", "<=", ">=", "<", ">"];

/// No marker that anybody writes has more comparisons.
const MOST_STEPS: usize = 1000;

impl Environment {
    /// The version of the interpreter, without its last number.
    pub(crate) fn python_version(&self) -> String {
        format!("{}.{}", self.python.0, self.python.1)
    }

    fn value(&self, variable: &str) -> Option<String> {
        Some(match variable {
            "python_version" => self.python_version(),
            "os_name" => "posix".to_owned(),
            "sys_platform" => "linux".to_owned(),
            "platform_system" => "Linux".to_owned(),
            "platform_machine" => self.machine.clone(),
            "platform_python_implementation" => "CPython".to_owned(),
            "implementation_name" => "cpython".to_owned(),
            _ => return None,
        })
    }
}

/// What a marker is made of.
#[derive(Debug, PartialEq, Eq)]
enum Token {
    Open,
    Close,
    And,
    Or,
    Operator(String),
    Operand(Operand),
}

impl Marker {
    /// The marker that this is; nothing if it is none. Without recursion: parentheses may be nested as deep as they like.
    pub(crate) fn parse(text: &str) -> Option<Marker> {
        let mut tokens = tokens(text)?.into_iter().peekable();
        let (mut steps, mut waiting, mut is_operand) = (Vec::new(), Vec::new(), true);
        while let Some(token) = tokens.next() {
            match token {
                Token::Open if is_operand => waiting.push(Token::Open),
                Token::Operand(left) if is_operand => {
                    let Some(Token::Operator(operator)) = tokens.next() else { return None };
                    let Some(Token::Operand(right)) = tokens.next() else { return None };
                    let is_about_something =
                        matches!(left, Operand::Variable(_)) || matches!(right, Operand::Variable(_));
                    if !is_about_something {
                        return None;
                    }
                    steps.push(Step::Compare(left, operator, right));
                    is_operand = false;
                }
                Token::And | Token::Or if !is_operand => {
                    let binds = |top: &Token| *top == Token::And || (*top == Token::Or && token == Token::Or);
                    while let Some(top) = waiting.pop_if(|top| binds(top)) {
                        steps.push(step(&top));
                    }
                    waiting.push(token);
                    is_operand = true;
                }
                Token::Close if !is_operand => loop {
                    match waiting.pop()? {
                        Token::Open => break,
                        word => steps.push(step(&word)),
                    }
                },
                _ => return None,
            }
            if steps.len() > MOST_STEPS {
                return None;
            }
        }
        while let Some(word) = waiting.pop() {
            if word == Token::Open {
                return None;
            }
            steps.push(step(&word));
        }
        (!is_operand).then_some(Marker(steps))
    }

    /// Whether what it stands at applies, if these extras of its distribution were asked for.
    pub(crate) fn applies(&self, environment: &Environment, extras: &[Name]) -> Applies {
        let mut values = Vec::new();
        for step in &self.0 {
            let value = match step {
                Step::Compare(left, operator, right) => compare(left, operator, right, environment, extras),
                joint => {
                    let (Some(one), Some(other)) = (values.pop(), values.pop()) else {
                        return Applies::Maybe;
                    };
                    if *joint == Step::And { Ord::min(one, other) } else { Ord::max(one, other) }
                }
            };
            values.push(value);
        }
        values.pop().unwrap_or(Applies::Maybe)
    }
}

fn step(token: &Token) -> Step {
    if *token == Token::And { Step::And } else { Step::Or }
}

fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let operator = OPERATORS.iter().find(|operator| rest.starts_with(**operator));
        let (token, length) = match (first, operator) {
            ('(', _) => (Token::Open, 1),
            (')', _) => (Token::Close, 1),
            ('"' | '\'', _) => {
                let end = rest[1..].find(first)?;
                (Token::Operand(Operand::Text(rest[1..=end].to_owned())), end + 2)
            }
            (_, Some(operator)) => (Token::Operator((*operator).to_owned()), operator.len()),
            _ => {
                let end =
                    rest.find(|letter: char| !letter.is_ascii_alphanumeric() && !matches!(letter, '_' | '.'));
                let word = &rest[..end.unwrap_or(rest.len())];
                (word_token(word, tokens.last())?, word.len())
            }
        };
        // `not` and `in` are two words, of which the first alone means nothing.
        if token == Token::Operator("not in".to_owned()) {
            tokens.pop();
        }
        tokens.push(token);
        rest = rest[length..].trim_start();
    }
    let is_alone = tokens.contains(&Token::Operator("not".to_owned()));
    (!is_alone).then_some(tokens)
}

fn word_token(word: &str, before: Option<&Token>) -> Option<Token> {
    let is_not = before.is_some_and(|token| *token == Token::Operator("not".to_owned()));
    let operator = |text: &str| Token::Operator(text.to_owned());
    Some(match word {
        "in" if is_not => operator("not in"),
        "in" => operator("in"),
        "not" => operator("not"),
        "and" => Token::And,
        "or" => Token::Or,
        // Names that older tools wrote.
        "os.name" => variable("os_name"),
        "sys.platform" => variable("sys_platform"),
        "platform.machine" => variable("platform_machine"),
        "platform.version" => variable("platform_version"),
        "python_implementation" | "platform.python_implementation" => {
            variable("platform_python_implementation")
        }
        word if VARIABLES.contains(&word) => variable(word),
        _ => return None,
    })
}

fn variable(name: &str) -> Token {
    Token::Operand(Operand::Variable(name.to_owned()))
}

fn compare(
    left: &Operand,
    operator: &str,
    right: &Operand,
    environment: &Environment,
    extras: &[Name],
) -> Applies {
    let (variable, text, is_reversed) = match (left, right) {
        (Operand::Variable(variable), Operand::Text(text)) => (variable, text, false),
        (Operand::Text(text), Operand::Variable(variable)) => (variable, text, true),
        _ => return Applies::Maybe,
    };
    if variable == "extra" {
        let is_asked = Name::new(text).is_some_and(|name| extras.contains(&name));
        return match operator {
            "==" => yes(is_asked),
            "!=" => yes(!is_asked),
            _ => Applies::Maybe,
        };
    }
    let Some(value) = environment.value(variable) else { return Applies::Maybe };
    let (one, other) = if is_reversed { (text, &value) } else { (&value, text) };
    if variable == "python_version"
        && let Some(list) = Specifiers::parse(&format!("{operator}{other}"))
        && let Some(version) = Version::parse(one)
    {
        return yes(list.contains(&version));
    }
    match operator {
        "==" | "===" => yes(one == other),
        "!=" => yes(one != other),
        "in" => yes(other.contains(one.as_str())),
        "not in" => yes(!other.contains(one.as_str())),
        _ => Applies::Maybe,
    }
}

fn yes(is_so: bool) -> Applies {
    if is_so { Applies::Yes } else { Applies::No }
}

#[cfg(test)]
mod tests {
    use super::{Applies, Environment, Marker};
    use crate::Name;

    #[test]
    fn markers_are_evaluated() {
        let environment = Environment { python: (3, 11), machine: "x86_64".into() };
        let extras = [Name::new("http").unwrap()];
        for (text, expected) in [
            ("python_version < '3.11'", Applies::No),
            ("python_version >= \"3.8\" and os_name == 'posix'", Applies::Yes),
            ("'3.9' <= python_version", Applies::Yes),
            ("python_version in '3.10 3.11'", Applies::Yes),
            ("sys_platform not in 'win32 darwin'", Applies::Yes),
            ("sys_platform == 'win32' or platform_machine == 'x86_64' and extra == 'HTTP'", Applies::Yes),
            ("(sys_platform == 'win32' or platform_machine == 'x86_64') and extra == 'other'", Applies::No),
            ("platform_release >= '6'", Applies::Maybe),
            ("platform_release >= '6' and os_name == 'nt'", Applies::No),
            ("platform_release >= '6' or os_name == 'posix'", Applies::Yes),
            ("os.name == 'posix'", Applies::Yes),
        ] {
            let marker = Marker::parse(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(marker.applies(&environment, &extras), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_marker_is_none() {
        for wrong in [
            "",
            "and",
            "os_name",
            "os_name ==",
            "'a' == 'b'",
            "(os_name == 'a'",
            "os_name == 'a')",
            "os_name == 'a' os_name == 'b'",
            "home == 'a'",
            "os_name == 'a",
            "os_name not 'a'",
            "os_name == 'a' and",
            "()",
        ] {
            assert_eq!(Marker::parse(wrong), None, "{wrong}");
        }
        let deep = format!("{}os_name == 'a'{}", "(".repeat(100_000), ")".repeat(100_000));
        assert!(Marker::parse(&deep).is_some());
    }
}
