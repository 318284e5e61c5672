"""The sandbox as a Flask application: the home of its pages, and a whole sandbox for other WSGI servers and test clients."""

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


def create_app(service: Service) -> Flask:
    """
    Make the application around *service*.

    It answers the API and the sandbox's own addresses as well, so that it is a whole sandbox under any WSGI server; faults that
    break connections need the sandbox's own server and are answered 500 here. The pages are under ``/ui``, which no address of the
    API begins with.

    Raises:
        ConfigurationError: Flask is not installed.
    """
    try:
        import flask
        import jinja2
    except ImportError as error:
        raise ConfigurationError(
            'sandbox: Flask is not installed; run pip install "metarouter-intercom[sandbox]"'
        ) from error
    from ._pages._routes import make_pages
    from ._pages._template_cache import COMPILED

    app = flask.Flask("metarouter_intercom.sandbox", static_folder=None)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.undefined = jinja2.StrictUndefined
    app.jinja_env.bytecode_cache = COMPILED

    def answer_first() -> FlaskResponse | None:
        return _answer(service, _path(flask.request.environ))

    app.before_request(answer_first)
    app.register_blueprint(make_pages(service))
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


def _answer(service: Service, path: str) -> FlaskResponse | None:
    """Answer what is meant for the API or for the sandbox's own addresses; None leaves the rest to the pages."""
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
    else:
        return None
    content = "" if told.body is None else json.dumps(told.body)
    made = flask.Response(content, told.status, mimetype="application/json")
    made.headers.update(dict(told.headers))
    return made
