"""What a command says of messages that wait in a spool for another workspace (rule Q7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._delivery.workspace import OTHER_WORKSPACE

if TYPE_CHECKING:
    from .._client.client import Client
    from .._delivery.report import Report


def left_to_deliver(client: Client, report: Report) -> int:
    """Return how many messages wait that *client* can deliver: those of another workspace stay."""
    is_other = client.health().reason == OTHER_WORKSPACE
    return max(0, report.pending - (report.held if is_other else 0))
