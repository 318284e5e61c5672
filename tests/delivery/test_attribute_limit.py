"""A workspace's 250 attributes are not used up by one message (rules A5, A7): with the client, and the sandbox in process."""

from __future__ import annotations

import itertools
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metarouter_intercom import AttributeCount
from metarouter_intercom.plugins import Response
from metarouter_intercom.sandbox import Workspace, WorkspaceSettings, WorkspaceTransport
from metarouter_intercom.testing import FakeClock

from .._support.clients import DEADLINE, background_client, manual_client, workspace_client
from .._support.promises import promised

_BASKET = [
    {"sku": f"s{number}", "qty": 1, "price": 9.5, "name": "x", "url": "https://shop.example/x"}
    for number in range(60)
]
_WARNING = "connection %s: the workspace has %d of its %d custom attributes; %d more are created, then the values of new ones are left out"


class _Lossy:
    """A transport to a workspace that answers some requests itself."""

    def __init__(self, workspace, answer):
        self._inner = WorkspaceTransport(workspace)
        self._answer = answer
        self.requests = []

    def send(self, request):
        self.requests.append(f"{request.method} {request.path}")
        response = self._answer(request)
        return self._inner.send(request) if response is None else response

    def close(self):
        self._inner.close()


def _noted(deliveries, rule="A7"):
    return [note.path for delivery in deliveries for note in delivery.notes if note.rule == rule]


def _created(workspace):
    return sorted(name for _, name in workspace.state.attributes)


def test_a_long_list_costs_a_handful_of_requests():
    """A list of sixty objects makes no attribute: the person keeps the other traits, and so does everybody after that person."""
    deliveries = []
    client, workspace = workspace_client(after=[deliveries.append])
    client.identify("u1", {"basket": _BASKET, "plan": "pro"})
    client.flush()
    requests = len(workspace.requests)
    client.identify("u2", {"tier": "gold"})
    client.flush()

    assert (workspace.contact("u1").custom, workspace.contact("u2").custom) == (
        {"plan": "pro"},
        {"tier": "gold"},
    )
    assert requests == 4
    assert _noted(deliveries, "A5") == ["traits.basket"]
    assert _created(workspace) == ["plan", "tier"]


def test_a_long_list_that_is_to_be_flattened_creates_twenty_attributes():
    """Where the settings ask for flattening, one message still creates at most twenty attributes, plain ones first."""
    deliveries = []
    client, workspace = workspace_client(nested_overrides={"basket": "flatten"}, after=[deliveries.append])
    client.identify("u1", {"basket": _BASKET, "plan": "pro"})
    client.flush()

    assert len(workspace.requests) == 23
    assert workspace.contact("u1").custom["plan"] == "pro"
    assert len(workspace.contact("u1").custom) == len(_created(workspace)) == 20
    assert len(_noted(deliveries)) == 281
    assert "traits.basket.59.url" in _noted(deliveries)


@pytest.mark.parametrize("model", ["contact", "company"])
def test_objects_keyed_by_ids_stop_at_half_of_the_budget(model):
    """Objects with ever new keys use up half of the budget at most; plain traits are created until the budget is used up."""
    client, workspace = workspace_client()
    for number in range(30):
        traits = {"tests": {f"id{number}_{at}": at for at in range(10)}}
        if model == "contact":
            client.identify("u1", traits)
        else:
            client.group("u1", "k1", traits)
        client.flush()
    assert len(_created(workspace)) == 100

    for number in range(120):
        client.identify("u1", {f"plain{number}": 1})
        client.flush()

    assert len(_created(workspace)) == 200
    assert len([name for name in _created(workspace) if name.startswith("plain")]) == 100


def test_what_is_not_created_costs_no_request():
    """Once the budget is used up, a message with new traits costs one request, and none when nothing else differs."""
    client, workspace = workspace_client(attribute_budget=1)
    client.identify("u1", {"a": 1})
    client.flush()
    before = len(workspace.requests)

    client.identify("u1", {"a": 2, "b": 1, "c": {"d": 2}})
    client.flush()
    client.identify("u1", {"a": 2, "b": 2, "c": {"e": 3}})
    client.flush()

    assert len(workspace.requests) == before + 1
    assert workspace.contact("u1").custom == {"a": 2}


def test_the_companys_plain_traits_come_before_the_persons_nested_ones():
    """A message with a large object creates the plain attributes of its person and of its companies first."""
    client, workspace = workspace_client(max_created_attributes=4)
    tests = {f"id{number}": number for number in range(30)}
    client.identify(
        "u1", {"tests": tests, "plan": "pro", "company": {"id": "k1", "region": "north", "o": {"a": 1}}}
    )
    client.flush()
    client.identify("u1", {"tests": tests, "company": {"id": "k1", "region": "south"}})
    client.flush()

    assert _created(workspace) == ["plan", "region", *sorted(f"tests_id{number}" for number in range(6))]


