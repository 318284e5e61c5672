"""Checks that a message comes from the person whom it names (rules V1 to V4); reads no clock: the time is an argument."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import ConfigurationError, Problem, RejectedMessage
from ..messages._contact_keys import email_of
from ..messages._facts import PLAIN, PROOFS, look_up
from ..messages._integrations import option_objects

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..messages import Message
    from ..settings import Settings

_REASON = "identity_mismatch"


def check_proofs(message: Message, settings: Settings, *, names: frozenset[str], now: float) -> str | None:
    """
    Check the proofs of identity that *message* carries or lacks.

    With ``require_identity``, a message about somebody needs a proof of that person, and so does a group, which writes a company even if
    it is about nobody. A message that names only a visitor needs none: the translator writes nothing for it.

    Args:
        message: As it was sent.
        settings: ``identity_secret`` and ``require_identity``.
        names: Names of this destination in small letters.
        now: Unix seconds, for the expiry of a token.

    Returns:
        The e-mail address of an identify with a ``userId``, if a token proves that it belongs to that user (V4); else None.

    Raises:
        RejectedMessage: A proof is wrong, or missing where it is required; reason ``identity_mismatch``.
    """
    proofs = _proofs(message, names)
    email = None if message.user_id is not None else email_of(message)
    if not proofs:
        is_about_somebody = message.user_id is not None or email is not None
        if settings.require_identity and (is_about_somebody or message.type == "group"):
            raise _mismatch("missing", "send integrations.Intercom.user_hash or intercom_user_jwt")
        return None
    for kind, proof in proofs:
        if not _is_valid(kind, proof, user_id=message.user_id, email=email, settings=settings, now=now):
            raise _mismatch(f"the {kind} does not prove this identity", "make it with the workspace's secret")
    return _proven_email(message, proofs, settings, now=now)


def without_proofs(container: Mapping[str, Any], names: frozenset[str], *, depth: int = 2) -> dict[str, Any]:
    """Return *container* (integrations, context) with every proof in an object for Intercom left out (R7)."""
    result: dict[str, Any] = {}
    for key, value in container.items():
        if isinstance(value, dict) and depth:
            if key.lower() in names:
                value = {name: option for name, option in value.items() if PLAIN[name] not in PROOFS}
            elif key == "integrations":
                value = without_proofs(value, names, depth=depth - 1)
        result[key] = value
    return result


def _proofs(message: Message, names: frozenset[str]) -> list[tuple[str, Any]]:
    """Return each kind of proof with the first value that *message* carries."""
    proofs: list[tuple[str, Any]] = []
    for kind, option in (("user_hash", "user_hash"), ("JWT", "intercom_user_jwt")):
        for options in option_objects(message, names):
            proof = look_up(options, option)
            if proof is not None:
                proofs.append((kind, proof))
                break
    return proofs


def _is_valid(
    kind: str, proof: Any, *, user_id: str | None, email: str | None, settings: Settings, now: float
) -> bool:
    from ..identity import verify_user_hash, verify_user_jwt

    if (user_id is None and email is None) or not settings.identity_secret:
        return False
    if kind == "user_hash":
        return verify_user_hash(settings.identity_secret, proof, user_id=user_id, email=email)
    if user_id is None:
        return False
    try:
        return verify_user_jwt(settings.identity_secret, proof, user_id=user_id, now=now)
    except ConfigurationError as error:
        raise _mismatch("the JWT cannot be checked", str(error)) from error


def _proven_email(
    message: Message, proofs: list[tuple[str, Any]], settings: Settings, *, now: float
) -> str | None:
    """Return the e-mail address that an identify writes, if a token among its valid *proofs* has it as a claim."""
    from ..identity import email_in_jwt

    token = dict(proofs).get("JWT")
    if token is None or message.type != "identify" or message.user_id is None:
        return None
    email = email_of(message)
    claimed = email_in_jwt(settings.identity_secret, token, user_id=message.user_id, now=now)
    return email if email is not None and claimed is not None and claimed.lower() == email.lower() else None


def _mismatch(fault: str, remedy: str) -> RejectedMessage:
    return RejectedMessage([Problem("integrations.Intercom", fault, remedy)], reason=_REASON)
