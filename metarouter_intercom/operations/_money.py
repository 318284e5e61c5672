"""Reads amounts of money and currencies as Intercom takes them, in the currency's minor unit (rule E4); knows no property."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from ..messages._coercion import check_json

if TYPE_CHECKING:
    from decimal import Decimal

    from .._types import JsonValue

# How many digits ISO 4217 gives a currency after the point, where they are not two.
_DIGITS = dict.fromkeys(
    [
        "BIF",
        "CLP",
        "DJF",
        "GNF",
        "ISK",
        "JPY",
        "KMF",
        "KRW",
        "PYG",
        "RWF",
        "UGX",
        "UYI",
        "VND",
        "VUV",
        "XAF",
        "XOF",
        "XPF",
    ],
    0,
) | dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3)
_DIGITS["CLF"] = _DIGITS["UYW"] = 4

_CURRENCY = re.compile(r"[A-Za-z]{3}")
_AMOUNT = re.compile(r"(?P<sign>[+-]?)(?P<number>\d[\d.,' \u00a0\u202f]*|[.,]\d+)")
_AROUND = re.compile(r"(?:[A-Za-z]{1,3}\b|[^\w\d.,+\-\s()]|\s)+")
# No price is higher, and JSON readers keep whole numbers exactly up to here.
_LARGEST = 2**53
# An amount this near to a whole number differs from it only by the error of binary fractions: 19.99 * 100 is 1998.9999999999998.
_EXACT = 1e-6


def currency_code(value: JsonValue) -> str | None:
    """Return the code of a currency in capitals; None when *value* is not three letters."""
    if isinstance(value, str) and value.isascii() and _CURRENCY.fullmatch(value.strip()):
        return value.strip().upper()
    return None


def minor_units(value: JsonValue, currency: str) -> int | None:
    """
    Return *value* in the minor unit of *currency*, rounded half up: 19.99 USD is 1999, 500 JPY is 500.

    Args:
        value: A number, or a text such as ``"$1,025.00"``.
        currency: Its code, three capitals.

    Returns:
        A whole number; None when *value* is not an amount.
    """
    if isinstance(value, str):
        text = _plain_number(value)
    elif isinstance(value, bool) or not isinstance(value, int | float):
        check_json(value)
        return None
    elif not math.isfinite(value):
        return None
    else:
        digits = _DIGITS.get(currency, 2)
        scaled = value * 10**digits
        nearest = round(scaled) if abs(scaled) < _LARGEST else 0
        if abs(scaled - nearest) < _EXACT:
            return nearest
        text = repr(value)
    return None if text is None else _scaled(text, _DIGITS.get(currency, 2))


def _scaled(text: str, digits: int) -> int | None:
    from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

    try:
        amount: Decimal = Decimal(text).scaleb(digits)
        if abs(amount) > _LARGEST:
            return None
        return int(amount.to_integral_value(ROUND_HALF_UP))
    except InvalidOperation:
        return None


def _plain_number(text: str) -> str | None:
    """Return *text*, an amount as people write it, as digits with a point before the fraction; None when it is not an amount."""
    if len(text) > 64:
        return None
    bare = text.strip()
    sign = ""
    if bare[:1] in "+-":
        sign, bare = bare[:1], bare[1:]
    bare = _trimmed(bare)
    match = _AMOUNT.fullmatch(bare)
    if match is None or not bare.isascii():
        return None
    return (sign or match["sign"]) + _with_point(re.sub(r"[' ]", "", match["number"]))


def _trimmed(text: str) -> str:
    """Return *text* without the sign or code of a currency before and after the amount."""
    start = _AROUND.match(text)
    if start is not None:
        text = text[start.end() :]
    end = re.search(r"(?:\s|[^\w\d.,+\-\s()]|[A-Za-z]{1,3})+$", text)
    return text if end is None else text[: end.start()]


def _with_point(number: str) -> str:
    """Return *number* with a point before the fraction: the last comma or point starts it, unless it groups thousands."""
    last_comma, last_point = number.rfind(","), number.rfind(".")
    if last_comma > last_point:
        if last_point < 0 and re.fullmatch(r"\d{1,3}(,\d{3})+", number):
            return number.replace(",", "")
        return number.replace(".", "").replace(",", ".")
    if number.count(".") > 1 and last_comma < 0:
        return number.replace(".", "")
    return number.replace(",", "")