def test_merged_messages_count_one_by_one():
    """Messages that are written together each create as many attributes as alone, and each gets notes on what it lost."""
    deliveries = []
    client, workspace = workspace_client(max_created_attributes=2, after=[deliveries.append])
    client.identify("u1", {"a": 1, "b": 1, "c": 1})
    client.identify("u1", {"o": {"x": 1}, "c": 2, "d": 2, "e": 2})
    client.flush()

    assert _created(workspace) == ["a", "b", "c", "d"]
    assert workspace.contact("u1").custom == {"a": 1, "b": 1, "c": 2, "d": 2}
    assert [_noted([delivery]) for delivery in deliveries] == [[], ["traits.e", "traits.o.x"]]


def test_a_message_that_is_sent_again_creates_no_more():
    """What a message created stays counted when it is sent again, so that retries do not use up the workspace."""
    clock = FakeClock()
    workspace = Workspace(now=clock.now)
    failures = iter([503] * 3)

    def answer(request):
        is_write = request.path.startswith("/contacts") and len(workspace.state.attributes) >= 2
        status = next(failures, None) if is_write else None
        return None if status is None else Response(status, None)

    client = manual_client(_Lossy(workspace, answer), clock=clock, max_created_attributes=2)
    client.identify("u1", dict.fromkeys("abcdefghij", 1))
    client.close()

    assert client.report().retried == 3
    assert _created(workspace) == ["a", "b"]
    assert workspace.contact("u1").custom == {"a": 1, "b": 1}


def test_a_spool_remembers_what_a_message_created(tmp_path):
    """A process that takes over a spool creates no more for a message that an earlier one began."""
    clock = FakeClock()
    workspace = Workspace(now=clock.now)

    def fails_after_creation(request):
        is_write = request.path.startswith("/contacts") and workspace.state.attributes
        return Response(503, None) if is_write else None

    options = {"clock": clock, "max_created_attributes": 1, "spool": tmp_path / "a.spool"}
    first = manual_client(_Lossy(workspace, fails_after_creation), **options)
    first.identify("u1", {"a": 1, "b": 2})
    first.flush(timeout=0)
    first.close(timeout=0)
    clock.advance(3600)
    second = manual_client(WorkspaceTransport(workspace), **options)
    second.flush()
    second.close()

    assert _created(workspace) == ["a"]
    assert workspace.contact("u1").custom == {"a": 1}


def test_a_full_workspace_is_asked_once():
    """When Intercom itself says that there is no room, nothing more is created for an hour, and the rest is written."""
    clock = FakeClock()
    workspace = Workspace(WorkspaceSettings(attribute_limit=1), now=clock.now)
    client = manual_client(WorkspaceTransport(workspace), clock=clock)
    client.identify("u1", dict.fromkeys("abcdef", 1))
    client.flush()
    creations = [one for one in workspace.requests if (one.method, one.path) == ("POST", "/data_attributes")]
    clock.advance(10)
    client.identify("u2", {"g": 1, "a": 2})
    client.flush()

    assert len(creations) == 2
    assert len(workspace.requests) == 2 + 2 + 1 + 1 + 1
    assert (workspace.contact("u1").custom, workspace.contact("u2").custom) == ({"a": 1}, {"a": 2})
    assert client.health().attributes == AttributeCount(1, 250, 0)


@pytest.mark.parametrize("status", [403, 404])
def test_a_token_that_may_not_list_attributes_asks_once(status):
    """A6, A7: Intercom refuses the list and each new attribute; then a new one costs the refused write, and no more questions."""

    def refuse(request):
        error = {"code": "forbidden", "message": "Not allowed"}
        is_refused = request.path.startswith("/data_attributes")
        return Response(status, {"type": "error.list", "errors": [error]}) if is_refused else None

    transport, deliveries = _Lossy(Workspace(), refuse), []
    client = manual_client(transport=transport, after=[deliveries.append])
    for number in range(5):
        client.identify("u1", {f"trait_{number}": number, "name": "Ann"})
        client.flush()

    assert transport.requests.count("GET /data_attributes") == 1
    assert len(transport.requests) <= 20
    assert _noted(deliveries, "A6") == [f"traits.trait_{number}" for number in range(5)]
    client.close()


def test_another_clients_attributes_count():
    """A client that finds more attributes than it knew creates fewer, because it lists them again after five minutes."""
    clock = FakeClock()
    workspace = Workspace(now=clock.now)
    one, other = (
        manual_client(WorkspaceTransport(workspace), clock=clock, attribute_budget=4) for _ in range(2)
    )
    one.identify("u1", {"a": 1})
    one.flush()
    other.identify("u2", {"b": 1, "c": 1})
    other.flush()
    clock.advance(301)
    one.identify("u1", {"d": 1, "e": 1})
    one.flush()

    assert _created(workspace) == ["a", "b", "c", "d"]
    assert one.health().attributes == AttributeCount(4, 250, 0)


