"""The back office: network check, backup, import of goods, banner."""

import os
import subprocess

from flask import Blueprint, current_app, render_template, render_template_string, request

from shop import accounts, database, importer

blueprint = Blueprint("admin", __name__)


def require_admin():
    """Only the owner may do this."""
    assert accounts.current_user()["is_admin"], "administrators only"


def office():
    return render_template("admin.html", output=None)


def ping():
    """Is the supplier's server up?"""
    host = request.form.get("host", "127.0.0.1")
    done = subprocess.run(f"ping -c 1 -W 1 {host}", shell=True, capture_output=True, text=True)
    return render_template("admin.html", output=done.stdout + done.stderr)


def backup():
    """Copy the database to a name of the owner's choice."""
    require_admin()
    target = request.form.get("name", "backup")
    folder = current_app.config["DATA"]
    status = os.system(f"cp {folder}/shop.sqlite {folder}/{target}.sqlite")
    return render_template("admin.html", output=f"backup ended with {status}")


def import_product():
    """Take over a product description from a supplier's server."""
    row = importer.fetch_product(request.form.get("url", ""))
    add_product(row)
    return render_template("admin.html", output=f"imported {row['name']}")


def import_order():
    """Read an order in XML from the body of the request."""
    names = importer.product_names(request.get_data(as_text=True))
    return {"products": names}


def add_product(row):
    """Put an imported product on the shelf; a name we already sell is left alone."""
    try:
        database.change(
            "INSERT INTO products (name, text, cents, image) VALUES (?, ?, ?, ?)",
            (row["name"], row["text"], row["cents"], "cup.svg"),
        )
    except Exception:
        pass


def banner():
    """Show what a banner text would look like."""
    text = request.args.get("text", "Spring sale")
    return render_template_string("<!doctype html><title>Banner</title><h1>" + text + "</h1>")


blueprint.add_url_rule("/admin", view_func=office)
blueprint.add_url_rule("/admin/ping", view_func=ping, methods=["POST"])
blueprint.add_url_rule("/admin/backup", view_func=backup, methods=["POST"])
blueprint.add_url_rule("/admin/import", view_func=import_product, methods=["POST"])
blueprint.add_url_rule("/admin/order", view_func=import_order, methods=["POST"])
blueprint.add_url_rule("/admin/banner", view_func=banner)
