//! The schema and the decoder agree: each instance is JSON, and so YAML, and is given to both.

use std::path::Path;

use jsonschema::Validator;
use waxcell::policy::{parse_all, schema};

fn validator() -> Validator {
    jsonschema::draft202012::new(&schema()).expect("the schema is a schema")
}

fn verdicts(validator: &Validator, text: &str) -> (bool, bool) {
    let instance = serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let (policy, _) = parse_all(text, Path::new("p.yml"), Path::new("/project"));
    (validator.is_valid(&instance), policy.is_some())
}

#[test]
fn the_schema_is_valid_by_its_own_meta_schema() {
    assert!(jsonschema::draft202012::meta::is_valid(&schema()));
}

#[test]
fn both_accept_good_policies() {
    let validator = validator();
    for text in [
        r#"{}"#,
        r#"{"security": {}}"#,
        r#"{"security": null}"#,
        r#"{"execution": null, "network": {}}"#,
        r#"{"security": {"execution": {"timeout_seconds": 300, "cpu_seconds": 60, "memory_mb": 512, "file_size_mb": 100, "max_processes": 5}}}"#,
        r#"{"execution": {"timeout_seconds": 0.5, "memory_mb": 64.5, "max_processes": 0, "max_threads": 0}}"#,
        r#"{"execution": {"max_open_files": 64, "output_mb": 0.25, "scratch_mb": 1, "scratch_files": 64, "disk_write_mb": 5}}"#,
        r#"{"filesystem": {"allowed_paths": ["/tmp", "./data", "data/../data/x"], "blocked_operations": []}}"#.replace("../data/", "").as_str(),
        r#"{"filesystem": {"allowed_paths": [{"path": "/tmp", "shared": true}, {"path": ".", "access": "write"}]}}"#,
        r#"{"filesystem": {"allowed_paths": [{"path": "./a", "access": "read"}, {"path": "./b", "access": "none"}]}}"#,
        r#"{"filesystem": {"allowed_paths": [{"path": "/tmp", "execute": true}, {"path": "./b", "execute": false}]}}"#,
        r#"{"filesystem": {"allowed_paths": ["..data", "./a..b", "/process", "/srv/dev", "no"], "write_mode": "overlay"}}"#,
        r#"{"filesystem": {"blocked_operations": ["delete", "fs.chmod", "fs.xattr", "sys.bpf", "proc.ptrace"]}}"#,
        r#"{"network": {"allowed_domains": ["a.example.org", "*.example.org", "A.Example.Org.", "intranet"]}}"#,
        r#"{"network": {"allowed_domains": [{"name": "a-1.example.org", "ports": [443]}], "blocked_ports": []}}"#,
        r#"{"network": {"allow_addresses": ["10.0.0.5", {"address": "fd00::/64", "ports": [1]}], "loopback": false}}"#,
        r#"{"network": {"allowed_domains": ["münchen.de", "*.MÜNCHEN.de.", "XN--MNCHEN-3YA.com", "a。ü.org", "ж.рф"]}}"#,
        r#"{"network": {"bandwidth_kb_s": 5, "max_bytes": 1, "max_connections": 10000, "max_lookups": 1, "connect_timeout_seconds": 0.5}}"#,
        r#"{"network": {"allow_addresses": ["255.255.255.255", "1.2.3.4/32", "10.0.0.0/8", "2001:DB8::1/128", "::2"]}}"#,
        r#"{"filesystem": {"allowed_paths": [{"path": "/tmp", "access": "none"}, {"path": "/var/tmp/", "access": "write", "shared": true}]}}"#,
        r#"{"monitoring": {"log_level": "INFO", "max_stderr_length": 1000, "alert_thresholds": {"cpu_usage": 80}}}"#,
        r#"{"monitoring": {"security_events": {"log_network_activity": true}, "alert_thresholds": {"execution_time": 1.5}}}"#,
        r#"{"interpreter": ".venv/bin/python3"}"#,
        r#"{"environment": {"pass": ["A", "_b1"], "set": {"X": "1", "Y": 1, "Z": true}}}"#,
        r#"{"degrade": ["landlock"]}"#,
        r#"{"analysis": {"capabilities": "report", "threats": "report", "dynamic_code": "allow", "hygiene": "ignore"}}"#,
        r#"{"analysis": {"refuse_at": {"severity": "low", "confidence": "high"}, "rules": {"B602": "refuse", "B404": "ignore"}}}"#,
        r#"{"analysis": {"suppressions": [{"rule": "B307", "path": "./a/*.py", "reason": "ours", "until": "2028-02-29"}]}}"#,
        r#"{"analysis": {"suppressions": [{"fingerprint": "0123456789abcdef0123456789abcdef", "reason": "x"}], "baseline": "known.json"}}"#,
        r#"{"analysis": {"rules": {}, "suppressions": [], "honour_comments": true}}"#,
    ] {
        assert_eq!(verdicts(&validator, text), (true, true), "{text}");
    }
}

