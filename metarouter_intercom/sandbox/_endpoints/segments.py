"""The endpoints that list and show segments. They know no rule of a segment and no members."""

from __future__ import annotations

from metarouter_intercom._types import JsonObject, JsonValue

from .._errors import resource_not_found
from .._request import ApiRequest
from .._settings import Segment

_CREATED_AT = 1_734_537_243


def list_segments(request: ApiRequest) -> JsonValue:
    """``GET /segments``; with ``include_count=true`` each with the number of its members, which is always 0."""
    return {
        "type": "segment.list",
        "segments": [_view_segment(request, segment) for segment in request.settings.segments],
    }


def show_segment(request: ApiRequest) -> JsonValue:
    """``GET /segments/{id}``."""
    for segment in request.settings.segments:
        if segment.id == request.ids[0]:
            return _view_segment(request, segment)
    raise resource_not_found("segment_not_found")


def _view_segment(request: ApiRequest, segment: Segment) -> JsonObject:
    shown: JsonObject = {
        "type": "segment",
        "id": segment.id,
        "name": segment.name,
        "created_at": _CREATED_AT,
        "updated_at": _CREATED_AT,
        "person_type": segment.person_type,
    }
    if request.query.get("include_count") == "true":
        shown["count"] = 0
    return shown
