//! From an instruction to its line: the three forms that CPython has had for the table of lines of a code object.
//!
//! Tables come from the script's memory. Every function reads its table once from front to back, and stays calm whatever
//! is in it.

/// The form of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Up to 3.9: pairs of steps, of bytes of code and of lines.
    Steps,
    /// 3.10: pairs of the length of a range and the step of its line, or no line.
    Ranges,
    /// From 3.11 on: entries of several lengths, with columns (`Objects/locations.md` of CPython).
    Locations,
}

impl Form {
    /// The line of the instruction that many bytes from the start of the code. `first` is the first line of the code.
    pub(super) fn line(self, table: impl Iterator<Item = u8>, first: i64, offset: u64) -> Option<u32> {
        let line = match self {
            Form::Steps => steps(table, first, offset),
            Form::Ranges => ranges(table, first, offset),
            Form::Locations => locations(table, first, offset),
        }?;
        u32::try_from(line).ok().filter(|line| (1..=i32::MAX as u32).contains(line))
    }
}

fn steps(mut table: impl Iterator<Item = u8>, first: i64, offset: u64) -> Option<i64> {
    let (mut start, mut line) = (0u64, first);
    while let (Some(bytes), Some(step)) = (table.next(), table.next()) {
        start += u64::from(bytes);
        if start > offset {
            break;
        }
        line = line.wrapping_add(i64::from(step as i8));
    }
    Some(line)
}

fn ranges(mut table: impl Iterator<Item = u8>, first: i64, offset: u64) -> Option<i64> {
    const NO_LINE: i8 = -128;
    let (mut end, mut line) = (0u64, first);
    while let (Some(bytes), Some(step)) = (table.next(), table.next()) {
        end += u64::from(bytes);
        let step = step as i8;
        if step != NO_LINE {
            line = line.wrapping_add(step.into());
        }
        if offset < end {
            return (step != NO_LINE).then_some(line);
        }
    }
    None
}

fn locations(table: impl Iterator<Item = u8>, first: i64, offset: u64) -> Option<i64> {
    /// Bytes of code that an entry counts by.
    const UNIT: u64 = 2;
    const ONE_LINE: std::ops::RangeInclusive<u8> = 10..=12;
    const NO_COLUMNS: u8 = 13;
    const LONG: u8 = 14;
    const NOTHING: u8 = 15;
    let mut table = table.peekable();
    let (mut end, mut line) = (0u64, first);
    while let Some(head) = table.next() {
        let code = head >> 3 & 15;
        end += (u64::from(head & 7) + 1) * UNIT;
        if code == NO_COLUMNS || code == LONG {
            line = line.wrapping_add(signed(varint(&mut table)));
        } else if ONE_LINE.contains(&code) {
            line = line.wrapping_add((code - ONE_LINE.start()).into());
        }
        if offset < end {
            return (code != NOTHING).then_some(line);
        }
        // Only the first byte of an entry has this bit.
        while table.next_if(|byte| byte & 0x80 == 0).is_some() {}
    }
    None
}

/// Six bits a byte, the lowest first; one more bit says that it goes on.
fn varint(table: &mut std::iter::Peekable<impl Iterator<Item = u8>>) -> u64 {
    let (mut value, mut shift) = (0u64, 0);
    while let Some(byte) = table.next_if(|byte| byte & 0x80 == 0) {
        value |= u64::from(byte & 0x3f).checked_shl(shift).unwrap_or(0);
        shift += 6;
        if byte & 0x40 == 0 {
            break;
        }
    }
    value
}

/// The sign is in the lowest bit.
fn signed(value: u64) -> i64 {
    let amount = (value >> 1) as i64;
    if value & 1 == 1 { -amount } else { amount }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(form: Form, table: &[u8], offsets: &[u64]) -> Vec<Option<u32>> {
        offsets.iter().map(|offset| form.line(table.iter().copied(), 10, *offset)).collect()
    }

    #[test]
    fn steps_add_up_to_the_instruction() {
        // Bytes 0 to 5 are line 10, 6 to 255+1 line 11, then line 9, then 4 bytes of line 500.
        let table = [6, 1, 255, 0, 1, 0xfe, 8, 127, 0, 127, 0, 127, 0, 110];
        let found = lines(Form::Steps, &table, &[0, 5, 6, 261, 262, 269, 270, 9999]);
        assert_eq!(found, [10, 10, 11, 11, 9, 9, 500, 500].map(Some));
        assert_eq!(lines(Form::Steps, &[], &[0, 7]), [Some(10), Some(10)]);
    }

    #[test]
    fn ranges_may_have_no_line() {
        let table = [4, 0, 2, 0x80, 6, 1, 2, 0xff];
        let found = lines(Form::Ranges, &table, &[0, 3, 4, 6, 11, 12, 13, 14]);
        assert_eq!(found, [Some(10), Some(10), None, Some(11), Some(11), Some(10), Some(10), None]);
    }

    #[test]
    fn locations_have_entries_of_many_lengths() {
        let head = |code: u8, units: u8| 0x80 | code << 3 | (units - 1);
        let table = [
            [head(3, 2), 0x15].as_slice(),       // line 10, bytes 0 to 3
            &[head(11, 1), 4, 9],                // one line on, bytes 4 and 5
            &[head(15, 8)],                      // nothing, to 21
            &[head(14, 1), 0x41, 0x02, 0, 1, 2], // back by 64 (a varint of 129), to 23
            &[head(13, 1), 0x40 | 0x08, 0x03],   // on by 100, to 25
        ]
        .concat();
        let found = lines(Form::Locations, &table, &[0, 3, 4, 5, 6, 21, 24, 25, 26]);
        let expected = [Some(10), Some(10), Some(11), Some(11), None, None, Some(47), Some(47), None];
        assert_eq!(found, expected);
        // Line -53 is none.
        assert_eq!(lines(Form::Locations, &table, &[22]), [None]);
    }

    #[test]
    fn no_table_is_too_strange() {
        let mut seed = 1u32;
        let mut random = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 24) as u8
        };
        for length in 0..400 {
            let table: Vec<u8> = (0..length).map(|_| random()).collect();
            for form in [Form::Steps, Form::Ranges, Form::Locations] {
                for first in [i64::MIN, -1, 0, i64::from(i32::MAX), i64::MAX] {
                    form.line(table.iter().copied(), first, random().into());
                    form.line(table.iter().copied(), first, u64::MAX);
                }
            }
        }
    }
}
