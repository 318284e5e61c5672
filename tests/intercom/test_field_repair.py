"""Writes that Intercom refuses for one field (rules M3, A6): make the attribute, or leave the field out, and write the rest."""

from __future__ import annotations

import pytest

from metarouter_intercom._intercom.field_repair import Written, write
from metarouter_intercom.errors import ReadFailed
from metarouter_intercom.plugins import Note, Request, Response

from .._support.flow_driving import ANY, NOW, attributes, make_cache, make_world, ok, play, refusal

_LOOK = "GET /data_attributes?model=contact"
_MAKE = "POST /data_attributes"
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
    cache.learn_attributes(model, names)
    return cache


def test_a_write_that_is_taken_is_one_request():
    """Nothing is mended that is not refused."""
    body = _body(plan="pro")

    written = play(_write(body, make_world()), (_PUT, _body(plan="pro"), ok()))

    assert written == Written(Request("PUT", "/contacts/c1", _body(plan="pro")), ok(), body)


def test_a_request_does_not_change_after_it_was_sent():
    """Whoever keeps requests, a transport for tests for instance, sees each one as it was sent."""
    flow = _write(_body(plan="pro"), make_world(unknown_attributes="drop"))
    first = next(flow)

    flow.send(_unknown("plan"))

    assert first.body == _body(plan="pro")


# --- an attribute that the workspace does not know ----------------------------------------------------------


def test_an_unknown_attribute_is_made_and_the_write_repeated():
    """A6: create is the default; the known attributes are remembered (M3)."""
    world, notes = make_world(), []

    written = play(
        _write(_body(plan="pro"), world, notes),
        (_PUT, _body(plan="pro"), _unknown("plan")),
        (_LOOK, None, attributes("seats")),
        (_MAKE, {"name": "plan", "model": "contact", "data_type": "string"}, ok()),
        (_PUT, _body(plan="pro"), ok()),
    )

    assert written.body == _body(plan="pro")
    assert (notes, world.cache.attributes("contact")) == ([], {"plan", "seats"})


def test_several_unknown_attributes_cost_one_refusal():
    """M3: once the attributes are known, all that are missing are made before the write is repeated."""
    play(
        _write(_body(a="x", b=True, c=1), make_world()),
        (_PUT, ANY, _unknown("a")),
        (_LOOK, None, attributes()),
        (_MAKE, {"name": "a", "model": "contact", "data_type": "string"}, ok()),
        (_MAKE, {"name": "b", "model": "contact", "data_type": "boolean"}, ok()),
        (_MAKE, {"name": "c", "model": "contact", "data_type": "float"}, ok()),
        (_PUT, _body(a="x", b=True, c=1), ok()),
    )


def test_missing_attributes_are_made_first_where_the_known_ones_are_remembered():
    """M3: a workspace is asked once; afterwards nothing has to be refused."""
    world = make_world(_knowing("seats"))

    play(_write(_body(seats=3, plan="pro"), world), (_MAKE, ANY, ok()), (_PUT, ANY, ok()))
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
    """A6: text string, true and false boolean, numbers float, seconds under ``_at`` date."""
    play(
        _write(_body(**{name: value}), make_world(_knowing())),
        (_MAKE, {"name": name, "model": "contact", "data_type": expected}, ok()),
        (_PUT, ANY, ok()),
    )


def test_an_attribute_of_a_company_is_made_for_companies():
    """A6: each model has attributes of its own."""
    world = make_world()

    play(
        _write({"company_id": "k", "custom_attributes": {"tier": "a"}}, world, model="company"),
        (_PUT, ANY, _unknown("tier")),
        ("GET /data_attributes?model=company", None, attributes(model="company")),
        (_MAKE, {"name": "tier", "model": "company", "data_type": "string"}, ok()),
        (_PUT, ANY, ok()),
    )

    assert world.cache.attributes("company") == {"tier"}
    assert world.cache.attributes("contact") is None


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
def test_an_attribute_that_cannot_be_made_is_left_out(refused):
    """A6: creation refused falls back to drop, with a note, and is not tried again for an hour."""
    world, notes = make_world(), []

    play(
        _write(_body(plan="pro", seats=1), world, notes),
        (_PUT, ANY, _unknown("plan")),
        (_LOOK, None, attributes("seats")),
        (_MAKE, ANY, refused),
        (_LOOK, None, attributes("seats")),
        (_PUT, _body(seats=1), ok()),
    )
    play(_write(_body(plan="pro", seats=1), world), (_PUT, _body(seats=1), ok()))
    later = make_world(world.cache, now=NOW + 3600)
    play(_write(_body(plan="pro", seats=1), later), (_MAKE, ANY, ok()), (_PUT, ANY, ok()))

    expected = Note("A6", "custom_attributes.plan", "the workspace does not take this attribute")
    assert notes == [expected]


