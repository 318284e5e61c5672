"""How the pages show one value of an attribute or of metadata: as text, number, date, price or link. Pure; it knows no HTML."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Literal, NamedTuple

from metarouter_intercom._types import JsonValue

from ._safe_text import web_address

Kind = Literal["text", "number", "date", "price", "link", "nothing"]

_SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}
# Digits after the decimal point (ISO 4217); every other currency has two.
_DIGITS: Mapping[str, int] = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW"), 0),
    **dict.fromkeys(("PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}


class DisplayValue(NamedTuple):
    """
    One value as a page shows it.

    Attributes:
        kind: Decides how the template shows the value.
        text: What a person reads.
        href: The address of a link, http or https; None when the address is not safe to click.
        detail: What was sent, where the text differs from it.
        at: The time of a date, in Unix seconds.
    """

    kind: Kind
    text: str
    href: str | None = None
    detail: str = ""
    at: float = 0


def show_attribute(value: JsonValue, data_type: str | None = None) -> DisplayValue:
    """Return how to show a standard field or a custom attribute of *data_type*."""
    if data_type == "date" and isinstance(value, int | float) and not isinstance(value, bool):
        return DisplayValue("date", "", detail=str(value), at=value)
    return _show_scalar(value)


def show_metadata(key: str, value: JsonValue) -> DisplayValue:
    """Return how to show one entry of an event's metadata. A number is a date when its key ends with ``_date`` or ``_at``."""
    if isinstance(value, dict):
        if value.keys() == {"url", "value"}:
            return _show_link(str(value["url"]), str(value["value"]))
        if value.keys() == {"amount", "currency"} and isinstance(value["amount"], int):
            currency = str(value["currency"])
            return DisplayValue(
                "price",
                _price(value["amount"], currency),
                detail=f"{value['amount']} {currency} in the smallest unit",
            )
    if key.endswith(("_date", "_at")):
        return show_attribute(value, "date")
    return _show_scalar(value)


def _show_scalar(value: JsonValue) -> DisplayValue:
    if value is None or value == "":
        return DisplayValue("nothing", "–")
    if isinstance(value, bool):
        return DisplayValue("text", "true" if value else "false")
    if isinstance(value, int | float):
        return DisplayValue("number", f"{value:,}" if isinstance(value, int) else f"{value:,.12g}")
    if isinstance(value, str):
        address = web_address(value)
        return DisplayValue("text", value) if address is None else DisplayValue("link", value, href=address)
    return DisplayValue("text", json.dumps(value, ensure_ascii=False))


def _show_link(url: str, label: str) -> DisplayValue:
    return DisplayValue("link", label or url, href=web_address(url), detail=url)


def _price(amount: int, currency: str) -> str:
    code = currency.upper()
    digits = _DIGITS.get(code, 2)
    whole, part = divmod(abs(amount), 10**digits)
    text = f"{whole:,}.{part:0{digits}d}" if digits else f"{whole:,}"
    sign = "-" if amount < 0 else ""
    return f"{sign}{_SYMBOLS[code]}{text}" if code in _SYMBOLS else f"{sign}{text} {code}"
