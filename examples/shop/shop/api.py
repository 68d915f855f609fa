"""What the JavaScript front end asks for. Answers are JSON."""

import time

from flask import Blueprint, jsonify, request

from shop import database

blueprint = Blueprint("api", __name__)

LONGEST_WAIT_MS = 5_000


def products():
    return jsonify(database.rows("SELECT id, name, text, cents FROM products"))


def reviews():
    item = request.args.get("product", type=int)
    return jsonify(database.rows("SELECT author, text FROM reviews WHERE product = ?", (item,)))


def discount():
    """The price after a rule such as `price * 0.9`."""
    rule = request.args.get("rule", "price")
    price = request.args.get("price", 0, type=int)
    return jsonify(price=eval(rule, {"price": price}))


def slow():
    """Answers late on purpose, for load tests."""
    wait = min(request.args.get("ms", 200, type=int), LONGEST_WAIT_MS)
    time.sleep(max(wait, 0) / 1000)
    return jsonify(waited_ms=wait)


blueprint.add_url_rule("/api/products", view_func=products)
blueprint.add_url_rule("/api/reviews", view_func=reviews)
blueprint.add_url_rule("/api/discount", view_func=discount)
blueprint.add_url_rule("/api/slow", view_func=slow)
