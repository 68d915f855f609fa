"""The goods: front page, search, one product and its reviews."""

from flask import Blueprint, abort, redirect, render_template, request
from markupsafe import Markup

from shop import database

blueprint = Blueprint("catalogue", __name__)


def home():
    return render_template("home.html", products=database.rows("SELECT * FROM products"))


def product():
    """One product, looked up by the id of the address."""
    wanted = request.args.get("id", "1")
    found = database.one(f"SELECT * FROM products WHERE id = {wanted}")
    if not found:
        abort(404)
    reviews = database.rows("SELECT author, text FROM reviews WHERE product = ?", (found["id"],))
    return render_template("product.html", product=found, reviews=reviews)


def search():
    """Goods whose name holds the words; the words are shown again above the list."""
    words = request.args.get("q", "")
    heading = Markup(f"Results for <em>{words}</em>")
    found = database.rows("SELECT * FROM products WHERE name LIKE ?", (f"%{words}%",))
    return render_template("search.html", heading=heading, words=words, products=found)


def review():
    """Keep what a visitor wrote about a product."""
    item = request.form.get("product", type=int)
    words = request.form.get("text", "")
    author = request.form.get("author", "anonymous")
    database.change("INSERT INTO reviews VALUES (?, ?, ?)", (item, author, words))
    return redirect(f"/product?id={item}")


blueprint.add_url_rule("/", view_func=home)
blueprint.add_url_rule("/product", view_func=product)
blueprint.add_url_rule("/search", view_func=search)
blueprint.add_url_rule("/review", view_func=review, methods=["POST"])
