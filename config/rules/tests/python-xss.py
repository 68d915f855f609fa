import html

import jinja2
from django.http import HttpResponse
from django.utils.html import format_html
from django.utils.safestring import mark_safe
from flask import Flask, Response, make_response, render_template_string, request
from markupsafe import Markup, escape

app = Flask(__name__)


def markup(text):
    words = request.args.get("q", "")
    # ruleid: python.xss.markup-request, python.xss.markup-format-string
    first = Markup(f"Results for <em>{words}</em>")
    # ruleid: python.xss.markup-request
    second = Markup(words)
    # ruleid: python.xss.markup-format-string
    third = Markup("<b>%s</b>" % text)
    # ok: python.xss.markup-request, python.xss.markup-format-string
    fourth = Markup("<b>{}</b>").format(words)
    # ok: python.xss.markup-request
    fifth = Markup(escape(words))
    # ok: python.xss.markup-format-string
    sixth = Markup("<b>" + "</b>")
    return first, second, third, fourth, fifth, sixth


def django_markup(request):
    # ruleid: python.xss.markup-request, python.xss.markup-format-string
    first = mark_safe("<b>" + request.GET["name"])
    # ok: python.xss.markup-request
    second = format_html("<b>{}</b>", request.GET["name"])
    return first, second


@app.route("/hello")
def hello():
    name = request.args["name"]
    # ruleid: python.xss.response-request
    return f"<h1>Hello {name}</h1>"


@app.route("/hello/escaped")
def hello_escaped():
    name = html.escape(request.args["name"])
    # ok: python.xss.response-request
    return f"<h1>Hello {name}</h1>"


def answers(request_id):
    # ruleid: python.xss.response-request
    first = make_response("<p>" + request.form["text"])
    # ruleid: python.xss.response-request
    second = Response(request.form["text"])
    # ok: python.xss.response-request
    third = Response(request.form["text"], mimetype="text/plain")
    # ok: python.xss.response-request
    fourth = make_response(str(request_id))
    return first, second, third, fourth


def django_rendered(request, template):
    # ok: python.xss.response-request
    return HttpResponse(template.render(request.POST))


def django_plain(request):
    # ok: python.xss.response-request
    return HttpResponse(request.POST["text"], content_type="text/plain; charset=utf-8")


def django_answer(request):
    # ruleid: python.xss.response-request
    return HttpResponse(request.POST["text"])


def environments(options):
    # ruleid: python.xss.autoescape-off
    first = jinja2.Environment(autoescape=False)
    # ruleid: python.xss.autoescape-off
    second = jinja2.Environment(trim_blocks=True)
    # ok: python.xss.autoescape-off
    third = jinja2.Environment(autoescape=jinja2.select_autoescape())
    # ok: python.xss.autoescape-off
    fourth = jinja2.Environment(**options)
    return first, second, third, fourth


def strings(text):
    # ruleid: python.xss.template-safe-filter
    render_template_string("<p>{{ text | safe }}</p>", text=text)
    # ruleid: python.xss.template-safe-filter
    jinja2.Template("{% autoescape false %}{{ text }}{% endautoescape %}")
    # ok: python.xss.template-safe-filter
    render_template_string("<p>{{ text }}</p>", text=text)
