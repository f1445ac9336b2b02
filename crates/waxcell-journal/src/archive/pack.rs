//! Making an archive of the next records.

use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use super::manifest::{MOST_BYTES, MOST_RECORDS, Origin};
use super::unpack::object_of;
use super::{Archive, ArchiveError, BUNDLE, Manifest};
use crate::directory::Directory;
use crate::log::{Log, times_of};
use crate::objects::Objects;
use crate::tlog::{SignedCheckpoint, decode_bundle};
use crate::whole;

/// From so many bytes on, an archive gets no more bundles: about as much is in memory while it is packed.
const ENOUGH: usize = 32 << 20;

/// Archives the records from `first` on, a multiple of 256: whole bundles that are signed, all of whose records are of
/// before the time `before`, if one is given; as many as go into one archive. Durable when this returns. Nothing when
/// there is no such bundle.
pub(crate) fn pack(
    log: &Log,
    mut signed: SignedCheckpoint,
    archive: &Archive,
    first: u64,
    before: Option<&str>,
) -> Result<Option<Manifest>, ArchiveError> {
    let size = signed.checkpoint.size();
    let signed = &mut signed;
    let (mut end, mut plain) = (first, Vec::new());
    while end + BUNDLE <= size && end - first < MOST_RECORDS && plain.len() < ENOUGH {
        let bundle = log.settled(signed, |signed| log.signed_bundle(end / BUNDLE, signed))?;
        if before.is_some_and(|before| times_of(&bundle).any(|time| time.is_none_or(|time| *time >= *before)))
        {
            break;
        }
        plain.extend_from_slice(&bundle);
        for (index, entry) in (end..).zip(decode_bundle(&bundle, BUNDLE as u16).unwrap_or_default()) {
            if let Some((hash, length)) = object_of(entry) {
                let object = Objects::of_log(log.folder()).get(&hash).ok();
                let object = object.filter(|object| object.len() == length);
                plain.extend_from_slice(&object.ok_or(ArchiveError::Object { index })?);
            }
        }
        end += BUNDLE;
    }
    if end == first {
        return Ok(None);
    }
    if plain.len() as u64 > MOST_BYTES {
        return Err(ArchiveError::TooLarge { first });
    }
    let packed = compress_to_vec(plain.as_slice(), CompressionLevel::Fastest);
    let root = log.settled(signed, |signed| Ok(log.root_of(end, signed.checkpoint.size())?))?;
    let checkpoint = signed.note.to_string();
    let origin = Origin { first, last: end - 1, root, checkpoint: &checkpoint };
    let manifest = Manifest::new(&origin, &plain, &packed);
    let directory = Directory::private(archive.folder())?;
    // A crash between leaves records without a manifest, which the next one writes over.
    whole::place(&directory, &manifest.file(), &packed)?;
    whole::place(&directory, &manifest.name(), &manifest.to_bytes())?;
    Ok(Some(manifest))
}
