"""
Proofs of identity: makes them for the Messenger and verifies those of untrusted senders; knows nothing of delivery.

Every function takes one key, or several with the newest first. The first key signs and any of them verifies, so that you can replace
a key while proofs of the old one are still in use.
"""

from __future__ import annotations

import json
from math import isfinite
from typing import TYPE_CHECKING, Any, TypeAlias

from ._types import Secret
from .errors import ConfigurationError
from .settings import Region
from .settings._region import to_region

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

# Source: Intercom's installation page for the Messenger names one host for each region.
_API_BASES = {
    Region.US: "https://api-iam.intercom.io",
    Region.EU: "https://api-iam.eu.intercom.io",
    Region.AU: "https://api-iam.au.intercom.io",
}
_ALGORITHM = "HS256"
# The JWT library warns when a key has fewer bytes.
_MIN_KEY_BYTES = 14
# These characters could end a script element of an HTML page, or break its text.
_UNSAFE = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def user_hash(secret: Keys, *, user_id: str | int | None = None, email: str | None = None) -> str:
    """
    Return the hash that proves an identity to the Messenger: HMAC-SHA256 as 64 lower-case hexadecimal digits.

    Args:
        secret: The workspace's identity verification secret. The first of several signs.
        user_id: The identity, also when there is an *email* too, as in Intercom.
        email: The identity when there is no *user_id*, exactly as the page sends it.

    Raises:
        ConfigurationError: There is no secret, or neither a user id nor an e-mail address.
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
    Return a JSON Web Token (HS256) that proves an identity for a limited time. Needs the extra ``jwt``.

    Args:
        secret: The workspace's Messenger secret. The first of several signs.
        user_id: The claim ``user_id``.
        email: The claim ``email``.
        expires_in: Seconds until the token expires, above 0.
        now: Unix seconds of the issue; None means the system's clock.
        claims: Further claims, such as custom attributes that only a token may set.

    Raises:
        ConfigurationError: There is no secret or no user id, *expires_in* is not above 0, or the extra is missing.
    """
    if not expires_in > 0:
        raise ConfigurationError(f"expires_in: {expires_in!r} is not in the future; use seconds above 0")
    issued_at = int(_time() if now is None else now)
    payload: dict[str, Any] = {**(claims or {}), "user_id": _subject(user_id, None)}
    if email is not None:
        payload["email"] = email
    payload |= {"iat": issued_at, "exp": issued_at + max(1, int(expires_in))}
    jwt, oct_key = _jwt_library()
    return str(jwt.encode({"alg": _ALGORITHM}, payload, oct_key(_keys(secret)[0])))


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
    Tell whether each proof that you pass proves this identity (rule V1); False without a proof.

    Args:
        secret: One key or several.
        user_id: The user id that the proof must be for.
        email: The e-mail address that a hash must be for when there is no user id. A token proves user ids only.
        user_hash: A proof that ``user_hash`` makes.
        user_jwt: A proof that ``user_jwt`` makes.
        now: Unix seconds; None means the system's clock.

    Raises:
        ConfigurationError: There is no secret, or there is a token and the extra ``jwt`` is missing.
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
        ConfigurationError: There is no secret, or neither a user id nor an e-mail address.
    """
    from hmac import compare_digest

    subject = _subject(user_id, email)
    digest = proof.strip().lower().encode("utf-8", "replace") if isinstance(proof, str) else b""
    is_valid = False
    for key in _keys(secret):
        # Every key is tried, so that the time it takes does not show which key is the right one.
        is_valid |= compare_digest(_digest(key, subject).encode(), digest)
    return is_valid


def verify_user_jwt(secret: Keys, token: object, *, user_id: str | int, now: float | None = None) -> bool:
    """
    Tell whether *token* is an HS256 token for this user id under one of the keys, and not expired. Needs the extra ``jwt``.

    Raises:
        ConfigurationError: There is no secret or no user id, or the extra is missing.
    """
    return _proven_claims(secret, token, user_id=user_id, now=now) is not None


def email_in_jwt(secret: Keys, token: object, *, user_id: str | int, now: float | None = None) -> str | None:
    """
    Return the claim ``email`` of a token that proves this user id (rule V4); None without a valid token or a text in the claim.

    Raises:
        ConfigurationError: As ``verify_user_jwt`` does.
    """
    claims = _proven_claims(secret, token, user_id=user_id, now=now)
    email = None if claims is None else claims.get("email")
    return email.strip() or None if isinstance(email, str) else None


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
    **fields: str | int | float | bool | None,
) -> JsonObject:
    """
    Return the ``window.intercomSettings`` for the Messenger's snippet on a page.

    Args:
        app_id: App or Source ID.
        user_id: Of the person who is signed in; without *user_id* and *email* the settings are for a visitor.
        email: Of the person who is signed in.
        secret: The key that signs the identity; None leaves the proof out.
        token: Sign with a token (``intercom_user_jwt``) instead of a hash (``user_hash``).
        expires_in: Seconds until the token expires.
        region: Where the workspace is: ``us``, ``eu`` or ``au``.
        api_base: An address to use instead of the region's Messenger host.
        now: Unix seconds for the token; None means the system's clock.
        fields: Further fields, such as ``name`` and ``created_at``; None leaves a field out.

    Raises:
        ConfigurationError: There is no app id, the region is unknown, or a token was asked for without a user id.
    """
    if not app_id or not app_id.strip():
        raise ConfigurationError("app_id: missing; pass the workspace's App ID")
    page_settings: JsonObject = {
        "api_base": api_base or _API_BASES[to_region(region)],
        "app_id": app_id.strip(),
    }
    page_settings |= {name: value for name, value in fields.items() if value is not None}
    if user_id is not None:
        page_settings["user_id"] = _subject(user_id, None)
    if email is not None:
        page_settings["email"] = email
    if secret is None or (user_id is None and email is None):
        return page_settings
    if not token:
        page_settings["user_hash"] = user_hash(secret, user_id=user_id, email=email)
        return page_settings
    if user_id is None:
        raise ConfigurationError(
            "user_id: missing; a token proves a user id, so use a hash for an e-mail address"
        )
    page_settings["intercom_user_jwt"] = user_jwt(
        secret, user_id=user_id, email=email, expires_in=expires_in, now=now
    )
    return page_settings


def messenger_json(settings: Mapping[str, Any]) -> str:
    """
    Return *settings* as JSON that is safe inside a ``<script>`` element, whatever characters a user's name has.

    In a template write ``window.intercomSettings = {{ it }};`` and switch off the template's own escaping for it.
    """
    text = json.dumps(dict(settings))
    for character, escape in _UNSAFE.items():
        text = text.replace(character, escape)
    return text


# --- helpers --------------------------------------------------------------------------------------------------


def _keys(secret: Keys) -> list[bytes]:
    secrets = [secret] if isinstance(secret, str | bytes | Secret) else list(secret)
    keys = [_key(one) for one in secrets]
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


def _proven_claims(
    secret: Keys, token: object, *, user_id: str | int, now: float | None
) -> Mapping[str, Any] | None:
    """Return the claims of a valid token for this user id; None for any other token."""
    subject = _subject(user_id, None)
    keys = _keys(secret)
    if not isinstance(token, str):
        return None
    at = int(_time() if now is None else now)
    signed = [claims for key in keys if (claims := _claims(token, key, at)) is not None]
    return next((claims for claims in signed if _is_about(claims, subject)), None)


def _claims(token: str, key: bytes, now: int) -> Mapping[str, Any] | None:
    """Return the claims of a token that *key* signed and that is valid at *now*; None for any other."""
    jwt, oct_key = _jwt_library()
    from joserfc.errors import JoseError
    from joserfc.jwt import JWTClaimsRegistry

    try:
        claims: Mapping[str, Any] = jwt.decode(token, oct_key(key), algorithms=[_ALGORITHM]).claims
        # The time of issue proves nothing (RFC 7519, 4.1.6): a signer's clock may be a little ahead of ours.
        JWTClaimsRegistry(now=now).validate({name: claim for name, claim in claims.items() if name != "iat"})
    except (JoseError, ValueError, TypeError, AttributeError):
        return None
    expires_at = claims.get("exp")
    # A token that expires at NaN would never expire, and not every version of the library refuses it.
    return None if isinstance(expires_at, float) and not isfinite(expires_at) else claims


def _is_about(claims: Mapping[str, Any], subject: str) -> bool:
    from hmac import compare_digest

    user_id = claims.get("user_id")
    if not isinstance(user_id, str | int) or isinstance(user_id, bool):
        return False
    return compare_digest(str(user_id).encode("utf-8", "replace"), subject.encode("utf-8", "replace"))


def _jwt_library() -> tuple[Any, Any]:
    """Return the library's JWT module, and a function that turns bytes into its kind of key."""
    try:
        from joserfc import jwt
        from joserfc.jwk import OctKey
    except ImportError:
        raise ConfigurationError("user_jwt: the extra is missing; install metarouter-intercom[jwt]") from None
    # HMAC fills a short key with zeros itself, so the longer key signs alike. Intercom chooses the key, so the user cannot lengthen it.
    return jwt, lambda key: OctKey.import_key(key.ljust(_MIN_KEY_BYTES, b"\0"))


def _time() -> float:
    import time

    return time.time()
