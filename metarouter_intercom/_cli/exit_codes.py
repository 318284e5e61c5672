"""Exit codes, and which error leads to which one, with one line that names the fault and the remedy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

from ..errors import BufferFull, ConfigurationError, DeliveryFailed, SpoolFailed, TransportError


class ExitCode(IntEnum):
    """The exit codes of every command; ``MEANINGS`` documents them."""

    DONE = 0
    INCOMPLETE = 1
    USAGE = 2
    SETTINGS = 3
    UNREACHABLE = 4
    FILE = 5
    INTERRUPTED = 130


MEANINGS = {
    ExitCode.DONE: "everything was done",
    ExitCode.INCOMPLETE: "done, but messages were rejected, were dropped, became dead letters or are still pending",
    ExitCode.USAGE: "the command cannot run as given",
    ExitCode.SETTINGS: "a setting is wrong: API key, region, App/Source ID, API version",
    ExitCode.UNREACHABLE: "Intercom cannot be reached, or does not answer as expected",
    ExitCode.FILE: "a file cannot be read or written",
    ExitCode.INTERRUPTED: "interrupted; run `send` again to continue where it stopped",
}
"""Exit code -> its meaning, for ``--help`` and the reference."""


class Failed(Exception):
    """A command cannot continue; the text is the one line that is printed."""

    def __init__(self, text: str, code: ExitCode) -> None:
        super().__init__(text)
        self.code = code


@contextmanager
def naming_address(address: str) -> Iterator[None]:
    """
    Let the line about a missing answer begin with the address that was asked.

    Raises:
        Failed: There was no answer.
    """
    try:
        yield
    except TransportError as error:
        raise _no_answer(f"{address}: {error}") from error


def _no_answer(text: str) -> Failed:
    line = " ".join(text.split())
    return Failed(
        f"{line}; check the network, a proxy (HTTPS_PROXY), and the address or region", ExitCode.UNREACHABLE
    )


def failure(error: BaseException) -> Failed | None:
    """Return the line and the exit code for *error*; None if it is not an expected error."""
    text = " ".join(str(error).split())
    if isinstance(error, TransportError):
        return _no_answer(text)
    if isinstance(error, ConfigurationError):
        return Failed(text, ExitCode.SETTINGS)
    if isinstance(error, DeliveryFailed):
        return Failed(text, ExitCode.UNREACHABLE)
    if isinstance(error, SpoolFailed | BufferFull):
        return Failed(text, ExitCode.FILE)
    if isinstance(error, OSError):
        path = f"{error.filename}: " if error.filename else ""
        return Failed(f"{path}{error.strerror or text}; check the path and its permissions", ExitCode.FILE)
    return None
