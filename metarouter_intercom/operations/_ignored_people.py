"""Finds the messages about people whom the settings leave out, such as staff and test accounts (rule R11); knows no operation."""

from __future__ import annotations

import re
from fnmatch import translate
from typing import TYPE_CHECKING

from ..messages._contact_keys import emails_in

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..messages import Message
    from ..settings import Settings


class IgnoredPeople:
    """The people whom ``ignore_emails`` and ``ignore_user_ids`` name."""

    @classmethod
    def named_by(cls, settings: Settings) -> IgnoredPeople | None:
        """Return the people whom *settings* name; None when they name nobody, as most do."""
        names_somebody = settings.ignore_emails or settings.ignore_user_ids
        return cls(settings) if names_somebody else None

    def __init__(self, settings: Settings) -> None:
        self._emails = _Names(settings.ignore_emails)
        self._user_ids = _Names(settings.ignore_user_ids)

    def has(self, message: Message) -> bool:
        """Tell whether *message* names one of them, by its ``userId`` or by any e-mail address of its person."""
        if message.user_id is not None and message.user_id in self._user_ids:
            return True
        return any(email in self._emails for email in emails_in(message))


class _Names:
    """Names and globs, compared without regard to case and to blanks at the ends."""

    def __init__(self, patterns: Iterable[str]) -> None:
        small = [pattern.strip().casefold() for pattern in patterns]
        # A name may hold characters that mean something in a glob, so it is compared as it stands too.
        self._exact = frozenset(small)
        self._globs = re.compile("|".join(map(translate, small))) if small else None

    def __contains__(self, name: str) -> bool:
        text = name.strip().casefold()
        return text in self._exact or (self._globs is not None and self._globs.match(text) is not None)
