"""How errors of somebody else's code stand in the log (rule W5): constant texts, nothing of a customer's."""

from __future__ import annotations


class Redacted(Exception):
    """Stands in the log for an error whose own text may quote the value that it stumbled over."""


def redacted(error: BaseException) -> Redacted:
    """Return what to log as ``exc_info`` for *error*: its kind and its trace, without its text."""
    return Redacted(f"{type(error).__name__}; its text is left out of the log").with_traceback(
        error.__traceback__
    )
