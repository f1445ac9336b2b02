//! Texts and bytes that are put together, and numbers as far as texts are made of them.

use std::rc::Rc;

use ruff_python_ast::{Expr, ExprBinOp, Operator};

use super::bindings::Names;
use super::eval::join;
use super::meaning::{MAX_TEXT, MAX_VALUES, Made, Meaning, Piece, Values, whole};
use super::scope::ScopeId;

/// How many operands of one sum are put together.
const MAX_OPERANDS: usize = 1 << 14;

impl<'a> Names<'a> {
    /// `a + b + c`, however many, without going down from sum to sum.
    pub(super) fn operation(&self, operation: &'a ExprBinOp, scope: ScopeId) -> Values<'a> {
        let mut operands = vec![(operation.op, &*operation.right)];
        let mut at = &*operation.left;
        while let Expr::BinOp(inner) = at
            && operands.len() < MAX_OPERANDS
        {
            operands.push((inner.op, &*inner.right));
            at = &*inner.left;
        }
        let mut values = self.eval(at, scope);
        let mut sum = String::new();
        while let Some((op, operand)) = operands.pop() {
            let right = self.eval(operand, scope);
            // The common case, without a copy for each operand.
            if let (Operator::Add, [Meaning::Text(left, _)], [Meaning::Text(right, _)]) =
                (op, values.as_slice(), right.as_slice())
                && operands
                    .last()
                    .is_some_and(|(op, next)| *op == Operator::Add && next.is_string_literal_expr())
            {
                sum.clear();
                sum.push_str(left);
                sum.push_str(right);
                while let Some((Operator::Add, Expr::StringLiteral(string))) = operands.last()
                    && sum.len() <= MAX_TEXT
                {
                    sum.push_str(string.value.to_str());
                    operands.pop();
                }
                if !self.spend(1 + sum.len() / 64) || sum.len() > MAX_TEXT {
                    return Values::new();
                }
                values = vec![Meaning::Text(sum.as_str().into(), Made::Built)];
                continue;
            }
            values = self.binary(op, &values, &right);
        }
        values
    }

    /// What an operator makes of each of some values with each of others.
    pub(super) fn binary(&self, op: Operator, left: &[Meaning<'a>], right: &[Meaning<'a>]) -> Values<'a> {
        if left.is_empty() && right.is_empty() {
            return Values::new();
        }
        let nothing = [Meaning::Unknown(None)];
        let left = if left.is_empty() { &nothing } else { left };
        let right = if right.is_empty() { &nothing } else { right };
        let mut values = Values::new();
        for one in left {
            for other in right {
                if values.len() < MAX_VALUES && self.spend(1) {
                    join(&mut values, self.pair(op, one, other).into_iter().collect());
                }
            }
        }
        values
    }

