"""Data attributes: listing, making and changing them, and checking the values that writes give them."""

from __future__ import annotations

import unicodedata

from metarouter_intercom._types import JsonObject, JsonValue

from .._errors import Refused, malformed
from .._request import Call
from .._standard_attributes import STANDARD_ATTRIBUTES
from .._validation import LATEST_SECOND, a_boolean, a_list, a_string, an_object, refuse_unknown, required
from .._workspace_state import Attribute

_MODELS = ("contact", "company")
_PEOPLE = {"contact": "people", "company": "company"}
_DATA_TYPES = {
    "string": "string",
    "integer": "integer",
    "float": "float",
    "boolean": "boolean",
    "date": "date",
    "datetime": "date",
    "options": "string",
}
_CREATE_FIELDS = ("name", "model", "data_type", "description", "options", "messenger_writable")
_UPDATE_FIELDS = ("archived", "description", "options", "messenger_writable")
_LEAST_OPTIONS = 2


# --- values -----------------------------------------------------------------------------------------------


def write_custom(call: Call, model: str, stored: JsonObject, given: JsonObject) -> None:
    """
    Check *given* against the known attributes, then put it into *stored*; null clears.

    All or nothing: one value that does not fit refuses the whole write.
    """
    for name, value in given.items():
        _check_value(call, _attribute_for(call, model, name, value), value)
    for name, value in given.items():
        if value is None:
            stored.pop(name, None)
        else:
            stored[name] = value


def _attribute_for(call: Call, model: str, name: str, value: JsonValue) -> Attribute:
    known = call.state.attributes.get((model, name))
    if known is not None and not known.archived:
        return known
    if call.settings.auto_attributes and not isinstance(value, dict | list):
        return call.state.add_attribute(model, name, _guess(name, value), call.second)
    raise Refused(
        400, "parameter_invalid", f"Custom attribute '{name}' does not exist", rule="unknown_attribute"
    )


def _guess(name: str, value: JsonValue) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "date" if name.endswith("_at") else "float"
    return "string"


