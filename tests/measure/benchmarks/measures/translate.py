"""From a message as a dictionary to the bodies of its requests, beside reading and writing the message's JSON."""

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

from ..contest import ratio
from ..figures import Figure
from ..samples import mixed
from .setup import Setup

_MESSAGES = 600
# Short turns: what else the machine does meets both sides.
_TURNS = 40
_MOST = 1.5


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
    """Compare processor time of a mixed workload with one round trip through JSON of the same messages."""
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

    ours: list[float] = []
    whole: list[float] = []
    theirs: list[float] = []
    for _ in range(_TURNS * max(1, setup.rounds // 5)):
        ours.append(_spent(translate))
        theirs.append(_spent(round_trip))
        whole.append(_spent(translate_to_bytes))
    peer = "json.loads + json.dumps"
    times = ratio(ours, theirs)
    return [
        Figure(
            "translate",
            "a message to its requests' bodies",
            median(ours),
            peer,
            median(theirs),
            "µs",
            times,
            "at most 1.5",
            times <= _MOST,
            min(ours) / min(theirs),
        ),
        Figure(
            "translate",
            "a message to its requests' bytes",
            median(whole),
            peer,
            median(theirs),
            "µs",
            ratio(whole, theirs),
            best=min(whole) / min(theirs),
        ),
    ]


def _spent(work: Callable[[], None]) -> float:
    """Return the microseconds of processor time that a message took."""
    begun = time.process_time()
    work()
    return (time.process_time() - begun) / _MESSAGES * 1e6
