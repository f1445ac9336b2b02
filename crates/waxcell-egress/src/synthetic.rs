//! Addresses that stand for names inside a run. What a script connects to says which name it asked for.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::rc::Rc;

use crate::name::Name;

/// First address and prefix of those that stand for names; the run's network needs a local route for each. The first 256
/// of both stand for nothing: the resolver inside can have one of them.
pub const SYNTHETIC_V4: (Ipv4Addr, u8) = (Ipv4Addr::new(198, 18, 0, 0), 15);
/// The same in IPv6, of the range that is free for private use.
pub const SYNTHETIC_V6: (Ipv6Addr, u8) = (Ipv6Addr::new(0xfd77, 0x6178, 0x6365, 0, 0, 0, 0, 0), 48);

const RESERVED: u32 = 256;

/// Names that were asked for, in the order in which they were.
pub(crate) struct Names<T> {
    entries: Vec<Rc<Entry<T>>>,
    by_name: HashMap<Name, usize>,
    most: usize,
}

/// One name, its addresses inside, and what the owner of the table knows of it.
pub(crate) struct Entry<T> {
    pub(crate) name: Name,
    pub(crate) v4: Ipv4Addr,
    pub(crate) v6: Ipv6Addr,
    pub(crate) known: T,
}

impl<T: Default> Names<T> {
    /// A table of at most so many names; 65,536 at most whatever is asked for.
    pub(crate) fn new(most: usize) -> Names<T> {
        Names { entries: Vec::new(), by_name: HashMap::new(), most: most.min(1 << 16) }
    }

    /// The entry of a name; a new one, unless the table is full.
    pub(crate) fn of(&mut self, name: &Name) -> Option<Rc<Entry<T>>> {
        if let Some(&at) = self.by_name.get(name) {
            return self.entries.get(at).cloned();
        }
        let at = self.entries.len();
        if at >= self.most {
            return None;
        }
        let offset = RESERVED + u32::try_from(at).ok()?;
        let entry = Rc::new(Entry {
            name: name.clone(),
            v4: Ipv4Addr::from_bits(SYNTHETIC_V4.0.to_bits() + offset),
            v6: Ipv6Addr::from_bits(SYNTHETIC_V6.0.to_bits() + u128::from(offset)),
            known: T::default(),
        });
        self.by_name.insert(name.clone(), at);
        self.entries.push(entry.clone());
        Some(entry)
    }

    /// What an address stands for.
    pub(crate) fn at(&self, address: IpAddr) -> Option<Rc<Entry<T>>> {
        let offset = match address {
            IpAddr::V4(v4) => u128::from(v4.to_bits().checked_sub(SYNTHETIC_V4.0.to_bits())?),
            IpAddr::V6(v6) => v6.to_bits().checked_sub(SYNTHETIC_V6.0.to_bits())?,
        };
        let at = offset.checked_sub(RESERVED.into())?;
        self.entries.get(usize::try_from(at).ok()?).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::{Names, SYNTHETIC_V4, SYNTHETIC_V6};
    use crate::address::Network;
    use crate::name::Name;

    #[test]
    fn an_address_stands_for_one_name() {
        let mut names: Names<()> = Names::new(usize::MAX);
        let (v4, v6) = (
            Network { address: SYNTHETIC_V4.0.into(), prefix: SYNTHETIC_V4.1 },
            Network { address: SYNTHETIC_V6.0.into(), prefix: SYNTHETIC_V6.1 },
        );
        for at in 0..1 << 16 {
            let name = Name::parse(format!("n{at}.example.org")).unwrap();
            let entry = names.of(&name).unwrap();
            assert!(v4.contains(entry.v4.into()) && v6.contains(entry.v6.into()));
            assert_eq!(names.at(entry.v4.into()).unwrap().name, name);
            assert_eq!(names.at(entry.v6.into()).unwrap().name, name);
            assert_eq!(names.of(&name).unwrap().v4, entry.v4);
        }
        assert!(names.of(&Name::parse("one.more").unwrap()).is_none(), "the table is full");
        assert!(names.of(&Name::parse("n7.example.org").unwrap()).is_some(), "what is in it stays");
    }

    #[test]
    fn other_addresses_stand_for_nothing() {
        let mut names: Names<()> = Names::new(10);
        let entry = names.of(&Name::parse("example.org").unwrap()).unwrap();
        assert_eq!(
            (entry.v4.to_string().as_str(), entry.v6.to_string().as_str()),
            ("198.18.1.0", "fd77:6178:6365::100")
        );
        for other in [
            "198.18.0.1",
            "198.18.1.1",
            "198.17.255.255",
            "0.0.0.0",
            "255.255.255.255",
            "::",
            "fd77:6178:6365::",
            "ffff::",
        ] {
            assert!(names.at(other.parse().unwrap()).is_none(), "{other}");
        }
    }
}
