"""
A web application (Flask): sends sign-ups and orders to Intercom, and shows Intercom's Messenger to the verified person.

    pip install '.[sandbox]' gunicorn
    gunicorn -c examples/gunicorn_conf.py 'examples.web_app:create_app()'

Run both commands in a clone of the repository. The client is an argument, so that a test can pass another one: see ``test_web_app.py``.
"""

import os

from flask import Flask, request

from metarouter_intercom import Client, identity

PAGE = """<!doctype html><title>Shop</title><h1>Welcome back</h1>
<script>window.intercomSettings = {settings};</script>
<script src="https://widget.intercom.io/widget/{app_id}" async></script>"""


def create_app(client: Client | None = None, secret: str | None = None) -> Flask:
    """Make the application. The client starts no thread and opens no file before its first message."""
    app = Flask(__name__)
    client = Client.from_env(name="web", spool="web.spool") if client is None else client
    secret = os.environ.get("INTERCOM_IDENTITY_SECRET", "not-a-secret") if secret is None else secret

    @app.post("/sign-up")
    def sign_up() -> tuple[str, int]:
        user = request.form
        client.identify(
            user["id"], {"name": user["name"], "email": user["email"], "company": {"name": user["company"]}}
        )
        client.track(user["id"], "Signed Up", {"plan": "trial"})
        return "welcome", 201

    @app.post("/orders")
    def order() -> tuple[str, int]:
        client.track(
            request.form["user"], "Order Completed", {"revenue": request.form["total"], "currency": "EUR"}
        )
        return "thanks", 201

    @app.get("/people/<user_id>")
    def person(user_id: str) -> str:
        settings = identity.messenger_settings(app_id="9iefb489", user_id=user_id, secret=secret)
        return PAGE.format(app_id="9iefb489", settings=identity.messenger_json(settings))

    return app
