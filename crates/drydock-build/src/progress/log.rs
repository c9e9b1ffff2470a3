//! What a step wrote: lines made of chunks, each chunk taken once.

use std::collections::VecDeque;

use crate::event::LogStream;

/// A line longer than this is told in pieces.
const MAX_LINE: usize = 16 * 1024;

/// The output of one vertex.
#[derive(Debug)]
pub(super) struct Log {
    stdout: Lines,
    stderr: Lines,
    new: Vec<(LogStream, String)>,
    tail: VecDeque<String>,
    keep: usize,
}

#[derive(Debug, Default)]
struct Lines {
    /// The timestamp of the last chunk, and the chunks that came with it.
    last: Option<i64>,
    at_last: Vec<Vec<u8>>,
    /// What came after the last line end.
    open: Vec<u8>,
}

impl Log {
    /// An empty log whose tail has at most `keep` lines.
    pub(super) fn new(keep: usize) -> Self {
        Self { stdout: Lines::default(), stderr: Lines::default(), new: Vec::new(), tail: VecDeque::new(), keep }
    }

    /// Adds a chunk, unless it is one that another solve already told: each solve tells all chunks of a stream in
    /// their order, with the same timestamps. Says whether there are new lines.
    pub(super) fn append(&mut self, stream: LogStream, timestamp: i64, chunk: &[u8]) -> bool {
        let lines = match stream {
            LogStream::Stdout => &mut self.stdout,
            LogStream::Stderr => &mut self.stderr,
        };
        match lines.last {
            Some(last) if timestamp < last => return false,
            Some(last) if timestamp == last => {
                if lines.at_last.iter().any(|known| known == chunk) {
                    return false;
                }
            }
            _ => lines.at_last.clear(),
        }
        lines.last = Some(timestamp);
        lines.at_last.push(chunk.to_vec());
        lines.open.extend_from_slice(chunk);
        let before = self.new.len();
        let text = std::mem::take(&mut lines.open);
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            if line.ends_with(b"\n") {
                self.new.push((stream, shown(line)));
            } else {
                lines.open = line.to_vec();
            }
        }
        if lines.open.len() > MAX_LINE {
            self.new.push((stream, shown(&std::mem::take(&mut lines.open))));
        }
        self.new.len() > before
    }

    /// The lines that were not taken before; with `all`, also what has no line end.
    pub(super) fn take(&mut self, all: bool) -> Vec<(LogStream, String)> {
        if all {
            for (stream, lines) in [(LogStream::Stdout, &mut self.stdout), (LogStream::Stderr, &mut self.stderr)] {
                if !lines.open.is_empty() {
                    self.new.push((stream, shown(&std::mem::take(&mut lines.open))));
                }
            }
        }
        let new = std::mem::take(&mut self.new);
        for (_, line) in &new {
            if self.tail.len() == self.keep {
                self.tail.pop_front();
            }
            self.tail.push_back(line.clone());
        }
        new
    }

    /// The last lines that were taken.
    pub(super) fn tail(&self) -> Vec<String> {
        self.tail.iter().cloned().collect()
    }
}

/// A line as a terminal would have left it: without its end, and with what stood there after the last carriage return.
fn shown(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let text = text.trim_end_matches(['\n', '\r']);
    text.rsplit('\r').next().unwrap_or(text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUT: LogStream = LogStream::Stdout;

    fn texts(lines: Vec<(LogStream, String)>) -> Vec<String> {
        lines.into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn lines_are_made_of_chunks() {
        let mut log = Log::new(10);
        assert!(!log.append(OUT, 1, b"a"));
        assert!(log.append(OUT, 2, "b\nc\u{e9}".as_bytes()));
        assert_eq!(texts(log.take(false)), ["ab"]);
        assert!(log.append(OUT, 3, b"\r\n\nx"));
        assert_eq!(texts(log.take(false)), ["c\u{e9}", ""]);
        assert_eq!(texts(log.take(true)), ["x"]);
        assert_eq!(texts(log.take(true)), [""; 0]);
    }

    #[test]
    fn overwritten_lines_show_what_stood_last() {
        let mut log = Log::new(10);
        log.append(OUT, 1, b"10%\r50%\r100%\n");
        assert_eq!(texts(log.take(false)), ["100%"]);
    }

    #[test]
    fn a_chunk_told_twice_is_taken_once() {
        let mut log = Log::new(10);
        for _ in 0..2 {
            log.append(OUT, 1, b"a\n");
            log.append(OUT, 2, b"b\n");
            log.append(OUT, 2, b"c\n");
            log.append(LogStream::Stderr, 1, b"e\n");
        }
        assert_eq!(texts(log.take(true)), ["a", "b", "c", "e"]);
    }

    #[test]
    fn the_tail_is_bounded() {
        let mut log = Log::new(2);
        log.append(OUT, 1, b"1\n2\n3\n");
        log.take(false);
        assert_eq!(log.tail(), ["2", "3"]);
    }
}