def _check_value(call: Call, attribute: Attribute, value: JsonValue) -> None:
    name = attribute.name
    if isinstance(value, dict | list):
        raise malformed(f"Custom attribute '{name}' must not be nested", rule="nested_attribute", field=name)
    if value is None:
        return
    if not _fits(attribute.data_type, value):
        if attribute.data_type == "date" and isinstance(value, int | float) and value > LATEST_SECOND:
            raise malformed(f"Custom attribute '{name}' must be in seconds", rule="not_seconds", field=name)
        raise Refused(
            400,
            "parameter_invalid",
            f"Custom attribute '{name}' must be of type {attribute.data_type}",
            rule="wrong_attribute_type",
            field=name,
        )
    if isinstance(value, str) and len(value) > call.settings.text_limit:
        limit = call.settings.text_limit
        raise malformed(f"Custom attribute '{name}' is longer than {limit}", rule="too_long", field=name)
    if attribute.options is not None and value not in attribute.options:
        raise Refused(
            400,
            "parameter_invalid",
            f"Custom attribute '{name}' must be one of its options",
            rule="not_an_option",
            field=name,
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
    whole = isinstance(value, int) or value.is_integer()
    return whole and (data_type == "integer" or value <= LATEST_SECOND)


# --- endpoints --------------------------------------------------------------------------------------------


def list_attributes(call: Call) -> JsonValue:
    """``GET /data_attributes``: the standard ones of each model, then the custom ones."""
    model = call.query.get("model")
    if model == "conversation" and call.version >= (2, 16):
        text = "model=conversation is no longer supported. Use GET /conversations/attributes instead"
        raise Refused(422, "parameter_invalid", text, rule="model_unsupported", violation=True)
    archived = call.query.get("include_archived") == "true"
    data: list[JsonValue] = [dict(known) for known in STANDARD_ATTRIBUTES if model in (None, known["model"])]
    data += [
        view_attribute(found)
        for found in call.state.attributes.values()
        if model in (None, found.model) and (archived or not found.archived)
    ]
    return {"type": "list", "data": data}


def create_attribute(call: Call) -> JsonValue:
    """``POST /data_attributes``."""
    body = call.body
    refuse_unknown(body, _CREATE_FIELDS)
    name, model = _read_name(call, body), str(body.get("model"))
    _refuse_taken(call, name, model)
    data_type = _DATA_TYPES.get(str(body.get("data_type")))
    if data_type is None:
        raise malformed("Data Type isn't an option", rule="unknown_data_type", field="data_type")
    options = _read_options(body) if body["data_type"] == "options" else None
    description = _read_description(body)
    # Until 2.10 a new attribute could be written by the Messenger unless it was said otherwise.
    writable = a_boolean("messenger_writable", body.get("messenger_writable", call.version <= (2, 10)))
    active = sum(not known.archived for known in call.state.attributes.values())
    if active >= call.settings.attribute_limit:
        text = f"You have reached the limit of {call.settings.attribute_limit} custom attributes"
        raise Refused(422, "data_invalid", text, rule="attribute_limit")
    made = call.state.add_attribute(model, name, data_type, call.second)
    made.options, made.description, made.messenger_writable = options, description, writable
    return view_attribute(made)


def update_attribute(call: Call) -> JsonValue:
    """``PUT /data_attributes/{id}``: all but name, model and type can change."""
    found = next((known for known in call.state.attributes.values() if str(known.id) == call.ids[0]), None)
    if found is None:
        text = "We couldn't find that data attribute to update"
        raise Refused(404, "field_not_found", text, rule="attribute_not_found")
    refuse_unknown(call.body, _UPDATE_FIELDS)
    options = _read_options(call.body) if "options" in call.body else found.options
    description = _read_description(call.body)
    writable = a_boolean("messenger_writable", call.body.get("messenger_writable", found.messenger_writable))
    archived = a_boolean("archived", call.body.get("archived", found.archived))
    if archived and not found.archived and found.name in call.settings.in_use:
        text = "The Data Attribute you are trying to archive has a dependant object"
        raise Refused(422, "data_invalid", text, rule="attribute_in_use")
    found.archived = archived
    found.options = options
    found.messenger_writable = writable
    found.description = found.description if description is None else description
    found.updated_at = call.second
    return view_attribute(found)


def view_attribute(attribute: Attribute) -> JsonObject:
    """Return the attribute as the API shows it."""
    shown: JsonObject = {
        "id": attribute.id,
        "type": "data_attribute",
        "name": attribute.name,
        "full_name": f"custom_attributes.{attribute.name}",
        "label": attribute.name,
        "data_type": attribute.data_type,
        "api_writable": True,
        "ui_writable": False,
        "messenger_writable": attribute.messenger_writable,
        "custom": True,
        "archived": attribute.archived,
        "admin_id": "991267459",
        "created_at": attribute.created_at,
        "updated_at": attribute.updated_at,
        "model": attribute.model,
    }
    if attribute.description is not None:
        shown["description"] = attribute.description
    if attribute.options is not None:
        shown["options"] = list(attribute.options)
    return shown


def _read_description(body: JsonObject) -> str | None:
    return None if body.get("description") is None else a_string("description", body["description"])


def _read_name(call: Call, body: JsonObject) -> str:
    if body.get("model") not in _MODELS:
        text = "The Data Attribute model field must be either contact or company"
        raise malformed(text, rule="unknown_model", field="model")
    name = a_string("name", required(body, "name"))
    if not name.strip() or not all(_may_name(letter) for letter in name):
        text = "Your name for this attribute must only contain alphanumeric characters, currency symbols, and hyphens"
        raise malformed(text, rule="bad_attribute_name", field="name")
    for standard in STANDARD_ATTRIBUTES:
        if standard["model"] == body["model"] and str(standard["name"]).lower() == name.lower():
            text = f"'{name}' is one of our standard attributes. To save this data, use a different name."
            raise Refused(400, "parameter_invalid", text, rule="standard_attribute")
    return name


def _may_name(letter: str) -> bool:
    # The dollar sign is a currency symbol, but no key may hold one.
    if letter in "_- ":
        return True
    return letter.isalnum() or (letter != "$" and unicodedata.category(letter) == "Sc")


def _refuse_taken(call: Call, name: str, model: str) -> None:
    # A name is taken for both models, whichever has it.
    for other in (model, *_MODELS):
        if (other, name) in call.state.attributes:
            have, want = _PEOPLE[other], _PEOPLE[model]
            text = f"You already have '{name}' in your {have} data. To save this as new {want} data, use a different name."
            raise Refused(400, "parameter_invalid", text, rule="attribute_exists")


def _read_options(body: JsonObject) -> list[str]:
    given = body.get("options")
    if not isinstance(given, list):
        raise malformed("Options isn't an array", rule="bad_options", field="options")
    options = [
        a_string("value", an_object("option", option).get("value")) for option in a_list("options", given)
    ]
    if len(options) < _LEAST_OPTIONS:
        text = "You must have at least two options on a list type data attribute"
        raise malformed(text, rule="bad_options", field="options")
    return options