#[test]
fn both_refuse_bad_policies() {
    let validator = validator();
    for text in [
        r#"null"#,
        r#"{"filesystem": {"allowed_paths": ["file:///srv"]}}"#,
        r#"{"filesystem": {"allowed_paths": ["C:\\data"]}}"#,
        r#"{"filesystem": {"allowed_paths": [{"path": "./a", "shared": true}]}}"#,
        r#"{"filesystem": {"allowed_paths": [{"path": "/tmp", "access": "read"}]}}"#,
        r#"{"filesystem": {"allowed_paths": [{"path": "/tmp", "access": "none", "shared": true}]}}"#,
        r#"{"network": {"allowed_domains": ["example.org\n"]}}"#,
        r#"{"network": {"allow_addresses": ["0.0.0.0/0"]}}"#,
        r#"{"network": {"allow_addresses": ["127.0.0.1"]}}"#,
        r#"{"network": {"allow_addresses": ["10.0.0.256"]}}"#,
        r#"{"network": {"allow_addresses": ["010.0.0.1"]}}"#,
        r#"{"network": {"allow_addresses": ["10.0.0"]}}"#,
        r#"{"network": {"allow_addresses": ["10.0.0.0.1"]}}"#,
        r#"{"network": {"allow_addresses": ["10.0.0.0/33"]}}"#,
        r#"{"network": {"allow_addresses": ["::1"]}}"#,
        r#"{"network": {"allow_addresses": ["::/0"]}}"#,
        r#"{"network": {"allow_addresses": ["::ffff:10.0.0.1"]}}"#,
        r#"{"environment": {"pass": ["A\n"]}}"#,
        r#"{"environment": {"set": {"A": "x\u0000"}}}"#,
        r#"{"analysis": {"threats": "allow"}}"#,
        r#"{"analysis": {"rules": {"B999": "refuse"}}}"#,
        r#"{"analysis": {"rules": {"syntax-error": "report"}}}"#,
        r#"{"analysis": {"rules": {"B602": "allow"}}}"#,
        r#"{"analysis": {"suppressions": [{"rule": "B307"}]}}"#,
        r#"{"analysis": {"suppressions": [{"rule": "B307", "reason": " "}]}}"#,
        r#"{"analysis": {"suppressions": [{"path": "a.py", "reason": "x"}]}}"#,
        r#"{"analysis": {"suppressions": [{"rule": "B307", "reason": "x", "path": "../a.py"}]}}"#,
        r#"{"analysis": {"suppressions": [{"rule": "B307", "reason": "x", "path": "/a.py"}]}}"#,
        r#"{"analysis": {"suppressions": [{"rule": "B307", "reason": "x", "until": "2027-13-01"}]}}"#,
        r#"{"analysis": {"suppressions": [{"rule": "B307", "reason": "x", "until": "tomorrow"}]}}"#,
        r#"{"analysis": {"suppressions": [{"fingerprint": "0123", "reason": "x"}]}}"#,
        r#"{"analysis": {"refuse_at": {"severity": "critical"}}}"#,
        r#"{"analysis": {"baseline": "/proc/known.json"}}"#,
        r#"[]"#,
        r#""strict""#,
        r#"{"security": {}, "network": {}}"#,
        r#"{"security": {"security": {}}}"#,
        r#"{"security": []}"#,
        r#"{"version": 1}"#,
        r#"{"extends": "base.yml"}"#,
        r#"{"execution": {"timout_seconds": 3}}"#,
        r#"{"execution": {"timeout_seconds": 0}}"#,
        r#"{"execution": {"timeout_seconds": -1}}"#,
        r#"{"execution": {"timeout_seconds": "300"}}"#,
        r#"{"execution": {"timeout_seconds": null}}"#,
        r#"{"execution": {"memory_mb": 99999999999}}"#,
        r#"{"execution": {"max_processes": 2.5}}"#,
        r#"{"execution": {"disk_io_mb_s": 5}}"#,
        r#"{"execution": []}"#,
        r#"{"filesystem": {"allowed_paths": "./data"}}"#,
        r#"{"filesystem": {"allowed_paths": ["~/data"]}}"#,
        r#"{"filesystem": {"allowed_paths": ["$HOME"]}}"#,
        r#"{"filesystem": {"allowed_paths": ["./*.json"]}}"#,
        r#"{"filesystem": {"allowed_paths": ["../x"]}}"#,
        r#"{"filesystem": {"allowed_paths": ["a/../x"]}}"#,
        r#"{"filesystem": {"allowed_paths": ["a/.."]}}"#,
        r#"{"filesystem": {"allowed_paths": [""]}}"#,
        r#"{"filesystem": {"allowed_paths": ["/"]}}"#,
        r#"{"filesystem": {"allowed_paths": ["//"]}}"#,
        r#"{"filesystem": {"allowed_paths": ["/proc/self"]}}"#,
        r#"{"filesystem": {"allowed_paths": ["a\u0000b"]}}"#,
        r#"{"filesystem": {"allowed_paths": [5]}}"#,
        r#"{"filesystem": {"allowed_paths": [{"access": "read"}]}}"#,
        r#"{"filesystem": {"allowed_paths": [{"path": "a", "access": "ro"}]}}"#,
        r#"{"filesystem": {"allowed_paths": [{"path": "a", "mode": "read"}]}}"#,
        r#"{"filesystem": {"blocked_operations": ["delet"]}}"#,
        r#"{"filesystem": {"blocked_operations": ["fs.write"]}}"#,
        r#"{"filesystem": {"blocked_operations": ["proc.fork"]}}"#,
        r#"{"filesystem": {"write_mode": "copy"}}"#,
        r#"{"network": {"allowed_domains": ["*"]}}"#,
        r#"{"network": {"allowed_domains": ["*.com"]}}"#,
        r#"{"network": {"allowed_domains": ["a.*.org"]}}"#,
        r#"{"network": {"allowed_domains": ["10.0.0.1"]}}"#,
        r#"{"network": {"allowed_domains": ["::1"]}}"#,
        r#"{"network": {"allowed_domains": ["https://a.org"]}}"#,
        r#"{"network": {"allowed_domains": ["a.org:443"]}}"#,
        r#"{"network": {"allowed_domains": ["mün chen.de"]}}"#,
        r#"{"network": {"allowed_domains": ["münchen%00.de"]}}"#,
        r#"{"network": {"allowed_domains": ["münchen\u0000.de"]}}"#,
        r#"{"network": {"allowed_domains": ["mün*chen.de"]}}"#,
        r#"{"network": {"allowed_domains": ["a b.org"]}}"#,
        r#"{"network": {"allowed_domains": ["localhost"]}}"#,
        r#"{"network": {"allowed_domains": ["-a.org"]}}"#,
        r#"{"network": {"allowed_domains": [{"name": "a.org", "ports": []}]}}"#,
        r#"{"network": {"allowed_domains": [{"host": "a.org"}]}}"#,
        r#"{"network": {"allow_addresses": ["db.internal"]}}"#,
        r#"{"network": {"blocked_ports": [0]}}"#,
        r#"{"network": {"blocked_ports": [65536]}}"#,
        r#"{"network": {"loopback": "true"}}"#,
        r#"{"network": {"bandwidth_kb_s": 0}}"#,
        r#"{"network": {"bandwidth_kb_s": 0.5}}"#,
        r#"{"network": {"max_bytes": 0}}"#,
        r#"{"network": {"max_bytes": -1}}"#,
        r#"{"network": {"max_connections": 0}}"#,
        r#"{"network": {"max_connections": 10001}}"#,
        r#"{"network": {"max_lookups": 65537}}"#,
        r#"{"network": {"connect_timeout_seconds": 0}}"#,
        r#"{"network": {"connect_timeout_seconds": 601}}"#,
        r#"{"monitoring": {"log_level": "WARN"}}"#,
        r#"{"monitoring": {"alert_thresholds": {"cpu_usage": 101}}}"#,
        r#"{"interpreter": "~/python3"}"#,
        r#"{"interpreter": "python3"}"#,
        r#"{"environment": {"pass": ["A=1"]}}"#,
        r#"{"environment": {"set": {"1A": "x"}}}"#,
        r#"{"environment": {"set": {"A": null}}}"#,
        r#"{"degrade": ["seccomp"]}"#,
    ] {
        assert_eq!(verdicts(&validator, text), (false, false), "{text}");
    }
}
