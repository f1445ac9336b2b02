//! A host that lacks a layer: taken away by a system-call filter around waxcell, as a container has one. A run is
//! refused, says why and is on record; with the layer, or without a need for it, the same script runs.

mod support;

use serde_json::Value;
use support::{PYTHON, Place, Said, say, waxcell};

/// Has the kernel answer one call with an error, then becomes the rest of its arguments.
const WITHOUT: &str = r"
import ctypes, os, struct, sys
call, errno = int(sys.argv[1]), int(sys.argv[2])
steps = [(0x20, 0, 0, 0), (0x15, 0, 1, call), (6, 0, 0, 0x50000 | errno), (6, 0, 0, 0x7fff0000)]
code = ctypes.create_string_buffer(b''.join(struct.pack('HBBI', *step) for step in steps))
class Program(ctypes.Structure):
    _fields_ = [('length', ctypes.c_ushort), ('code', ctypes.c_void_p)]
libc = ctypes.CDLL(None)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.byref(Program(len(steps), ctypes.addressof(code)))) == 0
os.execv(sys.argv[3], sys.argv[3:])
";

const POLICY: &str = "filesystem: {allowed_paths: [./data], blocked_operations: [delete]}\n";

/// Runs a script that leaves a trace, where `call` fails with `errno`.
fn run_without(call: libc::c_long, errno: i32, policy: &str) -> (Said, Place) {
    let place = Place::new(policy);
    place.write("script.py", "open('data/ran', 'w').close()");
    let (call, errno) = (call.to_string(), errno.to_string());
    let mut command = place.command(PYTHON);
    command.env("WAXCELL_STATE", place.state());
    command.args(["-c", WITHOUT, &call, &errno]).arg(waxcell()).args(["run", "script.py"]);
    (say(&mut command), place)
}

#[track_caller]
fn refused(call: libc::c_long, errno: i32, policy: &str, error: &str, help: &str) {
    let (said, place) = run_without(call, errno, policy);
    assert_eq!(said.code, 126, "{said:?}");
    assert!(said.err().contains(error) && said.err().contains(help), "{said:?}");
    assert!(!place.has("data/ran"), "it ran");
    let records = place.records();
    let types: Vec<&str> = records.iter().filter_map(|record| record["type"].as_str()).collect();
    assert_eq!(types, ["started", "refused"]);
    assert!(records[1]["cause"].as_str().is_some_and(|cause| cause.contains(error)), "{records:?}");
    place.check_journal();
}

#[track_caller]
fn runs(call: libc::c_long, errno: i32, policy: &str) -> Value {
    let (said, place) = run_without(call, errno, policy);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(place.has("data/ran"));
    place.records().pop().expect("a record")
}

#[test]
fn without_landlock_unless_the_policy_gives_it_up() {
    let call = libc::SYS_landlock_create_ruleset;
    refused(call, libc::EOPNOTSUPP, POLICY, "no Landlock", "lsm=landlock");
    let finished = runs(call, libc::EOPNOTSUPP, &format!("{POLICY}degrade: [landlock]\n"));
    assert_eq!(finished["enforced"]["landlock"], Value::Null);
    // The control: the filter itself takes nothing away.
    let finished = runs(libc::SYS_getsid, libc::EXFULL, &format!("{POLICY}degrade: [landlock]\n"));
    assert!(finished["enforced"]["landlock"]["abi"].is_u64(), "{finished}");
}

/// Only Landlock keeps the owner of a file from opening it anew by its descriptor.
#[test]
fn without_landlock_standard_input_cannot_be_written_to() {
    let script = "
import os, sys
try: os.truncate('/proc/self/fd/0', 0)
except OSError: pass
try: os.close(os.open('/proc/self/fd/0', os.O_WRONLY | os.O_TRUNC))
except OSError: pass
sys.stdout.write(sys.stdin.read())
";
    for call in [libc::SYS_landlock_create_ruleset, libc::SYS_getsid] {
        let place = Place::new(&format!("{POLICY}degrade: [landlock]\n"));
        place.write("script.py", script);
        place.write("input", "kept");
        let mut command = place.command(PYTHON);
        command.env("WAXCELL_STATE", place.state());
        command.args(["-c", WITHOUT, &call.to_string(), &libc::EOPNOTSUPP.to_string()]);
        command.arg(waxcell()).args(["run", "script.py"]);
        command.stdin(std::fs::File::open(place.project().join("input")).expect("opened"));
        let said = say(&mut command);
        assert_eq!((said.code, said.out().as_str()), (0, "kept"), "{said:?}");
        assert_eq!(std::fs::read(place.project().join("input")).expect("read"), b"kept");
    }
}

#[test]
fn without_a_way_to_read_the_arguments_of_guarded_calls() {
    let error = "cannot decide about the script's system calls: reading a call's arguments";
    refused(libc::SYS_process_vm_readv, libc::EPERM, POLICY, error, "doctor");
}
