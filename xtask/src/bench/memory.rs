//! What the supervisor needs while a script runs: the processes of waxcell, not the script's.

use std::fs;
use std::time::{Duration, Instant};

use super::{Person, Way};
use crate::bench::scripts::Script;
use crate::shell::{Done, at};

const SLEEPER: Script = Script {
    name: "sleep",
    path: "sleeper.py",
    args: &[],
    text: "import time\nprint('up', flush=True)\ntime.sleep(2)\n",
    least_output: 0,
    reads: false,
};

/// One process as `/proc` shows it.
struct Process {
    pid: u32,
    parent: u32,
    name: String,
}

/// The proportional set size of the supervisor and of the init inside, in words.
pub(crate) fn supervisor(person: &Person) -> Done<String> {
    let path = person.folder.join("project").join(SLEEPER.path);
    at(&path, fs::write(&path, SLEEPER.text))?;
    let mut child =
        person.way(Way::Waxcell, &SLEEPER).spawn().map_err(|error| format!("waxcell: {error}"))?;
    // Longer than the start takes, shorter than the script sleeps.
    let started = Instant::now();
    let mut told = Vec::new();
    while told.len() < 2 && started.elapsed() < Duration::from_millis(1500) {
        std::thread::sleep(Duration::from_millis(500));
        told = family(child.id())
            .iter()
            .filter(|process| process.name != "python3" && !process.name.starts_with("python"))
            .map(|process| (process.name.clone(), pss(process.pid)))
            .collect();
    }
    child.wait().map_err(|error| format!("waxcell: {error}"))?;
    let total: u64 = told.iter().filter_map(|(_, pss)| *pss).sum();
    let each: Vec<String> = told
        .iter()
        .map(|(name, pss)| {
            format!("{name} {}", pss.map_or_else(|| "unreadable".to_owned(), |pss| format!("{pss} KiB")))
        })
        .collect();
    Ok(format!("Memory beside the script (PSS): {:.1} MiB ({}).", total as f64 / 1024.0, each.join(", ")))
}

/// A process and all that descend from it.
fn family(of: u32) -> Vec<Process> {
    let all: Vec<Process> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|pid: u32| parse(pid, &fs::read_to_string(format!("/proc/{pid}/stat")).ok()?))
        .collect();
    let mut family: Vec<u32> = vec![of];
    // Children have higher numbers only until numbers wrap around: go on until nobody is added.
    loop {
        let more = all.iter().find(|one| family.contains(&one.parent) && !family.contains(&one.pid));
        let Some(more) = more else { break };
        family.push(more.pid);
    }
    all.into_iter().filter(|one| family.contains(&one.pid)).collect()
}

/// `pid (name) state parent ...`; the name may hold spaces and brackets.
fn parse(pid: u32, stat: &str) -> Option<Process> {
    let (begin, end) = (stat.find('(')?, stat.rfind(')')?);
    let parent = stat[end + 1..].split_whitespace().nth(1)?.parse().ok()?;
    Some(Process { pid, parent, name: stat[begin + 1..end].to_owned() })
}

fn pss(pid: u32) -> Option<u64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{family, parse, pss};

    #[test]
    fn a_process_is_read_whatever_its_name() {
        let process = parse(7, "7 (a) b (c)) S 3 7 7").expect("a process");
        assert_eq!((process.parent, process.name.as_str()), (3, "a) b (c)"));
    }

    #[test]
    fn we_are_of_our_own_family_and_use_memory() {
        let us = std::process::id();
        assert!(family(us).iter().any(|process| process.pid == us));
        assert!(pss(us).is_some_and(|pss| pss > 100));
    }
}
