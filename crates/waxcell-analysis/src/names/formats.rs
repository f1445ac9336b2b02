//! Texts with fields in them: f-strings, `%`, `str.format`.

use ruff_python_ast::{ExprCall, ExprFString, FStringPart, InterpolatedStringElement};

use super::bindings::Names;
use super::meaning::{Made, Meaning, Piece, Values};
use super::scope::ScopeId;
use super::texts::{built, character_of};

impl<'a> Names<'a> {
    pub(super) fn f_string(&self, string: &'a ExprFString, scope: ScopeId) -> Values<'a> {
        let (mut pieces, mut made) = (Vec::new(), Made::Written);
        for part in &string.value {
            match part {
                FStringPart::Literal(literal) => pieces.push(Piece::Text((&*literal.value).into())),
                FStringPart::FString(string) => {
                    for element in &string.elements {
                        match element {
                            InterpolatedStringElement::Literal(text) => {
                                pieces.push(Piece::Text((&*text.value).into()));
                            }
                            InterpolatedStringElement::Interpolation(element) => {
                                let values = self.eval(&element.expression, scope);
                                made = made.max(Made::Built);
                                let plain = element.conversion.to_byte().is_none_or(|byte| byte == b's');
                                let character = element.format_spec.as_ref().is_some_and(|spec| {
                                    spec.elements.literals().any(|literal| &*literal.value == "c")
                                });
                                match values.as_slice() {
                                    [Meaning::Int(int)] if character => {
                                        pieces.extend(character_of(*int).map(|c| Piece::Text(c.into())));
                                    }
                                    [Meaning::Text(_, before)] if plain => {
                                        made = made.max(*before);
                                        pieces.extend(self.pieces_of(&values));
                                    }
                                    _ if plain => pieces.extend(self.pieces_of(&values)),
                                    _ => pieces.push(Piece::Gap(self.source(&values))),
                                }
                            }
                        }
                    }
                }
            }
        }
        self.text_from(pieces, made).into_iter().collect()
    }

    /// `'%s...' % values`.
    pub(super) fn percent(&self, format: &str, made: Made, right: &Meaning<'a>) -> Option<Meaning<'a>> {
        let given: Vec<Values<'a>> = match right {
            Meaning::List(list) => list.to_vec(),
            _ => vec![vec![right.clone()]],
        };
        let (mut pieces, mut text, mut next) = (Vec::new(), String::new(), given.iter());
        let mut made = built(made, Made::Built);
        let mut rest = format;
        while let Some(at) = rest.find('%') {
            text.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            let name = rest.strip_prefix('(').and_then(|named| named.split_once(')'));
            if let Some((_, behind)) = name {
                rest = behind;
            }
            let conversion = rest.find(|c: char| c.is_ascii_alphabetic() || c == '%')?;
            let plain = conversion == 0;
            let kind = rest[conversion..].chars().next()?;
            rest = &rest[conversion + kind.len_utf8()..];
            if kind == '%' {
                text.push('%');
                continue;
            }
            let values = match (name, right) {
                (Some((name, _)), Meaning::Dict(_)) => {
                    self.items(std::slice::from_ref(right), &[Meaning::Text(name.into(), Made::Written)])
                }
                (Some(_), _) => Values::new(),
                (None, _) => next.next().cloned().unwrap_or_default(),
            };
            match (kind, values.as_slice()) {
                ('s' | 'r' | 'd' | 'i', [Meaning::Text(value, before)]) if plain => {
                    made = made.max(*before);
                    text.push_str(value);
                }
                ('c', [Meaning::Int(int)]) => text.push_str(&character_of(*int)?),
                ('c', [Meaning::Text(value, _)]) => text.push_str(value),
                ('s' | 'd' | 'i', [Meaning::Int(int)]) if plain => text.push_str(&int.to_string()),
                _ => {
                    pieces.push(Piece::Text(std::mem::take(&mut text).into()));
                    pieces.extend(self.pieces_of(&values));
                }
            }
            self.room(text.len())?;
        }
        text.push_str(rest);
        pieces.push(Piece::Text(text.into()));
        self.text_from(pieces, made)
    }

    /// `'{}...'.format(...)`.
    pub(super) fn format(
        &self,
        format: &str,
        made: Made,
        call: &'a ExprCall,
        scope: ScopeId,
    ) -> Option<Meaning<'a>> {
        let (mut pieces, mut made, mut next) = (Vec::new(), built(made, Made::Built), 0);
        let mut rest = format;
        while let Some(at) = rest.find(['{', '}']) {
            pieces.push(Piece::Text(rest[..at].into()));
            let doubled = rest[at + 1..].starts_with(&rest[at..=at]);
            if doubled {
                pieces.push(Piece::Text(rest[at..=at].into()));
                rest = &rest[at + 2..];
                continue;
            }
            let (field, behind) = rest[at + 1..].split_once('}')?;
            rest = behind;
            let (field, spec) = field.split_once(':').unwrap_or((field, ""));
            let (field, index) = field.split_once('[').unwrap_or((field, ""));
            let mut values = match field.parse::<usize>() {
                Ok(at) => self.argument(call, scope, at, ""),
                Err(_) if field.is_empty() => {
                    next += 1;
                    self.argument(call, scope, next - 1, "")
                }
                Err(_) if field.chars().all(|c| c.is_alphanumeric() || c == '_') => {
                    self.argument(call, scope, usize::MAX, field)
                }
                Err(_) => Values::new(),
            };
            if let Some(index) = index.strip_suffix(']') {
                let key = match index.parse() {
                    Ok(at) => Meaning::Int(at),
                    Err(_) => Meaning::Text(index.into(), Made::Written),
                };
                values = self.items(&values, &[key]);
            }
            match values.as_slice() {
                [Meaning::Int(int)] if spec == "c" => pieces.push(Piece::Text(character_of(*int)?.into())),
                [Meaning::Text(_, before)] => {
                    made = made.max(*before);
                    pieces.extend(self.pieces_of(&values));
                }
                _ => pieces.extend(self.pieces_of(&values)),
            }
            if pieces.len() > 4096 {
                return None;
            }
        }
        pieces.push(Piece::Text(rest.into()));
        self.text_from(pieces, made)
    }
}