def test_an_attribute_that_somebody_else_makes_in_the_same_moment_is_kept():
    """A creation that is refused because the attribute is there is as good as made."""
    written = play(
        _write(_body(plan="pro"), make_world(_knowing())),
        (_MAKE, ANY, refusal(400, "You already have 'plan' in your people data.")),
        (_LOOK, None, attributes("plan")),
        (_PUT, _body(plan="pro"), ok()),
    )

    assert written.body == _body(plan="pro")


def test_an_attribute_that_was_made_since_is_kept():
    """The look before a creation may find the attribute: then nothing has to be made."""
    play(
        _write(_body(plan="pro"), make_world()),
        (_PUT, ANY, _unknown("plan")),
        (_LOOK, None, attributes("plan")),
        (_PUT, _body(plan="pro"), ok()),
    )


@pytest.mark.parametrize("answer", [refusal(500), refusal(429), refusal(503), refusal(401)])
@pytest.mark.parametrize("step", ["look", "make", "look again"])
def test_a_creation_that_failed_was_not_refused(step, answer):
    """A6, T1: an outage or refused credentials cost no value: the whole write comes again later."""
    world, notes = make_world(), []
    exchanges = [
        (_PUT, ANY, _unknown("plan")),
        (_LOOK, None, attributes()),
        (_MAKE, ANY, refusal(400)),
        (_LOOK, None, attributes()),
    ]
    at = {"look": 1, "make": 2, "look again": 3}[step]
    exchanges[at] = (*exchanges[at][:2], answer)

    result = play(_write(_body(plan="pro"), world, notes), *exchanges[: at + 1])

    assert result.kind == ("held" if answer.status == 401 else "retry")
    assert result.status == answer.status
    assert (notes, world.cache.is_refused("contact", "plan", NOW)) == ([], False)


def test_a_failed_creation_before_the_write_ends_it_too():
    """A6, T1: the same where the attribute is known to be missing beforehand."""
    result = play(_write(_body(plan="pro"), make_world(_knowing())), (_MAKE, ANY, refusal(503)))

    assert (result.kind, result.status) == ("retry", 503)


def test_a_failed_creation_of_a_further_attribute_ends_the_write_too():
    """A6, T1: the same for those that are made along with the refused one."""
    result = play(
        _write(_body(a="x", b="y"), make_world()),
        (_PUT, ANY, _unknown("a")),
        (_LOOK, None, attributes()),
        (_MAKE, ANY, ok()),
        (_MAKE, ANY, refusal(500)),
    )

    assert (result.kind, result.status) == ("retry", 500)


def test_no_answer_ends_the_write():
    """Errors of the transport are the caller's to see."""
    with pytest.raises(ReadFailed):
        play(_write(_body(plan="pro"), make_world(_knowing())), (_MAKE, ANY, ReadFailed("cut")))


def test_without_the_right_to_look_an_attribute_is_made_all_the_same():
    """A 403 on the list of attributes hides what there is, no more."""
    play(
        _write(_body(plan="pro"), make_world()),
        (_PUT, ANY, _unknown("plan")),
        (_LOOK, None, refusal(403)),
        (_MAKE, ANY, ok()),
        (_PUT, _body(plan="pro"), ok()),
    )


def test_an_attribute_that_is_refused_again_after_it_was_made_is_left_out():
    """No write goes round in circles; the value is noted, and the next message tries again."""
    world, notes = make_world(), []

    play(
        _write(_body(plan="pro"), world, notes),
        (_PUT, ANY, _unknown("plan")),
        (_LOOK, None, attributes()),
        (_MAKE, ANY, ok()),
        (_PUT, ANY, _unknown("plan")),
        (_PUT, {"role": "user", "external_id": "u1", "name": "Ann"}, ok()),
    )

    assert notes == [Note("M3", "custom_attributes.plan", "Intercom refused this value")]
    assert world.cache.is_refused("contact", "plan", NOW) is False


def test_null_for_an_unknown_attribute_makes_nothing():
    """A1: what is to be cleared is clear already where there is no such attribute; the next write knows beforehand."""
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
def test_null_where_the_attributes_are_not_told(look, kind):
    """A1, T1: without the right to look it is left out all the same; without an answer the write comes again."""
    exchanges = [(_PUT, ANY, _unknown("plan")), (_LOOK, None, look)]

    end = play(_write(_body(plan=None), make_world()), *exchanges, *([] if kind else [(_PUT, ANY, ok())]))

    assert getattr(end, "kind", None) == kind


def test_drop_leaves_an_unknown_attribute_out():
    """A6: ``drop`` writes without it, with a note, once for an hour."""
    world, notes = make_world(unknown_attributes="drop"), []

    play(
        _write(_body(plan="pro", seats=1), world, notes),
        (_PUT, ANY, _unknown("plan")),
        (_PUT, _body(seats=1), ok()),
    )
    play(_write(_body(plan="pro"), world, notes), (_PUT, ANY, ok()))

    assert [note.rule for note in notes] == ["A6", "A6"]


