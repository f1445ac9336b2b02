//! What the host's resolver answers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::reader::Reader;
use super::{A, AAAA, CNAME, INTERNET, Malformed, OPCODE, RESPONSE, TRUNCATED, wire};
use crate::name::Name;

/// What an answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Addresses in the order of the answer; none: the name has no such record.
    Addresses(Vec<IpAddr>),
    /// There is no such name.
    NoSuchName,
    /// The rest did not fit: ask over TCP.
    Truncated,
    /// The resolver could not or would not.
    Failed,
}

/// More names in a row are a mistake of somebody's.
const CHAIN_MAX: usize = 16;

/// More addresses are of no use.
const ADDRESSES_MAX: usize = 32;

/// Reads the answer to a [`question`](super::question) with these contents.
pub(crate) fn reply(message: &[u8], id: u16, asked: &Name, kind: u16) -> Result<Found, Malformed> {
    let mut reader = Reader::new(message);
    let (its_id, flags) = (reader.u16()?, reader.u16()?);
    let (questions, answers) = (reader.u16()?, reader.u16()?);
    reader.take(4)?;
    if its_id != id || flags & RESPONSE == 0 || flags & OPCODE != 0 || questions != 1 {
        return Err(Malformed::Other);
    }
    let mut current = wire(asked);
    if reader.name()? != current || reader.u16()? != kind || reader.u16()? != INTERNET {
        return Err(Malformed::Other);
    }
    match flags & 0xf {
        0 => {}
        3 => return Ok(Found::NoSuchName),
        _ => return Ok(Found::Failed),
    }
    if flags & TRUNCATED != 0 {
        return Ok(Found::Truncated);
    }
    let (mut aliases, mut addresses) = (Vec::new(), Vec::new());
    for _ in 0..answers {
        let owner = reader.name()?;
        let (its_kind, class) = (reader.u16()?, reader.u16()?);
        reader.take(4)?;
        let length = usize::from(reader.u16()?);
        let begin = reader.position();
        match (class, its_kind, length) {
            (INTERNET, CNAME, _) => {
                let target = reader.name()?;
                if reader.position() != begin + length {
                    return Err(Malformed::Long);
                }
                aliases.push((owner, target));
            }
            (INTERNET, A, 4) if kind == A => {
                let octets: [u8; 4] = reader.take(4)?.try_into().map_err(|_| Malformed::Short)?;
                addresses.push((owner, IpAddr::from(Ipv4Addr::from(octets))));
            }
            (INTERNET, AAAA, 16) if kind == AAAA => {
                let octets: [u8; 16] = reader.take(16)?.try_into().map_err(|_| Malformed::Short)?;
                addresses.push((owner, IpAddr::from(Ipv6Addr::from(octets))));
            }
            _ => {
                reader.take(length)?;
            }
        }
    }
    // What is not reached from the name that was asked for is somebody else's.
    for _ in 0..CHAIN_MAX {
        match aliases.iter().find(|(owner, _)| *owner == current) {
            Some((_, target)) => current.clone_from(target),
            None => break,
        }
    }
    let own = addresses.into_iter().filter(|(owner, _)| *owner == current);
    Ok(Found::Addresses(own.map(|(_, address)| address).take(ADDRESSES_MAX).collect()))
}
