"""What a message means for Intercom: operations as frozen values, and ``translate``, which makes them; knows neither HTTP nor JSON bodies."""

from __future__ import annotations

from ._translator import DefaultTranslator, translate
from ._values import (
    AttachCompany,
    DeleteContact,
    DetachCompany,
    MergeContact,
    Operation,
    Origin,
    SetSubscription,
    SubmitEvent,
    TagCompany,
    TagContact,
    Translation,
    UpsertCompany,
    UpsertContact,
    Who,
)

__all__ = [
    "AttachCompany",
    "DefaultTranslator",
    "DeleteContact",
    "DetachCompany",
    "MergeContact",
    "Operation",
    "Origin",
    "SetSubscription",
    "SubmitEvent",
    "TagCompany",
    "TagContact",
    "Translation",
    "UpsertCompany",
    "UpsertContact",
    "Who",
    "translate",
]
