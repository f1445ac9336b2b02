//! A log on disk that the pure modules wrote and read back; `tests/foreign/README.md` says how others check it.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

#[path = "foreign/log.rs"]
mod log;

use std::fs;
use std::path::{Path, PathBuf};

use log::{Log, prove, record};
use waxcell_journal::tlog::*;

/// Enough for three levels of tiles, each with a partial one.
const SIZE: u64 = 66_000;

/// Where the README says; or a folder of whoever may not write there, since somebody else built this.
fn directory() -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("foreign-log");
    let _ = fs::remove_dir_all(&directory);
    // It is there still, if it is somebody else's.
    match fs::create_dir(&directory) {
        Ok(()) => directory,
        Err(_) => std::env::temp_dir().join(format!("foreign-log-{}", std::process::id())),
    }
}

#[test]
fn a_log_on_disk_is_read_back() {
    let directory = directory();
    let log = Log::write(&directory, SIZE);
    let checkpoint = fs::read(directory.join("checkpoint")).unwrap();
    let key = log.key.verifier();
    let signed = SignedCheckpoint::open(&checkpoint, std::slice::from_ref(&key), &[]).unwrap();
    assert_eq!(signed.checkpoint.size(), SIZE);
    assert_eq!(root(SIZE, &mut Log::nodes(&directory, SIZE)).as_ref(), Ok(signed.checkpoint.root()));
    let mut count = 0;
    for tile in tiles_of(SIZE).filter(|tile| tile.level == 0) {
        let bundle = fs::read(directory.join(tile.path(Kind::Entries))).unwrap();
        for entry in decode_bundle(&bundle, tile.width).unwrap() {
            assert_eq!(leaf_hash(entry), log.leaves[count]);
            count += 1;
        }
    }
    assert_eq!(count as u64, SIZE);
    for index in [0, 255, 256, 21_999, 22_000, 65_535, 65_536, SIZE - 1] {
        let proof = prove(&directory, index);
        assert!(proof.to_string().len() < 4096, "a proof is small");
        proof.verify(&leaf_hash(&record(index)), &Policy::of_logs(std::slice::from_ref(&key))).unwrap();
    }
    let earlier = root(SIZE / 3, &mut Log::nodes(&directory, SIZE)).unwrap();
    let proof = consistency_proof(SIZE / 3, SIZE, &mut Log::nodes(&directory, SIZE)).unwrap();
    verify_consistency(SIZE / 3, &earlier, SIZE, signed.checkpoint.root(), &proof).unwrap();
}
