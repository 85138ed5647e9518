//! Bytes of any encoding become UTF-8, in constant memory; a row without end is stopped.

use encoding_rs::{CoderResult, Decoder, Encoding};
use std::io::{self, BufRead, Read};

/// The longest row, in bytes of UTF-8: a quote left open would otherwise swallow the rest of the file.
pub(super) const ROW_BYTES_MAX: usize = 4 * 1024 * 1024;

const CHUNK: usize = 64 * 1024;

/// Reads another encoding as UTF-8. A byte order mark is taken off and wins over what was said.
pub(super) struct Utf8Reader {
    inner: Box<dyn Read + Send>,
    decoder: Decoder,
    raw: Vec<u8>,
    raw_from: usize,
    raw_to: usize,
    out: Vec<u8>,
    out_from: usize,
    is_ended: bool,
    given_since_row: usize,
}

impl Utf8Reader {
    /// Wraps bytes of an encoding.
    pub(super) fn new(inner: Box<dyn Read + Send>, encoding: &'static Encoding) -> Self {
        Self {
            inner,
            decoder: encoding.new_decoder(),
            raw: vec![0; CHUNK],
            raw_from: 0,
            raw_to: 0,
            out: Vec::with_capacity(CHUNK * 3),
            out_from: 0,
            is_ended: false,
            given_since_row: 0,
        }
    }

    /// A row was complete: the count against [`ROW_BYTES_MAX`] begins again.
    pub(super) fn row_done(&mut self) {
        self.given_since_row = 0;
    }

    fn refill(&mut self) -> io::Result<()> {
        while self.out_from == self.out.len() && !self.is_ended {
            if self.raw_from == self.raw_to {
                self.raw_to = self.inner.read(&mut self.raw)?;
                self.raw_from = 0;
            }
            let is_last = self.raw_to == 0;
            self.out.resize(CHUNK * 3, 0);
            let source = &self.raw[self.raw_from..self.raw_to];
            let (result, read, written, _) = self.decoder.decode_to_utf8(source, &mut self.out, is_last);
            self.raw_from += read;
            self.out.truncate(written);
            self.out_from = 0;
            self.is_ended = is_last && result == CoderResult::InputEmpty;
        }
        Ok(())
    }
}

impl Read for Utf8Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let count = available.len().min(buffer.len());
        buffer[..count].copy_from_slice(&available[..count]);
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Utf8Reader {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.given_since_row > ROW_BYTES_MAX {
            return Err(io::Error::other(format!("a row longer than {ROW_BYTES_MAX} bytes; is a quote left open?")));
        }
        self.refill()?;
        Ok(&self.out[self.out_from..])
    }

    fn consume(&mut self, count: usize) {
        self.out_from += count;
        self.given_since_row += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(bytes: &'static [u8], label: &str) -> String {
        let encoding = Encoding::for_label(label.as_bytes()).unwrap();
        let mut text = String::new();
        Utf8Reader::new(Box::new(bytes), encoding).read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn other_encodings_and_byte_order_marks_are_read() {
        assert_eq!(decoded(b"Pe\xf1a; 5 \x80", "windows-1252"), "Peña; 5 €");
        assert_eq!(decoded(b"\xef\xbb\xbfid", "utf-8"), "id");
        assert_eq!(decoded(b"\xff\xfei\0d\0", "utf-8"), "id");
        assert_eq!(decoded(b"", "utf-8"), "");
        assert_eq!(decoded(b"a\xffb", "utf-8"), "a\u{fffd}b");
    }

    #[test]
    fn a_row_without_end_is_stopped() {
        let mut reader = Utf8Reader::new(Box::new(io::repeat(b'x')), encoding_rs::UTF_8);
        let error = io::copy(&mut reader, &mut io::sink()).unwrap_err();
        assert!(error.to_string().contains("is a quote left open?"));
    }
}
