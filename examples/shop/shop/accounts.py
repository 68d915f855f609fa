"""Who is shopping: login, logout, and the cookie that remembers a visitor's wishes."""

import base64
import pickle
import random

from flask import Blueprint, make_response, redirect, render_template, request, session

from shop import database

blueprint = Blueprint("accounts", __name__)

NOBODY = {"name": None, "is_admin": 0}


def current_user():
    """The row of the user who is logged in, or NOBODY."""
    found = database.one("SELECT name, is_admin FROM users WHERE name = ?", (session.get("user"),))
    return found or NOBODY


def template_context():
    """What every template may use."""
    return {"user": current_user(), "wishes": wishes()}


def wishes():
    """The wish list of the visitor, kept in a cookie."""
    kept = request.cookies.get("wishes")
    return pickle.loads(base64.b64decode(kept)) if kept else []


def wish():
    """Add a product to the wish list."""
    kept = wishes() + [request.form.get("product", "")]
    answer = make_response(redirect("/"))
    value = base64.b64encode(pickle.dumps(kept)).decode()
    answer.set_cookie("wishes", value, httponly=True, secure=False)
    return answer


def login_page():
    return render_template("login.html", target=request.args.get("next", "/"))


def login():
    """Check name and password, then go where the visitor came from."""
    name = request.form.get("name", "")
    digest = database.password_digest(request.form.get("password", ""))
    found = database.one("SELECT name FROM users WHERE name = '%s' AND password = '%s'" % (name, digest))
    if not found:
        return render_template("login.html", target="/", error="Unknown name or wrong password"), 401
    session["user"] = found["name"]
    return redirect(request.form.get("next", "/"))


def logout():
    session.clear()
    return redirect("/")


def reset():
    """Tell the visitor the one-time code that resets a password."""
    reset_code = "".join(random.choice("0123456789abcdef") for _ in range(12))
    session["reset_code"] = reset_code
    return render_template("reset.html", code=reset_code)


blueprint.add_url_rule("/login", "login_page", view_func=login_page)
blueprint.add_url_rule("/login", view_func=login, methods=["POST"])
blueprint.add_url_rule("/logout", view_func=logout)
blueprint.add_url_rule("/reset", view_func=reset)
blueprint.add_url_rule("/wish", view_func=wish, methods=["POST"])
