//! What the way out of a run costs, against the same without and against slirp4netns where it is installed: `network.py`, in the
//! world that the attacks and the tests of the network have.

use std::path::Path;

use super::{PYTHON, Person};
use crate::shell::{Done, at, output, root};

/// A table, and what else there is to say. `turns` is how often each way has its turn.
pub(crate) fn network(person: &Person, turns: usize) -> Done<String> {
    let project = person.folder.join("network");
    at(&project, std::fs::create_dir(&project))?;
    // A session of its own: the kernel shares processors out by session, and a busy one would have its processes wait.
    let mut command = person.command(Path::new("setsid"));
    command.env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin").env("WAXCELL_STATE", person.folder.join("state"));
    command.current_dir(&project).args(["--wait", "unshare", "--net", "--mount", PYTHON, "-B"]);
    command.arg(root().join("attacks/world/world.py")).args([".", "world.log", "0", "0", PYTHON]);
    command.arg(root().join("xtask/src/bench/network.py")).arg(&person.waxcell).arg(turns.to_string());
    output(&mut command)
}
