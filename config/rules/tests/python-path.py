import os
import pathlib
import shutil
import tarfile
import tempfile

from flask import request, send_file, send_from_directory
from werkzeug.utils import secure_filename

FOLDER = "/srv/files"


def read():
    name = request.args["file"]
    # ruleid: python.path.file-request
    with open(os.path.join(FOLDER, name), "rb") as file:
        content = file.read()
    # ruleid: python.path.file-request
    send_file(FOLDER + "/" + name)
    # ruleid: python.path.file-request
    pathlib.Path(name).unlink()
    # ruleid: python.path.file-request
    shutil.rmtree(f"{FOLDER}/{name}")
    # ok: python.path.file-request
    send_from_directory(FOLDER, name)
    # ok: python.path.file-request
    open(os.path.join(FOLDER, secure_filename(name)), "rb")
    # ok: python.path.file-request
    open(os.path.join(FOLDER, str(int(name))), "rb")
    return content


def upload():
    file = request.files["picture"]
    # ruleid: python.path.file-request
    file.save(os.path.join(FOLDER, file.filename))
    # ok: python.path.file-request
    file.save(os.path.join(FOLDER, secure_filename(file.filename)))


def django_view(request):
    # ruleid: python.path.file-request
    return open(request.GET["name"])


def unpack(path):
    archive = tarfile.open(path)
    # ruleid: python.path.archive-extract-all
    archive.extractall(FOLDER)
    # ok: python.path.archive-extract-all
    archive.extractall(FOLDER, filter="data")
    with tarfile.open(path) as other:
        # ruleid: python.path.archive-extract-all
        other.extractall()


def temporary():
    # ruleid: python.path.temporary-name
    first = tempfile.mktemp(suffix=".txt")
    # ok: python.path.temporary-name
    second = tempfile.mkstemp(suffix=".txt")
    return first, second
