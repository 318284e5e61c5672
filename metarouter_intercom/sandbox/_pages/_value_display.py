"""How one value of an attribute or of an event's metadata is shown: as text, number, date, price or link. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Literal, NamedTuple

from metarouter_intercom._types import JsonValue

from ._safe_text import web_address

Kind = Literal["text", "number", "date", "price", "link", "nothing"]

_SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}
# Digits behind the point, ISO 4217; every other currency has two.
_DIGITS: Mapping[str, int] = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW"), 0),
    **dict.fromkeys(("PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}


class Shown(NamedTuple):
    """
    One value as the page shows it.

    Attributes:
        text: What a person reads.
        href: For a link: where it leads, http or https only; None when its address is not fit to be clicked.
        detail: What was sent, where the text does not say it.
        at: For a date: Unix seconds.
    """

    kind: Kind
    text: str
    href: str | None = None
    detail: str = ""
    at: float = 0


def show_attribute(value: JsonValue, data_type: str | None = None) -> Shown:
    """Show a standard field or a custom attribute of *data_type*."""
    if data_type == "date" and isinstance(value, int | float) and not isinstance(value, bool):
        return Shown("date", "", detail=str(value), at=value)
    return _show_scalar(value)


def show_metadata(key: str, value: JsonValue) -> Shown:
    """Show one entry of an event's metadata; the name of its key makes a number a date."""
    if isinstance(value, dict):
        if value.keys() == {"url", "value"}:
            return _show_link(str(value["url"]), str(value["value"]))
        if value.keys() == {"amount", "currency"} and isinstance(value["amount"], int):
            currency = str(value["currency"])
            return Shown(
                "price",
                _price(value["amount"], currency),
                detail=f"{value['amount']} {currency} in the smallest unit",
            )
    if key.endswith(("_date", "_at")):
        return show_attribute(value, "date")
    return _show_scalar(value)


def _show_scalar(value: JsonValue) -> Shown:
    if value is None or value == "":
        return Shown("nothing", "–")
    if isinstance(value, bool):
        return Shown("text", "true" if value else "false")
    if isinstance(value, int | float):
        return Shown("number", f"{value:,}" if isinstance(value, int) else f"{value:,.12g}")
    if isinstance(value, str):
        address = web_address(value)
        return Shown("text", value) if address is None else Shown("link", value, href=address)
    return Shown("text", json.dumps(value, ensure_ascii=False))


def _show_link(url: str, label: str) -> Shown:
    return Shown("link", label or url, href=web_address(url), detail=url)


def _price(amount: int, currency: str) -> str:
    code = currency.upper()
    digits = _DIGITS.get(code, 2)
    whole, part = divmod(abs(amount), 10**digits)
    text = f"{whole:,}.{part:0{digits}d}" if digits else f"{whole:,}"
    sign = "-" if amount < 0 else ""
    return f"{sign}{_SYMBOLS[code]}{text}" if code in _SYMBOLS else f"{sign}{text} {code}"
