//! An impolite client: bytes over TCP, frames made by hand.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::soon;
use super::world::World;

/// Sends `bytes` and returns all that comes back until the peer closes.
pub async fn exchange(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream.write_all(bytes).await.expect("sent");
    let mut answer = Vec::new();
    // A reset after the answer is as good as an end.
    drop(soon("the peer's close", stream.read_to_end(&mut answer)).await);
    String::from_utf8_lossy(&answer).into_owned()
}

/// A GET that closes, with more headers.
pub async fn get(world: &World, path: &str, headers: &str) -> (u16, String) {
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{headers}\r\n", world.address);
    let answer = exchange(world.address, request.as_bytes()).await;
    (status(&answer), answer)
}

/// The status of an HTTP answer.
pub fn status(answer: &str) -> u16 {
    let word = answer.split_whitespace().nth(1);
    word.and_then(|word| word.parse().ok()).unwrap_or_else(|| panic!("not an HTTP answer: {answer:?}"))
}

/// The head of an upgrade with the world's token.
pub fn upgrade_head(world: &World) -> String {
    format!(
        "GET /mcp HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mcp\r\nAuthorization: Bearer {}\r\n\r\n",
        world.address,
        world.token.reveal()
    )
}

/// An upgraded connection on which any bytes may be sent.
pub struct Raw {
    pub stream: TcpStream,
}

impl Raw {
    pub async fn upgrade(world: &World) -> Self {
        let mut stream = TcpStream::connect(world.address).await.expect("a connection");
        stream.write_all(upgrade_head(world).as_bytes()).await.expect("sent");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(soon("the 101", stream.read_u8()).await.expect("a byte"));
        }
        let head = String::from_utf8(head).expect("text");
        assert_eq!(status(&head), 101, "{head}");
        Self { stream }
    }

    /// Sends bytes; a peer that closes meanwhile is for the test to notice.
    pub async fn send(&mut self, bytes: &[u8]) {
        drop(soon("a write", self.stream.write_all(bytes)).await);
    }

    /// Reads server frames up to a close frame; its code, or `None` when the connection ended without one.
    pub async fn close_code(&mut self) -> Option<u16> {
        loop {
            let (opcode, payload) = self.frame().await?;
            if opcode == 8 {
                return payload.get(..2).map(|code| u16::from_be_bytes([code[0], code[1]]));
            }
        }
    }

    /// The next server frame: opcode and payload.
    pub async fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        soon("a frame", async {
            let first = self.stream.read_u8().await.ok()?;
            let length = match self.stream.read_u8().await.ok()? {
                126 => u64::from(self.stream.read_u16().await.ok()?),
                127 => self.stream.read_u64().await.ok()?,
                short => u64::from(short),
            };
            let mut payload = vec![0; usize::try_from(length).ok()?];
            self.stream.read_exact(&mut payload).await.ok()?;
            Some((first & 0x0f, payload))
        })
        .await
    }
}

/// A client frame, masked with zeros: the payload stays readable.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = head(first, payload.len() as u64);
    bytes.extend(payload);
    bytes
}

/// The head of a client frame that promises `length` bytes.
pub fn head(first: u8, length: u64) -> Vec<u8> {
    let mut bytes = vec![first];
    match length {
        0..=125 => bytes.push(0x80 | length as u8),
        126..=0xffff => {
            bytes.push(0x80 | 126);
            bytes.extend((length as u16).to_be_bytes());
        }
        _ => {
            bytes.push(0x80 | 127);
            bytes.extend(length.to_be_bytes());
        }
    }
    bytes.extend([0; 4]);
    bytes
}
