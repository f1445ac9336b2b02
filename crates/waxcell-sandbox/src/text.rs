//! Text that is put together where nothing may allocate.

use std::fmt::{self, Write};

/// Text in a buffer that is there already; what does not fit is cut.
pub(crate) struct Text<'a> {
    buffer: &'a mut [u8; 128],
    length: usize,
}

impl<'a> Text<'a> {
    pub(crate) fn new(buffer: &'a mut [u8; 128]) -> Text<'a> {
        Text { buffer, length: 0 }
    }

    /// What was written.
    pub(crate) fn bytes(self) -> &'a [u8] {
        &self.buffer[..self.length]
    }
}

impl Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let rest = &mut self.buffer[self.length..];
        let length = text.len().min(rest.len());
        rest[..length].copy_from_slice(&text.as_bytes()[..length]);
        self.length += length;
        Ok(())
    }
}
