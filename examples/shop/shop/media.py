"""Pictures of the goods, and price lists for download."""

import os
import pathlib
import tempfile

from flask import Blueprint, current_app, request, send_file

from shop import database

blueprint = Blueprint("media", __name__)

IMAGES = pathlib.Path(__file__).parent.parent / "static" / "images"


def image():
    """The picture whose file name is given."""
    name = request.args.get("file", "cup.svg")
    with open(os.path.join(IMAGES, name), "rb") as picture:
        return picture.read(), 200, {"Content-Type": "image/svg+xml"}


def price_list():
    """All prices as a text file."""
    path = tempfile.mktemp(suffix=".txt", prefix="prices-", dir=current_app.config["DATA"])
    lines = [f"{row['name']}\t{row['cents']}\n" for row in database.rows("SELECT name, cents FROM products")]
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(lines)
    os.chmod(path, 0o777)
    return send_file(path, mimetype="text/plain")


blueprint.add_url_rule("/image", view_func=image)
blueprint.add_url_rule("/prices.txt", view_func=price_list)
