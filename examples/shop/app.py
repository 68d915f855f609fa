"""Start the shop: `python3 app.py --port N`. Listens on loopback unless told otherwise.

This program is vulnerable on purpose. See README.md before you start it.
"""

import argparse
import pathlib
import tempfile

from flask import Flask

from shop import create_app


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=5000)
    parser.add_argument("--public", action="store_true", help="listen on every interface (containers only)")
    parser.add_argument("--data", type=pathlib.Path, help="keep the database here; default: a folder removed at exit")
    return parser.parse_args()


def serve(options, data):
    app: Flask = create_app(data)
    host = "0.0.0.0" if options.public else "127.0.0.1"
    app.run(host=host, port=options.port, debug=True, use_reloader=False, threaded=True)


def main():
    options = arguments()
    if options.data:
        options.data.mkdir(parents=True, exist_ok=True)
        serve(options, options.data)
    else:
        with tempfile.TemporaryDirectory(prefix="shop-") as data:
            serve(options, pathlib.Path(data))


if __name__ == "__main__":
    main()
