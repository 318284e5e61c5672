"""Reading amounts of money as people write them, in the currency's minor unit (rule E4)."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metarouter_intercom.messages._coercion import NotJson
from metarouter_intercom.operations import _money
from metarouter_intercom.operations._money import currency_code, minor_units

from .._support.promises import promised
from .._support.twins import assert_twins_agree, mostly


@pytest.mark.parametrize(
    ("value", "currency", "amount"),
    [
        (19.99, "USD", 1999),
        (0, "USD", 0),
        (1.005, "USD", 101),
        (-3.5, "USD", -350),
        (500, "JPY", 500),
        (1.5, "JPY", 2),
        (1.2345, "KWD", 1235),
        (1.23456, "CLF", 12346),
        ("$1,025.00", "USD", 102_500),
        ("1.025,50 €", "EUR", 102_550),
        ("1 025,50", "EUR", 102_550),
        ("CHF 1'025.50", "CHF", 102_550),
        ("1,000", "USD", 100_000),
        ("1,00", "USD", 100),
        ("1.000.000", "EUR", 100_000_000),
        ("1,000,000.5", "USD", 100_000_050),
        ("1.000.000,5", "EUR", 100_000_050),
        (".5", "USD", 50),
        ("5.", "USD", 500),
        ("-$5.25", "USD", -525),
        ("$-5.25", "USD", -525),
        ("+5", "USD", 500),
        ("USD 12", "USD", 1200),
        ("12 usd", "USD", 1200),
        (True, "USD", None),
        (None, "USD", None),
        ([5], "USD", None),
        (float("inf"), "USD", None),
        (1e30, "USD", None),
        (10**30, "USD", None),
        ("", "USD", None),
        ("free", "USD", None),
        ("(5)", "USD", None),
        ("1e3", "USD", None),
        ("5-6", "USD", None),
        ("1,2,3", "USD", None),
        ("1.2,3.4,5", "EUR", None),
        ("٥", "USD", None),
        ("9" * 40, "USD", None),
        ("9" * 65, "USD", None),
    ],
)
def test_amounts(value, currency, amount):
    """E4: a number, also in a text, becomes whole minor units, with halves rounded away from zero; any other value is no amount."""
    assert minor_units(value, currency) == amount


def test_a_value_that_json_does_not_know():
    """R9: a ``Decimal`` becomes a number as JSON, so it is not refused before."""
    with pytest.raises(NotJson):
        minor_units(Decimal("19.99"), "USD")


@given(st.decimals(-(10**9), 10**9, places=2))
@promised
def test_cents_are_exact(value):
    """E4: an amount with two digits after the point becomes exactly its cents, as a number and as a text."""
    cents = int(value * 100)

    assert minor_units(float(value), "USD") == cents
    assert minor_units(f"{value}", "USD") == cents
    assert minor_units(f"${value:,}", "USD") == cents


@given(st.text(max_size=20) | st.floats() | st.integers())
@promised
def test_no_value_raises(value):
    """E4: no value raises; it is an amount or none."""
    amount = minor_units(value, "USD")

    assert amount is None or isinstance(amount, int)


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("eur", "EUR"),
        (" Gbp ", "GBP"),
        ("euro", None),
        ("$", None),
        ("", None),
        (None, None),
        (978, None),
        ("ÄÖÜ", None),
        ("E1R", None),
    ],
)
def test_currencies(value, code):
    """E4: a currency is three letters and is written in capitals."""
    assert currency_code(value) == code


@pytest.mark.parametrize(("currency", "digits"), [("USD", 2), ("JPY", 0), ("KWD", 3), ("CLF", 4)])
def test_numbers_are_scaled_alike_on_both_paths(currency, digits):
    """E4: an amount that the fast path rounds to minor units is the same with decimal arithmetic."""
    cents = st.integers(-(10**12), 10**12).map(lambda number: number / 10**digits)
    odd = st.floats(-1e9, 1e9) | st.sampled_from(
        [1.005, 0.005, 2.675, 1e-7, 2**53, 2**53 + 1, -(2**53), 10**30, 1e300, 0.5, -0.0]
    )

    def fast(value):
        scaled = value * 10**digits
        is_near = abs(scaled) < _money._LARGEST and abs(scaled - round(scaled)) < _money._EXACT
        return minor_units(value, currency) if is_near else None

    assert_twins_agree(fast, lambda value: _money._scaled(repr(value), digits), mostly(cents, odd))
