"""Writes that Intercom refuses because of one field (rules M3, A6): create the attribute, or leave the field out, and write the rest."""

from __future__ import annotations

import pytest

from metarouter_intercom._intercom.field_repair import Written, write
from metarouter_intercom.errors import ReadFailed
from metarouter_intercom.plugins import Note, Request, Response

from .._support.flow_driving import ANY, NOW, attributes, make_cache, make_world, ok, play, refusal

_LOOK = "GET /data_attributes"
_CREATE = "POST /data_attributes"
_PUT = "PUT /contacts/c1"


def _send(body):
    return Request("PUT", "/contacts/c1", body)


def _write(body, world, notes=None, model="contact"):
    return write(_send, body, model=model, world=world, notes=[] if notes is None else notes)


def _body(**custom):
    return {"role": "user", "external_id": "u1", "name": "Ann", "custom_attributes": custom}


def _unknown(name):
    return refusal(400, f"Custom attribute '{name}' does not exist")


def _knowing(*names, model="contact"):
    cache = make_cache()
    cache.list_attributes({"contact": [], "company": [], model: names}, NOW)
    return cache


def test_an_accepted_write_is_one_request():
    """A write that Intercom accepts is one request, and nothing is repaired."""
    body = _body(plan="pro")

    written = play(_write(body, make_world()), (_PUT, _body(plan="pro"), ok()))

    assert written == Written(Request("PUT", "/contacts/c1", _body(plan="pro")), ok(), body)


def test_a_request_does_not_change_after_it_was_sent():
    """Whoever keeps requests, such as a transport for tests, sees each one as it was sent."""
    flow = _write(_body(plan="pro"), make_world(unknown_attributes="drop"))
    first = next(flow)

    flow.send(_unknown("plan"))

    assert first.body == _body(plan="pro")


# --- an attribute that the workspace does not know ----------------------------------------------------------


def test_an_unknown_attribute_is_created_and_the_write_repeated():
    """By default an unknown attribute is created, and the attributes of the workspace are remembered (rules A6, M3)."""
    world, notes = make_world(), []

    written = play(
        _write(_body(plan="pro"), world, notes),
        (_PUT, _body(plan="pro"), _unknown("plan")),
        (_LOOK, None, attributes("seats")),
        (_CREATE, {"name": "plan", "model": "contact", "data_type": "string"}, ok()),
        (_PUT, _body(plan="pro"), ok()),
    )

    assert written.body == _body(plan="pro")
    assert (notes, world.cache.attributes("contact")) == ([], {"plan", "seats"})


def test_several_unknown_attributes_cost_one_refusal():
    """Once the workspace's attributes are known, all missing ones are created before the write is repeated (rule M3)."""
    play(
        _write(_body(a="x", b=True, c=1), make_world()),
        (_PUT, ANY, _unknown("a")),
        (_LOOK, None, attributes()),
        (_CREATE, {"name": "a", "model": "contact", "data_type": "string"}, ok()),
        (_CREATE, {"name": "b", "model": "contact", "data_type": "boolean"}, ok()),
        (_CREATE, {"name": "c", "model": "contact", "data_type": "float"}, ok()),
        (_PUT, _body(a="x", b=True, c=1), ok()),
    )


def test_attributes_known_to_be_missing_are_created_before_the_write():
    """The workspace's attributes are looked up once; afterwards missing ones are created before Intercom can refuse the write (rule M3)."""
    world = make_world(_knowing("seats"))

    play(_write(_body(seats=3, plan="pro"), world), (_CREATE, ANY, ok()), (_PUT, ANY, ok()))
    play(_write(_body(seats=3, plan="pro"), world), (_PUT, ANY, ok()))

    assert world.cache.attributes("contact") == {"plan", "seats"}


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("plan", "pro", "string"),
        ("is_paying", True, "boolean"),
        ("seats", 12, "float"),
        ("score", 12.5, "float"),
        ("renewed_at", 1_700_000_000, "date"),
        ("renewedAt", 1_700_000_000, "date"),
        ("renewed_at", "soon", "string"),
        ("renewed_at", False, "boolean"),
    ],
)
def test_the_type_of_a_new_attribute(name, value, expected):
    """A text makes a string attribute, true or false a boolean, a number a float, and seconds under a name in ``_at`` a date (rule A6)."""
    play(
        _write(_body(**{name: value}), make_world(_knowing())),
        (_CREATE, {"name": name, "model": "contact", "data_type": expected}, ok()),
        (_PUT, ANY, ok()),
    )


