//! What the way out of a run costs, against the same without and against slirp4netns where it is installed: `network.py`, in the
//! world that the tests of the network have.

use std::path::Path;

use super::{PYTHON, Person};
use crate::shell::{Done, at, output, root};

/// Tables, in words. `turns` is how often each way has its turn.
pub(crate) fn network(person: &Person, turns: usize) -> Done<String> {
    let project = person.folder.join("network");
    at(&project, std::fs::create_dir(&project))?;
    // A session of its own: the kernel shares processors out by session, and a busy one would have its processes wait.
    let mut command = person.command(Path::new("setsid"));
    command.env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin").env("WAXCELL_STATE", person.folder.join("state"));
    command.current_dir(&project).args(["--wait", "unshare", "--net", "--mount", PYTHON]);
    command.arg(root().join("crates/waxcell-cli/tests/egress/world.py"));
    command
        .arg(root().join("crates/waxcell-egress/tests/world"))
        .args(["none", "."])
        .args(["0", "0", PYTHON]);
    command.arg(root().join("xtask/src/bench/network.py")).arg(&person.waxcell).arg(turns.to_string());
    let told: serde_json::Value =
        serde_json::from_str(&output(&mut command)?).map_err(|error| format!("the world: {error}"))?;
    match (told["code"].as_i64(), told["out"].as_str()) {
        (Some(0), Some(tables)) => Ok(tables.to_owned()),
        _ => Err(format!("{told:#}")),
    }
}
