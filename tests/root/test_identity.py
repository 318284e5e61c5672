"""Proofs of identity: against values made by openssl, with replaced keys, with expiry, and for the Messenger."""

import base64
import hashlib
import hmac
import json

import pytest

from metarouter_intercom import identity
from metarouter_intercom._types import Secret
from metarouter_intercom.errors import ConfigurationError

# printf '%s' SUBJECT | openssl dgst -sha256 -hmac KEY
HASHES = [
    (
        "messenger-secret",
        {"user_id": "u-1"},
        "b3eaa9b9d513d6732b6ba53ab2231c1de9dabdc3a822cb33550cd5f640d33070",
    ),
    ("messenger-secret", {"user_id": 42}, "37f9637eae771db1e78e5c9908ec93a83651688b255a14b8b128b208c85b79f2"),
    (
        "schlüssel",
        {"email": "grace@example.com"},
        "4a57ccced3c116e07370d4e009e07ba0809c965f1c16730d59f33c7cec4b24b9",
    ),
]
# The header, payload and signature of this token were put together with openssl (base64 and dgst -hmac).
TOKEN = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1c2VyX2lkIjoidS0xIiwiaWF0IjoxNzAwMDAwMDAwLCJleHAiOjE5MDAwMDAwMDB9.99FkzToPdjjhUkQKxF41bvYunMrxPpkElwoJY0RoKQY"
KEY = "a-secret-of-32-bytes-for-testing"


@pytest.mark.parametrize(("secret", "subject", "expected"), HASHES)
def test_hashes_are_those_of_openssl(secret, subject, expected):
    """A hash is the HMAC-SHA256 of the user id, else of the e-mail address, in lower-case hexadecimal digits (rule V1)."""
    assert identity.user_hash(secret, **subject) == expected


def test_user_id_wins_over_email():
    """The user id is hashed when both are passed, as in Intercom."""
    both = identity.user_hash("k", user_id="u-1", email="grace@example.com")

    assert both == identity.user_hash("k", user_id="u-1")


@pytest.mark.parametrize("secret", ["new", b"new", Secret("new"), ["new", "old"], (b"new", "old")])
def test_first_key_signs(secret):
    """The first of several keys signs, and a key is a text, bytes or a secret."""
    assert identity.user_hash(secret, user_id="u-1") == identity.user_hash("new", user_id="u-1")


@pytest.mark.parametrize("signer", ["new", "old"])
def test_any_key_verifies(signer):
    """While a key is being replaced, the proofs of both keys are valid."""
    proof = identity.user_hash(signer, user_id="u-1")

    assert identity.verify_user_hash(["new", "old"], proof, user_id="u-1")


@pytest.mark.parametrize("proof", ["", "00", None, 7, "é", "b" * 64, ["x"]])
def test_wrong_hashes_are_refused(proof):
    """Anything that is not a proof of this identity is refused without an error."""
    assert not identity.verify_user_hash("k", proof, user_id="u-1")


def test_a_hash_of_another_identity_is_refused():
    """A proof is valid for one identity only."""
    proof = identity.user_hash("k", user_id="u-1")

    assert not identity.verify_user_hash("k", proof, user_id="u-2")


def test_capital_digits_are_the_same_hash():
    """Hexadecimal digits mean the same in upper case."""
    proof = identity.user_hash("k", user_id="u-1").upper()

    assert identity.verify_user_hash("k", proof, user_id="u-1")


@pytest.mark.parametrize("secret", ["", b"", [], [""], ["k", ""]])
def test_empty_secrets_raise_an_error(secret):
    """An empty key would prove every identity, so it raises an error."""
    with pytest.raises(ConfigurationError, match="secret"):
        identity.user_hash(secret, user_id="u-1")


@pytest.mark.parametrize("subject", [{}, {"user_id": ""}, {"email": " "}])
def test_a_hash_needs_an_identity(subject):
    """Without a user id and an e-mail address there is nothing to hash."""
    with pytest.raises(ConfigurationError, match="user_id"):
        identity.user_hash("k", **subject)


def test_a_token_of_openssl_is_valid():
    """An HS256 token that another program made is valid (rule V1)."""
    assert identity.verify_user_jwt(KEY, TOKEN, user_id="u-1", now=1_800_000_000)


