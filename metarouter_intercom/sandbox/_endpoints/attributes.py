"""The endpoints of data attributes: listing, making and changing their definitions. They know no values."""

from __future__ import annotations

import unicodedata

from metarouter_intercom._types import JsonObject, JsonValue

from .._errors import ApiError, malformed
from .._request import ApiRequest
from .._standard_attributes import (
    INTERNAL_ATTRIBUTES,
    STANDARD_NAMES,
    VISIBLE_ATTRIBUTES,
    view_standard_attribute,
)
from .._validation import (
    check_boolean,
    check_list,
    check_object,
    check_string,
    require,
)
from .._workspace_state import Attribute

_MODELS = ("contact", "company")
# What Intercom's error texts call each model.
_MODEL_WORDS = {"contact": "people", "company": "company"}
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
# Up to 2.13 an option may be a text, since then it is an object with a value.
_OPTION_OBJECTS_SINCE = (2, 14)


def list_attributes(request: ApiRequest) -> JsonValue:
    """``GET /data_attributes``: the standard attributes that teammates see, the custom ones, then the other standard ones."""
    model = request.query.get("model")
    if model == "conversation" and request.version >= (2, 16):
        text = "model=conversation is no longer supported. Use GET /conversations/attributes instead"
        raise ApiError(422, "parameter_invalid", text, rule="model_unsupported", violation=True)
    archived = request.query.get("include_archived") == "true"
    custom: list[JsonValue] = [
        view_attribute(attribute)
        for attribute in request.state.attributes.values()
        if model in (None, attribute.model) and (archived or not attribute.archived)
    ]
    visible, internal = (
        [
            view_standard_attribute(attribute, version=request.version)
            for attribute in attributes
            if model in (None, attribute.model)
        ]
        for attributes in (VISIBLE_ATTRIBUTES, INTERNAL_ATTRIBUTES)
    )
    return {"type": "list", "data": [*visible, *custom, *internal]}


def create_attribute(request: ApiRequest) -> JsonValue:
    """``POST /data_attributes``."""
    body = request.body
    request.record_unknown(body, _CREATE_FIELDS)
    name, model = _read_name(request, body), str(body.get("model"))
    _refuse_existing(request, name, model)
    data_type = _DATA_TYPES.get(str(body.get("data_type")))
    if data_type is None:
        raise malformed("Data Type isn't an option", rule="unknown_data_type", assumed=False)
    options = _read_options(request) if body["data_type"] == "options" else None
    description = _read_description(body)
    # Up to 2.10 the Messenger may write a new attribute unless the request says otherwise.
    writable = check_boolean("messenger_writable", body.get("messenger_writable", request.version <= (2, 10)))
    active = sum(not attribute.archived for attribute in request.state.attributes.values())
    if active >= request.settings.attribute_limit:
        text = f"You have reached the limit of {request.settings.attribute_limit} custom attributes"
        raise ApiError(422, "data_invalid", text, rule="attribute_limit", assumed=True)
    attribute = request.state.add_attribute(model, name, data_type, now=request.timestamp)
    attribute.options, attribute.description = options, description
    attribute.messenger_writable = writable
    return view_attribute(attribute)


def update_attribute(request: ApiRequest) -> JsonValue:
    """``PUT /data_attributes/{id}``: name, model and data type cannot change."""
    attributes = request.state.attributes.values()
    attribute = next((known for known in attributes if str(known.id) == request.ids[0]), None)
    if attribute is None:
        text = "We couldn't find that data attribute to update"
        raise ApiError(404, "field_not_found", text, rule="attribute_not_found")
    request.record_unknown(request.body, _UPDATE_FIELDS)
    options = _read_options(request) if "options" in request.body else attribute.options
    description = _read_description(request.body)
    writable = check_boolean(
        "messenger_writable", request.body.get("messenger_writable", attribute.messenger_writable)
    )
    archived = check_boolean("archived", request.body.get("archived", attribute.archived))
    if archived and not attribute.archived and attribute.name in request.settings.in_use:
        text = "The Data Attribute you are trying to archive has a dependant object"
        raise ApiError(422, "data_invalid", text, rule="attribute_in_use")
    attribute.archived = archived
    attribute.options = options
    attribute.messenger_writable = writable
    attribute.description = attribute.description if description is None else description
    attribute.updated_at = request.timestamp
    return view_attribute(attribute)


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
    return None if body.get("description") is None else check_string("description", body["description"])


def _read_name(request: ApiRequest, body: JsonObject) -> str:
    if body.get("model") not in _MODELS:
        text = "The Data Attribute model field must be either contact or company"
        raise malformed(text, rule="unknown_model", assumed=False)
    name = check_string("name", require(body, "name"))
    if not name.strip() or not all(_is_allowed(letter) for letter in name):
        text = "Your name for this attribute must only contain alphanumeric characters, currency symbols, and hyphens"
        raise malformed(text, rule="bad_attribute_name", assumed=False)
    if name.lower() in STANDARD_NAMES[str(body["model"])]:
        # Only the beginning of the text is documented.
        text = f"'{name}' is one of our standard attributes. To save this data, use a different name."
        raise ApiError(400, "parameter_invalid", text, rule="standard_attribute")
    return name


def _is_allowed(letter: str) -> bool:
    if letter in "_- ":
        return True
    # Many scripts write vowels and accents as marks of their own (Mn, Mc), and no name in them could do without.
    # The dollar sign is a currency symbol too, but Intercom allows it in no key.
    return letter.isalnum() or (letter != "$" and unicodedata.category(letter) in ("Mn", "Mc", "Sc"))


def _refuse_existing(request: ApiRequest, name: str, model: str) -> None:
    # Contacts and companies cannot both have an attribute with the same name.
    for other in (model, *_MODELS):
        if (other, name) in request.state.attributes:
            have, want = _MODEL_WORDS[other], _MODEL_WORDS[model]
            text = f"You already have '{name}' in your {have} data. To save this as new {want} data, use a different name."
            raise ApiError(400, "parameter_invalid", text, rule="attribute_exists")


def _read_options(request: ApiRequest) -> list[str]:
    entries = request.body.get("options")
    if not isinstance(entries, list):
        raise malformed("Options isn't an array", rule="bad_options", assumed=False)
    options = [_read_option(request, entry) for entry in check_list("options", entries)]
    if len(options) < _LEAST_OPTIONS:
        text = "You must have at least two options on a list type data attribute"
        raise malformed(text, rule="bad_options", assumed=False)
    return options


def _read_option(request: ApiRequest, entry: JsonValue) -> str:
    if isinstance(entry, str) and request.version < _OPTION_OBJECTS_SINCE:
        return entry
    return check_string("value", check_object("option", entry).get("value"))
