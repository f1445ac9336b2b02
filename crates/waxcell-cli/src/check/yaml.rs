//! The YAML of a configuration as plain values. Anchors, tags and several documents are none of Bandit's.

use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Value};

/// More than any configuration has.
const DEEPEST: usize = 16;

/// A list or a map whose end has not come yet.
enum Open {
    List(Vec<Value>),
    Map(Map<String, Value>, Option<String>),
}

/// # Errors
///
/// When it is no YAML, or more than plain lists, maps, texts, numbers and truth values.
pub(super) fn parse(text: &str) -> Result<Value, String> {
    let mut open: Vec<Open> = Vec::new();
    let mut root = Value::Null;
    let mut parser = Parser::new_from_str(text);
    while let Some(next) = parser.next_event() {
        let (event, _) = next.map_err(|error| error.to_string())?;
        let done = match event {
            Event::SequenceStart(0, None) => {
                open.push(Open::List(Vec::new()));
                None
            }
            Event::MappingStart(0, None) => {
                open.push(Open::Map(Map::new(), None));
                None
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open::List(items)) => Some(Value::Array(items)),
                Some(Open::Map(map, _)) => Some(Value::Object(map)),
                None => None,
            },
            Event::Scalar(text, style, 0, None) => Some(scalar(&text, style)),
            Event::Alias(_) | Event::Scalar(..) | Event::SequenceStart(..) | Event::MappingStart(..) => {
                return Err("anchors and tags are not supported".to_owned());
            }
            _ => None,
        };
        if open.len() > DEEPEST {
            return Err("it is nested too deeply".to_owned());
        }
        let Some(value) = done else { continue };
        match open.last_mut() {
            None => root = value,
            Some(Open::List(items)) => items.push(value),
            Some(Open::Map(map, key)) => match key.take() {
                Some(key) => drop(map.insert(key, value)),
                None => *key = Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned)),
            },
        }
    }
    Ok(root)
}

fn scalar(text: &str, style: ScalarStyle) -> Value {
    if style != ScalarStyle::Plain {
        return text.into();
    }
    match text {
        "" | "~" | "null" => Value::Null,
        "true" | "True" => true.into(),
        "false" | "False" => false.into(),
        _ => text.parse::<i64>().map_or_else(|_| text.into(), Value::from),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::parse;

    #[test]
    fn lists_maps_and_plain_values_are_read_and_nothing_else() {
        let text = "tests: [B101, 'B102']\nassert_used:\n  skips:\n  - '*_test.py'\nn: {a: 1, b: true, c: '1', d: }\n";
        let expected = json!({
            "tests": ["B101", "B102"],
            "assert_used": {"skips": ["*_test.py"]},
            "n": {"a": 1, "b": true, "c": "1", "d": null},
        });
        assert_eq!(parse(text), Ok(expected));
        assert!(parse("a: &x 1\nb: *x\n").is_err() && parse("a: [\n").is_err());
        assert!(parse(&("[".repeat(20) + &"]".repeat(20))).is_err());
    }
}
