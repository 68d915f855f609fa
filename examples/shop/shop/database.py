"""SQLite: one connection per request, the schema and the goods we start with."""

import hashlib
import sqlite3

from flask import current_app, g

SCHEMA = """
CREATE TABLE IF NOT EXISTS users (
    name TEXT PRIMARY KEY, password TEXT NOT NULL, is_admin INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS products (
    id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, text TEXT NOT NULL, cents INTEGER NOT NULL, image TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS reviews (product INTEGER NOT NULL, author TEXT NOT NULL, text TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS orders (
    id INTEGER PRIMARY KEY, user TEXT NOT NULL, product TEXT NOT NULL, cents INTEGER NOT NULL, count INTEGER NOT NULL
);
"""

GOODS = [
    ("Kettle", "Boils a litre in three minutes.", 3490, "kettle.svg"),
    ("Teapot", "Glazed stoneware, pours without a drip.", 2890, "teapot.svg"),
    ("Cup", "Holds two decilitres and your attention.", 790, "cup.svg"),
    ("Tea", "First flush, a hundred grams.", 1250, "tea.svg"),
]


def connection():
    if "connection" not in g:
        g.connection = sqlite3.connect(current_app.config["DATA"] / "shop.sqlite")
    return g.connection


def close(_error):
    """Called by Flask when the request is over."""
    if "connection" in g:
        g.connection.close()


def rows(statement, values=()):
    """Every row as a dictionary."""
    cursor = connection().execute(statement, values)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row)) for row in cursor]


def one(statement, values=()):
    """The first row, or None."""
    return next(iter(rows(statement, values)), None)


def change(statement, values=()):
    """Run a statement that writes, and commit it."""
    with connection() as open_transaction:
        open_transaction.execute(statement, values)


def password_digest(password):
    """What the users table holds instead of the password."""
    return hashlib.md5(password.encode()).hexdigest()


def create():
    """Make the tables and stock the shelves; does nothing the second time."""
    connection().executescript(SCHEMA)
    people = [("alice", password_digest("wonderland"), 0), ("admin", password_digest("letmein"), 1)]
    with connection() as transaction:
        transaction.executemany("INSERT OR IGNORE INTO users VALUES (?, ?, ?)", people)
        transaction.executemany("INSERT OR IGNORE INTO products (name, text, cents, image) VALUES (?, ?, ?, ?)", GOODS)
