//! Bundles that are not here, and whether they may be away.

use std::ops::Range;

use super::fault::{LogFault, LogFaultKind, LogReport, MOST_FAULTS};
use crate::tlog::{Kind, TILE_WIDTH, Tile};

/// What is missing, until the log has said up to which record its records were taken away.
#[derive(Debug, Default)]
pub(super) struct Missing {
    /// Full bundles that follow each other, by their numbers.
    ranges: Vec<Range<u64>>,
    /// Those that no record says may be away, whatever comes.
    others: Vec<Tile>,
    /// Objects, each as the fault that it is if it may not be away.
    objects: Vec<LogFault>,
    /// All records before this one may be away.
    before: u64,
}

impl Missing {
    pub(super) fn add(&mut self, tile: Tile) {
        // As many gaps come of no pruning.
        let many = self.ranges.len() > MOST_FAULTS;
        match self.ranges.last_mut() {
            Some(last) if tile.is_full() && last.end == tile.index => last.end += 1,
            _ if many || !tile.is_full() => self.others.push(tile),
            _ => self.ranges.push(tile.index..tile.index + 1),
        }
    }

    /// The object of a record, which goes before its bundle does; false if so many are away that it is no such thing.
    pub(super) fn add_object(&mut self, fault: LogFault) -> bool {
        let few = self.objects.len() < MOST_FAULTS;
        if few {
            self.objects.push(fault);
        }
        few
    }

    /// A record says that all records before `before` were taken away.
    pub(super) fn may_be_before(&mut self, before: u64) {
        self.before = self.before.max(before);
    }

    /// Counts what may be away, and names what may not.
    pub(super) fn judge(&mut self, report: &mut LogReport) {
        let allowed = self.before / u64::from(TILE_WIDTH);
        for range in self.ranges.drain(..) {
            let away = range.start..range.end.min(allowed);
            report.absent += away.end.saturating_sub(away.start) * u64::from(TILE_WIDTH);
            for index in range.start.max(allowed)..range.end {
                let tile = Tile { level: 0, index, width: TILE_WIDTH };
                report.fault(&tile.path(Kind::Entries), None, LogFaultKind::Missing);
            }
        }
        let before = self.before;
        for fault in self.objects.drain(..).filter(|fault| fault.index.is_none_or(|index| index >= before)) {
            report.fault(&fault.path, fault.index, fault.kind);
        }
        for tile in self.others.drain(..) {
            report.fault(&tile.path(Kind::Entries), None, LogFaultKind::Missing);
        }
    }
}
