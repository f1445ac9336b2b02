//! Kernels from Debian's packages, and what each needs to find its disk.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::shell::{Done, at, output, program, run};

/// What a kernel may need that was built as modules, to have a disk with ext4 and layers over it.
const MODULES: [&str; 9] = [
    "virtio",
    "virtio_ring",
    "virtio_pci_modern_dev",
    "virtio_pci_legacy_dev",
    "virtio_pci",
    "virtio_blk",
    "ext4",
    "overlay",
    // A family of sockets that there is, for an attack on them all.
    "af_alg",
];

/// An unpacked kernel.
pub(crate) struct Kernel {
    pub(crate) name: String,
    pub(crate) image: PathBuf,
    pub(crate) initramfs: PathBuf,
}

/// The packages of the kernel series that apt knows, the oldest first, so many of them downloaded.
pub(crate) fn download(folder: &Path, most: usize) -> Done<Vec<PathBuf>> {
    let series = output(program("apt-cache").args([
        "search",
        "--names-only",
        "^linux-image-([0-9.]+-)?cloud-amd64$",
    ]))?;
    let mut names = Vec::new();
    for meta in series.lines().filter_map(|line| line.split_once(" - ")).map(|(name, _)| name) {
        let depends = output(program("apt-cache").args(["depends", meta]))?;
        let depends = depends.lines().filter_map(|line| line.trim().strip_prefix("Depends: linux-image-"));
        names.extend(depends.map(|version| format!("linux-image-{version}")));
    }
    names.sort();
    names.dedup();
    names.truncate(most);
    if names.is_empty() {
        return Err("apt knows no kernel: `apt-get update`, or name .deb files of kernels".to_owned());
    }
    let list = |folder: &Path| -> Done<Vec<PathBuf>> {
        at(folder, fs::read_dir(folder))?.map(|entry| at(folder, entry).map(|entry| entry.path())).collect()
    };
    let is_there = |files: &[PathBuf], name: &str| {
        let start = format!("{name}_");
        files
            .iter()
            .find(|file| file.file_name().is_some_and(|f| f.to_string_lossy().starts_with(&start)))
            .cloned()
    };
    let before = list(folder)?;
    for name in names.iter().filter(|name| is_there(&before, name).is_none()) {
        run(program("apt-get").args(["download", "-qq", name]).current_dir(folder))?;
    }
    let after = list(folder)?;
    Ok(names.iter().filter_map(|name| is_there(&after, name)).collect())
}

/// Takes a kernel out of its package and makes its initramfs.
pub(crate) fn unpack(package: &Path, folder: &Path) -> Done<Kernel> {
    let name = output(program("dpkg-deb").args(["--field"]).arg(package).arg("Package"))?.trim().to_owned();
    let here = folder.join(&name);
    if !here.exists() {
        run(program("dpkg-deb").arg("--extract").arg(package).arg(&here))?;
        // Ubuntu has the modules in a package of their own, which may lie beside this one.
        let modules = package.to_string_lossy().replace("linux-image-", "linux-modules-");
        if Path::new(&modules).exists() {
            run(program("dpkg-deb").args(["--extract", &modules]).arg(&here))?;
        }
    }
    let boot = here.join("boot");
    let image = at(&boot, fs::read_dir(&boot))?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("vmlinuz")))
        .ok_or_else(|| format!("`{}` holds no kernel", package.display()))?;

    let root = here.join("initramfs");
    for part in ["bin", "proc", "dev", "disk", "modules"] {
        at(&root, fs::create_dir_all(root.join(part)))?;
    }
    let init = root.join("init");
    at(&init, fs::write(&init, include_str!("init.sh")))?;
    at(&init, fs::set_permissions(&init, fs::Permissions::from_mode(0o755)))?;
    let busybox = root.join("bin/busybox");
    at(&busybox, fs::copy("/bin/busybox", &busybox))?;
    take_modules(&here.join("lib/modules"), &root.join("modules"))?;
    let initramfs = here.join("initramfs.cpio");
    let pack = "find . | cpio --create --format=newc --quiet";
    let packed = output_bytes(program("sh").args(["-c", pack]).current_dir(&root))?;
    at(&initramfs, fs::write(&initramfs, packed))?;
    Ok(Kernel { name, image, initramfs })
}

/// Copies the modules that are there, unpacked; a kernel with all of it built in has none.
fn take_modules(from: &Path, to: &Path) -> Done {
    if !from.exists() {
        return Ok(());
    }
    for entry in at(from, fs::read_dir(from))? {
        let path = at(from, entry)?.path();
        if path.is_dir() {
            take_modules(&path, to)?;
            continue;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some((name, packed)) = name.split_once(".ko") else { continue };
        if !MODULES.contains(&name) {
            continue;
        }
        let bytes = match packed {
            "" => at(&path, fs::read(&path))?,
            _ => output_bytes(program("xz").args(["--decompress", "--stdout"]).arg(&path))?,
        };
        let target = to.join(format!("{name}.ko"));
        at(&target, fs::write(&target, bytes))?;
    }
    Ok(())
}

fn output_bytes(command: &mut std::process::Command) -> Done<Vec<u8>> {
    match command.output() {
        Ok(output) if output.status.success() => Ok(output.stdout),
        Ok(output) => Err(format!("{command:?} ended with {}", output.status)),
        Err(error) => Err(format!("cannot start {command:?}: {error}")),
    }
}