def test_an_attribute_of_a_company_is_created_for_companies():
    """Contacts and companies each have attributes of their own (rule A6)."""
    world = make_world()

    play(
        _write({"company_id": "k", "custom_attributes": {"tier": "a"}}, world, model="company"),
        (_PUT, ANY, _unknown("tier")),
        (_LOOK, None, attributes(model="company")),
        (_CREATE, {"name": "tier", "model": "company", "data_type": "string"}, ok()),
        (_PUT, ANY, ok()),
    )

    assert world.cache.attributes("company") == {"tier"}
    assert world.cache.attributes("contact") == frozenset()


@pytest.mark.parametrize(
    "refused",
    [
        refusal(403, "no scope", code="forbidden"),
        refusal(422, "You have reached the limit of 250 custom attributes", code="data_invalid"),
        refusal(400, "'plan' is one of our standard attributes. To save this data, use a different name."),
        refusal(
            400,
            "You already have 'plan' in your company data. To save this as new people data, use a different name.",
        ),
    ],
)
def test_an_attribute_that_cannot_be_created_is_left_out(refused):
    """An attribute that Intercom refuses to create is left out with a note, and not tried again for an hour (rule A6)."""
    world, notes = make_world(), []

    play(
        _write(_body(plan="pro", seats=1), world, notes),
        (_PUT, ANY, _unknown("plan")),
        (_LOOK, None, attributes("seats")),
        (_CREATE, ANY, refused),
        (_LOOK, None, attributes("seats")),
        (_PUT, _body(seats=1), ok()),
    )
    play(_write(_body(plan="pro", seats=1), world), (_PUT, _body(seats=1), ok()))
    later = make_world(world.cache, now=NOW + 3600)
    play(
        _write(_body(plan="pro", seats=1), later),
        (_LOOK, None, attributes("seats")),
        (_CREATE, ANY, ok()),
        (_PUT, ANY, ok()),
    )

    expected = Note("A6", "custom_attributes.plan", "the workspace does not take this attribute")
    assert notes == [expected]


def test_an_attribute_that_another_process_creates_at_the_same_moment_is_kept():
    """A creation that is refused because the attribute exists counts as a creation."""
    written = play(
        _write(_body(plan="pro"), make_world(_knowing())),
        (_CREATE, ANY, refusal(400, "You already have 'plan' in your people data.")),
        (_LOOK, None, attributes("plan")),
        (_PUT, _body(plan="pro"), ok()),
    )

    assert written.body == _body(plan="pro")


def test_an_attribute_that_exists_by_now_is_kept():
    """When the look-up before a creation finds the attribute, nothing is created."""
    play(
        _write(_body(plan="pro"), make_world()),
        (_PUT, ANY, _unknown("plan")),
        (_LOOK, None, attributes("plan")),
        (_PUT, _body(plan="pro"), ok()),
    )


@pytest.mark.parametrize("answer", [refusal(500), refusal(429), refusal(503), refusal(401)])
@pytest.mark.parametrize("step", ["look", "create", "look again"])
def test_a_failed_creation_retries_the_whole_write(step, answer):
    """An outage or refused credentials during a creation cost no value: the whole write is sent again later (rules A6, T1)."""
    world, notes = make_world(), []
    exchanges = [
        (_PUT, ANY, _unknown("plan")),
        (_LOOK, None, attributes()),
        (_CREATE, ANY, refusal(400)),
        (_LOOK, None, attributes()),
    ]
    at = {"look": 1, "create": 2, "look again": 3}[step]
    exchanges[at] = (*exchanges[at][:2], answer)

    result = play(_write(_body(plan="pro"), world, notes), *exchanges[: at + 1])

    assert result.kind == ("held" if answer.status == 401 else "retry")
    assert result.status == answer.status
    assert (notes, world.cache.is_refused("contact", "plan", NOW)) == ([], False)


def test_a_failed_creation_before_the_write_retries_it():
    """The write is sent again later also when the creation came before it (rules A6, T1)."""
    result = play(_write(_body(plan="pro"), make_world(_knowing())), (_CREATE, ANY, refusal(503)))

    assert (result.kind, result.status) == ("retry", 503)


