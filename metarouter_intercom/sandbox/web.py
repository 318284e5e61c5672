"""The sandbox as a Flask application: for other WSGI servers, for test clients, and as the home of its pages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from metarouter_intercom.errors import ConfigurationError

from .service import Service, is_api, is_control

if TYPE_CHECKING:
    from flask import Flask
    from flask import Response as FlaskResponse

_METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH"]


def create_app(service: Service) -> Flask:
    """
    Make the application around *service*.

    It answers the API and the sandbox's own addresses as well, so that it is a whole sandbox under any WSGI server; faults that
    break connections need the sandbox's own server and are answered 500 here. Pages are blueprints registered on it; what they
    read of ``service.workspace`` they read while they hold ``service.lock``.

    Raises:
        ConfigurationError: Flask is not installed.
    """
    try:
        import flask
    except ImportError as error:
        raise ConfigurationError(
            'sandbox: Flask is not installed; run pip install "metarouter-intercom[sandbox]"'
        ) from error
    app = flask.Flask("metarouter_intercom.sandbox", static_folder=None)

    def answer(path: str = "") -> FlaskResponse:
        return _answer(service, _path(flask.request.environ))

    app.add_url_rule("/", "answer_root", answer, methods=_METHODS)
    app.add_url_rule("/<path:path>", "answer", answer, methods=_METHODS)
    return app


def _path(environ: Mapping[str, str]) -> str:
    """Return path and query as they were sent; PATH_INFO has lost what was percent-encoded."""
    sent = environ.get("REQUEST_URI") or environ.get("RAW_URI")
    if sent is None:
        query = environ.get("QUERY_STRING")
        sent = quote(environ["PATH_INFO"].encode("latin-1")) + (f"?{query}" if query else "")
    if sent.startswith("/"):
        return sent
    return urlsplit(sent)._replace(scheme="", netloc="").geturl() or "/"


def _answer(service: Service, path: str) -> FlaskResponse:
    import flask

    request = flask.request
    headers = {name.lower(): value for name, value in request.headers.items()}
    if is_control(path):
        told = service.control(request.method, path, request.get_data())
    elif is_api(path, headers):
        met = service.meet(request.method, path, headers, request.get_data())
        if met.answer is None:
            return flask.Response("", 500)
        told = met.answer
    elif path != "/":
        return flask.Response("Nothing here.\n", 404, mimetype="text/plain")
    else:
        return flask.Response(
            "A local Intercom. Send API requests here with its token.\n", 200, mimetype="text/plain"
        )
    content = "" if told.body is None else json.dumps(told.body)
    made = flask.Response(content, told.status, mimetype="application/json")
    made.headers.update(dict(told.headers))
    return made
