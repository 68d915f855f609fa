"""A page with one hole of each kind and none beside it: a target that is scanned in seconds.

    /found?words=…   shows the words unescaped (reflected XSS)
    /item?id=…       builds a statement from the id (SQL injection)
    /safe?words=…    escapes, binds, and sends the headers that the others lack
"""

import html
import http.server
import sqlite3
import urllib.parse

PORT = 5000
LINKS = '<a href="/found?words=tea">found</a> <a href="/item?id=1">item</a> <a href="/safe?words=tea">safe</a>'
SAFE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


def item(wanted):
    """The rows of one item; the hole is in the statement."""
    base = sqlite3.connect(":memory:")
    base.execute("CREATE TABLE items (id INTEGER, name TEXT)")
    base.execute("INSERT INTO items VALUES (1, 'cup')")
    try:
        return 200, str(base.execute(f"SELECT name FROM items WHERE id = {wanted}").fetchall())
    except sqlite3.Error as error:
        return 500, f"sqlite3.{type(error).__name__}: {html.escape(str(error))}"


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers GET."""

    def do_GET(self):
        address = urllib.parse.urlsplit(self.path)
        first = {key: values[0] for key, values in urllib.parse.parse_qs(address.query).items()}
        words = first.get("words", "")
        pages = {
            "/": lambda: (200, LINKS),
            "/found": lambda: (200, f"Results for {words}"),
            "/item": lambda: item(first.get("id", "1")),
            "/safe": lambda: (200, f"Results for {html.escape(words)}"),
        }
        status, text = pages.get(address.path, lambda: (404, "not here"))()
        self.answer(status, text, SAFE_HEADERS if address.path == "/safe" else {})

    def answer(self, status, text, headers):
        body = f"<!doctype html><title>Page</title><p>{text}</p>".encode()
        self.send_response(status)
        for name, value in {"Content-Type": "text/html", "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_words):
        """Silence."""


if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("", PORT), Handler).serve_forever()
