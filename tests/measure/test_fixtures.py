"""The judge of other people's messages finds a value that is lost in silence, and takes no sent or named one for lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.measure.fixtures.judging import outcome_of, silent_paths
from tests.measure.fixtures.python_calls import messages_in


def line(*bodies: dict[str, Any], notes: tuple[str, ...] = (), skipped: str | None = None) -> dict[str, Any]:
    return {
        "skipped": skipped,
        "requests": [{"body": body} for body in bodies],
        "notes": [{"path": path} for path in notes],
    }


@pytest.mark.parametrize(
    ("message", "printed", "lost"),
    [
        ({"traits": {"plan": "pro"}}, line({"custom_attributes": {"plan": "pro"}}), []),
        ({"traits": {"plan": "pro"}}, line({"external_id": "u1"}), ["traits.plan"]),
        ({"traits": {"plan": "pro"}}, line({"external_id": "u1"}, notes=("traits.plan",)), []),
        ({"traits": {"cart": [{"sku": "s0"}]}}, line({}, notes=("traits.cart",)), []),
        ({"traits": {"cart": [{"sku": "s0"}]}}, line({}), ["traits.cart.0.sku"]),
        ({"properties": {"revenue": 1.5, "total": 9}}, line({"metadata": {"price": {"amount": 150}}}), []),
        ({"properties": {"revenue": 1.5}}, line({"metadata": {}}), ["properties.revenue"]),
        (
            {"traits": {"birthday": "2024-01-31"}},
            line({"custom_attributes": {"birthday_at": 1706659200}}),
            [],
        ),
        ({"traits": {"nothing": None, "blank": " "}}, line({}), []),
        ({"traits": {"size": 12}}, line({"phone": "+112"}), ["traits.size"]),
    ],
)
def test_a_value_that_is_neither_sent_nor_named_is_found(
    message: dict[str, Any], printed: dict[str, Any], lost: list[str]
) -> None:
    """A value counts as lost when no request has its name or itself and no note has its path."""
    assert silent_paths(message, printed) == lost


def test_each_line_has_one_outcome() -> None:
    """A line of the command is rejected, skipped with its reason, or has requests."""
    assert outcome_of({"rejected": []}) == "rejected"
    assert outcome_of(line(skipped="page_off")) == "skipped: page_off"
    assert outcome_of(line({})) == "requests"


def test_calls_of_python_tests_become_messages(tmp_path: Path) -> None:
    """A call with literal arguments is the message that the SDK makes of it; any other call is left out."""
    source = tmp_path / "test_client.py"
    source.write_text(
        "c.track('u1', 'Ordered', {'a': 1}, message_id='m')\nc.track(somebody, 'Ordered')\nc.group()\n"
    )
    assert list(messages_in(source)) == [
        {
            "type": "track",
            "timestamp": "2024-03-05T10:20:30Z",
            "userId": "u1",
            "event": "Ordered",
            "properties": {"a": 1},
            "messageId": "m",
        }
    ]
