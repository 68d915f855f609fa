//! The page of `tests/images` as a process on this machine: something to scan in seconds. Dropped, it ends.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// On a port of its own choice, which it prints.
const PROGRAM: &str = "import http.server, page
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), page.Handler)
print(server.server_port, flush=True)
server.serve_forever()";

pub struct Page {
    child: Child,
    port: u16,
}

impl Page {
    pub fn open() -> Self {
        #[expect(clippy::disallowed_methods, reason = "what is scanned")]
        let mut python = Command::new("python3");
        python.args(["-c", PROGRAM]).env("PYTHONPATH", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/images"));
        python.env("PYTHONDONTWRITEBYTECODE", "1").stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = python.spawn().expect("python3");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("piped");
        BufReader::new(stdout).read_line(&mut line).expect("a port");
        let port = line.trim().parse().expect("a port");
        Self { child, port }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
