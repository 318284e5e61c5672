"""Messages as the usual SDKs really post them (``tests/cases/recorded``) are read and translated as they are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from metarouter_intercom import Settings
from metarouter_intercom._client.stamping import Stamper
from metarouter_intercom.messages._codec import read_message, read_stamped
from metarouter_intercom.operations import translate

from .._support.mapping_cases import operation_facts

_CASES = Path(__file__).parents[1] / "cases"
_SETTINGS = Settings(api_key="k", page_events="Viewed {name} Page")
_NOW = 1_795_600_000.0


def _read(folder, sdk):
    return json.loads((_CASES / folder / f"{sdk}.json").read_text(encoding="utf-8"))


def _pairs():
    for sdk in ("segment-analytics-python", "rudder-sdk-python", "segment-analytics-node"):
        messages = [message for batch in _read("recorded", sdk) for message in batch["batch"]]
        wanted = _read("captured", sdk)
        for number, (message, want) in enumerate(zip(messages, wanted, strict=True)):
            yield pytest.param(message, want, id=f"{sdk}-{number}-{message['type']}")


def _facts(translation):
    facts = {
        "operations": [operation_facts(operation) for operation in translation.operations],
        "notes": [list(note) for note in translation.notes],
    }
    return facts if translation.skipped is None else {**facts, "skipped": translation.skipped}


@pytest.mark.parametrize(("message", "wanted"), list(_pairs()))
def test_captured_messages_mean_this(message, wanted):
    """What an SDK posts becomes these operations, with these notes; nothing of it is rejected."""
    translation = translate(read_message(message, now=_NOW), _SETTINGS)

    assert {"messageId": message["messageId"], **_facts(translation)} == wanted


@pytest.mark.parametrize(("message", "wanted"), list(_pairs()))
def test_buffered_messages_mean_the_same(message, wanted):
    """Accepted, kept as JSON and read again, a message still means the same."""
    stamped = Stamper(_SETTINGS, ()).stamp(message, _NOW)

    buffered = json.loads(json.dumps(stamped.message))

    assert _facts(translate(read_stamped(buffered), _SETTINGS)) == _facts(
        translate(read_message(message, now=_NOW), _SETTINGS)
    )
    assert {"messageId": stamped.message_id, **_facts(translate(read_stamped(buffered), _SETTINGS))} == wanted
