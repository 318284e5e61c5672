"""What turning a message into the bodies of its requests costs, next to reading and writing the message as JSON."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from statistics import median
from typing import Any

from metarouter_intercom import Settings
from metarouter_intercom._intercom.payloads import company_body, contact_body, event_body
from metarouter_intercom.messages._codec import read_message
from metarouter_intercom.operations import (
    AttachCompany,
    Operation,
    SubmitEvent,
    UpsertCompany,
    UpsertContact,
)
from metarouter_intercom.operations._translator import DefaultTranslator

from ..figures import Figure
from ..interleaving import ratio
from ..samples import mixed
from .setup import Setup

_MESSAGES = 600
# Many short rounds, so that other work on the machine affects both sides alike.
_ROUNDS = 40
_MAX_RATIO = 1.5


def bodies(message: dict[str, Any], translator: DefaultTranslator, api_version: str) -> list[Any]:
    """Return the bodies of the requests that deliver *message*."""
    operations = translator(read_message(message, now=0.0)).operations
    return [_body(operation, api_version) for operation in operations]


def _body(operation: Operation, api_version: str) -> Any:
    kind = type(operation)
    if kind is SubmitEvent:
        return event_body(operation)  # type: ignore[arg-type]  # kind says so
    if kind is UpsertContact:
        return contact_body(operation, api_version=api_version)  # type: ignore[arg-type]  # kind says so
    if kind is UpsertCompany:
        return company_body(operation)  # type: ignore[arg-type]  # kind says so
    if kind is AttachCompany:
        return {"id": operation.company_id}  # type: ignore[union-attr]  # kind says so
    raise TypeError(f"the sample has no {kind.__name__}")


def measure(setup: Setup) -> list[Figure]:
    """Compare the processor time of mixed messages with one round trip of the same messages through JSON."""
    messages = mixed(_MESSAGES)
    texts = [json.dumps(message) for message in messages]
    settings = Settings(api_key="benchmark")
    translator = DefaultTranslator(settings)

    def translate() -> None:
        for message in messages:
            bodies(message, translator, settings.api_version)

    def translate_to_bytes() -> None:
        for message in messages:
            for body in bodies(message, translator, settings.api_version):
                json.dumps(body).encode()

    def round_trip() -> None:
        for text in texts:
            json.dumps(json.loads(text))

    to_bodies: list[float] = []
    to_bytes: list[float] = []
    theirs: list[float] = []
    for _ in range(_ROUNDS * max(1, setup.rounds // 5)):
        to_bodies.append(_spent(translate))
        theirs.append(_spent(round_trip))
        to_bytes.append(_spent(translate_to_bytes))
    bodies_figure = _figure("a message to its requests' bodies", to_bodies, theirs)
    holds = bodies_figure.ratio <= _MAX_RATIO
    return [
        bodies_figure._replace(bound="at most 1.5", holds=holds),
        _figure("a message to its requests' bytes", to_bytes, theirs),
    ]


def _figure(what: str, ours: list[float], theirs: list[float]) -> Figure:
    return Figure(
        "translate",
        what,
        median(ours),
        "json.loads + json.dumps",
        median(theirs),
        "µs",
        ratio(ours, theirs),
        best=min(ours) / min(theirs),
    )


def _spent(work: Callable[[], None]) -> float:
    """Return the processor time of one message in microseconds."""
    started = time.process_time()
    work()
    return (time.process_time() - started) / _MESSAGES * 1e6
