"""A secret never shows its text by accident."""

from __future__ import annotations

import pytest

from metarouter_intercom._types import Secret


def test_a_secret_is_shown_only_by_reveal():
    """No representation of a secret has its text."""
    secret = Secret("s3cret-tøken")

    assert f"{secret} {secret!r} {[secret]}".count("s3cret") == 0
    assert secret.reveal() == "s3cret-tøken"
    assert secret.reveal_bytes() == "s3cret-tøken".encode()


def test_secrets_are_equal_by_their_texts():
    """Two secrets are equal when their texts are, and nothing else is equal to a secret."""
    assert Secret("a") == Secret(b"a")
    assert hash(Secret("a")) == hash(Secret(b"a"))
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"


@pytest.mark.parametrize("value", ["", b"", None, 5])
def test_an_empty_secret_is_refused(value):
    """An empty value, or one that is not a text, cannot be a secret."""
    with pytest.raises(ValueError, match="secret"):
        Secret(value)
