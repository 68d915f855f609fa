//! Counts what a WebSocket library hides: fragments of a message and control frames. Pure; fed with the bytes read.
//!
//! tungstenite joins fragments by itself and bounds their sum only: 35 million one-byte fragments cost a peer nothing
//! and us a core. This watches the frame headers go by and complains before they are obeyed.

use std::time::{Duration, Instant};

use super::errors::CloseReason;
use super::limits::{CONTROL_FRAMES_MAX, CONTROL_FRAMES_WINDOW, FRAGMENTS_MAX};

/// Longest header: 2 bytes, 8 of length, 4 of mask.
const HEADER_BYTES_MAX: usize = 14;

/// A reader of frame headers.
#[derive(Debug)]
pub struct FrameWatch {
    at: At,
    /// Data frames since a message began.
    fragments: u32,
    control_frames: u32,
    window_began: Instant,
    window: Duration,
}

#[derive(Debug, Clone, Copy)]
enum At {
    Header { bytes: [u8; HEADER_BYTES_MAX], read: usize },
    Payload { left: u64 },
}

impl At {
    const START: Self = Self::Header { bytes: [0; HEADER_BYTES_MAX], read: 0 };
}

impl FrameWatch {
    pub const fn new(now: Instant) -> Self {
        Self {
            at: At::START,
            fragments: 0,
            control_frames: 0,
            window_began: now,
            window: CONTROL_FRAMES_WINDOW,
        }
    }

    /// Looks at bytes as they come off the socket, in whatever pieces.
    pub fn feed(&mut self, mut bytes: &[u8], now: Instant) -> Result<(), CloseReason> {
        while !bytes.is_empty() {
            let used = match &mut self.at {
                At::Payload { left } => skip(left, bytes.len()),
                At::Header { bytes: header, read } => {
                    header[*read] = bytes[0];
                    *read += 1;
                    1
                }
            };
            bytes = &bytes[used..];
            self.advance(now)?;
        }
        Ok(())
    }

    fn advance(&mut self, now: Instant) -> Result<(), CloseReason> {
        match self.at {
            At::Payload { left: 0 } => self.at = At::START,
            At::Payload { .. } => {}
            At::Header { bytes, read } => {
                if let Some(length) = payload_length(&bytes[..read]) {
                    self.count(bytes[0], now)?;
                    self.at = if length == 0 { At::START } else { At::Payload { left: length } };
                }
            }
        }
        Ok(())
    }

    fn count(&mut self, first: u8, now: Instant) -> Result<(), CloseReason> {
        let (last, control) = (first & 0x80 != 0, first & 0x08 != 0);
        if control {
            if now.duration_since(self.window_began) >= self.window {
                (self.window_began, self.control_frames) = (now, 0);
            }
            self.control_frames += 1;
            return if self.control_frames > CONTROL_FRAMES_MAX {
                Err(CloseReason::TooManyControlFrames)
            } else {
                Ok(())
            };
        }
        self.fragments = if last { 0 } else { self.fragments + 1 };
        if self.fragments > FRAGMENTS_MAX { Err(CloseReason::TooManyFragments) } else { Ok(()) }
    }
}

fn skip(left: &mut u64, available: usize) -> usize {
    let used = usize::try_from(*left).unwrap_or(usize::MAX).min(available);
    *left -= used as u64;
    used
}

/// Payload length once `header` is whole (RFC 6455 §5.2).
fn payload_length(header: &[u8]) -> Option<u64> {
    let second = *header.get(1)?;
    let mask_bytes = if second & 0x80 != 0 { 4 } else { 0 };
    let (length_bytes, short) = match second & 0x7f {
        126 => (2, None),
        127 => (8, None),
        short => (0, Some(u64::from(short))),
    };
    if header.len() < 2 + length_bytes + mask_bytes {
        return None;
    }
    let long = || header[2..2 + length_bytes].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    Some(short.unwrap_or_else(long))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(first: u8, payload: usize) -> Vec<u8> {
        let mut bytes = vec![first];
        match payload {
            0..=125 => bytes.push(0x80 | u8::try_from(payload).expect("small")),
            126..=0xffff => {
                bytes.push(0x80 | 126);
                bytes.extend(u16::try_from(payload).expect("fits").to_be_bytes());
            }
            _ => {
                bytes.push(0x80 | 127);
                bytes.extend((payload as u64).to_be_bytes());
            }
        }
        bytes.extend([1, 2, 3, 4]);
        bytes.extend(vec![0x81; payload]);
        bytes
    }

    #[test]
    fn a_flood_of_fragments_is_noticed() {
        let now = Instant::now();
        let mut watch = FrameWatch::new(now);
        assert_eq!(watch.feed(&frame(0x01, 1), now), Ok(()));
        let flood: Vec<u8> = (1..FRAGMENTS_MAX).flat_map(|_| frame(0x00, 1)).collect();
        assert_eq!(watch.feed(&flood, now), Ok(()));
        assert_eq!(watch.feed(&frame(0x00, 0), now), Err(CloseReason::TooManyFragments));
    }

    #[test]
    fn control_frames_are_counted_by_window() {
        let now = Instant::now();
        let mut watch = FrameWatch::new(now);
        let allowed: Vec<u8> = (0..CONTROL_FRAMES_MAX).flat_map(|_| frame(0x89, 4)).collect();
        assert_eq!(watch.feed(&allowed, now), Ok(()));
        assert_eq!(watch.feed(&frame(0x8a, 0), now), Err(CloseReason::TooManyControlFrames));
        let later = now + CONTROL_FRAMES_WINDOW;
        let mut watch = FrameWatch::new(now);
        assert_eq!(watch.feed(&allowed, now), Ok(()));
        assert_eq!(watch.feed(&allowed, later), Ok(()));
    }

    proptest! {
        /// However the bytes are cut into pieces, payloads are never taken for headers.
        #[test]
        fn pieces_do_not_matter(sizes in prop::collection::vec(0usize..70_000, 1..8), piece in 1usize..5_000) {
            let now = Instant::now();
            let mut watch = FrameWatch::new(now);
            let bytes: Vec<u8> = sizes.iter().flat_map(|size| frame(0x81, *size)).collect();
            for part in bytes.chunks(piece) {
                prop_assert_eq!(watch.feed(part, now), Ok(()));
            }
            let between = matches!(watch.at, At::Header { read: 0, .. });
            prop_assert!(between);
        }
    }
}
