"""Makes errors of other people's code safe to log (rule W5): keeps their kind and traceback, leaves out their text."""

from __future__ import annotations


class Redacted(Exception):
    """Takes the place of an error in the log, because the error's own text may quote a customer's value."""


def redacted(error: BaseException) -> Redacted:
    """Return what to log as ``exc_info`` for *error*: its class name and its traceback, without its text."""
    return Redacted(f"{type(error).__name__}; its text is left out of the log").with_traceback(
        error.__traceback__
    )
