//! Functions and methods that make texts, bytes and numbers of others.

use std::rc::Rc;

use ruff_python_ast::{Expr, ExprCall, Operator};

use super::bindings::Names;
use super::calls::slice_positions;
use super::decoders;
use super::eval::{from_source, join};
use super::meaning::{Made, Meaning, Piece, Values};
use super::scope::ScopeId;
use super::texts::{built, character_of, encoding, latin, range, reversed, size, text_of};

impl<'a> Names<'a> {
    pub(super) fn text_method(
        &self,
        of: &Meaning<'a>,
        name: &str,
        call: &'a ExprCall,
        scope: ScopeId,
    ) -> Values<'a> {
        match (of, name) {
            (Meaning::Text(text, made), "format" | "format_map") => {
                if name == "format_map" {
                    return self
                        .argument(call, scope, 0, "")
                        .iter()
                        .filter_map(|values| {
                            self.source_of(values).map(|source| Meaning::Unknown(Some(source)))
                        })
                        .collect();
                }
                return self.format(text, *made, call, scope).into_iter().collect();
            }
            (Meaning::Text(..) | Meaning::Bytes(..), "join") => {
                let given = self.argument(call, scope, 0, "");
                let mut values = Values::new();
                for list in &given {
                    join(&mut values, self.joined(of, list).into_iter().collect());
                }
                return values;
            }
            _ => {}
        }
        let given: Vec<Values<'a>> =
            (0..Self::count(call).min(4)).map(|at| self.argument(call, scope, at, "")).collect();
        let mut single: Vec<Meaning<'a>> = Vec::new();
        for values in &given {
            match values.as_slice() {
                [one] => single.push(one.clone()),
                _ => return from_source(&given.concat()),
            }
        }
        for name in ["encoding", "errors"] {
            if let [Meaning::Text(..)] = self.argument(call, scope, usize::MAX, name).as_slice() {
                single.extend(self.argument(call, scope, usize::MAX, name));
            }
        }
        match self.simple_method(of, name, &single) {
            Some(value) => vec![value],
            None => self.source_of(of).map(|source| Meaning::Unknown(Some(source))).into_iter().collect(),
        }
    }

    fn joined(&self, between: &Meaning<'a>, list: &Meaning<'a>) -> Option<Meaning<'a>> {
        let items = self.spread(list)?;
        if !self.spend(items.len()) {
            return None;
        }
        if let Meaning::Bytes(between, _) = between {
            let mut bytes = Vec::new();
            for (at, item) in items.iter().enumerate() {
                let [Meaning::Bytes(item, _)] = item.as_slice() else { return None };
                if at > 0 {
                    bytes.extend_from_slice(between);
                }
                bytes.extend_from_slice(item);
                self.room(bytes.len().max(1) / 64)?;
            }
            return Some(Meaning::Bytes(bytes.into(), Made::Built));
        }
        let (between, before) = text_of(between)?;
        // What is joined may be decoded as well; nobody looks at each of very many.
        let made = items.iter().take(64).filter_map(|one| text_of(one.first()?)).map(|(_, made)| made).max();
        let made = built(made.unwrap_or(Made::Written), before);
        let mut pieces = Vec::with_capacity(2 * items.len());
        for (at, item) in items.iter().enumerate() {
            if at > 0 && !between.is_empty() {
                pieces.push(Piece::Text(between.clone()));
            }
            pieces.extend(self.pieces_of(item));
        }
        self.text_from(pieces, made)
    }

    /// `of[lower:upper:step]`.
    pub(super) fn slice(
        &self,
        of: &Meaning<'a>,
        lower: Option<i64>,
        upper: Option<i64>,
        step: Option<i64>,
    ) -> Option<Meaning<'a>> {
        match of {
            Meaning::Text(text, made) => {
                self.room(text.len())?;
                let characters: Vec<char> = text.chars().collect();
                let positions = slice_positions(characters.len(), lower, upper, step);
                let text: String = positions.into_iter().map(|at| characters[at]).collect();
                Some(Meaning::Text(text.into(), reversed(*made, step)))
            }
            Meaning::Bytes(bytes, made) => {
                self.room(bytes.len())?;
                let positions = slice_positions(bytes.len(), lower, upper, step);
                let bytes: Vec<u8> = positions.into_iter().map(|at| bytes[at]).collect();
                Some(Meaning::Bytes(bytes.into(), reversed(*made, step)))
            }
            Meaning::List(list) => {
                self.room(list.len() * 16)?;
                let positions = slice_positions(list.len(), lower, upper, step);
                Some(Meaning::List(positions.into_iter().map(|at| list[at].clone()).collect()))
            }
            _ => self.source_of(of).map(|source| Meaning::Unknown(Some(source))),
        }
    }

    /// What a function that makes texts, bytes or numbers of others returns; `None` if it is no such function, nothing
    /// in it if it is not known.
    pub(super) fn folded(&self, name: &Rc<str>, call: &'a ExprCall, scope: ScopeId) -> Option<Values<'a>> {
        if !decoders::is_known(name) {
            return None;
        }
        let mut given: Vec<Meaning<'a>> = Vec::new();
        for at in 0..Self::count(call).min(4) {
            let values = self.argument(call, scope, at, "");
            match values.as_slice() {
                [one] => given.push(one.clone()),
                _ => {
                    let source = self.source(&values).map(|source| Meaning::Unknown(Some(source)));
                    return Some(source.into_iter().collect());
                }
            }
        }
        for keyword in call.arguments.keywords.iter().take(4) {
            if let [one] = self.eval(&keyword.value, scope).as_slice() {
                given.push(one.clone());
            }
        }
        Some(match self.simple(name, &given) {
            Some(value) => vec![value],
            None => match self.source(&given) {
                Some(source) => vec![Meaning::Unknown(Some(source))],
                None => Values::new(),
            },
        })
    }

    /// A function of plain values.
    pub(super) fn simple(&self, name: &str, given: &[Meaning<'a>]) -> Option<Meaning<'a>> {
        let length: usize = given.iter().map(size).sum();
        self.room(length)?;
        Some(match (name, given) {
            ("chr", [Meaning::Int(int)]) => Meaning::Text(character_of(*int)?.into(), Made::Built),
            ("ord", [Meaning::Text(text, _)]) => Meaning::Int(u32::from(text.chars().next()?).into()),
            ("ord", [Meaning::Bytes(bytes, _)]) => Meaning::Int((*bytes.first()?).into()),
            ("len", [Meaning::Text(text, _)]) => Meaning::Int(text.chars().count() as i64),
            ("len", [Meaning::Bytes(bytes, _)]) => Meaning::Int(bytes.len() as i64),
            ("len", [Meaning::List(list)]) => Meaning::Int(list.len() as i64),
            ("abs", [Meaning::Int(int)]) => Meaning::Int(int.checked_abs()?),
            ("int", [Meaning::Int(int)]) => Meaning::Int(*int),
            ("int", [Meaning::Text(text, _)]) => Meaning::Int(text.trim().replace('_', "").parse().ok()?),
            ("int", [Meaning::Text(text, _), Meaning::Int(base)]) => {
                let text = text.trim().to_ascii_lowercase().replace('_', "");
                let digits = text.trim_start_matches("0x").trim_start_matches("0b").trim_start_matches("0o");
                let base = u32::try_from(*base).ok().filter(|base| (2..=36).contains(base)).unwrap_or(16);
                Meaning::Int(i64::from_str_radix(digits, base).ok()?)
            }
            ("str" | "repr" | "format" | "ascii", [Meaning::Int(int)]) => {
                Meaning::Text(int.to_string().into(), Made::Built)
            }
            ("str", [text @ Meaning::Text(..)]) => text.clone(),
            ("str", [pattern @ Meaning::Pattern(_)]) => pattern.clone(),
            ("str", [Meaning::Path(pieces)]) => Meaning::Pattern(pieces.clone()),
            ("str", [bytes @ Meaning::Bytes(..), rest @ ..]) if !rest.is_empty() => {
                self.simple_method(bytes, "decode", rest)?
            }
            ("hex", [Meaning::Int(int)]) => Meaning::Text(format!("{int:#x}").into(), Made::Built),
            ("bytes" | "bytearray" | "memoryview", [bytes @ Meaning::Bytes(..)]) => bytes.clone(),
            ("bytes" | "bytearray", [text @ Meaning::Text(..), ..]) => {
                self.simple_method(text, "encode", &given[1..])?
            }
            ("bytes" | "bytearray", [Meaning::List(list)]) => {
                let mut bytes = Vec::with_capacity(list.len());
                for one in list.iter() {
                    let [Meaning::Int(int)] = one.as_slice() else { return None };
                    bytes.push(u8::try_from(*int).ok()?);
                }
                Meaning::Bytes(bytes.into(), Made::Built)
            }
            ("reversed", [of]) => match of {
                Meaning::List(_) | Meaning::Text(..) | Meaning::Bytes(..) => {
                    let mut items = self.spread(of)?;
                    items.reverse();
                    Meaning::List(items.into())
                }
                _ => return None,
            },
            ("range", [Meaning::Int(end)]) => range(0, *end, 1)?,
            ("range", [Meaning::Int(start), Meaning::Int(end)]) => range(*start, *end, 1)?,
            ("range", [Meaning::Int(start), Meaning::Int(end), Meaning::Int(step)]) => {
                range(*start, *end, *step)?
            }
            ("str.maketrans", [Meaning::Text(from, _), Meaning::Text(to, _), ..]) => {
                let pair = |(from, to): (char, char)| {
                    (vec![Meaning::Int(u32::from(from).into())], vec![Meaning::Int(u32::from(to).into())])
                };
                Meaning::Dict(from.chars().zip(to.chars()).map(pair).collect())
            }
            ("str.maketrans", [dict @ Meaning::Dict(_)]) => dict.clone(),
            ("str.join", [between, list]) => self.joined(between, list)?,
            ("int.to_bytes" | "int.from_bytes", _) => return None,
            _ => match name.strip_prefix("str.").or_else(|| name.strip_prefix("bytes.")) {
                Some(method) if method != "fromhex" => {
                    self.simple_method(given.first()?, method, &given[1..])?
                }
                _ => decoders::decode(name, given)?,
            },
        })
    }

    /// A method of a text or of bytes, with plain arguments.
    pub(super) fn simple_method(
        &self,
        of: &Meaning<'a>,
        name: &str,
        given: &[Meaning<'a>],
    ) -> Option<Meaning<'a>> {
        self.room(size(of) + given.iter().map(size).sum::<usize>())?;
        if let Meaning::Bytes(bytes, made) = of {
            return match (name, given) {
                ("decode", _) => decoders::from_bytes(bytes, &encoding(given), *made),
                ("hex", []) => Some(Meaning::Text(
                    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into(),
                    Made::Built,
                )),
                ("replace", [Meaning::Bytes(from, _), Meaning::Bytes(to, _)]) if !from.is_empty() => {
                    let (from, to) = (latin(from), latin(to));
                    self.replaced(&latin(bytes), &from, &to).map(|text| {
                        Meaning::Bytes(text.chars().map(|c| c as u8).collect::<Vec<_>>().into(), Made::Built)
                    })
                }
                ("strip" | "rstrip" | "lstrip", []) => Some(Meaning::Bytes(bytes.trim_ascii().into(), *made)),
                ("lower", []) => Some(Meaning::Bytes(bytes.to_ascii_lowercase().into(), Made::Built)),
                ("tobytes" | "copy", []) => Some(of.clone()),
                _ => None,
            };
        }
        let (text, made) = text_of(of)?;
        let changed = |text: String| Some(Meaning::Text(text.into(), made.max(Made::Built)));
        match (name, given) {
            ("encode", _) => decoders::to_bytes(&text, &encoding(given), made),
            ("lower" | "casefold", []) => changed(text.to_lowercase()),
            ("upper", []) => changed(text.to_uppercase()),
            ("swapcase", []) => changed(
                text.chars()
                    .map(|c| {
                        if c.is_uppercase() {
                            c.to_lowercase().to_string()
                        } else {
                            c.to_uppercase().to_string()
                        }
                    })
                    .collect(),
            ),
            ("title" | "capitalize", []) => {
                let mut characters = text.chars();
                let first = characters.next()?;
                changed(first.to_uppercase().chain(characters.flat_map(char::to_lowercase)).collect())
            }
            ("strip", []) => Some(Meaning::Text(text.trim().into(), made)),
            ("lstrip", []) => Some(Meaning::Text(text.trim_start().into(), made)),
            ("rstrip", []) => Some(Meaning::Text(text.trim_end().into(), made)),
            ("strip" | "lstrip" | "rstrip", [Meaning::Text(set, _)]) => {
                let mut left: &str = &text;
                if name != "rstrip" {
                    left = left.trim_start_matches(|c| set.contains(c));
                }
                if name != "lstrip" {
                    left = left.trim_end_matches(|c| set.contains(c));
                }
                changed(left.into())
            }
            ("removeprefix", [Meaning::Text(prefix, _)]) => {
                changed(text.strip_prefix(&**prefix).unwrap_or(&text).into())
            }
            ("removesuffix", [Meaning::Text(suffix, _)]) => {
                changed(text.strip_suffix(&**suffix).unwrap_or(&text).into())
            }
            ("replace", [Meaning::Text(from, _), Meaning::Text(to, _), ..]) => {
                changed(self.replaced(&text, from, to)?)
            }
            ("translate", [Meaning::Dict(table)]) => changed(translated(&text, table)?),
            ("split" | "rsplit" | "splitlines", _) => {
                let parts: Vec<&str> = match given {
                    [Meaning::Text(between, _)] if !between.is_empty() => text.split(&**between).collect(),
                    [] => text.split_whitespace().collect(),
                    _ => return None,
                };
                let part = |part: &str| vec![Meaning::Text(part.into(), made.max(Made::Built))];
                Some(Meaning::List(parts.into_iter().map(part).collect()))
            }
            ("partition", [Meaning::Text(between, _)]) => {
                let (before, after) = text.split_once(&**between)?;
                let part = |part: &str| vec![Meaning::Text(part.into(), made.max(Made::Built))];
                Some(Meaning::List(Rc::new([part(before), part(between), part(after)])))
            }
            ("expandtabs" | "__str__" | "__format__", _) => changed(text.to_string()),
            ("__add__" | "__concat__", [other]) => self.pair(Operator::Add, of, other),
            ("__mod__", [other]) => self.pair(Operator::Mod, of, other),
            ("zfill" | "center" | "ljust" | "rjust", _) => None,
            ("find" | "index", [Meaning::Text(part, _)]) => {
                let at = text.find(&**part)?;
                Some(Meaning::Int(text[..at].chars().count() as i64))
            }
            ("__getitem__", [index]) => {
                self.items(std::slice::from_ref(of), std::slice::from_ref(index)).pop()
            }
            _ => None,
        }
    }

    fn replaced(&self, text: &str, from: &str, to: &str) -> Option<String> {
        let times = if from.is_empty() { text.len() + 1 } else { text.len() / from.len() };
        self.room(text.len() + times.checked_mul(to.len())?)?;
        Some(text.replace(from, to))
    }
}

fn translated(text: &str, table: &[(Values<'_>, Values<'_>)]) -> Option<String> {
    let mut all = String::with_capacity(text.len());
    if table.len() > 256 || text.len() > 1 << 16 {
        return None;
    }
    for c in text.chars() {
        let hit = table.iter().find(|(key, _)| match key.as_slice() {
            [Meaning::Int(int)] => *int == i64::from(u32::from(c)),
            [Meaning::Text(text, _)] => text.chars().eq([c]),
            _ => false,
        });
        match hit.map(|(_, value)| value.as_slice()) {
            None => all.push(c),
            Some([Meaning::Int(int)]) => all.push_str(&character_of(*int)?),
            Some([Meaning::Text(text, _)]) => all.push_str(text),
            Some([Meaning::None]) => {}
            Some(_) => return None,
        }
    }
    Some(all)
}

/// Whether a call may make a text of others.
pub(super) fn makes_text(call: &ExprCall) -> bool {
    match &*call.func {
        Expr::Name(name) => matches!(
            name.id.as_str(),
            "chr"
                | "unhexlify"
                | "b64decode"
                | "urlsafe_b64decode"
                | "b32decode"
                | "b16decode"
                | "b85decode"
                | "a85decode"
                | "decompress"
                | "bytes"
                | "bytearray"
                | "str"
                | "a2b_base64"
        ),
        Expr::Attribute(attribute) => match attribute.attr.as_str() {
            "join" | "replace" | "format" | "translate" | "swapcase" | "lower" | "upper" => {
                matches!(&*attribute.value, Expr::StringLiteral(_) | Expr::BytesLiteral(_) | Expr::FString(_))
            }
            name => {
                name.contains("decode")
                    || matches!(
                        name,
                        "fromhex" | "unhexlify" | "a2b_base64" | "a2b_hex" | "decompress" | "to_bytes"
                    )
            }
        },
        _ => false,
    }
}
