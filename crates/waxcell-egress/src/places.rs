//! Where in the script a connection was begun, as the run's init said it just before.

use std::collections::HashMap;
use std::net::SocketAddr;

/// So many are kept at least; twice as many at most.
const KEPT: usize = 4096;

/// The last place of each destination.
#[derive(Default)]
pub(crate) struct Places {
    recent: HashMap<SocketAddr, String>,
    /// Those before, which go when there are as many newer ones.
    older: HashMap<SocketAddr, String>,
}

impl Places {
    pub(crate) fn keep(&mut self, address: SocketAddr, place: String) {
        if self.recent.len() >= KEPT && !self.recent.contains_key(&address) {
            self.older = std::mem::take(&mut self.recent);
        }
        self.recent.insert(address, place);
    }

    /// The place from which the address was last sent to; none if it was not told.
    pub(crate) fn of(&self, address: SocketAddr) -> Option<String> {
        let place = self.recent.get(&address).or_else(|| self.older.get(&address))?;
        (!place.is_empty()).then(|| place.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::{KEPT, Places};

    fn at(number: usize) -> SocketAddr {
        SocketAddr::from(([198, 18, (number >> 8) as u8, number as u8], 443))
    }

    #[test]
    fn the_last_place_of_an_address_is_kept() {
        let mut places = Places::default();
        places.keep(at(1), "a.py:1".to_owned());
        places.keep(at(1), "a.py:2".to_owned());
        places.keep(at(2), String::new());
        assert_eq!(places.of(at(1)).as_deref(), Some("a.py:2"));
        assert_eq!((places.of(at(2)), places.of(at(3))), (None, None));
        places.keep(at(1), String::new());
        assert_eq!(places.of(at(1)), None, "an older place is another call's");
    }

    #[test]
    fn only_so_many_are_kept() {
        let mut places = Places::default();
        for number in 0..5 * KEPT {
            places.keep(at(number), number.to_string());
            assert!(places.recent.len() + places.older.len() <= 2 * KEPT);
            let oldest = (number + 1).saturating_sub(KEPT);
            assert_eq!(places.of(at(oldest)), Some(oldest.to_string()));
        }
    }
}
