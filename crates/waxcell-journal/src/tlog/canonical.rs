//! JSON in its one canonical form (RFC 8785), for values without fractions.

use std::cmp::Ordering;

use serde_json::{Number, Value};

/// The largest whole number that every reader of JSON keeps, `2^53 - 1`; the smallest is its negative.
pub const MAX_WHOLE: u64 = (1 << 53) - 1;

/// A value has no canonical form here, or bytes are not in it.
#[derive(Debug, thiserror::Error)]
pub enum CanonicalError {
    /// The number has a fraction or an exponent, or is past [`MAX_WHOLE`]: readers would print it differently. Records
    /// have whole numbers, and texts where those do not suffice.
    #[error("the number {0} is not a whole one between -(2^53 - 1) and 2^53 - 1")]
    Number(Number),
    /// The bytes are not JSON.
    #[error("not JSON")]
    Json(#[source] serde_json::Error),
    /// The bytes are JSON, in another form.
    #[error("the JSON is not in its canonical form from byte {offset} on")]
    Form {
        /// The first byte that would be another one.
        offset: usize,
    },
}

/// The canonical bytes of a value.
///
/// # Errors
///
/// A number is not whole, or too large.
pub fn to_canonical(value: &Value) -> Result<Vec<u8>, CanonicalError> {
    let mut text = String::new();
    write(value, &mut text)?;
    Ok(text.into_bytes())
}

/// The value of canonical bytes.
///
/// # Errors
///
/// The bytes are not JSON, or in another form: with white space, names twice or in another order, other escapes.
pub fn from_canonical(bytes: &[u8]) -> Result<Value, CanonicalError> {
    let value = serde_json::from_slice(bytes).map_err(CanonicalError::Json)?;
    let canonical = to_canonical(&value)?;
    if canonical == bytes {
        return Ok(value);
    }
    let offset = canonical.iter().zip(bytes).take_while(|(one, other)| one == other).count();
    Err(CanonicalError::Form { offset })
}

/// Whether the bytes are a value in its canonical form.
#[must_use]
pub fn is_canonical(bytes: &[u8]) -> bool {
    from_canonical(bytes).is_ok()
}

fn write(value: &Value, out: &mut String) -> Result<(), CanonicalError> {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by(|(one, _), (other, _)| by_utf16(one, other));
            write_all('{', '}', fields, out, |(name, value), out| {
                write_text(name, out);
                out.push(':');
                write(value, out)
            })
        }
        Value::Array(items) => write_all('[', ']', items, out, write),
        Value::String(text) => {
            write_text(text, out);
            Ok(())
        }
        Value::Number(number) => {
            let whole = number.as_u64().or(number.as_i64().map(i64::unsigned_abs));
            if whole.is_none_or(|whole| whole > MAX_WHOLE) {
                return Err(CanonicalError::Number(number.clone()));
            }
            *out += &number.to_string();
            Ok(())
        }
        Value::Bool(_) | Value::Null => {
            *out += &value.to_string();
            Ok(())
        }
    }
}

fn write_all<T>(
    open: char,
    close: char,
    items: impl IntoIterator<Item = T>,
    out: &mut String,
    write: impl Fn(T, &mut String) -> Result<(), CanonicalError>,
) -> Result<(), CanonicalError> {
    out.push(open);
    for (nth, item) in items.into_iter().enumerate() {
        if nth > 0 {
            out.push(',');
        }
        write(item, out)?;
    }
    out.push(close);
    Ok(())
}

/// Names are in the order of their UTF-16 units, in which what is past U+FFFF comes before U+E000.
fn by_utf16(one: &str, other: &str) -> Ordering {
    one.encode_utf16().cmp(other.encode_utf16())
}

/// Only quote, backslash and what is below a space are escaped, the latter by a letter where there is one.
fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => *out += "\\\"",
            '\\' => *out += "\\\\",
            '\u{8}' => *out += "\\b",
            '\t' => *out += "\\t",
            '\n' => *out += "\\n",
            '\u{c}' => *out += "\\f",
            '\r' => *out += "\\r",
            c if c < ' ' => *out += &format!("\\u{:04x}", u32::from(c)),
            c => out.push(c),
        }
    }
    out.push('"');
}
