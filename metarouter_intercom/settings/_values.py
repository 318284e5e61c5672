"""Converts and checks the values of settings, and names the remedy for a wrong one; knows no setting but those with rules of their own."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeVar

import attrs

from .._types import Secret
from ..errors import ConfigurationError
from ._spool_path import spool_path_fault

_T = TypeVar("_T")

NO_KEY = Secret("not-needed")


def to_secret(value: object) -> Secret:
    """Return the API key; ``NO_KEY`` for none."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return NO_KEY  # ``Settings`` refuses it, unless the client sends nothing
    if isinstance(value, str):
        value = Secret(value.strip())
    if not isinstance(value, Secret):
        raise ConfigurationError("api_key: not a text; pass the workspace's access token")
    if not _fits_header(value.reveal_bytes()):
        raise ConfigurationError(
            "api_key: has blanks, line breaks or other characters that no token has; copy the token again, and nothing else"
        )
    return value


def _fits_header(value: bytes) -> bool:
    return all(0x21 <= byte <= 0x7E for byte in value)


# A version that is newer than this library is accepted: if Intercom does not know it, messages are held and nothing is lost.
_VERSION = re.compile(r"([1-9][0-9]{0,2})\.(?:0|[1-9][0-9]{0,2})")
_NAMED_VERSIONS = {"preview": "Preview", "unstable": "Unstable"}
# The first version with contacts (Intercom's changelog of 2.0); before it there were only users and leads.
_FIRST_MAJOR_VERSION = 2


def to_version(value: object) -> str:
    """Return an API version as the header names it."""
    if not isinstance(value, str):
        raise ConfigurationError(f'api_version: {value!r} is not a text; use a text such as "2.16"')
    text = value.strip()
    version = _NAMED_VERSIONS.get(text.lower(), text)
    number = _VERSION.fullmatch(version)
    if number is None and version not in _NAMED_VERSIONS.values():
        raise ConfigurationError(
            f"api_version: {value!r} is not a version of Intercom's API; use a number such as 2.16, or Preview"
        )
    if number is not None and int(number[1]) < _FIRST_MAJOR_VERSION:
        raise ConfigurationError(f"api_version: {value!r} has no contacts; use 2.0 or later, such as 2.16")
    return version


def check_base_url(_settings: object, attribute: attrs.Attribute[str | None], value: str | None) -> None:
    """Refuse an address that would put a login into logs, or that cannot be a base; the transport checks the rest."""
    if value is None:
        return
    host = value.partition("://")[2].partition("/")[0] if isinstance(value, str) else "@"
    if "@" in host or set("?# ") & set(value) or not value.isascii() or not value.isprintable():
        raise ConfigurationError(
            f"{attribute.name}: has a login, a query or characters that no address has; use scheme, host, port and path only"
        )


def to_secrets(value: object) -> tuple[Secret, ...]:
    """Return one secret or several as a tuple."""
    if value is None:
        return ()
    if isinstance(value, str | bytes | Secret):
        value = (value,)
    if not isinstance(value, Sequence):
        raise ConfigurationError(
            "identity_secret: not a text or a list of texts; pass one secret, or several with the newest first"
        )
    return tuple(item if isinstance(item, Secret) else Secret(item) for item in value)


def _to_names(value: object) -> object:
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, Sequence | set | frozenset) else value


def _check_names(_settings: object, attribute: attrs.Attribute[tuple[str, ...]], value: object) -> None:
    if not isinstance(value, tuple) or not all(isinstance(item, str) for item in value):
        raise ConfigurationError(f"{attribute.name}: not a name or a list of names; pass texts")


def check_optional_name(_settings: object, attribute: attrs.Attribute[str | None], value: object) -> None:
    """Refuse what is neither a name nor None."""
    if value is not None and not (isinstance(value, str) and value.strip()):
        raise ConfigurationError(f"{attribute.name}: {value!r} is not a name; pass a text, or None")


def one_of(*choices: str) -> Any:
    """Return a check for one of these texts."""

    def check(_settings: object, attribute: attrs.Attribute[str], value: str) -> None:
        if value not in choices:
            raise ConfigurationError(
                f"{attribute.name}: {value!r} is unknown; use one of {', '.join(choices)}"
            )

    return check


def between(low: float, high: float = float("inf")) -> Any:
    """Return a check for a number of these bounds."""

    def check(_settings: object, attribute: attrs.Attribute[float | None], value: float | None) -> None:
        if value is None and attribute.default is None:
            return
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            bounds = f"at least {low:g}" if high == float("inf") else f"{low:g} to {high:g}"
            raise ConfigurationError(f"{attribute.name}: {value!r} is out of bounds; use a number, {bounds}")

    return check


def number_or_auto(low: int, high: int) -> Any:
    """Return a check for a number of these bounds, or ``auto``; the names ``low`` and ``high`` are read by the documentation."""

    def check(
        _settings: object, attribute: attrs.Attribute[int | Literal["auto"]], value: int | Literal["auto"]
    ) -> None:
        if value == "auto":
            return
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ConfigurationError(
                f'{attribute.name}: {value!r} is out of bounds; use "auto" or a whole number, {low} to {high}'
            )

    return check


def _check_flag(_settings: object, attribute: attrs.Attribute[bool], value: bool) -> None:
    if not isinstance(value, bool):
        raise ConfigurationError(f"{attribute.name}: {value!r} is not a boolean; use True or False")


def check_overrides(
    _settings: object, attribute: attrs.Attribute[Mapping[str, str]], value: Mapping[str, str]
) -> None:
    """Refuse what is no mapping of a trait's name to a way of nesting."""
    known = ("flatten", "stringify", "drop")
    if not isinstance(value, Mapping) or any(choice not in known for choice in value.values()):
        raise ConfigurationError(f"{attribute.name}: map a trait's name to one of {', '.join(known)}")


def check_spool(_settings: object, _attribute: attrs.Attribute[Any], value: object) -> None:
    """Refuse what cannot be the path of a file."""
    if value is not None and (fault := spool_path_fault(value)):
        raise ConfigurationError(fault)


_SWITCHES = dict.fromkeys(("1", "true", "yes", "on"), True) | dict.fromkeys(
    ("0", "false", "no", "off"), False
)


def to_switch(text: str) -> bool:
    """Return what a text such as ``1`` or ``off`` of the environment means."""
    if (switch := _SWITCHES.get(text.strip().lower())) is None:
        raise ConfigurationError(f"INTERCOM_ENABLED: {text!r} is unknown; use one of {', '.join(_SWITCHES)}")
    return switch


def switch(default: bool) -> bool:
    """Return a field for a boolean."""
    return attrs.field(default=default, validator=_check_flag)


def number(default: _T, low: float, high: float = float("inf")) -> _T:
    """Return a field for a number of these bounds."""
    return attrs.field(default=default, validator=between(low, high))


def name_list(*default: str) -> tuple[str, ...]:
    """Return a field for a list of names."""
    return attrs.field(default=default, converter=_to_names, validator=_check_names)
