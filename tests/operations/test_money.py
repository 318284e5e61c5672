"""Reading amounts of money, in the currency's minor unit (rule E4)."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metarouter_intercom.messages._coercion import NotJson
from metarouter_intercom.operations import _money
from metarouter_intercom.operations._currencies import DIGITS, currencies_of
from metarouter_intercom.operations._money import currency_code, minor_units, read_price

from .._support.promises import promised
from .._support.twins import assert_twins_agree, mostly

_MINUS_SIGNS = "-\u02d7\u2010\u2011\u2012\u2013\u2014\u2015\u207b\u2212\u2796\ufe58\ufe63\uff0d"
_NO_MONEY = "not an amount of money"
_NEGATIVE = "a negative amount is no price"
_SEVERAL = "the symbol names several currencies"


@pytest.mark.parametrize(
    ("value", "currency", "amount"),
    [
        (19.99, "USD", 1999),
        (0, "USD", 0),
        (-0.0, "USD", 0),
        (1.005, "USD", 101),
        (500, "JPY", 500),
        (1.5, "JPY", 2),
        (1.2345, "KWD", 1235),
        (1.23456, "CLF", 12346),
        ("1.23456", "CLF", 12346),
        ("$1,025.00", "USD", 102_500),
        ("1.025,50 €", "EUR", 102_550),
        ("1 025,50", "EUR", 102_550),
        ("CHF 1'025.50", "CHF", 102_550),
        ("1,000", "USD", 100_000),
        ("1,00", "USD", 100),
        ("0,500", "USD", 50),
        ("0,500", "KWD", 500),
        ("1234,567", "USD", 123_457),
        ("1,0005", "USD", 100),
        ("1.000", "USD", 100),
        ("1.000", "CLP", 1000),
        ("0.500", "CLP", 1),
        ("1.000.000", "EUR", 100_000_000),
        ("1,000,000.5", "USD", 100_000_050),
        ("1.000.000,5", "EUR", 100_000_050),
        ("1,00,000.00", "INR", 10_000_000),
        ("12,34,56,789", "INR", 12_345_678_900),
        ("1\u00a0000\u00a0000,50", "EUR", 100_000_050),
        ("1\u202f000", "EUR", 100_000),
        ("1\u20091000", "EUR", None),
        ("1\u2019000.50", "CHF", 100_050),
        (".5", "USD", 50),
        (",5", "EUR", 50),
        ("5.", "USD", 500),
        ("+5", "USD", 500),
        ("USD 12", "USD", 1200),
        ("12 usd", "USD", 1200),
        ("\u0665", "USD", 500),
        ("\u06f1\u06f2\u066b\u06f5", "USD", 1250),
        ("\u0661\u066c\u0662\u0663\u0664\u066b\u0665", "USD", 123_450),
        ("\uff11\uff12\uff0e\uff15\uff10", "USD", 1250),
        ("\u0967\u0968", "INR", 1200),
        (" \u200e12\x00 ", "USD", 1200),
        ("\x0012", "USD", 1200),
        ({"amount": 1999, "currency": "USD"}, "USD", 1999),
        ({"currency": " usd ", "amount": 1999.0}, "USD", 1999),
        ({"amount": 0, "currency": "USD"}, "USD", 0),
        (True, "USD", None),
        (None, "USD", None),
        ([5], "USD", None),
        ({}, "USD", None),
        ({"amount": 5}, "USD", None),
        ({"amount": True, "currency": "USD"}, "USD", None),
        ({"amount": float("nan"), "currency": "USD"}, "USD", None),
        ({"amount": 2**53 + 1, "currency": "USD"}, "USD", None),
        (float("inf"), "USD", None),
        (1e30, "USD", None),
        (10**30, "USD", None),
        ("", "USD", None),
        ("free", "USD", None),
        ("5-6", "USD", None),
        ("1,2,3", "USD", None),
        ("1.2,3.4,5", "EUR", None),
        ("1,000 000", "EUR", None),
        ("0,500,000", "USD", None),
        ("1.234 567", "USD", None),
        ("9" * 40, "USD", None),
        ("9" * 65, "USD", None),
    ],
)
def test_amounts(value, currency, amount):
    """E4: a number, also in a text, becomes whole minor units, with halves rounded away from zero; any other value is no amount."""
    price = read_price(value, currency, "USD")

    assert (price.amount, price.currency) == (amount, currency)
    assert price.reason == (None if amount is not None else _NO_MONEY)
    assert price.is_money == (amount is not None)


@pytest.mark.parametrize(
    ("text", "currency"),
    [
        ("€25", "EUR"),
        ("25€", "EUR"),
        ("€ 25", "EUR"),
        ("EUR25", "EUR"),
        ("25\u00a0eur", "EUR"),
        ("£25", "GBP"),
        ("\uffe1 25", "GBP"),
        ("25 CHF", "CHF"),
        ("SFr. 25", "CHF"),
        ("US$25", "USD"),
        ("A$25", "AUD"),
        ("CA$25", "CAD"),
        ("NZ$25", "NZD"),
        ("HK$25", "HKD"),
        ("S$25", "SGD"),
        ("R$ 25", "BRL"),
        ("MX$25", "MXN"),
        ("NT$25", "TWD"),
        ("₹25", "INR"),
        ("25 ₽", "RUB"),
        ("25 руб.", "RUB"),
        ("₺25", "TRY"),
        ("25 TL", "TRY"),
        ("25 ₴", "UAH"),
        ("₪25", "ILS"),
        ("฿25", "THB"),
        ("₱25", "PHP"),
        ("25 zł", "PLN"),
        ("25 Kč", "CZK"),
        ("25 Kc\u030c", "CZK"),
        ("25 Ft", "HUF"),
        ("25 лв.", "BGN"),
        ("₦25", "NGN"),
        ("₵25", "GHS"),
        ("R 25", "ZAR"),
        ("RM25", "MYR"),
        ("Rp 25", "IDR"),
        ("S/.25", "PEN"),
        ("S/ 25", "PEN"),
        ("25 KGS", "KGS"),
        ("CN¥25", "CNY"),
        ("25 د.إ", "AED"),
        ("25", "SEK"),
    ],
)
def test_a_text_names_its_currency(text, currency):
    """E4: a symbol or code that means one currency is taken where the event names none."""
    assert read_price(text, None, "SEK") == (2500, currency, None)
    assert read_price(text, currency, "SEK") == (2500, currency, None)


@pytest.mark.parametrize(
    ("text", "currency", "default", "price"),
    [
        ("¥25", None, "USD", (None, "USD", _SEVERAL)),
        ("¥25", "EUR", "USD", (None, "EUR", _SEVERAL)),
        ("\uffe525", "JPY", "USD", (25, "JPY", None)),
        ("¥25", None, "CNY", (2500, "CNY", None)),
        ("25 kr", None, "USD", (None, "USD", _SEVERAL)),
        ("kr.25", None, "DKK", (2500, "DKK", None)),
        ("25 Kr.", "ISK", "DKK", (25, "ISK", None)),
        ("-kr.25", None, "DKK", (None, "DKK", _NEGATIVE)),
        ("-25 kr", None, "USD", (None, "USD", _NEGATIVE)),
        ("Rs.25", None, "PKR", (2500, "PKR", None)),
        ("₨25", "INR", "USD", (2500, "INR", None)),
        ("Fr. 25", None, "CHF", (2500, "CHF", None)),
        ("$25", None, "USD", (2500, "USD", None)),
        ("$25", None, "CAD", (2500, "CAD", None)),
        ("$25", None, "MXN", (2500, "MXN", None)),
        ("$25", None, "EUR", (2500, "USD", None)),
        ("$25", "AUD", "USD", (2500, "AUD", None)),
        ("$25", "EUR", "USD", (2500, "EUR", "the text names another currency")),
        ("£25", "JPY", "USD", (25, "JPY", "the text names another currency")),
        ("25 kr", "EUR", "SEK", (2500, "EUR", "the text names another currency")),
    ],
)
def test_symbols_of_several_currencies(text, currency, default, price):
    """E4: such a symbol counts only if the event or the setting names one of its currencies; the event's currency always wins."""
    assert read_price(text, currency, default) == price


