"""Checks the values of custom attributes and stores them, for contacts and companies alike. It knows no endpoint."""

from __future__ import annotations

from metarouter_intercom._types import JsonObject, JsonValue

from ._errors import ApiError, malformed
from ._request import ApiRequest
from ._settings import Model
from ._validation import check_object
from ._workspace_state import Attribute


def write_custom_attributes(request: ApiRequest, model: Model, stored: JsonObject) -> None:
    """
    Write the request's ``custom_attributes`` into *stored*; null clears a value, and a missing field changes nothing.

    A cleared attribute stays in responses with null, as recordings show.

    Raises:
        ApiError: A value does not fit its attribute, or there is no such attribute. Then nothing is written.
    """
    field = request.body.get("custom_attributes")
    if field is None:
        return
    values = check_object("custom_attributes", field)
    for name, value in values.items():
        _check_value(request, _attribute(request, model, name=name, value=value), value)
    stored.update(values)


def _attribute(request: ApiRequest, model: Model, *, name: str, value: JsonValue) -> Attribute:
    """Return the attribute's definition; make it from *value* where the workspace allows that."""
    attribute = request.state.attributes.get((model, name))
    if attribute is not None and not attribute.archived:
        return attribute
    if request.settings.auto_attributes and not isinstance(value, dict | list):
        data_type = _guess_data_type(name, value)
        return request.state.add_attribute(model, name, data_type, now=request.timestamp)
    raise ApiError(
        400, "parameter_invalid", f"Custom attribute '{name}' does not exist", rule="unknown_attribute"
    )


def _guess_data_type(name: str, value: JsonValue) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "date" if name.endswith("_at") else "float"
    return "string"


def _check_value(request: ApiRequest, attribute: Attribute, value: JsonValue) -> None:
    name = attribute.name
    if isinstance(value, dict | list):
        raise malformed(f"Custom attribute '{name}' must not be nested", rule="nested_attribute", field=name)
    if value is None:
        return
    if not _fits(attribute.data_type, value):
        raise ApiError(
            400,
            "parameter_invalid",
            f"Custom attribute '{name}' must be of type {attribute.data_type}",
            rule="wrong_attribute_type",
            field=name,
            assumed=True,
        )
    if attribute.data_type == "date":
        request.record_time(name, value)
    if isinstance(value, str) and len(value) > request.settings.text_limit:
        limit = request.settings.text_limit
        raise malformed(f"Custom attribute '{name}' is longer than {limit}", rule="too_long", field=name)
    if attribute.options is not None and value not in attribute.options:
        raise ApiError(
            400,
            "parameter_invalid",
            f"Custom attribute '{name}' must be one of its options",
            rule="not_an_option",
            field=name,
            assumed=True,
        )


def _fits(data_type: str, value: JsonValue) -> bool:
    if data_type == "string":
        return isinstance(value, str)
    if data_type == "boolean":
        return isinstance(value, bool)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    if data_type == "float":
        return True
    return isinstance(value, int) or value.is_integer()
