//! Bytes of a message, from front to back; nothing is read that is not there.

use super::Malformed;

pub(crate) struct Reader<'a> {
    message: &'a [u8],
    at: usize,
}

/// `RFC 1035`: a name has at most 255 bytes in a message.
const NAME_MAX: usize = 255;

impl<'a> Reader<'a> {
    pub(crate) fn new(message: &'a [u8]) -> Reader<'a> {
        Reader { message, at: 0 }
    }

    pub(crate) fn position(&self) -> usize {
        self.at
    }

    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let end = self.at.checked_add(count).ok_or(Malformed::Short)?;
        let taken = self.message.get(self.at..end).ok_or(Malformed::Short)?;
        self.at = end;
        Ok(taken)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Malformed> {
        Ok(u16::from_be_bytes(self.take(2)?.try_into().map_err(|_| Malformed::Short)?))
    }

    pub(crate) fn end(&self) -> Result<(), Malformed> {
        if self.at == self.message.len() { Ok(()) } else { Err(Malformed::Long) }
    }

    /// The labels of a name that refers to no other place of the message.
    pub(crate) fn plain_name(&mut self) -> Result<Vec<&'a [u8]>, Malformed> {
        let (mut labels, begin) = (Vec::new(), self.at);
        loop {
            let length = self.take(1)?[0];
            match length {
                0 => return Ok(labels),
                1..=63 => labels.push(self.take(usize::from(length))?),
                _ => return Err(Malformed::Label),
            }
            if self.at - begin >= NAME_MAX {
                return Err(Malformed::Label);
            }
        }
    }

    /// A name in its full form, in lower case, references followed. Each leads further to the front, so this ends.
    pub(crate) fn name(&mut self) -> Result<Vec<u8>, Malformed> {
        let mut name = Vec::new();
        let mut elsewhere: Option<Reader<'a>> = None;
        loop {
            let reader = elsewhere.as_mut().unwrap_or(self);
            let begin = reader.at;
            let length = reader.take(1)?[0];
            match length {
                0 => {
                    name.push(0);
                    return Ok(name);
                }
                1..=63 => {
                    name.push(length);
                    name.extend(reader.take(usize::from(length))?.to_ascii_lowercase());
                }
                0xc0.. => {
                    let target = usize::from(length & 0x3f) << 8 | usize::from(reader.take(1)?[0]);
                    // Strictly before the reference and before the labels that led to it: no loop can come back.
                    if target >= begin {
                        return Err(Malformed::Label);
                    }
                    let message = reader.message.get(..begin).ok_or(Malformed::Short)?;
                    elsewhere = Some(Reader { message, at: target });
                }
                _ => return Err(Malformed::Label),
            }
            if name.len() >= NAME_MAX {
                return Err(Malformed::Label);
            }
        }
    }
}