@pytest.mark.parametrize(
    ("now", "user_id", "secret"),
    [
        (1_900_000_001, "u-1", KEY),
        (1_800_000_000, "u-2", KEY),
        (1_800_000_000, "u-1", "another-key-of-some-length"),
    ],
)
def test_wrong_tokens_are_refused(now, user_id, secret):
    """A token that is expired, for somebody else, or signed with another key is refused (rule V1)."""
    assert not identity.verify_user_jwt(secret, TOKEN, user_id=user_id, now=now)


def test_a_token_is_valid_until_it_expires():
    """A token that one of the keys signed is valid until it expires."""
    token = identity.user_jwt([KEY, "old"], user_id=7, email="a@example.com", expires_in=60, now=1000)

    assert identity.verify_user_jwt(["newer", KEY], token, user_id="7", now=1059)
    assert not identity.verify_user_jwt(["newer", KEY], token, user_id="7", now=1061)


def test_short_keys_sign_without_a_warning():
    """A short key signs as HMAC defines, and without a warning, because Intercom chose it."""
    token = identity.user_jwt("short", user_id="u-1", now=1000)

    assert identity.verify_user_jwt("short", token, user_id="u-1", now=1000)


@pytest.mark.parametrize("token", [None, "", "a.b.c", "é", 5, "eyJhbGciOiJub25lIn0.eyJ1c2VyX2lkIjoidS0xIn0."])
def test_malformed_tokens_are_refused_without_an_error(token):
    """Malformed and unsigned tokens are refused."""
    assert not identity.verify_user_jwt(KEY, token, user_id="u-1", now=1000)


@pytest.mark.parametrize("named", [True, None, ["u-1"], 1.5])
def test_user_id_of_a_token_is_text_or_integer(named):
    """A claim of another type names nobody."""
    from joserfc import jwt
    from joserfc.jwk import OctKey

    token = jwt.encode({"alg": "HS256"}, {"user_id": named}, OctKey.import_key(KEY))

    assert not identity.verify_user_jwt(KEY, token, user_id="u-1", now=1000)


def _signed(header, payload):
    """Return a token with this header and payload, signed by hand with ``KEY``."""
    parts = [base64.urlsafe_b64encode(part).rstrip(b"=") for part in (header, payload)]
    signature = hmac.new(KEY.encode(), b".".join(parts), hashlib.sha256).digest()
    return b".".join([*parts, base64.urlsafe_b64encode(signature).rstrip(b"=")]).decode()


@pytest.mark.parametrize(
    ("header", "payload"),
    [
        (b'{"alg":"HS256"}', b'{"user_id":"u-1","exp":"never"}'),
        (b'{"alg":"HS256"}', b'{"user_id":"u-1","exp":null}'),
        (b'{"alg":"HS256"}', b'{"user_id":"u-1","exp":true}'),
        (b'{"alg":"HS256"}', b'{"user_id":"u-1","exp":NaN}'),
        (b'{"alg":"HS256"}', b'{"user_id":"u-1","exp":1000}'),
        (b'{"alg":"HS256"}', b'{"user_id":"u-1","nbf":1900000000}'),
        (b'{"alg":"HS256"}', b'["u-1"]'),
        (b'{"alg":"HS256"}', b'"u-1"'),
        (b'{"alg":"HS256"}', b"{" * 5_000),
        (b'{"alg":"HS256"}', b"\xff"),
        (b'{"alg":"HS512"}', b'{"user_id":"u-1"}'),
        (b'{"alg":"none"}', b'{"user_id":"u-1"}'),
        (b'{"alg":["HS256"]}', b'{"user_id":"u-1"}'),
        (b'{"alg":"HS256","crit":["x"]}', b'{"user_id":"u-1"}'),
        (b"{}", b'{"user_id":"u-1"}'),
        (b"[]", b'{"user_id":"u-1"}'),
        (b"x", b'{"user_id":"u-1"}'),
    ],
)
def test_malformed_signed_tokens_are_refused_without_an_error(header, payload):
    """A signature is no proof with another algorithm, without claims, or outside the time of the token (rule V1)."""
    assert not identity.verify_user_jwt(KEY, _signed(header, payload), user_id="u-1", now=1_800_000_000)


