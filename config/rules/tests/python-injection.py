import asyncio
import ast
import json
import logging
import os
import re
import shlex
import subprocess

import jinja2
import sqlalchemy
from flask import render_template_string, request

logger = logging.getLogger(__name__)


def sql(cursor, table, session):
    name = request.args.get("name")
    # ruleid: python.injection.sql-request, python.injection.sql-format-string
    cursor.execute(f"SELECT * FROM users WHERE name = '{name}'")
    # ruleid: python.injection.sql-request, python.injection.sql-format-string
    cursor.execute("DELETE FROM users WHERE name = '%s'" % request.form["name"])
    # ruleid: python.injection.sql-format-string
    cursor.execute("UPDATE users SET name = '{}'".format(table))
    # ruleid: python.injection.sql-format-string
    statement = "SELECT * FROM " + table
    # ok: python.injection.sql-request
    cursor.execute(statement)
    # ruleid: python.injection.sql-request
    session.execute(sqlalchemy.text("name = " + name))
    # ok: python.injection.sql-request
    cursor.execute("SELECT * FROM users WHERE name = ?", (name,))
    number = int(request.args["id"])
    # ok: python.injection.sql-request
    cursor.execute(statement + str(number))
    page = request.args.get("page", 1, type=int)
    # ok: python.injection.sql-request
    cursor.execute(statement + str(page))
    # ok: python.injection.sql-format-string
    text = "Please select a file from " + table
    # ok: python.injection.sql-format-string
    cursor.execute("SELECT * FROM users " + "ORDER BY name")
    # ok: python.injection.sql-format-string
    logger.info("Update of %s set aside" % table)
    return text


def django_view(request, cursor):
    # ruleid: python.injection.sql-request
    cursor.execute(request.GET["statement"])
    # ok: python.injection.sql-request
    cursor.execute("SELECT 1", request.GET)


def command(name):
    host = request.form.get("host")
    # ruleid: python.injection.command-request, python.injection.shell-format-string
    subprocess.run(f"ping {host}", shell=True)
    # ruleid: python.injection.command-request, python.injection.shell-format-string
    os.system("ping " + host)
    # ruleid: python.injection.command-request
    os.popen(host)
    # ruleid: python.injection.shell-format-string
    subprocess.check_output("ls {}".format(name), shell=True)
    # ruleid: python.injection.shell-format-string
    asyncio.create_subprocess_shell("ls %s" % name)
    # ok: python.injection.command-request
    subprocess.run(["ping", host])
    # ok: python.injection.command-request
    subprocess.run(name + shlex.quote(host), shell=True)
    # ok: python.injection.shell-format-string
    subprocess.run("ls -l", shell=True)


def code(text):
    # ruleid: python.injection.code-request, python.injection.eval
    eval(request.args["rule"])
    # ruleid: python.injection.eval
    exec(text)
    # ok: python.injection.eval
    eval("1 + 1")
    # ok: python.injection.eval, python.injection.code-request
    ast.literal_eval(request.args["rule"])


def template(environment):
    text = request.args["text"]
    # ruleid: python.injection.template-request
    render_template_string("<h1>" + text + "</h1>")
    # ruleid: python.injection.template-request
    jinja2.Template(text)
    # ruleid: python.injection.template-request
    environment.from_string(text)
    # ok: python.injection.template-request
    render_template_string("<h1>{{ text }}</h1>", text=text)


def nosql(people):
    body = request.get_json()
    # ruleid: python.injection.nosql-request
    people.find_one({"name": body["name"]})
    # ruleid: python.injection.nosql-request
    people.delete_many(request.json)
    # ok: python.injection.nosql-request
    people.find_one({"name": str(body["name"])})


def nosql_django(request, people):
    # ruleid: python.injection.nosql-request
    people.find(json.loads(request.body))


def pattern(text):
    words = request.args["q"]
    # ruleid: python.injection.regex-request
    re.search(words, text)
    # ok: python.injection.regex-request
    re.search(re.escape(words), text)
    # ok: python.injection.regex-request
    re.search("[a-z]+", words)


def log():
    # ruleid: python.injection.log-request
    logger.info("search for " + request.args["q"])
    # ok: python.injection.log-request
    logger.info("search for %r", request.args["q"])
    # ok: python.injection.log-request
    logger.info("search for " + repr(request.args["q"]))