def test_a_failed_creation_of_a_further_attribute_retries_the_write():
    """The write is sent again later also when a further missing attribute cannot be created for now (rules A6, T1)."""
    result = play(
        _write(_body(a="x", b="y"), make_world()),
        (_PUT, ANY, _unknown("a")),
        (_LOOK, None, attributes()),
        (_CREATE, ANY, ok()),
        (_CREATE, ANY, refusal(500)),
    )

    assert (result.kind, result.status) == ("retry", 500)


def test_a_missing_response_raises():
    """An error of the transport goes to the caller."""
    with pytest.raises(ReadFailed):
        play(_write(_body(plan="pro"), make_world(_knowing())), (_CREATE, ANY, ReadFailed("cut")))


def test_an_attribute_is_created_although_the_list_is_forbidden():
    """A 403 for the list of attributes only means that the list is unknown."""
    play(
        _write(_body(plan="pro"), make_world()),
        (_PUT, ANY, _unknown("plan")),
        (_LOOK, None, refusal(403)),
        (_CREATE, ANY, ok()),
        (_PUT, _body(plan="pro"), ok()),
    )


def test_an_attribute_that_is_refused_after_its_creation_is_left_out():
    """A created attribute that is refused again is left out with a note, so that no write repeats for ever."""
    world, notes = make_world(), []

    play(
        _write(_body(plan="pro"), world, notes),
        (_PUT, ANY, _unknown("plan")),
        (_LOOK, None, attributes()),
        (_CREATE, ANY, ok()),
        (_PUT, ANY, _unknown("plan")),
        (_PUT, {"role": "user", "external_id": "u1", "name": "Ann"}, ok()),
    )

    assert notes == [Note("M3", "custom_attributes.plan", "Intercom refused this value")]
    assert world.cache.is_refused("contact", "plan", NOW) is False


def test_null_for_an_unknown_attribute_creates_nothing():
    """Null would clear an attribute that does not exist, so none is created, and the next write leaves it out beforehand (rule A1)."""
    world, notes = make_world(), []

    play(
        _write(_body(plan=None, seats=1), world, notes),
        (_PUT, ANY, _unknown("plan")),
        (_LOOK, None, attributes("seats")),
        (_PUT, _body(seats=1), ok()),
    )
    play(_write(_body(plan=None, seats=1), world), (_PUT, _body(seats=1), ok()))

    assert [note.path for note in notes] == ["custom_attributes.plan"]
    assert world.cache.is_refused("contact", "plan", NOW) is False


@pytest.mark.parametrize(("look", "kind"), [(refusal(403), None), (refusal(500), "retry")])
def test_null_when_the_attributes_cannot_be_listed(look, kind):
    """Null is left out when the list of attributes is forbidden; when the list failed, the write is sent again later (rules A1, T1)."""
    exchanges = [(_PUT, ANY, _unknown("plan")), (_LOOK, None, look)]

    end = play(_write(_body(plan=None), make_world()), *exchanges, *([] if kind else [(_PUT, ANY, ok())]))

    assert getattr(end, "kind", None) == kind


def test_drop_leaves_an_unknown_attribute_out():
    """``drop`` leaves an unknown attribute out with a note, for an hour without asking Intercom (rule A6)."""
    world, notes = make_world(unknown_attributes="drop"), []

    play(
        _write(_body(plan="pro", seats=1), world, notes),
        (_PUT, ANY, _unknown("plan")),
        (_PUT, _body(seats=1), ok()),
    )
    play(_write(_body(plan="pro"), world, notes), (_PUT, ANY, ok()))

    assert [note.rule for note in notes] == ["A6", "A6"]


def test_drop_treats_null_as_any_value():
    """``drop`` leaves null out too, and remembers the attribute as refused (rule A6)."""
    world = make_world(unknown_attributes="drop")

    play(
        _write(_body(plan=None, seats=1), world), (_PUT, ANY, _unknown("plan")), (_PUT, _body(seats=1), ok())
    )
    play(_write(_body(plan=None, seats=1), world), (_PUT, _body(seats=1), ok()))

    assert world.cache.is_refused("contact", "plan", NOW) is True


def test_fail_ends_the_message():
    """``fail`` ends the message with Intercom's response (rule A6)."""
    result = play(
        _write(_body(plan="pro"), make_world(unknown_attributes="fail")), (_PUT, ANY, _unknown("plan"))
    )

    assert (result.kind, result.reason, result.code) == ("dead", "unknown_attribute", "parameter_invalid")


