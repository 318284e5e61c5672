"""What we want to be true in Intercom, as frozen values; knows neither HTTP nor JSON bodies."""

from __future__ import annotations

from ._values import (
    AttachCompany,
    DeleteContact,
    DetachCompany,
    MergeContact,
    Operation,
    SubmitEvent,
    TagCompany,
    Translation,
    UpsertCompany,
    UpsertContact,
    Who,
)

__all__ = [
    "AttachCompany",
    "DeleteContact",
    "DetachCompany",
    "MergeContact",
    "Operation",
    "SubmitEvent",
    "TagCompany",
    "Translation",
    "UpsertCompany",
    "UpsertContact",
    "Who",
]