def test_a_token_of_a_clock_that_runs_ahead():
    """A token is valid until it expires, also when it was issued by a clock ahead of ours (rule V1)."""
    token = _signed(b'{"alg":"HS256"}', b'{"user_id":"u-1","iat":1800000060,"exp":1800003660}')

    assert identity.verify_user_jwt(KEY, token, user_id="u-1", now=1_800_000_000)


def test_without_a_time_the_clock_is_asked():
    """Without *now* the system's clock gives the time, so a token made now is valid now."""
    assert identity.verify_user_jwt(KEY, identity.user_jwt(KEY, user_id="u-1"), user_id="u-1")


@pytest.mark.parametrize("expires_in", [0, -1, float("nan")])
def test_an_expiry_that_is_over_raises_an_error(expires_in):
    """A token that is never valid is a mistake."""
    with pytest.raises(ConfigurationError, match="expires_in"):
        identity.user_jwt(KEY, user_id="u-1", expires_in=expires_in)


def test_the_missing_extra_is_named(monkeypatch):
    """Without the JWT library the error names the extra."""
    import sys

    monkeypatch.setitem(sys.modules, "joserfc", None)

    with pytest.raises(ConfigurationError, match=r"metarouter-intercom\[jwt\]"):
        identity.user_jwt(KEY, user_id="u-1")


def test_verify_checks_every_proof():
    """Each proof that is passed must be valid, and there must be one."""
    proof = identity.user_hash(KEY, user_id="u-1")
    token = identity.user_jwt(KEY, user_id="u-1", now=1000)

    assert identity.verify(KEY, user_id="u-1", user_hash=proof, user_jwt=token, now=1000)
    assert identity.verify(KEY, user_id="u-1", user_hash=proof)
    assert not identity.verify(KEY, user_id="u-1", user_hash="0", user_jwt=token, now=1000)
    assert not identity.verify(KEY, email="a@example.com", user_jwt=token, now=1000)
    assert not identity.verify(KEY, user_id="u-1")


def test_messenger_settings_for_a_visitor():
    """The settings for a visitor have no identity and no proof."""
    assert identity.messenger_settings(app_id=" abc ", secret=KEY) == {
        "api_base": "https://api-iam.intercom.io",
        "app_id": "abc",
    }


def test_messenger_settings_with_a_hash():
    """The settings have the identity, its proof and the region's host."""
    page_settings = identity.messenger_settings(
        app_id="abc", user_id=7, email="a@example.com", secret=KEY, region="eu", name="Ada", phone=None
    )

    assert page_settings == {
        "api_base": "https://api-iam.eu.intercom.io",
        "app_id": "abc",
        "name": "Ada",
        "user_id": "7",
        "email": "a@example.com",
        "user_hash": identity.user_hash(KEY, user_id="7"),
    }


def test_messenger_settings_with_a_token():
    """A token takes the place of the hash."""
    page_settings = identity.messenger_settings(
        app_id="abc", user_id="u-1", secret=KEY, token=True, now=1000, api_base="http://localhost:1"
    )

    assert identity.verify_user_jwt(KEY, page_settings["intercom_user_jwt"], user_id="u-1", now=1000)
    assert page_settings["api_base"] == "http://localhost:1"
    assert "user_hash" not in page_settings


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"app_id": " "}, "app_id"),
        ({"app_id": "a", "region": "mars"}, "region"),
        ({"app_id": "a", "email": "a@example.com", "secret": KEY, "token": True}, "user_id"),
    ],
)
def test_wrong_messenger_settings_raise_an_error(wrong, match):
    """The error names the argument that is wrong."""
    with pytest.raises(ConfigurationError, match=match):
        identity.messenger_settings(**wrong)


def test_messenger_json_cannot_leave_its_script():
    """A user's name cannot end the script element, and reads back unchanged."""
    name = "</script><script>alert(1)</script>&\u2028\u2029<!--"
    page_settings = identity.messenger_settings(app_id="abc", user_id="u", name=name)

    text = identity.messenger_json(page_settings)

    assert not any(character in text for character in "<>&\u2028\u2029")
    assert json.loads(text) == page_settings
