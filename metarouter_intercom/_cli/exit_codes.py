"""Exit codes, and which error means which; one line each, with the remedy."""

from __future__ import annotations

from enum import IntEnum

from ..errors import BufferFull, ConfigurationError, DeliveryFailed, SpoolFailed, TransportError


class ExitCode(IntEnum):
    """What a shell is told; documented in ``--help`` and in the reference."""

    DONE = 0
    INCOMPLETE = 1
    USAGE = 2
    SETTINGS = 3
    UNREACHABLE = 4
    FILE = 5
    INTERRUPTED = 130


class Failed(Exception):
    """A command cannot go on; the text is the one line that is shown."""

    def __init__(self, text: str, code: ExitCode) -> None:
        super().__init__(text)
        self.code = code


def failure(error: BaseException) -> Failed | None:
    """Return what to show for *error*; None when it is nothing that we foresaw."""
    text = " ".join(str(error).split())
    if isinstance(error, TransportError):
        return Failed(
            f"no answer from Intercom ({text}); check the network, a proxy (HTTPS_PROXY), and the address or region",
            ExitCode.UNREACHABLE,
        )
    if isinstance(error, ConfigurationError):
        return Failed(text, ExitCode.SETTINGS)
    if isinstance(error, DeliveryFailed):
        return Failed(text, ExitCode.UNREACHABLE)
    if isinstance(error, SpoolFailed | BufferFull):
        return Failed(text, ExitCode.FILE)
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return Failed(f"{where}{error.strerror or text}; check the path and its permissions", ExitCode.FILE)
    return None
