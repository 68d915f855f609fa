import os
import xml.sax
import xml.sax.handler

from django.views.decorators.csrf import csrf_exempt
from flask import Flask
from lxml import etree

app = Flask(__name__)

# ruleid: python.web.any-host
ALLOWED_HOSTS = ["*"]
# ruleid: python.web.cors-any-origin
CORS_ALLOW_ALL_ORIGINS = True
# ruleid: python.web.cookie-flags
SESSION_COOKIE_SECURE = False


def hosts():
    # ok: python.web.any-host
    ALLOWED_HOSTS = ["shop.example"]
    return ALLOWED_HOSTS


def run(public, suite):
    # ruleid: python.web.debug-mode
    app.run(port=5000, debug=True)
    # ruleid: python.web.debug-mode
    app.config["DEBUG"] = True
    # ok: python.web.debug-mode
    suite.run(debug=True)
    # ok: python.web.debug-mode
    app.run(port=5000, debug=False)
    # ruleid: python.web.bind-all-interfaces
    app.run(host="0.0.0.0")
    # ruleid: python.web.bind-all-interfaces
    host = "0.0.0.0" if public else "127.0.0.1"
    # ok: python.web.bind-all-interfaces
    app.run(host="127.0.0.1")
    return host


def headers(response, options):
    # ruleid: python.web.cors-any-origin
    response.headers["Access-Control-Allow-Origin"] = "*"
    # ruleid: python.web.cors-any-origin
    response["Access-Control-Allow-Origin"] = "*"
    # ok: python.web.cors-any-origin
    response.headers["Access-Control-Allow-Origin"] = "https://shop.example"
    # ruleid: python.web.cookie-flags
    response.set_cookie("basket", "1")
    # ruleid: python.web.cookie-flags
    response.set_cookie("basket", "1", httponly=True, secure=False)
    # ok: python.web.cookie-flags
    response.set_cookie("basket", "1", httponly=True, secure=True)
    # ok: python.web.cookie-flags
    response.set_cookie("basket", "1", **options)


def documents():
    parser = xml.sax.make_parser()
    # ruleid: python.web.xml-external-entities
    parser.setFeature(xml.sax.handler.feature_external_ges, True)
    # ok: python.web.xml-external-entities
    parser.setFeature(xml.sax.handler.feature_external_ges, False)
    # ruleid: python.web.xml-external-entities
    etree.XMLParser(resolve_entities=True)
    # ok: python.web.xml-external-entities
    etree.XMLParser(resolve_entities=False)


# ruleid: python.web.csrf-exempt
@csrf_exempt
def hook(request):
    return request


# ok: python.web.csrf-exempt
def plain(request):
    return request


def admin(user, current_user):
    # ruleid: python.web.assert-permission
    assert user.is_admin
    # ruleid: python.web.assert-permission
    assert current_user()["is_admin"], "administrators only"
    # ok: python.web.assert-permission
    assert user.name, "a user has a name"


def modes(path):
    # ruleid: python.web.world-writable
    os.chmod(path, 0o777)
    # ok: python.web.world-writable
    os.chmod(path, 0o755)