def test_drop_leaves_null_out_as_any_value():
    """A6: and remembers it as any value's."""
    world = make_world(unknown_attributes="drop")

    play(
        _write(_body(plan=None, seats=1), world), (_PUT, ANY, _unknown("plan")), (_PUT, _body(seats=1), ok())
    )
    play(_write(_body(plan=None, seats=1), world), (_PUT, _body(seats=1), ok()))

    assert world.cache.is_refused("contact", "plan", NOW) is True


def test_fail_ends_the_message():
    """A6: ``fail`` is the end, with Intercom's answer."""
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
    """M3: by the name quoted in the message, whatever the quotes, else by the answer's field."""
    play(
        _write(_body(**{"seats": 1, "my plan": "pro"}), make_world(unknown_attributes="drop")),
        (_PUT, ANY, answer),
        (_PUT, _body(seats=1), ok()),
    )


@pytest.mark.parametrize("message", ["Invalid custom attributes", "Parameter invalid", None])
def test_a_refused_attribute_that_is_not_named_is_found_by_comparing(message):
    """M3: the attribute that the workspace does not have is the one; it is made as any other."""
    play(
        _write(_body(seats=1, plan="pro"), make_world()),
        (_PUT, ANY, refusal(400, message)),
        (_LOOK, None, attributes("seats")),
        (_MAKE, {"name": "plan", "model": "contact", "data_type": "string"}, ok()),
        (_PUT, ANY, ok()),
    )


def test_comparing_sees_new_attributes_only_that_can_be_written():
    """M3: standard and archived attributes are none of ours."""
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
def test_a_refusal_without_a_field_is_the_end(look):
    """M3: not found by comparing either: dead letter, by the caller."""
    refused = refusal(400, "Something is wrong")

    written = play(_write(_body(plan="pro"), make_world()), (_PUT, ANY, refused), (_LOOK, None, look))

    assert written.response == refused


def test_a_refusal_of_a_write_without_attributes_is_the_end():
    """There is nothing to compare."""
    refused = refusal(400, "Something is wrong")

    written = play(_write({"role": "user", "external_id": "u1"}, make_world()), (_PUT, ANY, refused))

    assert written.response == refused


def test_comparing_may_fail():
    """M3, T1: no answer about the attributes is no verdict on the message."""
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
    """M3: that field is left out with a note and the rest is written."""
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
    ("look", "is_made"), [(attributes("plan"), False), (attributes(), True), (refusal(403), False)]
)
def test_a_refusal_that_says_neither_is_settled_by_comparing(look, is_made):
    """M3: a named attribute that the workspace has holds a bad value, one that it lacks is made."""
    made = [(_MAKE, ANY, ok()), (_PUT, _body(plan="pro"), ok())]
    left_out = [(_PUT, {"role": "user", "external_id": "u1", "name": "Ann"}, ok())]

    play(
        _write(_body(plan="pro"), make_world()),
        (_PUT, ANY, refusal(400, "Custom attribute 'plan' is bad")),
        (_LOOK, None, look),
        *(made if is_made else left_out),
    )


def test_what_is_known_already_settles_it():
    """M3: the attributes are looked up once."""
    play(
        _write(_body(plan="pro"), make_world(_knowing("plan"))),
        (_PUT, ANY, refusal(400, "Custom attribute 'plan' is bad")),
        (_PUT, {"role": "user", "external_id": "u1", "name": "Ann"}, ok()),
    )


def test_settling_by_comparing_may_fail():
    """T1: no answer about the attributes is no verdict on the value."""
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
    """M3: an owner who is no admin and its kind: the rest is written."""
    notes = []

    play(
        _write({"role": "user", "external_id": "u1", "name": "Ann", field: value}, make_world(), notes),
        (_PUT, ANY, answer),
        (_PUT, {"role": "user", "external_id": "u1", "name": "Ann"}, ok()),
    )

    assert notes == [Note("M3", field, "Intercom refused this value")]


@pytest.mark.parametrize("field", ["external_id", "role", "email"])
def test_a_field_that_says_who_it_is_is_never_left_out(field):
    """M3: a write without it would be about somebody else."""
    body = {"role": "user", "email": "a@example.com"}
    if field == "external_id":
        body["external_id"] = "u1"
    refused = refusal(400, f"'{field}' is bad", field=field)

    written = play(_write(body, make_world()), (_PUT, ANY, refused))

    assert written.response == refused


def test_several_bad_fields_are_left_out_one_after_another():
    """M3: each refusal tells one of them."""
    notes = []

    play(
        _write({**_body(plan="pro", seats="many"), "owner_id": "1"}, make_world(_knowing("seats")), notes),
        (_MAKE, ANY, ok()),
        (_PUT, ANY, refusal(400, "Custom attribute 'seats' must be of type float")),
        (_PUT, ANY, refusal(400, "The owner specified is not a member of the workspace")),
        (_PUT, _body(plan="pro"), ok()),
    )

    assert [note.path for note in notes] == ["custom_attributes.seats", "owner_id"]