# --- which field it is --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        refusal(400, "Custom attribute 'my plan' does not exist"),
        refusal(400, 'Custom attribute "my plan" does not exist'),
        refusal(400, "Custom attribute `my plan` does not exist"),
        refusal(400, "Custom attribute \u2018my plan\u2019 does not exist"),
        refusal(400, "Custom attribute \u201cmy plan\u201d does not exist"),
        refusal(400, "It doesn't exist: 'my plan'"),
        refusal(400, "Custom attribute my plan does not exist"),
        refusal(422, "unknown attribute", code="field_not_found", field="my plan"),
        refusal(400, "unknown attribute", field="custom_attributes.my plan"),
        refusal(400, "Unknown field 'custom_attributes.my plan'"),
        refusal(400, None, code="field_not_found", field="custom_attributes.my plan"),
        Response(
            400,
            {
                "type": "error.list",
                "errors": [
                    "odd",
                    {"code": "bad_request", "message": "Bad request"},
                    {"code": "parameter_invalid", "message": "Custom attribute 'my plan' does not exist"},
                ],
            },
        ),
    ],
)
def test_the_refused_attribute_is_found_by_its_name(answer):
    """The refused attribute is the one that the error text quotes, in any quotes, or that the error's field names (rule M3)."""
    play(
        _write(_body(**{"seats": 1, "my plan": "pro"}), make_world(unknown_attributes="drop")),
        (_PUT, ANY, answer),
        (_PUT, _body(seats=1), ok()),
    )


@pytest.mark.parametrize("message", ["Invalid custom attributes", "Parameter invalid", None])
def test_a_refused_attribute_that_is_not_named_is_found_by_comparing(message):
    """When the error names no attribute, the refused one is the first that the workspace does not have (rule M3)."""
    play(
        _write(_body(seats=1, plan="pro"), make_world()),
        (_PUT, ANY, refusal(400, message)),
        (_LOOK, None, attributes("seats")),
        (_CREATE, {"name": "plan", "model": "contact", "data_type": "string"}, ok()),
        (_PUT, ANY, ok()),
    )


def test_comparing_ignores_standard_and_archived_attributes():
    """Standard and archived attributes of the workspace do not count as existing ones (rule M3)."""
    listed = attributes("seats", "old")
    listed.body["data"][1]["archived"] = True
    listed.body["data"] += [{"name": "plan", "custom": False}, {"name": None}, "odd"]

    play(
        _write(_body(plan="pro", old=1), make_world(unknown_attributes="drop")),
        (_PUT, ANY, refusal(400, "Invalid attributes")),
        (_LOOK, None, listed),
        (_PUT, _body(old=1), refusal(400, "Invalid attributes")),
        (_LOOK, None, listed),
        (_PUT, {"role": "user", "external_id": "u1", "name": "Ann"}, ok()),
    )


@pytest.mark.parametrize("look", [attributes("plan"), refusal(403), refusal(404)])
def test_a_refusal_whose_field_is_not_found_is_final(look):
    """When comparing finds no field either, the caller gets Intercom's refusal (rule M3)."""
    refused = refusal(400, "Something is wrong")

    written = play(_write(_body(plan="pro"), make_world()), (_PUT, ANY, refused), (_LOOK, None, look))

    assert written.response == refused


def test_a_refusal_of_a_write_without_attributes_is_final():
    """A write without attributes has nothing to compare, so the caller gets Intercom's refusal."""
    refused = refusal(400, "Something is wrong")

    written = play(_write({"role": "user", "external_id": "u1"}, make_world()), (_PUT, ANY, refused))

    assert written.response == refused


def test_a_failed_comparison_retries_the_write():
    """When the list of attributes fails, the message is sent again later (rules M3, T1)."""
    result = play(
        _write(_body(plan="pro"), make_world()),
        (_PUT, ANY, refusal(400, "Something is wrong")),
        (_LOOK, None, refusal(500)),
    )

    assert (result.kind, result.status) == ("retry", 500)


