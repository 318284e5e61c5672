"""Reads amounts of money and currencies as Intercom takes them, in the currency's minor unit (rule E4); knows no property."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, NamedTuple

from ..messages._coercion import check_json
from ._currencies import DIGITS, DOLLARS

if TYPE_CHECKING:
    from decimal import Decimal

    from .._types import JsonValue

_CURRENCY = re.compile(r"[A-Za-z]{3}")
# No price is higher, and JSON readers keep whole numbers exactly up to here.
_LARGEST = 2**53
# An amount this near to a whole number differs from it only by the error of binary fractions: 19.99 * 100 is 1998.9999999999998.
_EXACT = 1e-6

_NO_MONEY = "not an amount of money"
_NEGATIVE = "a negative amount is no price"
_UNCLEAR = "the symbol names several currencies"
_OTHER = "the text names another currency"


class Price(NamedTuple):
    """
    What a value means as money.

    Attributes:
        amount: In the minor unit of the currency; None when the value is no price.
        currency: Its code, three capitals.
        reason: Why there is no price, or what was not used of the value; None when everything was used.
    """

    amount: int | None
    currency: str
    reason: str | None = None

    @property
    def is_money(self) -> bool:
        """Tell whether the value is about money, even if it is no price: then no other property gives the price."""
        return self.reason != _NO_MONEY


def currency_code(value: JsonValue) -> str | None:
    """Return the code of a currency in capitals; None when *value* is not three letters."""
    if isinstance(value, str) and value.isascii() and _CURRENCY.fullmatch(value.strip()):
        return value.strip().upper()
    return None


def read_price(value: JsonValue, currency: str | None, default: str) -> Price:
    """
    Return what *value* means as money.

    Args:
        value: A number, a text such as ``"$1,025.00"``, or an object ``{amount, currency}``, which is in the minor unit already.
        currency: The code that the event names; None when it names none.
        default: The code to use when neither the event nor *value* names one.
    """
    code = currency or default
    if isinstance(value, str):
        return _price_of_text(value, currency, default)
    if isinstance(value, dict):
        amount = minor_amount(value)
        own_code = currency_code(value.get("currency"))
        if amount is None or own_code is None:
            return Price(None, code, _NEGATIVE if _is_refund(value) else _NO_MONEY)
        return Price(amount, own_code)
    amount = minor_units(value, code)
    if amount is None:
        return Price(None, code, _NO_MONEY)
    return Price(None, code, _NEGATIVE) if value < 0 else Price(amount, code)  # type: ignore[operator]  # a number has an amount


def minor_units(value: JsonValue, currency: str) -> int | None:
    """
    Return the number *value* in the minor unit of *currency*, rounded half up: 19.99 USD is 1999, 500 JPY is 500.

    Args:
        value: A number.
        currency: Its code, three capitals.

    Returns:
        A whole number; None when *value* is no number, or too large for an amount.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        check_json(value)
        return None
    if not math.isfinite(value):
        return None
    digits = DIGITS.get(currency, 2)
    scaled = value * 10**digits
    nearest = round(scaled) if abs(scaled) < _LARGEST else 0
    return nearest if abs(scaled - nearest) < _EXACT else _scaled(repr(value), digits)


def minor_amount(value: dict[str, JsonValue]) -> int | None:
    """Return the amount of an object that is exactly ``{amount, currency}`` and in the minor unit (E5); None for any other object."""
    if value.keys() != {"amount", "currency"} or currency_code(value["currency"]) is None:
        return None
    amount = value["amount"]
    if isinstance(amount, bool) or not isinstance(amount, int | float):
        check_json(amount)
        return None
    return int(amount) if 0 <= amount <= _LARGEST and amount == int(amount) else None


def _is_refund(value: dict[str, JsonValue]) -> bool:
    amount = value.get("amount")
    return type(amount) in (int, float) and amount < 0  # type: ignore[operator]  # it is a number


def _price_of_text(text: str, currency: str | None, default: str) -> Price:
    from ._money_text import read_money_text

    money = read_money_text(text)
    if money is None:
        return Price(None, currency or default, _NO_MONEY)
    named = _meant(money.currencies, currency, default)
    code = currency or named or default
    digits = DIGITS.get(code, 2)
    number = money.number(digits)
    if money.is_negative and number.strip("0."):
        return Price(None, code, _NEGATIVE)
    if named is None:
        return Price(None, code, _UNCLEAR)
    amount = _scaled(number, digits)
    if amount is None:
        return Price(None, code, _NO_MONEY)
    return Price(amount, code) if named == code else Price(amount, code, _OTHER)


def _meant(currencies: tuple[str, ...], currency: str | None, default: str) -> str | None:
    """
    Return the currency that the text of an amount means; None when its symbol names several, and nothing says which.

    Args:
        currencies: What the symbol or code in the text can mean; none when there is neither.
        currency: As of ``read_price``.
        default: As of ``read_price``.
    """
    if not currencies or currency in currencies:
        return currency or default
    if len(currencies) == 1:
        return currencies[0]
    if default in currencies:
        return default
    return "USD" if currencies is DOLLARS else None


def _scaled(number: str, digits: int) -> int | None:
    """Return *number* times ten to the power of *digits*, rounded half up; None when it is too large for an amount."""
    from decimal import ROUND_HALF_UP, Decimal

    amount: Decimal = Decimal(number).scaleb(digits)
    return None if abs(amount) > _LARGEST else int(amount.to_integral_value(ROUND_HALF_UP))
