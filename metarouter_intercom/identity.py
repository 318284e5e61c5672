"""
Proofs of identity: made for the Messenger, checked on messages from untrusted senders; knows nothing of delivery.

Every function takes one key or several, newest first: the first one signs, any of them verifies, so a key can be replaced
without a moment in which good proofs are refused.
"""

from __future__ import annotations

import json
from math import isfinite
from typing import TYPE_CHECKING, Any, TypeAlias

from ._types import Secret
from .errors import ConfigurationError
from .settings import Region

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ._types import JsonObject

__all__ = [
    "messenger_json",
    "messenger_settings",
    "user_hash",
    "user_jwt",
    "verify",
    "verify_user_hash",
    "verify_user_jwt",
]

Keys: TypeAlias = "str | bytes | Secret | Sequence[str | bytes | Secret]"

# Intercom's installation page names one host a region for the Messenger.
_API_BASES = {
    Region.US: "https://api-iam.intercom.io",
    Region.EU: "https://api-iam.eu.intercom.io",
    Region.AU: "https://api-iam.au.intercom.io",
}
_ALGORITHM = "HS256"
# The JWT library warns of keys with fewer bytes.
_LIBRARY_WANTS = 14
# What must not stand as itself inside a script element of an HTML page.
_UNSAFE = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def user_hash(secret: Keys, *, user_id: str | int | None = None, email: str | None = None) -> str:
    """
    Return the hash that proves an identity to the Messenger: HMAC-SHA256, 64 small hexadecimal digits.

    Args:
        secret: The workspace's identity verification secret; of several the first one signs.
        user_id: Wins over *email* when both are given, as in Intercom.
        email: Exactly as the page sends it.

    Raises:
        ConfigurationError: No secret, or nobody to prove.
    """
    return _digest(_keys(secret)[0], _subject(user_id, email))


def user_jwt(
    secret: Keys,
    *,
    user_id: str | int,
    email: str | None = None,
    expires_in: float = 3600.0,
    now: float | None = None,
    claims: Mapping[str, Any] | None = None,
) -> str:
    """
    Return a JSON Web Token (HS256) that proves an identity for a limited time; needs the extra ``jwt``.

    Args:
        secret: The workspace's Messenger secret; of several the first one signs.
        user_id: Becomes the claim ``user_id``.
        email: Becomes the claim ``email``.
        expires_in: Seconds until it expires, above 0.
        now: Unix seconds of issue; None asks the clock.
        claims: Further claims, such as custom attributes that only a token may set.

    Raises:
        ConfigurationError: No secret, nobody to prove, an expiry that is not above 0, or the extra is missing.
    """
    if not expires_in > 0:
        raise ConfigurationError(f"expires_in: {expires_in!r} is no time to come; use seconds above 0")
    issued_at = int(_time() if now is None else now)
    told: dict[str, Any] = {**(claims or {}), "user_id": _subject(user_id, None)}
    if email is not None:
        told["email"] = email
    told |= {"iat": issued_at, "exp": issued_at + max(1, int(expires_in))}
    jwt, oct_key = _jwt_library()
    return str(jwt.encode({"alg": _ALGORITHM}, told, oct_key(_keys(secret)[0])))


def verify(
    secret: Keys,
    *,
    user_id: str | int | None = None,
    email: str | None = None,
    user_hash: str | None = None,
    user_jwt: str | None = None,
    now: float | None = None,
) -> bool:
    """
    Tell whether every given proof proves this identity (rule V1); False when none is given.

    Args:
        secret: One key or several.
        user_id: Whom the proof has to name.
        email: Whom it has to name when there is no user id; tokens prove user ids only.
        user_hash: A proof as ``user_hash`` makes it.
        user_jwt: A proof as ``user_jwt`` makes it.
        now: Unix seconds; None asks the clock.

    Raises:
        ConfigurationError: No secret, or a token and no extra ``jwt`` to read it.
    """
    if user_hash is None and user_jwt is None:
        return False
    if user_hash is not None and not verify_user_hash(secret, user_hash, user_id=user_id, email=email):
        return False
    return user_jwt is None or (
        user_id is not None and verify_user_jwt(secret, user_jwt, user_id=user_id, now=now)
    )


def verify_user_hash(
    secret: Keys, proof: object, *, user_id: str | int | None = None, email: str | None = None
) -> bool:
    """
    Tell, in constant time, whether *proof* is the hash of this identity under one of the keys.

    Raises:
        ConfigurationError: No secret, or nobody to prove.
    """
    from hmac import compare_digest

    subject = _subject(user_id, email)
    given = proof.strip().lower().encode("utf-8", "replace") if isinstance(proof, str) else b""
    is_valid = False
    for key in _keys(secret):
        # Every key is tried, so that the time does not tell which one fits.
        is_valid |= compare_digest(_digest(key, subject).encode(), given)
    return is_valid


def verify_user_jwt(secret: Keys, token: object, *, user_id: str | int, now: float | None = None) -> bool:
    """
    Tell whether *token* is an HS256 token for this user id under one of the keys, and not expired; needs the extra ``jwt``.

    Raises:
        ConfigurationError: No secret, nobody to prove, or the extra is missing.
    """
    subject = _subject(user_id, None)
    keys = _keys(secret)
    if not isinstance(token, str):
        return False
    at = int(_time() if now is None else now)
    claims = [claims for key in keys if (claims := _claims(token, key, at)) is not None]
    return any(_is_about(told, subject) for told in claims)


