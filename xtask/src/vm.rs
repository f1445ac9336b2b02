//! `cargo xtask vm`: the checks that this machine's own kernel cannot give. Boots other kernels, as Debian packages
//! them, in a virtual machine without network, and runs `vm/inside.py` there. Needs Debian or Ubuntu on x86-64; what is
//! missing is installed. Where the processor cannot be shared with a guest it is emulated, which is slow.

mod image;
mod kernel;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::packages;
use crate::shell::{Done, at, program, target};
use crate::test::{self, Built};
use kernel::Kernel;

/// What is checked, each after a start of its own, and what the kernel is told for it.
const PARTS: [(&str, &str); 5] = [
    ("basics", ""),
    ("landlock", "lsm=lockdown,yama,integrity"),
    ("groups", ""),
    ("attacks", ""),
    ("tests", ""),
];

/// What of it is part of `cargo xtask test`: what differs between kernels and takes no more than some minutes. Attacks on
/// time and memory are for a machine that is not emulated.
const SHORT: [&str; 4] = ["basics", "landlock", "groups", "attacks"];
const SHORT_CLASSES: &str = "A,B,D,E,F,I,K,L,M";

const LONGEST_SECONDS: &str = "3600";

/// Runs the parts on each kernel: those of the named packages, else those that apt knows. `short` is what
/// `cargo xtask test` does.
pub(crate) fn vm(words: &[&str]) -> Done {
    if words == ["short"] {
        let python = packages::install()?;
        return test(&test::build()?, &python);
    }
    let (parts, packages): (Vec<&str>, Vec<&str>) =
        words.iter().partition(|word| PARTS.iter().any(|(part, _)| part == *word));
    if let Some(stray) = packages.iter().find(|word| !word.ends_with(".deb")) {
        return Err(format!("`{stray}` is neither a part nor the .deb file of a kernel"));
    }
    let packages: Vec<PathBuf> = packages.iter().map(PathBuf::from).collect();
    let python = packages::install()?;
    boot_all(&parts, None, packages, usize::MAX, &test::build()?, &python)
}

/// The short form, with the oldest kernel that apt knows: on Debian 12 one with Landlock ABI 2, and control groups of
/// version 2.
pub(crate) fn test(built: &[Built], python: &Path) -> Done {
    boot_all(&SHORT, Some(SHORT_CLASSES), Vec::new(), 1, built, python)
}

fn boot_all(
    parts: &[&str],
    classes: Option<&str>,
    packages: Vec<PathBuf>,
    most: usize,
    built: &[Built],
    python: &Path,
) -> Done {
    if !cfg!(target_arch = "x86_64") {
        return Err("the virtual machine is made for x86-64 only".to_owned());
    }
    packages::install_tools(&[
        ("qemu-system-x86_64", "qemu-system-x86"),
        ("/bin/busybox", "busybox-static"),
        ("cpio", "cpio"),
        ("xz", "xz-utils"),
        ("mke2fs", "e2fsprogs"),
    ])?;
    let folder = target().join("vm");
    at(&folder, fs::create_dir_all(folder.join("packages")))?;
    let packages = match packages.is_empty() {
        true => kernel::download(&folder.join("packages"), most)?,
        false => packages,
    };
    let kernels: Vec<Kernel> =
        packages.iter().map(|package| kernel::unpack(package, &folder)).collect::<Done<_>>()?;
    let disk = image::make(&folder, built, python)?;
    let classes = classes.map(|classes| format!("waxcell.classes={classes}")).unwrap_or_default();

    let mut failed = 0;
    for kernel in &kernels {
        for (part, option) in PARTS.iter().filter(|(part, _)| parts.is_empty() || parts.contains(part)) {
            failed += boot(kernel, &disk, part, &format!("{option} {classes}"), &folder)?;
        }
    }
    if failed == 0 {
        Ok(())
    } else {
        Err(format!("{failed} checks failed; consoles are in {}", folder.display()))
    }
}

/// Boots once, tells what failed; gives how many checks that were.
fn boot(kernel: &Kernel, disk: &Path, part: &str, option: &str, folder: &Path) -> Done<usize> {
    let append = format!("console=ttyS0 panic=-1 loglevel=3 waxcell.checks={part} {option}");
    let log = folder.join(format!("{}-{part}.log", kernel.name));
    let console = at(&log, fs::File::create(&log))?;
    println!("== {}: {part}{}", kernel.name, if shared() { "" } else { " (emulated)" });
    let accelerator: &[&str] = match shared() {
        true => &["-accel", "kvm", "-cpu", "host"],
        false => &["-accel", "tcg,thread=multi", "-cpu", "max"],
    };
    let mut machine = program("timeout");
    machine.args([LONGEST_SECONDS, "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-no-reboot"]);
    machine.args(["-display", "none", "-serial", "stdio", "-smp", "2", "-m", "2048", "-append", &append]);
    machine.args(accelerator).arg("-kernel").arg(&kernel.image).arg("-initrd").arg(&kernel.initramfs);
    // What is written stays in this one machine.
    machine.arg("-drive").arg(format!("file={},if=virtio,format=raw,snapshot=on", disk.display()));
    let status = machine.stdout(console).stderr(Stdio::inherit()).status();
    status.map_err(|error| format!("cannot start qemu-system-x86_64: {error}"))?;
    let text = String::from_utf8_lossy(&at(&log, fs::read(&log))?).replace('\r', "");
    Ok(tell(&text))
}

/// Prints what failed on a console; gives how many checks that were. A machine that did not get to its end is one.
fn tell(console: &str) -> usize {
    let told = |line: &&str| line.starts_with("FAILED ") || line.starts_with("       | ");
    console.lines().filter(told).for_each(|line| println!("{line}"));
    let count = |mark: &str| console.lines().filter(|line| line.starts_with(mark)).count();
    let ended = count("THE END");
    if ended == 0 {
        println!("FAILED the machine did not get to the end of its checks");
    }
    println!("{} ok, {} failed", count("ok     "), count("FAILED "));
    count("FAILED ") + usize::from(ended == 0)
}

/// Whether the processor itself can run guests. A device that is there without it is for kernels made for that.
fn shared() -> bool {
    let flags = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let able = flags.split_ascii_whitespace().any(|flag| flag == "vmx" || flag == "svm");
    able && fs::OpenOptions::new().read(true).write(true).open("/dev/kvm").is_ok()
}

#[cfg(test)]
mod tests {
    use super::tell;

    #[test]
    fn a_console_without_its_end_has_failed() {
        assert_eq!(tell("ok     a\nTHE END\n"), 0);
        assert_eq!(tell("ok     a\nFAILED b\n       | why\nTHE END\n"), 1);
        assert_eq!(tell("ok     a\n"), 1);
    }
}
