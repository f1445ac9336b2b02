//! Canonical JSON: the examples of RFC 8785, and that no value has a second form.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::tlog::*;

fn canonical(value: &Value) -> String {
    String::from_utf8(to_canonical(value).unwrap()).unwrap()
}

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// Section 3.2.3: the order of names, which is not that of their code points.
#[test]
fn names_are_in_the_order_of_utf16() {
    let value = read(
        r#"{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One",
        "\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}"#,
    );
    let text = canonical(&value);
    let at = |value: &str| text.find(value).unwrap();
    let order = ["Carriage", "One", "Control", "Latin", "Euro", "Emoji", "Hebrew"].map(at);
    assert!(order.is_sorted(), "{text}");
    assert_eq!(from_canonical(text.as_bytes()).unwrap(), value);
}

/// Section 3.2.2, but for its numbers with fractions.
#[test]
fn texts_and_literals() {
    let value =
        read(r#"{"string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null, true, false]}"#);
    let text = "{\"literals\":[null,true,false],\"string\":\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}";
    assert_eq!(canonical(&value), text);
    let all: String =
        (0..=0x20).map(char::from).chain(['\u{7f}', '\u{80}', '\u{2028}', '\u{10ffff}']).collect();
    let text = "\"\\u0000\\u0001\\u0002\\u0003\\u0004\\u0005\\u0006\\u0007\\b\\t\\n\\u000b\\f\\r\\u000e\\u000f\
        \\u0010\\u0011\\u0012\\u0013\\u0014\\u0015\\u0016\\u0017\\u0018\\u0019\\u001a\\u001b\\u001c\\u001d\\u001e\\u001f \
        \u{7f}\u{80}\u{2028}\u{10ffff}\"";
    assert_eq!(canonical(&Value::String(all)), text);
    assert_eq!(canonical(&json!({"b": [], "a": {}, "": [1, [2]]})), r#"{"":[1,[2]],"a":{},"b":[]}"#);
}

#[test]
fn whole_numbers_alone() {
    let most = MAX_WHOLE as i64;
    for number in [0, 1, -1, 10, most, -most] {
        let text = number.to_string();
        assert_eq!(canonical(&json!(number)), text);
        assert!(is_canonical(text.as_bytes()));
    }
    for number in
        ["0.5", "1.0", "1e3", "-0", "-0.0", "9007199254740992", "-9007199254740992", "18446744073709551615"]
    {
        let refused = from_canonical(number.as_bytes());
        assert!(matches!(refused, Err(CanonicalError::Number(_))), "{number}");
        assert!(matches!(to_canonical(&read(number)), Err(CanonicalError::Number(_))), "{number}");
    }
}

#[test]
fn other_forms_are_refused() {
    for (text, offset) in [
        ("{\"a\": 1}", 5),
        (" 1", 0),
        ("1 ", 1),
        ("1\n", 1),
        ("{\"b\":1,\"a\":2}", 2),
        ("{\"a\":1,\"a\":1}", 6),
        ("{\"a\":1,\"a\":2}", 5),
        ("\"\\u0041\"", 1),
        ("\"\\/\"", 1),
        ("\"\\u000a\"", 2),
        ("\"\\u001F\"", 6),
        ("\"\\u007f\"", 1),
        ("\"\\ud83d\\ude00\"", 1),
    ] {
        let error = from_canonical(text.as_bytes()).unwrap_err();
        assert!(matches!(error, CanonicalError::Form { offset: at } if at == offset), "{text} {error:?}");
    }
    let deep = "[".repeat(100_000);
    for text in
        ["", "{", "nul", "01", "+1", "\"\\ud83d\"", "\"\n\"", "{\"a\":1}{}", "\u{feff}1", deep.as_str()]
    {
        assert!(matches!(from_canonical(text.as_bytes()), Err(CanonicalError::Json(_))), "{text:?}");
    }
    assert!(!is_canonical(b"\"\xff\""));
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        (-(MAX_WHOLE as i64)..=MAX_WHOLE as i64).prop_map(Value::from),
        any::<String>().prop_map(Value::String),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::vec((any::<String>(), inner), 0..6)
                .prop_map(|fields| Value::Object(Map::from_iter(fields))),
        ]
    })
}

proptest! {
    #[test]
    fn values_have_one_form(value in value()) {
        let bytes = to_canonical(&value).unwrap();
        prop_assert_eq!(&from_canonical(&bytes).unwrap(), &value);
        let pretty = serde_json::to_vec_pretty(&value).unwrap();
        prop_assert_eq!(is_canonical(&pretty), pretty == bytes);
    }

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        if let Ok(value) = from_canonical(&bytes) {
            prop_assert_eq!(to_canonical(&value).unwrap(), bytes);
        }
    }
}
