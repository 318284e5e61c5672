"""No line of the log shows a customer's value, whatever the message and however it fails (rule W5)."""

from __future__ import annotations

import logging

from hypothesis import given, settings
from hypothesis import strategies as st

from metarouter_intercom import Client, ConnectFailed, ReadFailed
from metarouter_intercom.plugins import Response
from metarouter_intercom.testing import FakeClock

_PERSON = "person-4711@example.com"
_VALUE = "value-0815"
_KEY = "key-2342"


def _errors(status):
    text = f"{_VALUE} of {_PERSON} is wrong"
    return Response(
        status, {"errors": [{"code": "parameter_invalid", "message": text}]}, {"x-request-id": "r-1"}
    )


_ANSWERS = st.sampled_from(
    [
        *map(_errors, (400, 401, 403, 404, 409, 410, 422, 429, 500, 503)),
        Response(403, f"<html>{_VALUE}</html>"),
        Response(200, {"status": _VALUE}),
        Response(302, None, {"location": f"https://example.com/{_PERSON}"}),
        ConnectFailed(f"no route for {_PERSON}"),
        ReadFailed(f"cut after {_VALUE}"),
        ValueError(f"a bug met {_VALUE} of {_PERSON}"),
    ]
)
_VALUES = st.sampled_from([_VALUE, [_VALUE], {"a": _VALUE}, b"\xff" + _VALUE.encode(), None, 5])
_MESSAGES = st.fixed_dictionaries(
    {"type": st.sampled_from(["identify", "track", "group", "page", "alias", "nonsense"])},
    optional={
        "userId": st.sampled_from([_PERSON, "u1", "", [_VALUE]]),
        "groupId": st.sampled_from([_VALUE, "", {"id": _VALUE}]),
        "previousId": st.just(_PERSON),
        "event": st.sampled_from([_VALUE, "", 5]),
        "traits": st.dictionaries(st.sampled_from(["email", "plan", "name"]), _VALUES),
        "properties": st.dictionaries(st.sampled_from(["plan", "amount"]), _VALUES),
        "timestamp": st.sampled_from([_VALUE, 1_700_000_000]),
    },
)


class _Answers:
    def __init__(self, answers):
        self._answers = answers
        self._next = 0

    def send(self, request):
        answer = self._answers[self._next % len(self._answers)]
        self._next += 1
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self):
        """Do nothing."""


class _Shown(logging.Handler):
    def __init__(self):
        super().__init__()
        self.setFormatter(logging.Formatter("%(message)s %(attributes)s"))
        self.lines = []

    def emit(self, record):
        record.attributes = {
            name: value for name, value in vars(record).items() if name not in ("exc_info", "exc_text")
        }
        self.lines.append(self.format(record))


def _raise(*_):
    raise ValueError(f"a hook met {_VALUE} of {_PERSON}")


@settings(max_examples=60, deadline=None)
@given(
    messages=st.lists(_MESSAGES, min_size=1, max_size=4),
    answers=st.lists(_ANSWERS, min_size=1, max_size=4),
    raises=st.booleans(),
)
def test_no_line_shows_a_value(messages, answers, raises):
    """W5: rejected, refused, unanswered or failed in a hook: the line names connection and reason, and nothing of the message."""
    shown = _Shown()
    logger = logging.getLogger("metarouter_intercom")
    logger.addHandler(shown)
    try:
        client = Client(
            api_key=_KEY,
            transport=_Answers(answers),
            clock=FakeClock(),
            delivery="manual",
            on_invalid="log",
            retry_for=1,
            after=[_raise] if raises else [],
            on_error=_raise if raises else None,
        )
        for message in messages:
            client.send(message)
        client.flush(30)
        client.close(0)
    finally:
        logger.removeHandler(shown)

    text = "\n".join(shown.lines)
    assert [secret for secret in (_PERSON, _VALUE, _KEY) if secret in text] == []
