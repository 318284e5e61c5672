"""The sandbox as a Flask application, for its own server, other WSGI servers and test clients. It knows no endpoint."""

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
    Make a Flask application that answers the API, the sandbox's own addresses and the pages under ``/ui``.

    It runs under any WSGI server. A fault that breaks a connection is answered 500, because only the sandbox's own server can
    break connections.

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
    from ._pages._template_cache import TEMPLATE_CACHE

    app = flask.Flask("metarouter_intercom.sandbox", static_folder=None)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.undefined = jinja2.StrictUndefined
    app.jinja_env.bytecode_cache = TEMPLATE_CACHE

    def answer_api() -> FlaskResponse | None:
        return _answer_api(service, _path(flask.request.environ))

    app.before_request(answer_api)
    app.register_blueprint(make_pages(service))
    return app


def _path(environ: Mapping[str, str]) -> str:
    """Return path and query as they were sent; PATH_INFO is percent-decoded already."""
    uri = environ.get("REQUEST_URI") or environ.get("RAW_URI")
    if uri is None:
        query = environ.get("QUERY_STRING")
        uri = quote(environ["PATH_INFO"].encode("latin-1")) + (f"?{query}" if query else "")
    if uri.startswith("/"):
        return uri
    return urlsplit(uri)._replace(scheme="", netloc="").geturl() or "/"


def _answer_api(service: Service, path: str) -> FlaskResponse | None:
    """Answer a request for the API or the sandbox's own addresses; None leaves the request to the pages."""
    import flask

    request = flask.request
    headers = {name.lower(): value for name, value in request.headers.items()}
    if is_control(path):
        response = service.control(request.method, path, request.get_data())
    elif is_api(path, headers):
        api_response = service.respond(request.method, path, headers, request.get_data()).response
        if api_response is None:
            return flask.Response("", 500)
        response = api_response
    else:
        return None
    content = "" if response.body is None else json.dumps(response.body)
    flask_response = flask.Response(content, response.status, mimetype="application/json")
    flask_response.headers.update(dict(response.headers))
    return flask_response
