//! What a run writes to its standard output and error, as it comes.

use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// So much of a stream is kept.
const KEPT: usize = 4 << 20;

/// A stream that is read to its end by a thread.
pub(crate) struct Output {
    so_far: Arc<Mutex<SoFar>>,
    thread: std::thread::JoinHandle<()>,
}

#[derive(Clone, Debug, Default)]
struct SoFar {
    bytes: Vec<u8>,
    count: u64,
}

impl Output {
    /// Begins to read.
    pub(crate) fn of(mut stream: impl Read + Send + 'static) -> Output {
        let so_far = Arc::new(Mutex::new(SoFar::default()));
        let kept = so_far.clone();
        let thread = std::thread::spawn(move || {
            let mut buffer = vec![0; 1 << 16];
            while let Ok(read @ 1..) = stream.read(&mut buffer) {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                let room = KEPT.saturating_sub(kept.bytes.len()).min(read);
                kept.bytes.extend_from_slice(&buffer[..room]);
                kept.count += read as u64;
            }
        });
        Output { so_far, thread }
    }

    /// Bytes that came so far.
    pub(crate) fn count(&self) -> u64 {
        self.so_far.lock().unwrap_or_else(PoisonError::into_inner).count
    }

    /// Those that are kept.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.so_far.lock().unwrap_or_else(PoisonError::into_inner).bytes.clone()
    }

    /// Waits until nobody holds the other end any more, for a while.
    pub(crate) fn end(&self) -> Vec<u8> {
        let patience = Instant::now() + Duration::from_secs(2);
        while !self.thread.is_finished() && Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(1));
        }
        self.bytes()
    }
}
