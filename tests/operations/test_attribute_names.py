"""Cleaning the names of attributes (rules A2, R7)."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metarouter_intercom.operations import _attribute_names
from metarouter_intercom.operations._attribute_names import CLEAN, INNER

from .._support.promises import promised
from .._support.twins import assert_twins_agree, mostly


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("plan", "plan"),
        ("größe имя 名前", "größe имя 名前"),
        ("a_b-c d1", "a_b-c d1"),
        ("€ £ ¥", "€ £ ¥"),
        ("$a", "_a"),
        ("a.b!c?d", "a_b_c_d"),
        ("~`!@#%^&*'{}|\"", "_" * 14),
        ("a\tb\nc\x00", "a_b_c"),
        (" plan ", "plan"),
        ("\ufeffplan\u200b", "plan"),
        ("\u200b", ""),
        ("pl\x00an", "plan"),
        ("😀", "_"),
        ("", ""),
        ("   ", ""),
        ("١٢ ३४", "١٢ ३४"),
        ("m² ½ Ⅷ ①", "m_ _ _ _"),
        ("₹ ฿ ￥", "₹ ฿ ￥"),
        ("a&b/c", "a_b_c"),
    ],
)
def test_clean_names(name, clean):
    """A2: letters and digits of any script, ``_``, ``-``, space and currency signs except ``$`` stay."""
    assert CLEAN[name] == clean


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("Gro\u0308\u00dfe", "Gr\u00f6\u00dfe"),
        ("cafe\u0301 type", "caf\u00e9 type"),
        ("\u212bngstr\u00f6m", "\u00c5ngstr\u00f6m"),
        ("\u1100\u1161", "\uac00"),
        ("na\u0303o", "n\u00e3o"),
        ("\u0438\u0306", "\u0439"),
    ],
)
def test_composed_and_decomposed_spellings_are_one_name(name, clean):
    """A2: a letter and its mark, written as one character or as two, make the same name."""
    assert CLEAN[name] == clean
    assert CLEAN[clean] == clean


@pytest.mark.parametrize("name", ["नाम", "ชื่อ", "நிறம்", "x\u0323\u0304", "بَيت", "שָׁלוֹם", "မြန်မာ", "বাংলা"])
def test_letters_keep_their_marks(name):
    """A2: vowel signs, accents and other marks after a letter stay: without them a name in such a script is another word."""
    assert CLEAN[name] == unicodedata.normalize("NFC", name)


@pytest.mark.parametrize(
    ("name", "clean"), [("❤\ufe0f", "__"), ("1\ufe0f\u20e3", "1__"), ("_\u0301", "__"), ("a\u20dd", "a_")]
)
def test_a_mark_without_its_letter_is_cleaned(name, clean):
    """A2: a mark that follows no letter, and a sign that encloses one, become ``_``."""
    assert CLEAN[name] == clean


@pytest.mark.parametrize(
    "name",
    [" plan ", "\ufeffplan", "plan\u200b", "\u200eplan\u200f", "\u00a0plan\t", "pl\x00an\x00", "plan\u00ad"],
)
def test_what_surrounds_a_name_is_no_part_of_it(name):
    """R10: white space, control and format characters are taken off both ends of a name, and NUL everywhere."""
    assert CLEAN[name] == "plan"


@given(st.text(max_size=20))
@promised
def test_cleaning_again_changes_nothing(name):
    """A2: a clean name is clean, and in NFC."""
    clean = CLEAN[name]

    assert CLEAN[clean] == clean
    assert unicodedata.is_normalized("NFC", clean)


@pytest.mark.parametrize("name", ["a_user_hash", "intercom_userHash", "x_intercom_user_jwt", "x_0_User Hash"])
def test_a_proof_has_no_name(name):
    """R7: a flattened name that ends with that of a proof of identity has no clean name, so its value is not written."""
    assert INNER[name] == ""


def test_names_are_cleaned_alike_on_both_paths():
    """A2: a name of plain characters stays as it is, and cleaning it character by character gives the same name."""

    assert_twins_agree(
        lambda name: (
            _attribute_names._cleaned(name) if _attribute_names._PLAIN_NAME.fullmatch(name) else None
        ),
        _attribute_names._cleaned_fully,
        mostly(
            st.text("abcXYZ019_- ", min_size=1),
            st.text(max_size=8) | st.sampled_from(["a.b", "$", "€", "a\n", ""]),
        ),
    )
