import socket
import urllib.request

import httpx
import requests
from django.http import HttpResponseRedirect
from django.utils.http import url_has_allowed_host_and_scheme
from flask import redirect, request, session, url_for


def fetch():
    url = request.args["url"]
    # ruleid: python.ssrf.url-request
    requests.get(url, timeout=5)
    # ruleid: python.ssrf.url-request
    requests.post(f"https://{url}/x")
    # ruleid: python.ssrf.url-request
    urllib.request.urlopen(url)
    # ruleid: python.ssrf.url-request
    httpx.get(request.form["url"])
    # ruleid: python.ssrf.url-request
    socket.create_connection((url, 80))
    # ok: python.ssrf.url-request
    requests.get("https://supplier.invalid", params={"q": url})
    with requests.Session() as client:
        # ruleid: python.ssrf.url-request
        client.get(url)
    # ok: python.ssrf.url-request
    session.get(url)
    # ok: python.ssrf.url-request
    name = request.args.get("name")
    return name


def download(url):
    # ruleid: python.ssrf.url-argument
    return urllib.request.urlopen(url, timeout=5)


def download_fixed(path):
    # ok: python.ssrf.url-argument
    return urllib.request.urlopen("https://supplier.invalid/")


def login():
    # ruleid: python.ssrf.open-redirect
    first = redirect(request.args.get("next", "/"))
    # ruleid: python.ssrf.open-redirect
    second = redirect("//" + request.args["host"])
    # ok: python.ssrf.open-redirect
    third = redirect(url_for("product", id=request.args["id"]))
    # ok: python.ssrf.open-redirect
    fourth = redirect(f"/product?id={request.args['id']}")
    return first, second, third, fourth


def django_login(request):
    target = request.POST["next"]
    if url_has_allowed_host_and_scheme(target, allowed_hosts=None):
        # ok: python.ssrf.open-redirect
        return HttpResponseRedirect(target)
    # ruleid: python.ssrf.open-redirect
    return HttpResponseRedirect(target)
