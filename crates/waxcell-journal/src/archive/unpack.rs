//! Reading an archive: a stream of bundles, one in memory at a time, no trust in any byte.

use std::fs::File;
use std::io::{self, BufReader, Read};

use ruzstd::decoding::{FrameDecoder, StreamingDecoder};
use sha2::{Digest, Sha256};

use super::{ArchiveError, BUNDLE, Manifest};
use crate::chain::hex;
use crate::log::Fields;
use crate::objects::MAX_OBJECT;
use crate::tlog::Hash;

/// How far back what is compressed may refer: what every decoder of RFC 8878 should have, so memory is bounded.
const WINDOW: u64 = 8 << 20;

/// A bundle out of an archive.
#[derive(Debug)]
pub(crate) struct Packed {
    /// Which one.
    pub(crate) bundle: u64,
    /// Its bytes, as they would lie in its file.
    pub(crate) bytes: Vec<u8>,
    /// The objects that its records name: the place in the bundle, what the record says its hash is, and the bytes.
    pub(crate) objects: Vec<(u64, Hash, Vec<u8>)>,
}

impl Packed {
    /// Makes sure that the objects are those that the records name.
    pub(crate) fn check_objects(&self) -> Result<(), ArchiveError> {
        let changed = |(_, hash, bytes): &&(u64, Hash, Vec<u8>)| Hash::from(Sha256::digest(bytes)) != *hash;
        match self.objects.iter().find(changed) {
            Some((at, ..)) => Err(ArchiveError::Object { index: self.bundle * BUNDLE + at }),
            None => Ok(()),
        }
    }
}

/// An archive that is read.
pub(crate) struct Unpacking {
    manifest: Manifest,
    source: StreamingDecoder<Counted<BufReader<File>>, FrameDecoder>,
    plain: Sha256,
    /// How many bytes are to come.
    left: u64,
    next: u64,
}

impl std::fmt::Debug for Unpacking {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unpacking").field("manifest", &self.manifest).field("next", &self.next).finish()
    }
}

impl Unpacking {
    pub(super) fn begin(manifest: Manifest, file: File) -> Result<Unpacking, ArchiveError> {
        let source = Counted { source: BufReader::new(file), hash: Sha256::new(), bytes: 0 };
        let source = StreamingDecoder::new_with_max_window_size(source, WINDOW)
            .map_err(|error| ArchiveError::Damaged { file: manifest.file(), what: error.to_string() })?;
        let (left, next) = (manifest.bytes, manifest.first / BUNDLE);
        Ok(Unpacking { manifest, source, plain: Sha256::new(), left, next })
    }

    /// Whether a bundle is still to come out of this archive.
    pub(super) fn is_before(&self, manifest: &Manifest, bundle: u64) -> bool {
        self.manifest == *manifest && self.next <= bundle
    }

    /// The next bundle. After the last one all that the manifest says was compared.
    pub(crate) fn next(&mut self) -> Result<Option<Packed>, ArchiveError> {
        if self.next == self.manifest.end() / BUNDLE {
            return Ok(None);
        }
        let (mut bytes, mut objects) = (Vec::new(), Vec::new());
        for at in 0..BUNDLE {
            let mut length = [0; 2];
            self.fill(&mut length)?;
            let mut entry = vec![0; usize::from(u16::from_be_bytes(length))];
            self.fill(&mut entry)?;
            if let Some((hash, length)) = object_of(&entry) {
                objects.push((at, hash, length));
            }
            bytes.extend_from_slice(&length);
            bytes.append(&mut entry);
        }
        let mut whole = Vec::new();
        for (at, hash, length) in objects {
            let mut object = vec![0; length];
            self.fill(&mut object)?;
            whole.push((at, hash, object));
        }
        self.next += 1;
        if self.next == self.manifest.end() / BUNDLE {
            self.end()?;
        }
        Ok(Some(Packed { bundle: self.next - 1, bytes, objects: whole }))
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), ArchiveError> {
        self.left = self
            .left
            .checked_sub(buffer.len() as u64)
            .ok_or_else(|| self.damaged("it has more records than its manifest has bytes"))?;
        self.source.read_exact(buffer).map_err(|error| self.damaged(&error.to_string()))?;
        self.plain.update(&*buffer);
        Ok(())
    }

    fn end(&mut self) -> Result<(), ArchiveError> {
        let mut more = [0];
        let goes_on = self.source.read(&mut more).map_err(|error| self.damaged(&error.to_string()))? > 0;
        if self.left > 0 || goes_on {
            return Err(self.damaged("it goes on behind its last record"));
        }
        if hex(&self.plain.clone().finalize()) != self.manifest.sha256 {
            return Err(self.damaged("its records are not those of the manifest"));
        }
        let packed = self.source.get_mut();
        // What stands behind the compressed records belongs to nothing.
        let most = self.manifest.packed_bytes.saturating_sub(packed.bytes) + 1;
        let read = io::copy(&mut packed.by_ref().take(most), &mut io::sink());
        let (bytes, hash) = (packed.bytes, hex(&packed.hash.clone().finalize()));
        read.map_err(|error| self.damaged(&error.to_string()))?;
        if bytes != self.manifest.packed_bytes || hash != self.manifest.packed_sha256 {
            return Err(self.damaged("its bytes are not those of the manifest"));
        }
        Ok(())
    }

    fn damaged(&self, what: &str) -> ArchiveError {
        ArchiveError::Damaged { file: self.manifest.file(), what: what.to_owned() }
    }
}

/// The object that a record names, and how long it is: only what can be one.
pub(super) fn object_of(entry: &[u8]) -> Option<(Hash, usize)> {
    // Most records name none, and need not be looked at.
    let mark = b"\"whole\":";
    if !entry.windows(mark.len()).any(|part| part == mark) {
        return None;
    }
    let whole = Fields::of(entry).ok()?.whole?;
    let length = usize::try_from(whole.bytes).ok().filter(|&length| length <= MAX_OBJECT)?;
    Some((whole.hash()?, length))
}

/// What was read, counted and hashed.
struct Counted<R> {
    source: R,
    hash: Sha256,
    bytes: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        self.hash.update(&buffer[..read]);
        self.bytes += read as u64;
        Ok(read)
    }
}