def test_archived_attributes_make_room_again():
    """When somebody archives attributes, new ones are created again after five minutes."""
    clock = FakeClock()
    workspace = Workspace(now=clock.now)
    client = manual_client(WorkspaceTransport(workspace), clock=clock, attribute_budget=1)
    client.identify("u1", {"a": 1, "b": 1})
    client.flush()
    workspace.state.attributes["contact", "a"].archived = True
    clock.advance(301)
    client.identify("u1", {"b": 2})
    client.flush()

    assert workspace.contact("u1").custom["b"] == 2


_NAMES = st.sampled_from("abcdef")
_IDENTIFIES = st.tuples(
    st.sampled_from(["u1", "u2"]),
    st.dictionaries(_NAMES, st.just(1), max_size=4),
    st.dictionaries(_NAMES, st.just(2), max_size=4),
)


@given(
    st.lists(st.tuples(_IDENTIFIES, st.booleans()), max_size=8),
    st.integers(0, 6),
    st.integers(0, 3),
    st.sets(st.integers(0, 30), max_size=4),
)
@promised
def test_whatever_is_sent_the_limits_hold(calls, budget, most, failures):
    """For any messages, merged or not, and any requests that fail: no limit is exceeded, and each trait is written or noted."""
    clock, deliveries = FakeClock(), []
    workspace = Workspace(now=clock.now)
    numbers = itertools.count()
    transport = _Lossy(workspace, lambda request: Response(503, None) if next(numbers) in failures else None)
    client = manual_client(
        transport,
        clock=clock,
        attribute_budget=budget,
        max_created_attributes=most,
        after=[deliveries.append],
    )
    for (user_id, plain, nested), is_flushed in calls:
        client.identify(user_id, {"o": nested, **plain})
        if is_flushed:
            client.flush()
    client.close(timeout=600)
    last = {delivery.message["userId"]: delivery for delivery in deliveries}

    made = _created(workspace)
    assert len(made) <= min(budget, most * len(calls))
    assert sum(name.startswith("o_") for name in made) <= budget // 2
    assert len(deliveries) == client.report().delivered == len(calls)
    for user_id, delivery in last.items():
        written, noted = workspace.contact(user_id).custom, {note.path for note in delivery.notes}
        traits = delivery.message["traits"]
        assert all(written.get(name) == 1 or f"traits.{name}" in noted for name in traits if name != "o")
        assert all(written.get(f"o_{name}") == 2 or f"traits.o.{name}" in noted for name in traits["o"])


def test_threads_keep_the_budget_together():
    """Lanes that are delivered side by side create no more attributes together than the budget allows."""
    workspace = Workspace()
    everyone_waits = threading.Barrier(4)

    def answer(request):
        if request.path == "/contacts" and not workspace.state.attributes:
            everyone_waits.wait(DEADLINE)

    client = background_client(_Lossy(workspace, answer), attribute_budget=6, workers=4)
    for number in range(4):
        client.identify(f"u{number}", {f"t{number}_{at}": at for at in range(5)})
    client.close(timeout=DEADLINE)

    assert client.report().delivered == 4
    assert len(_created(workspace)) == 6


def test_health_says_how_many_attributes_are_used():
    """``health()`` counts the attributes of people and companies once they were listed, and asks nobody for it."""
    client, workspace = workspace_client(attribute_budget=10)
    assert client.health().attributes is None
    client.identify("u1", {"plan": "pro", "company": {"id": "k1", "tier": "gold"}})
    client.flush()
    requests = len(workspace.requests)

    assert client.health()[:4] == ("ok", None, None, AttributeCount(used=2, limit=250, left=8))
    assert len(workspace.requests) == requests
    client.close()
    assert client.health().attributes is None


def test_one_warning_says_that_the_budget_is_nearly_used_up(caplog):
    """One line in the log says so when a tenth of the budget is left, with the numbers and without any trait."""
    client, _ = workspace_client(attribute_budget=10)
    for at in range(12):
        client.identify("u1", {f"secret{at}": at})
        client.flush()
        if at == 7:
            assert [record for record in caplog.records if record.msg == _WARNING] == []
    lines = [record for record in caplog.records if record.msg == _WARNING]

    assert [(line.args, line.levelname) for line in lines] == [(("testing", 9, 250, 1), "WARNING")]
    assert (lines[0].used, lines[0].limit, lines[0].left) == (9, 250, 1)
    assert "secret" not in lines[0].getMessage()


@pytest.mark.parametrize("settings", [{"unknown_attributes": "drop"}, {"attribute_budget": 0}])
def test_a_client_that_creates_nothing_does_not_warn(settings, caplog):
    """There is no warning where the settings let nothing be created anyway."""
    client, workspace = workspace_client(**settings)
    client.identify("u1", {"plan": "pro"})
    client.flush()

    assert [record for record in caplog.records if record.msg == _WARNING] == []
    assert _created(workspace) == []