# --- a value that Intercom refuses ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "message",
    [
        "Custom attribute 'plan' must be of type float",
        "Custom attribute 'plan' must be one of its options",
        "Custom attribute plan must be of type float",
        "'plan': expected a number",
    ],
)
def test_a_value_of_the_wrong_type_is_left_out(message):
    """A refused value is left out with a note, and the rest is written (rule M3)."""
    world, notes = make_world(), []

    written = play(
        _write(_body(plan="pro", seats=1), world, notes),
        (_PUT, ANY, refusal(400, message)),
        (_PUT, _body(seats=1), ok()),
    )

    assert written.body == _body(seats=1)
    assert notes == [Note("M3", "custom_attributes.plan", "Intercom refused this value")]
    assert world.cache.is_refused("contact", "plan", NOW) is False


@pytest.mark.parametrize(
    ("look", "is_created"), [(attributes("plan"), False), (attributes(), True), (refusal(403), False)]
)
def test_an_unclear_refusal_is_settled_by_comparing(look, is_created):
    """A refused attribute that the workspace has holds a bad value, and one that it lacks is created (rule M3)."""
    created = [(_CREATE, ANY, ok()), (_PUT, _body(plan="pro"), ok())]
    left_out = [(_PUT, {"role": "user", "external_id": "u1", "name": "Ann"}, ok())]

    play(
        _write(_body(plan="pro"), make_world()),
        (_PUT, ANY, refusal(400, "Custom attribute 'plan' is bad")),
        (_LOOK, None, look),
        *(created if is_created else left_out),
    )


def test_an_unclear_refusal_is_settled_by_known_attributes():
    """When the attributes are known, they are not looked up again (rule M3)."""
    play(
        _write(_body(plan="pro"), make_world(_knowing("plan"))),
        (_PUT, ANY, refusal(400, "Custom attribute 'plan' is bad")),
        (_PUT, {"role": "user", "external_id": "u1", "name": "Ann"}, ok()),
    )


def test_a_failed_lookup_after_an_unclear_refusal_retries_the_write():
    """When the list of attributes fails, nobody knows whether the value is bad, so the message is sent again later (rule T1)."""
    result = play(
        _write(_body(plan="pro"), make_world()),
        (_PUT, ANY, refusal(400, "Custom attribute 'plan' is bad")),
        (_LOOK, None, refusal(500)),
    )

    assert result.kind == "retry"


@pytest.mark.parametrize(
    ("field", "value", "answer"),
    [
        ("owner_id", "1", refusal(400, "The owner specified is not a member of the workspace")),
        ("owner_id", "1", refusal(422, "is invalid", field="owner_id")),
        ("avatar", "http://example.com/x", refusal(400, "Avatar could not be loaded")),
        ("phone", "1", refusal(400, "Phone number is not valid")),
        ("language_override", "xx", refusal(400, "bad 'language_override' parameter", code="bad_request")),
        ("email", "a@", refusal(400, "email is not an e-mail address", field="email")),
    ],
)
def test_a_refused_standard_field_is_left_out(field, value, answer):
    """A standard field such as an owner who is no admin is left out, and the rest is written (rule M3)."""
    notes = []

    play(
        _write({"role": "user", "external_id": "u1", "name": "Ann", field: value}, make_world(), notes),
        (_PUT, ANY, answer),
        (_PUT, {"role": "user", "external_id": "u1", "name": "Ann"}, ok()),
    )

    assert notes == [Note("M3", field, "Intercom refused this value")]


@pytest.mark.parametrize("field", ["external_id", "role", "email"])
def test_a_field_that_identifies_the_contact_is_never_left_out(field):
    """A field that says who the contact is stays, because the write would be about somebody else without it (rule M3)."""
    body = {"role": "user", "email": "a@example.com"}
    if field == "external_id":
        body["external_id"] = "u1"
    refused = refusal(400, f"'{field}' is bad", field=field)

    written = play(_write(body, make_world()), (_PUT, ANY, refused))

    assert written.response == refused


def test_several_bad_fields_are_left_out_one_after_another():
    """Each refusal names one bad field, and each is left out in turn (rule M3)."""
    notes = []

    play(
        _write({**_body(plan="pro", seats="many"), "owner_id": "1"}, make_world(_knowing("seats")), notes),
        (_CREATE, ANY, ok()),
        (_PUT, ANY, refusal(400, "Custom attribute 'seats' must be of type float")),
        (_PUT, ANY, refusal(400, "The owner specified is not a member of the workspace")),
        (_PUT, _body(plan="pro"), ok()),
    )

    assert [note.path for note in notes] == ["custom_attributes.seats", "owner_id"]
