"""
Tests of ``web_app.py`` with the fixtures of the package's pytest plugin.

    python -m pytest examples/test_web_app.py
"""

from web_app import create_app

from metarouter_intercom.testing import RecordingClient

FORM = {"id": "u-1", "name": "Grace Example", "email": "grace@example.com", "company": "Example Shipping"}


def test_sign_up_reaches_intercom(intercom_client, intercom_sandbox):
    """After a sign-up, Intercom has the person, the company and the event, and refused no request."""
    browser = create_app(intercom_client).test_client()

    assert browser.post("/sign-up", data=FORM).status_code == 201

    assert intercom_sandbox.contact("u-1").email == "grace@example.com"
    assert [company["name"] for company in intercom_sandbox.companies()] == ["Example Shipping"]
    assert [event.name for event in intercom_sandbox.events("u-1")] == ["Signed Up"]
    assert intercom_sandbox.violations == []


def test_an_order_is_tracked_with_its_price():
    """An order is tracked with its price; a recording client is enough to test which calls the app makes."""
    client = RecordingClient()

    create_app(client).test_client().post("/orders", data={"user": "u-1", "total": "19.99"})

    client.assert_tracked("u-1", "Order Completed", revenue="19.99", currency="EUR")


def test_the_page_proves_who_is_looking():
    """The Messenger's settings contain the proof of the person's identity, and never the secret."""
    page = create_app(RecordingClient(), secret="s-1").test_client().get("/people/u-1").text

    assert '"user_hash"' in page
    assert "s-1" not in page
