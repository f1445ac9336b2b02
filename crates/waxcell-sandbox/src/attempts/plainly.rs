//! What becomes of an attempt in a run without namespaces.

use std::os::fd::AsFd;

use rustix::fs::FileType;
use rustix::io::Errno;
use waxcell_operations::Operation;

use super::walk::{End, Walk};
use super::{Makes, Seen, Wish};
use crate::ending::Layer;
use crate::plan;
use crate::target::name_of;
use crate::wire::{Attempt, PATH_MAX};

/// What Landlock says, which adds up the rights of everything around a place.
pub(super) fn judge(reach: &[(Vec<u8>, plan::Access)], wish: &Wish, end: &End, walk: &Walk<'_>) -> Seen {
    let (at, is_there) = match end {
        End::There(at, stat) => {
            let kind = FileType::from_raw_mode(stat.st_mode);
            if wish.makes == Makes::New || !(kind.is_file() || kind.is_dir()) {
                return Seen::Fine;
            }
            (at, true)
        }
        End::Missing(at, _) => (at, false),
        End::Shut(..) | End::Nowhere | End::Private(..) => return Seen::Fine,
    };
    let mut text = [0u8; PATH_MAX];
    let Ok(text) = name_of(at.as_fd(), walk.rest(), &mut text) else { return Seen::Fine };
    let given = |needed: &dyn Fn(plan::Access) -> bool| {
        reach.iter().any(|(place, access)| {
            let below = text.strip_prefix(place.as_slice());
            below.is_some_and(|rest| matches!(rest, [] | [b'/', ..])) && needed(*access)
        })
    };
    let is_given = match wish.operation {
        Operation::FsRead => given(&|access| access >= plan::Access::Read),
        Operation::ProcExec => {
            given(&|access| matches!(access, plan::Access::ReadExecute | plan::Access::WriteExecute))
        }
        _ => given(&|access| access >= plan::Access::Write),
    };
    if is_given {
        return Seen::Fine;
    }
    let (operation, errno) = match is_there {
        true => (wish.operation, Errno::ACCESS),
        false => (wish.on_nothing(), Errno::NOENT),
    };
    Seen::Unshown(Attempt { operation, layer: Layer::Landlock, errno })
}
