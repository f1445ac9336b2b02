//! Envelopes of DSSE 1.0, as in-toto and Sigstore read them.

use serde_json::json;

use super::{PrivateKey, base64};

/// Signs bytes of a type into an envelope: one line of JSON. The id of the key is that of its notes, in hexadecimal.
///
/// No note can be taken for what is signed here: that begins with `DSSEv1`, and a note with the log's name.
#[must_use]
pub fn dsse_envelope(key: &PrivateKey, payload_type: &str, payload: &[u8]) -> String {
    let signature = key.sign_bytes(&signed_bytes(payload_type, payload));
    let envelope = json!({
        "payload": base64::encode(payload),
        "payloadType": payload_type,
        "signatures": [{"keyid": format!("{:08x}", key.verifier().id()), "sig": base64::encode(&signature)}],
    });
    envelope.to_string()
}

/// Type and content with their lengths, so that none can be taken for a part of the other.
fn signed_bytes(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlog::KeyName;

    #[test]
    fn what_is_signed_is_what_the_specification_has() {
        let bytes = signed_bytes("http://example.com/HelloWorld", b"hello world");
        assert_eq!(bytes, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
    }

    #[test]
    fn an_envelope_says_who_signed_what() {
        let key = PrivateKey::from_seed(KeyName::new("host/log").expect("a name"), &[7; 32]);
        let envelope: serde_json::Value =
            serde_json::from_str(&dsse_envelope(&key, "text/plain", b"hello")).expect("JSON");
        let signature = &envelope["signatures"][0];
        assert_eq!(
            (&envelope["payload"], &envelope["payloadType"]),
            (&json!("aGVsbG8="), &json!("text/plain"))
        );
        assert_eq!(signature["keyid"], format!("{:08x}", key.verifier().id()));
        assert_eq!(signature["sig"].as_str().and_then(base64::decode).map(|sig| sig.len()), Some(64));
    }
}
