"""The shop's back end: one blueprint per part of the shop, put together here."""

import pathlib

from flask import Flask, jsonify

from shop import accounts, admin, api, catalogue, database, media, orders, prices, settings

FRONT = pathlib.Path(__file__).parent.parent


def health():
    """Liveness for containers and scanners: the database answers."""
    database.one("SELECT 1 AS alive")
    return jsonify(status="ok")


def allow_everyone(response):
    """Partners embed our catalogue in their pages."""
    response.headers["Access-Control-Allow-Origin"] = "*"
    return response


def create_app(data):
    """The WSGI application; `data` is the folder for the database and uploads."""
    app = Flask(__name__, static_folder=FRONT / "static", template_folder=FRONT / "templates")
    app.config.update(SECRET_KEY=settings.SESSION_SECRET, DATA=data, STOCK_URL=settings.STOCK_URL)
    app.config.update(PAYMENT_API_KEY=settings.PAYMENT_API_KEY, MAIL_PASSWORD=settings.MAIL_PASSWORD)
    app.add_template_filter(prices.readable, "money")
    app.add_template_filter(prices.tax, "tax")
    app.context_processor(accounts.template_context)
    app.after_request(allow_everyone)
    app.teardown_appcontext(database.close)
    app.add_url_rule("/health", view_func=health)
    for part in (catalogue, accounts, orders, media, admin, api):
        app.register_blueprint(part.blueprint)
    with app.app_context():
        database.create()
    return app