@pytest.mark.parametrize("sign", _MINUS_SIGNS)
@pytest.mark.parametrize(
    "form", ["{}25", "{} 25", "{}$25", "${}25", "$ {} 25", "25{}", "25 EUR{}", "25.00{} EUR"]
)
def test_every_minus_sign_is_one(sign, form):
    """E4: a refund is no sale, whatever minus sign it is written with and wherever that stands."""
    price = read_price(form.format(sign), None, "USD")

    assert (price.amount, price.reason) == (None, _NEGATIVE)


@pytest.mark.parametrize(
    "value",
    [
        "(25)",
        "($25)",
        "$(25.00)",
        "(25) EUR",
        "(25 EUR)",
        "\uff0825\uff09",
        -25,
        -0.001,
        {"amount": -5, "currency": "EUR"},
    ],
)
def test_refunds_are_no_prices(value):
    """E4: a negative amount is no price, because Intercom takes none; no other property gives the price then."""
    price = read_price(value, None, "USD")

    assert (price.amount, price.reason, price.is_money) == (None, _NEGATIVE, True)


@pytest.mark.parametrize(
    "text",
    [
        "25%",
        "5 kg",
        "#25",
        "25 per month",
        "25/mo",
        "1e3",
        "25k",
        "25 r",
        "25 ft",
        "25 kgs",
        "25+",
        "~25",
        ">25",
        "25 ?",
        "\u200925\u2009%",
        "\xad25",
        "25\u00b2",
        "\u2460",
        "25\u00bd",
        "--25",
        "-(25)",
        "(25",
        "25)",
        "25,-",
        "25.-",
        "$25 USD",
        "EUR 25 EUR",
        "₿25",
        "XYZ 25",
        "EUR",
        "25 dollars",
        "1_000",
        "٪25",
        "25\n30",
    ],
)
def test_other_units_and_signs_are_no_money(text):
    """E4: a text with anything but one sign, one currency and grouped digits is no money."""
    price = read_price(text, None, "USD")

    assert (price.amount, price.reason) == (None, _NO_MONEY)


