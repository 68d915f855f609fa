"""Cart and orders. Nothing is planted here: no tool may flag this file at medium or above."""

from flask import Blueprint, redirect, render_template, request, session

from shop import accounts, database

blueprint = Blueprint("orders", __name__)


def cart_lines():
    """The cart of this session joined with the prices of today."""
    lines = []
    for key, count in session.get("cart", {}).items():
        found = database.one("SELECT id, name, cents FROM products WHERE id = ?", (key,))
        if found:
            lines.append({**found, "count": count, "total": found["cents"] * count})
    return lines


def cart():
    return render_template("cart.html", lines=cart_lines())


def add():
    """Put one piece of a product into the cart."""
    key = str(request.form.get("product", type=int))
    kept = dict(session.get("cart", {}))
    kept[key] = min(kept.get(key, 0) + 1, 99)
    session["cart"] = kept
    return redirect("/cart")


def order():
    """Turn the cart into orders of the user who is logged in."""
    name = accounts.current_user()["name"]
    if name is None:
        return redirect("/login?next=/cart")
    for line in cart_lines():
        database.change(
            "INSERT INTO orders (user, product, cents, count) VALUES (?, ?, ?, ?)",
            (name, line["name"], line["cents"], line["count"]),
        )
    session["cart"] = {}
    return redirect("/orders")


def history():
    name = accounts.current_user()["name"]
    found = database.rows("SELECT * FROM orders WHERE user = ? ORDER BY id DESC", (name,))
    return render_template("orders.html", orders=found)


blueprint.add_url_rule("/cart", view_func=cart)
blueprint.add_url_rule("/cart", "add", view_func=add, methods=["POST"])
blueprint.add_url_rule("/order", view_func=order, methods=["POST"])
blueprint.add_url_rule("/orders", view_func=history)