def messenger_settings(
    *,
    app_id: str,
    user_id: str | int | None = None,
    email: str | None = None,
    secret: Keys | None = None,
    token: bool = False,
    expires_in: float = 3600.0,
    region: Region | str = Region.US,
    api_base: str | None = None,
    now: float | None = None,
    **facts: str | int | float | bool | None,
) -> JsonObject:
    """
    Return what the page's Messenger snippet needs, as ``window.intercomSettings``.

    Args:
        app_id: App or Source ID.
        user_id: Of who is signed in; neither this nor *email* for a visitor.
        email: Of who is signed in.
        secret: Signs the identity; None leaves the proof out.
        token: Sign with a token (``intercom_user_jwt``) instead of a hash (``user_hash``).
        expires_in: Seconds until the token expires.
        region: Where the workspace is: ``us``, ``eu`` or ``au``.
        api_base: Overrides the region's Messenger host.
        now: Unix seconds for the token; None asks the clock.
        facts: Further fields, such as ``name`` and ``created_at``.

    Raises:
        ConfigurationError: No app id, an unknown region, or a token for nobody.
    """
    if not app_id or not app_id.strip():
        raise ConfigurationError("app_id: missing; pass the workspace's App ID")
    told: JsonObject = {"api_base": api_base or _API_BASES[_region(region)], "app_id": app_id.strip()}
    told |= {name: value for name, value in facts.items() if value is not None}
    if user_id is not None:
        told["user_id"] = _subject(user_id, None)
    if email is not None:
        told["email"] = email
    if secret is None or (user_id is None and email is None):
        return told
    if not token:
        told["user_hash"] = user_hash(secret, user_id=user_id, email=email)
        return told
    if user_id is None:
        raise ConfigurationError(
            "user_id: missing; a token proves a user id, use a hash for an e-mail address"
        )
    told["intercom_user_jwt"] = user_jwt(secret, user_id=user_id, email=email, expires_in=expires_in, now=now)
    return told


def messenger_json(settings: Mapping[str, Any]) -> str:
    """
    Return *settings* as JSON that is safe inside a ``<script>`` element, whatever a user's name holds.

    Use it as ``window.intercomSettings = {{ it }};`` with the template's own escaping switched off for it.
    """
    text = json.dumps(dict(settings))
    for character, escape in _UNSAFE.items():
        text = text.replace(character, escape)
    return text


# --- helpers --------------------------------------------------------------------------------------------------


def _keys(secret: Keys) -> list[bytes]:
    given = [secret] if isinstance(secret, str | bytes | Secret) else list(secret)
    keys = [_key(key) for key in given]
    if not keys or not all(keys):
        raise ConfigurationError("secret: missing or empty; pass the workspace's identity secret")
    return keys


def _key(key: str | bytes | Secret) -> bytes:
    if isinstance(key, Secret):
        return key.reveal_bytes()
    return key.encode() if isinstance(key, str) else bytes(key)


def _subject(user_id: str | int | None, email: str | None) -> str:
    subject = str(user_id) if user_id is not None else email
    if subject is None or not subject.strip():
        raise ConfigurationError("user_id, email: both missing or blank; pass one of them")
    return subject


def _digest(key: bytes, subject: str) -> str:
    import hashlib
    import hmac

    return hmac.new(key, subject.encode("utf-8", "replace"), hashlib.sha256).hexdigest()


def _claims(token: str, key: bytes, now: int) -> Mapping[str, Any] | None:
    """Return the claims of a token that *key* signed and that is valid at *now*; None for any other."""
    jwt, oct_key = _jwt_library()
    from joserfc.errors import JoseError
    from joserfc.jwt import JWTClaimsRegistry

    try:
        claims: Mapping[str, Any] = jwt.decode(token, oct_key(key), algorithms=[_ALGORITHM]).claims
        # When it was issued proves nothing (RFC 7519, 4.1.6): a signer's clock may run a little ahead of ours.
        JWTClaimsRegistry(now=now).validate({name: claim for name, claim in claims.items() if name != "iat"})
    except (JoseError, ValueError, TypeError, AttributeError):
        return None
    ends = claims.get("exp")
    # Not every version of the library refuses NaN, which is before no moment.
    return None if isinstance(ends, float) and not isfinite(ends) else claims


def _is_about(claims: Mapping[str, Any], subject: str) -> bool:
    from hmac import compare_digest

    named = claims.get("user_id")
    if not isinstance(named, str | int) or isinstance(named, bool):
        return False
    return compare_digest(str(named).encode("utf-8", "replace"), subject.encode("utf-8", "replace"))


def _jwt_library() -> tuple[Any, Any]:
    """Return the JWT module and a function key -> its kind of key."""
    try:
        from joserfc import jwt
        from joserfc.jwk import OctKey
    except ImportError:
        raise ConfigurationError("user_jwt: the extra is missing; install metarouter-intercom[jwt]") from None
    # HMAC fills a short key with zeros by itself, so this is the same key: Intercom chose it, and our user cannot lengthen it.
    return jwt, lambda key: OctKey.import_key(key.ljust(_LIBRARY_WANTS, b"\0"))


def _region(value: Region | str) -> Region:
    try:
        return Region(str(getattr(value, "value", value)).lower())
    except ValueError:
        raise ConfigurationError(f"region: {value!r} is unknown; use one of us, eu, au") from None


def _time() -> float:
    import time

    return time.time()
