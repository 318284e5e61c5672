"""Names credentials without telling them: a spool remembers which workspace they open (rule Q7); knows no file."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..settings import Settings

# Hexadecimal digits of each part of a fingerprint: two keys of one spool get the same digits once in 2**64 pairs.
_DIGITS = 16


def fingerprint_of(settings: Settings) -> str:
    """
    Return a name of the API key and the address, from which neither can be computed: two keyed hashes, with the API key as their key.

    The first part depends on the key alone: see ``key_part``.
    """
    key = settings.api_key.reveal_bytes()
    parts = (b"metarouter-intercom spool", settings.address.encode())
    return "".join(hmac.new(key, part, "sha256").hexdigest()[:_DIGITS] for part in parts)


def key_part(fingerprint: str) -> str:
    """Return the part of a fingerprint that is the same for one API key at every address."""
    return fingerprint[:_DIGITS]
