"""Reads amounts of money as people and their programs write them (rule E4): sign, symbol, grouped digits; knows no property."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from ._currencies import currencies_of, is_abbreviation

_LONGEST = 64
_ARABIC_POINT = "\u066b"
_SIGNED = re.compile(
    rf"(?P<before>\D*?)(?P<number>[.,{_ARABIC_POINT}]?[0-9](?:[0-9.,' {_ARABIC_POINT}]*[0-9])?[.,]?)(?P<after>\D*)"
)
_BEFORE = re.compile(r"\s*(?P<outer>[-+(]?)\s*(?P<symbol>.*?)\s*(?P<inner>[-+(]?)\s*")
_AFTER = re.compile(r"\s*(?P<inner>[-)]?)\s*(?P<symbol>.*?)\s*(?P<outer>[-)]?)\s*")
_SIGNS = frozenset(["", "+", "-", "()"])
# Western groups of three digits with one mark, or Indian groups: 1,00,000.
_GROUPED = re.compile(r"[1-9]\d{0,2}([.,' ])\d{3}(?:\1\d{3})*|[1-9]\d?(?:,\d{2})+,\d{3}")
# A comma before exactly three digits groups them, unless a zero is all that stands before it: 0,500.
_ONE_GROUP = re.compile(r"[1-9]\d{0,2}[.,]\d{3}")

_NO_DIGIT = re.compile(r"\D")
_POINTS = (".", ",", _ARABIC_POINT)

# Minus signs that Unicode does not count as dashes; apostrophes, and the marks of Arabic numbers.
_DASHES = str.maketrans(dict.fromkeys("\u02d7\u2212\u2796\u2043", "-"))
_MARKS = str.maketrans(dict.fromkeys("\u2018\u2019\u02bc\u066c", "'") | {"\u060c": ",", "\x00": ""})
# Category of Unicode -> the character of ASCII that stands for its members: dashes and blanks.
_PLAIN = {"Pd": "-", "Zs": " "}
# What may stand before a symbol.
_SEPARATORS = re.compile(r"[-+( ]")


class MoneyText(NamedTuple):
    """
    The parts of an amount in a text.

    Attributes:
        is_negative: A sign or parentheses say so.
        currencies: What the symbol or code can mean; empty when there is none.
        digits: Those of the amount, with the marks between them.
    """

    is_negative: bool
    currencies: tuple[str, ...]
    digits: str

    def number(self, fraction_digits: int) -> str:
        """Return the amount with a point before its fraction; *fraction_digits* is how many digits the currency has there."""
        return _with_point(self.digits, fraction_digits) or ""


def read_money_text(text: str) -> MoneyText | None:
    """Return the parts of *text*; None when it is not an amount of money and nothing else."""
    if len(text) > _LONGEST:
        return None
    plain = _plain(text)
    match = None if plain is None else _SIGNED.fullmatch(plain)
    if match is None:
        return None
    before, digits = match["before"], match["number"]
    if digits[0] == "." and is_abbreviation(f"{_SEPARATORS.split(before)[-1]}."):
        before, digits = f"{before}.", digits[1:]
    start, end = _BEFORE.fullmatch(before), _AFTER.fullmatch(match["after"])
    if start is None or end is None or (start["symbol"] and end["symbol"]):
        return None
    sign = start["outer"] + start["inner"] + end["inner"] + end["outer"]
    # "25,-" and "25.-" are whole amounts in some countries; nobody can tell them from a minus at the end.
    is_unclear = end["inner"] == "-" and not digits[-1].isdigit()
    symbol = start["symbol"] or end["symbol"]
    currencies = currencies_of(symbol) if symbol else ()
    if sign not in _SIGNS or is_unclear or (symbol and not currencies) or _with_point(digits, 2) is None:
        return None
    return MoneyText(sign in ("-", "()"), currencies, digits)


def _plain(text: str) -> str | None:
    """Return *text* with ASCII's digits, blanks, dashes and apostrophes, without invisible characters; None when digits are not plain."""
    if text.isascii():
        return text.replace("\x00", "").strip()
    # A soft hyphen may be a minus, and the digits of "25\u00b2" and "\u2460" are no amount.
    if any(character == "\xad" or (character.isdigit() and not character.isdecimal()) for character in text):
        return None
    characters: list[str] = []
    for character in unicodedata.normalize("NFKC", text.translate(_MARKS)).translate(_DASHES):
        category = unicodedata.category(character)
        if category == "Nd":
            characters.append(str(unicodedata.decimal(character)))
        elif category != "Cf":
            characters.append(_PLAIN.get(category, character))
    return "".join(characters).strip()


def _with_point(digits: str, fraction_digits: int) -> str | None:
    """
    Return *digits* without marks but a point before the fraction; None when the marks do not group the digits.

    The last comma or point starts the fraction, unless it groups digits as well. A single comma before three digits groups them, as in
    ``1,000``; a single point does so only in currencies without a fraction, because programs write 12.345 so.
    """
    at = max(digits.rfind(mark) for mark in _POINTS)
    whole, fraction = (digits, "") if at < 0 else (digits[:at], digits[at + 1 :])
    if at >= 0 and digits[at] != _ARABIC_POINT:
        groups = _ONE_GROUP.fullmatch(digits) is not None and (digits[at] == "," or fraction_digits == 0)
        if groups or digits[at] in whole:
            whole, fraction = digits, ""
    if not (whole.isdigit() or not whole or _GROUPED.fullmatch(whole)) or not (
        fraction.isdigit() or not fraction
    ):
        return None
    return f"{re.sub(_NO_DIGIT, '', whole) or '0'}.{fraction or '0'}"
