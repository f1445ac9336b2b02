//! `waxcell doctor`.

use crate::args::Common;
use crate::edge;
use crate::exit::Exit;

pub(crate) fn run(common: &Common) -> Exit {
    let project = std::env::current_dir().unwrap_or_default();
    let state = edge::state_directory(common).unwrap_or_else(|| project.clone());
    let probe = waxcell_sandbox::probe(&[&project, &state]);
    let text = if common.json {
        serde_json::to_string_pretty(&probe).unwrap_or_default() + "\n"
    } else {
        probe.render(edge::color(common))
    };
    let exit = if probe.fatal().is_empty() { Exit::SUCCESS } else { Exit::FOUND };
    edge::print(&text, exit)
}
