//! `waxcell policy`.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use waxcell::policy::{self as library, HostFacts, LimitsRung, Severity};
use waxcell_sandbox::Rung;

use crate::args::{Common, Policy};
use crate::check;
use crate::edge;
use crate::exit::Exit;
use crate::run::{load_policy, say_load_error};

pub(crate) fn run(command: &Policy, common: &Common) -> Exit {
    match command {
        Policy::Lint { file } => lint(file.as_deref(), common),
        Policy::Explain { file } => explain(file.as_deref(), common),
        Policy::Schema => {
            let text = serde_json::to_string_pretty(&library::schema()).unwrap_or_default() + "\n";
            edge::print(&text, Exit::SUCCESS)
        }
        Policy::Init { from } if from.is_empty() => edge::print(&library::init(), Exit::SUCCESS),
        Policy::Init { from } => init_from(from),
    }
}

fn found(common: &Common) -> Result<library::Found, Exit> {
    let cwd = std::env::current_dir().unwrap_or_default();
    library::find(common.policy.as_deref(), edge::policy_variable().as_deref(), &cwd, &cwd).map_err(|error| {
        say_load_error(&error.into(), common);
        Exit::FAILED
    })
}

/// A policy that gives scripts what they can use.
fn init_from(scripts: &[PathBuf]) -> Exit {
    let failed = |message: String| {
        edge::complain(&message);
        Exit::UNCHECKED
    };
    let Ok(cwd) = std::env::current_dir() else {
        return failed("cannot tell the working directory".to_owned());
    };
    let mut all = Vec::new();
    for script in scripts {
        let shown = edge::printable(&script.to_string_lossy());
        match check::capabilities_of(script) {
            Ok(capabilities) => {
                all.push(library::Used { name: shown, folder: edge::folder_of(script, &cwd), capabilities });
            }
            Err(why) => return failed(format!("`{shown}`: {why}")),
        }
    }
    // Somebody who asks here puts it here, or into the project that this is in.
    match library::project_root_of_policy(&cwd.join("security_policy.yml")) {
        Ok(root) => edge::print(&library::least(&all, &cwd, &root), Exit::SUCCESS),
        Err(error) => failed(error.to_string()),
    }
}

fn lint(file: Option<&Path>, common: &Common) -> Exit {
    let path = match file {
        Some(path) => path.to_owned(),
        None => match found(common).map(|found| found.path) {
            Ok(Some(path)) => path,
            Ok(None) => {
                edge::complain("no policy file found: name one, or start with `waxcell policy init`");
                return Exit::NOT_FOUND;
            }
            Err(exit) => return exit,
        },
    };
    match library::lint(&path, library::Date::of(SystemTime::now())) {
        Ok(report) if common.json => {
            let text = serde_json::to_string_pretty(&report.to_json()).unwrap_or_default() + "\n";
            edge::print(&text, if report.has_errors() { Exit::FOUND } else { Exit::SUCCESS })
        }
        Ok(report) => {
            let warnings = report.count(Severity::Warning);
            if !report.diagnostics.is_empty() {
                eprintln!("{}", report.render(edge::color(common)).trim_end());
            }
            if report.has_errors() {
                return Exit::FOUND;
            }
            if common.quiet {
                return Exit::SUCCESS;
            }
            let rest = if warnings > 0 { format!(", {warnings} to look at") } else { String::new() };
            let name = edge::printable(&path.to_string_lossy());
            edge::print(&format!("{name}: a good policy{rest}\n"), Exit::SUCCESS)
        }
        Err(error) if common.json => {
            let text = serde_json::to_string_pretty(&error.to_json()).unwrap_or_default() + "\n";
            edge::print(&text, Exit::FOUND)
        }
        Err(error) => {
            say_load_error(&error, common);
            Exit::FOUND
        }
    }
}

fn explain(file: Option<&Path>, common: &Common) -> Exit {
    let policy = match file {
        Some(path) => library::load(path),
        None => {
            let cwd = std::env::current_dir().unwrap_or_default();
            load_policy(common, &cwd, &cwd)
        }
    };
    let policy = match policy {
        Ok(policy) => policy,
        Err(error) => {
            say_load_error(&error, common);
            return Exit::REFUSED;
        }
    };
    let explanation = library::explain(&policy, &host_facts(), edge::home().as_deref());
    let text = if common.json {
        serde_json::to_string_pretty(&explanation).unwrap_or_default() + "\n"
    } else {
        explanation.render()
    };
    edge::print(&text, if explanation.refused.is_empty() { Exit::SUCCESS } else { Exit::FOUND })
}

/// What this host has of what a policy may need.
fn host_facts() -> HostFacts {
    let host = waxcell_sandbox::HostFeatures::quick();
    HostFacts {
        limits_rung: match host.rung {
            Rung::Cgroup2 => LimitsRung::Cgroup2,
            Rung::Cgroup1 => LimitsRung::Cgroup1,
            Rung::RlimitWatch => LimitsRung::RlimitWatch,
        },
        landlock_abi: host.landlock_abi,
        user_namespaces: host.user_namespaces,
        seccomp_notify: host.seccomp_notify,
        layers: host.layers,
        root: host.root && host.user_namespaces,
    }
}
