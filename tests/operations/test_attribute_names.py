"""Cleaning the names of attributes (rules A2, R7)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metarouter_intercom.messages._edges import trimmed
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
    ],
)
def test_clean_names(name, clean):
    """A2: letters and digits of any script, ``_``, ``-``, space and currency signs except ``$`` stay."""
    assert CLEAN[name] == clean


@given(st.text(max_size=20))
@promised
def test_cleaning_again_changes_nothing(name):
    """A2, R10: a clean name is clean, and as long as the name without what nobody sees."""
    clean = CLEAN[name]

    assert CLEAN[clean] == clean
    assert len(clean) == len(trimmed(name))


@pytest.mark.parametrize("name", ["a_user_hash", "intercom_userHash", "x_intercom_user_jwt", "x_0_User Hash"])
def test_a_proof_has_no_name(name):
    """R7: a flattened name that ends with that of a proof of identity has no clean name, so its value is not written."""
    assert INNER[name] == ""


def test_names_are_cleaned_alike_on_both_paths():
    """A2: a name of plain characters stays as it is, and cleaning it character by character gives the same name."""

    def full(name):
        return "".join(map(_attribute_names._clean_character, trimmed(name)))

    assert_twins_agree(
        lambda name: (
            _attribute_names._cleaned(name) if _attribute_names._PLAIN_NAME.fullmatch(name) else None
        ),
        full,
        mostly(
            st.text("abcXYZ019_- ", min_size=1),
            st.text(max_size=8) | st.sampled_from(["a.b", "$", "€", "a\n", ""]),
        ),
    )