def test_a_value_that_json_does_not_know():
    """R9: a ``Decimal`` becomes a number as JSON, so it is not refused before."""
    with pytest.raises(NotJson):
        read_price(Decimal("19.99"), None, "USD")
    with pytest.raises(NotJson):
        read_price({"amount": Decimal(5), "currency": "EUR"}, None, "USD")


@given(st.decimals(0, 10**9, places=2))
@promised
def test_cents_are_exact(value):
    """E4: an amount with two digits after the point becomes exactly its cents, as a number and as a text in any grouping."""
    cents = int(value * 100)
    grouped = f"{value:,}"

    assert minor_units(float(value), "USD") == cents
    for text in (
        f"{value}",
        f"${grouped}",
        grouped.replace(",", "\u202f"),
        grouped.replace(",", "'"),
        grouped.translate(str.maketrans(",.", ".,")),
        grouped.translate({ord(str(digit)): chr(0x0660 + digit) for digit in range(10)}),
    ):
        assert read_price(text, None, "USD").amount == cents


@given(st.decimals("0.01", 10**9, places=2), st.sampled_from(_MINUS_SIGNS))
@promised
def test_no_refund_becomes_a_price(value, sign):
    """E4: whatever the amount, a minus sign before it leaves no price."""
    assert read_price(f"{sign}{value:,}", None, "USD").amount is None


@given(
    st.text(max_size=20)
    | st.text("0123456789.,' -()€$krEUR\u2212\u066b", max_size=12)
    | st.floats()
    | st.integers()
)
@promised
def test_no_value_raises(value):
    """E4: no value raises; it is a price that is not negative, or there is a reason why it is none."""
    price = read_price(value, None, "USD")

    assert price.reason if price.amount is None else price.amount >= 0


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


def test_every_currency_with_its_own_digits_is_a_code():
    """E4: a currency whose digits are known is read in a text too."""
    assert [currencies_of(code) for code in DIGITS] == [(code,) for code in DIGITS]


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
