"""The public interface as users type it; mypy reads it, nothing runs it."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

import attrs
import requests

from metarouter_intercom import (
    Account,
    AttributeCount,
    BufferFull,
    Client,
    ClientClosed,
    ConfigurationError,
    DeadLetters,
    DeliveryFailed,
    Health,
    MetarouterError,
    RateBudget,
    Region,
    RejectedMessage,
    Report,
    Settings,
    Stats,
    WorkersHealth,
    errors,
    messages,
    operations,
    plugins,
)

# --- making a client ---------------------------------------------------------------------------------------

client = Client(api_key="key", app_id="9iefb489", name="production", region="eu", workers=2, spool="a.spool")
same: Client = Client(Settings(api_key="key", region=Region.EU), session=requests.Session())
from_environment: Client = Client.from_env(delivery="manual")
with Client.from_env({"INTERCOM_API_KEY": "key"}) as scoped:
    typed: Client = scoped

# --- the calls, in the order of the usual Segment client ---------------------------------------------------

when = datetime(2026, 1, 2, tzinfo=timezone.utc)
message_id: str = client.identify("u-1", {"name": "Ada", "age": 36, "address": {"city": "London"}})
message_id = client.identify("u-1", None, {"ip": "192.0.2.1"}, when, "anon-1", {"All": False}, "m-1")
message_id = client.identify(anonymous_id="anon-1", traits={"email": "ada@example.com"})
message_id = client.track("u-1", "Signed Up", {"plan": "pro", "revenue": 9.9}, {"library": {}}, when)
message_id = client.track(7, "Order Completed", timestamp="2026-01-02T03:04:05Z")
message_id = client.group("u-1", "acme", {"name": "Acme"}, timestamp=1_767_322_800.5)
message_id = client.page("u-1", "Docs", "Home", {"url": "https://example.com/"})
message_id = client.screen("u-1", "Main", "Start")
message_id = client.alias("anon-1", "u-1")
message_id = client.send({"type": "track", "userId": "u-1", "event": "Signed Up"})

# --- delivering and observing ------------------------------------------------------------------------------

report: Report = client.flush()
report = client.flush(2)
report = client.close(timeout=0.5)
account: Account = client.check()
region: str | None = account.region
deleted: Report = client.delete("u-1", archive=True)
deleted = client.delete(email="ada@example.com")
stats: Stats = client.stats()
numbers: tuple[int, int, int] = (stats.accepted, stats.delivered, stats.pending)
reasons: Mapping[str, int] = stats.dead
oldest: float | None = stats.oldest_age
rate: RateBudget = stats.rate
remaining: int | None = rate.remaining
health: Health = client.health()
fine: bool = health.is_ok
attribute_count: AttributeCount | None = health.attributes
workers: WorkersHealth | None = health.workers

# --- dead letters ------------------------------------------------------------------------------------------

dead_letters: DeadLetters = client.dead_letters
letters: Sequence[plugins.DeadLetter] = dead_letters.list("http_400", limit=10)
for letter in client.dead_letters:
    reason: str = letter.reason
retried: int = client.dead_letters.retry(reason="http_400")
discarded: int = client.dead_letters.discard([1, 2])
exported: int = client.dead_letters.export(sys.stdout)

# --- errors ------------------------------------------------------------------------------------------------

try:
    client.track("u-1", "Signed Up")
except RejectedMessage as rejected:
    paths: list[str] = [problem.path for problem in rejected.problems]
except (BufferFull, ClientClosed, ConfigurationError):
    raise
except DeliveryFailed as failed:
    status: int | None = failed.status
except MetarouterError:
    raise
assert issubclass(errors.ConnectFailed, errors.TransportError)

# --- plugins -----------------------------------------------------------------------------------------------


def without_staff(message: messages.Message) -> messages.Message | plugins.Drop:
    """A before-hook."""
    if isinstance(message, messages.Identify) and (message.user_id or "").startswith("staff-"):
        return plugins.Drop("staff")
    return attrs.evolve(message, context={})


def print_end(delivery: plugins.Delivery) -> None:
    """An after-hook."""
    outcome: plugins.Outcome = delivery.outcome
    print(outcome, delivery.reason, [note.rule for note in delivery.notes])


class Loopback:
    """A transport."""

    def send(self, request: plugins.Request) -> plugins.Response:
        return plugins.Response(200, {"path": request.path})

    def close(self) -> None:
        return


class Stopped:
    """A clock."""

    def now(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        return


def everybody_is_tagged(message: messages.Message) -> operations.Translation:
    """A translator."""
    return operations.Translation()


def print_error(error: Exception, concerned: Sequence[Mapping[str, Any]]) -> None:
    """An on_error hook."""
    print(error, len(concerned))


def print_drop(message: Mapping[str, Any], reason: str) -> None:
    """An on_drop hook."""
    print(message["messageId"], reason)


loopback: plugins.Transport = Loopback()
extended = Client(
    api_key="key",
    transport=loopback,
    clock=Stopped(),
    translator=everybody_is_tagged,
    before=[without_staff],
    after=[print_end],
    on_error=print_error,
    on_drop=print_drop,
)
