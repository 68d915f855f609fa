"""Goods and orders that come from other people's servers."""

import json
import ssl
import urllib.request
import xml.sax
import xml.sax.handler
from xml.dom import pulldom

TIMEOUT_S = 5


def fetch_product(url):
    """The product description (JSON) that a supplier publishes at `url`."""
    trust = ssl._create_unverified_context()
    with urllib.request.urlopen(url, timeout=TIMEOUT_S, context=trust) as answer:
        row = json.loads(answer.read(100_000))
    return {"name": str(row["name"]), "text": str(row.get("text", "")), "cents": int(row.get("cents", 0))}


def product_names(document):
    """The text of every <product> of an order in XML."""
    parser = xml.sax.make_parser()
    parser.setFeature(xml.sax.handler.feature_external_ges, True)
    events = pulldom.parseString(document, parser)
    names = []
    for event, node in events:
        if event == pulldom.START_ELEMENT and node.tagName == "product":
            events.expandNode(node)
            names.append("".join(child.data for child in node.childNodes))
    return names
