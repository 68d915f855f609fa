import base64
import json
import pickle

import yaml
from flask import request


def cookie():
    kept = request.cookies.get("basket")
    # ruleid: python.deserialisation.object-request, python.deserialisation.pickle
    first = pickle.loads(base64.b64decode(kept))
    # ok: python.deserialisation.object-request
    second = json.loads(base64.b64decode(kept))
    return first, second


def cache(path):
    with open(path, "rb") as file:
        # ruleid: python.deserialisation.pickle
        first = pickle.load(file)
        # ok: python.deserialisation.pickle
        second = json.load(file)
    return first, second


def documents(text):
    # ruleid: python.deserialisation.yaml-load
    first = yaml.load(text)
    # ruleid: python.deserialisation.yaml-load
    second = yaml.load(text, Loader=yaml.Loader)
    # ruleid: python.deserialisation.yaml-load, python.deserialisation.object-request
    third = yaml.load(request.data, Loader=yaml.UnsafeLoader)
    # ok: python.deserialisation.yaml-load
    fourth = yaml.load(text, Loader=yaml.SafeLoader)
    # ok: python.deserialisation.yaml-load, python.deserialisation.object-request
    fifth = yaml.safe_load(request.data)
    return first, second, third, fourth, fifth
