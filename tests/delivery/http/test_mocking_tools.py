"""Tools that replace HTTP for tests, or watch it, see the default transport's requests."""

from __future__ import annotations

import pytest

from metarouter_intercom import Client
from metarouter_intercom._delivery.http.instrumented import is_instrumented

_ADDRESS = "http://intercom.test"
_CONTACT = {"type": "contact", "id": "c-1", "role": "user", "external_id": "u-1"}


def _identify(address=_ADDRESS):
    client = Client(api_key="k", base_url=address, delivery="inline")
    client.identify("u-1", {"name": "Ann"})
    return client.close(5)


def test_requests_mock_answers():
    """W3, T3: requests-mock replaces the adapters of every session, and ours is one of them."""
    requests_mock = pytest.importorskip("requests_mock")
    with requests_mock.Mocker() as mocker:
        mocker.post(f"{_ADDRESS}/contacts", json=_CONTACT)
        report = _identify()

    assert report.delivered == 1
    assert [request.json()["external_id"] for request in mocker.request_history] == ["u-1"]
    assert not is_instrumented()


def test_requests_mock_answers_a_client_that_has_sent_before():
    """T3: a tool may come and go while the client lives."""
    requests_mock = pytest.importorskip("requests_mock")
    client = Client(api_key="k", base_url=_ADDRESS, delivery="inline", unchanged_for=0)
    delivered = []
    for _ in range(2):
        with requests_mock.Mocker() as mocker:
            mocker.register_uri(requests_mock.ANY, requests_mock.ANY, json=_CONTACT)
            client.identify("u-1", {"name": "Ann"})
            delivered.append(mocker.call_count)
    client.close(5)

    assert delivered == [1, 1]


def test_responses_answers():
    """T3: ``responses`` replaces the adapter's ``send``, which the default transport leaves as it is."""
    responses = pytest.importorskip("responses")
    with responses.RequestsMock() as mocker:
        mocker.post(f"{_ADDRESS}/contacts", json=_CONTACT)
        report = _identify()

    assert report.delivered == 1


def test_a_test_server_answers(httpserver):
    """T3: pytest-httpserver is a server, so it needs no help."""
    httpserver.expect_request("/contacts", method="POST").respond_with_json(_CONTACT)

    assert _identify(httpserver.url_for("").rstrip("/")).delivered == 1


def test_opentelemetry_makes_a_span_for_each_request(httpserver):
    """W5: OpenTelemetry's instrumentation of requests wraps ``Session.send``, and sees each request."""
    instrumentation = pytest.importorskip("opentelemetry.instrumentation.requests")
    trace = pytest.importorskip("opentelemetry.sdk.trace")
    export = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")
    processors = pytest.importorskip("opentelemetry.sdk.trace.export")
    httpserver.expect_request("/contacts", method="POST").respond_with_json(_CONTACT)
    spans = export.InMemorySpanExporter()
    provider = trace.TracerProvider()
    provider.add_span_processor(processors.SimpleSpanProcessor(spans))
    instrumentor = instrumentation.RequestsInstrumentor()
    instrumentor.instrument(tracer_provider=provider)
    try:
        report = _identify(httpserver.url_for("").rstrip("/"))
    finally:
        instrumentor.uninstrument()

    assert report.delivered == 1
    assert [span.name for span in spans.get_finished_spans()] == ["POST"]
    assert not is_instrumented()