    pub(super) fn pair(&self, op: Operator, left: &Meaning<'a>, right: &Meaning<'a>) -> Option<Meaning<'a>> {
        match (op, left, right) {
            (Operator::Add, Meaning::Text(one, a), Meaning::Text(other, b)) => {
                self.room(one.len() + other.len())?;
                Some(Meaning::Text(format!("{one}{other}").into(), built(*a, *b)))
            }
            (Operator::Add, Meaning::Bytes(one, a), Meaning::Bytes(other, b)) => {
                self.room(one.len() + other.len())?;
                Some(Meaning::Bytes([&**one, &**other].concat().into(), built(*a, *b)))
            }
            (Operator::Add, Meaning::List(one), Meaning::List(other)) => {
                self.room((one.len() + other.len()) * 16)?;
                Some(Meaning::List([&**one, &**other].concat().into()))
            }
            (Operator::Mod, Meaning::Text(format, made), _) => self.percent(format, *made, right),
            (Operator::Mult, Meaning::Text(text, _), Meaning::Int(times)) => {
                let times = usize::try_from(*times).unwrap_or(0);
                self.room(text.len().checked_mul(times)?)?;
                Some(Meaning::Text(text.repeat(times).into(), Made::Built))
            }
            (Operator::Mult, Meaning::Bytes(bytes, _), Meaning::Int(times)) => {
                let times = usize::try_from(*times).unwrap_or(0);
                self.room(bytes.len().checked_mul(times)?)?;
                Some(Meaning::Bytes(bytes.repeat(times).into(), Made::Built))
            }
            (_, Meaning::Int(one), Meaning::Int(other)) => number(op, *one, *other).map(Meaning::Int),
            (Operator::Div, Meaning::Path(_), _) | (Operator::Div, _, Meaning::Path(_)) => {
                let mut pieces = self.pieces_of(std::slice::from_ref(left));
                pieces.push(Piece::Text("/".into()));
                pieces.extend(self.pieces_of(std::slice::from_ref(right)));
                self.pattern(pieces).map(|pieces| Meaning::Path(pieces.into()))
            }
            (Operator::Add, Meaning::Text(..) | Meaning::Pattern(_), _)
            | (Operator::Add, _, Meaning::Text(..) | Meaning::Pattern(_)) => {
                let mut pieces = self.pieces_of(std::slice::from_ref(left));
                pieces.extend(self.pieces_of(std::slice::from_ref(right)));
                self.pattern(pieces).map(|pieces| Meaning::Pattern(pieces.into()))
            }
            _ => {
                let source = self.source_of(left).or_else(|| self.source_of(right))?;
                Some(Meaning::Unknown(Some(source)))
            }
        }
    }

    /// Pays for a text of so many bytes, if it is not too long.
    pub(super) fn room(&self, bytes: usize) -> Option<()> {
        (bytes <= MAX_TEXT && self.spend(1 + bytes / 64)).then_some(())
    }

    /// Pieces with neighbours made one; bounded.
    pub(super) fn pattern(&self, pieces: Vec<Piece>) -> Option<Vec<Piece>> {
        let bytes = |piece: &Piece| match piece {
            Piece::Text(text) => text.len(),
            Piece::Gap(_) => 1,
        };
        self.room(pieces.iter().map(bytes).sum::<usize>() + 16 * pieces.len())?;
        let mut all: Vec<Piece> = Vec::with_capacity(pieces.len());
        let mut text = String::new();
        for piece in pieces {
            match piece {
                Piece::Text(more) => text.push_str(&more),
                Piece::Gap(source) => {
                    if !text.is_empty() {
                        all.push(Piece::Text(std::mem::take(&mut text).into()));
                    }
                    match all.last_mut() {
                        Some(Piece::Gap(before)) => *before = before.or(source),
                        _ => all.push(Piece::Gap(source)),
                    }
                }
            }
        }
        if !text.is_empty() {
            all.push(Piece::Text(text.into()));
        }
        Some(all)
    }

    /// A value as part of a text.
    pub(super) fn pieces_of(&self, values: &[Meaning<'a>]) -> Vec<Piece> {
        match values {
            [Meaning::Text(text, _)] => vec![Piece::Text(text.clone())],
            [Meaning::Int(int)] => vec![Piece::Text(int.to_string().into())],
            [Meaning::Pattern(pieces) | Meaning::Path(pieces)] => pieces.to_vec(),
            _ => vec![Piece::Gap(self.source(values))],
        }
    }

    /// A text of these pieces.
    pub(super) fn text_from(&self, pieces: Vec<Piece>, made: Made) -> Option<Meaning<'a>> {
        let pieces = self.pattern(pieces)?;
        Some(match whole(&pieces) {
            Some(text) => Meaning::Text(text, made),
            None => Meaning::Pattern(pieces.into()),
        })
    }
}

/// The text, and how it was made.
pub(super) fn text_of(value: &Meaning<'_>) -> Option<(Rc<str>, Made)> {
    match value {
        Meaning::Text(text, made) => Some((text.clone(), *made)),
        _ => None,
    }
}

pub(super) fn encoding(given: &[Meaning<'_>]) -> String {
    match given.first() {
        Some(Meaning::Text(name, _)) => name.to_string(),
        _ => "utf-8".into(),
    }
}

pub(super) fn latin(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

pub(super) fn size(value: &Meaning<'_>) -> usize {
    match value {
        Meaning::Text(text, _) => text.len(),
        Meaning::Bytes(bytes, _) => bytes.len(),
        Meaning::List(list) => list.len() * 16,
        _ => 1,
    }
}

pub(super) fn built(one: Made, other: Made) -> Made {
    one.max(other).max(Made::Built)
}

/// A text that is turned round has been hidden; one that is cut has been put together.
pub(super) fn reversed(made: Made, step: Option<i64>) -> Made {
    if step.is_some_and(|step| step != 1) { Made::Decoded } else { made.max(Made::Built) }
}

pub(super) fn character_of(int: i64) -> Option<String> {
    char::from_u32(u32::try_from(int).ok()?).map(String::from)
}

pub(super) fn range<'a>(start: i64, end: i64, step: i64) -> Option<Meaning<'a>> {
    if step == 0 || (end.checked_sub(start)? / step) > 1 << 16 {
        return None;
    }
    let (mut at, mut all) = (start, Vec::new());
    while if step > 0 { at < end } else { at > end } {
        all.push(vec![Meaning::Int(at)]);
        at = at.checked_add(step)?;
    }
    Some(Meaning::List(all.into()))
}

fn number(op: Operator, one: i64, other: i64) -> Option<i64> {
    match op {
        Operator::Add => one.checked_add(other),
        Operator::Sub => one.checked_sub(other),
        Operator::Mult => one.checked_mul(other),
        Operator::FloorDiv => one.checked_div_euclid(other),
        Operator::Mod => one.checked_rem_euclid(other),
        Operator::Pow => one.checked_pow(u32::try_from(other).ok()?),
        Operator::LShift => {
            u32::try_from(other).ok().filter(|by| *by < 63).and_then(|by| one.checked_shl(by))
        }
        Operator::RShift => one.checked_shr(u32::try_from(other).ok()?),
        Operator::BitOr => Some(one | other),
        Operator::BitXor => Some(one ^ other),
        Operator::BitAnd => Some(one & other),
        Operator::Div | Operator::MatMult => None,
    }
}
