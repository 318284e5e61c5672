"""Whether a message is for Intercom, and with which options (rules R6, R7, V3)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metarouter_intercom.messages import Track
from metarouter_intercom.messages._contact_keys import contact_keys
from metarouter_intercom.messages._integrations import (
    NO_OPTIONS,
    Options,
    Silence,
    is_selected,
    option_objects,
    own_names,
)
from metarouter_intercom.plugins import Note

from .._support.promises import promised
from .._support.twins import VALUES, assert_twins_agree, change, mostly, usual_with_changes

_NAMES = own_names(["Prod"])


def _track(integrations=None, context=None):
    return Track(event="x", integrations=integrations or {}, context=context or {})


def test_added_names_stand_beside_intercom():
    """R6: the setting adds names to ``intercom``, and letter case does not matter."""
    assert own_names(["Intercom", "Intercom (Prod)"]) == {"intercom", "intercom (prod)"}
    assert own_names([]) == {"intercom"}


_choices = st.dictionaries(
    st.sampled_from(["All", "ALL", "Intercom", "intercom", "Prod", "Mixpanel"]),
    st.sampled_from([True, False, None, {}, {"a": 1}, "yes", "false", " ", 0]),
    max_size=3,
)


@given(_choices, _choices, _choices)
@promised
def test_selection_is_what_the_rule_says(integrations, of_context, providers):
    """R6, word by word: the first choices that are not empty count; true or an object under an own name selects, false or null does not, else ``All`` decides."""
    message = _track(integrations, {"integrations": of_context, "providers": providers})
    choices = {
        name: {"yes": True, "false": False}.get(choice, choice) if isinstance(choice, str) else choice
        for name, choice in (integrations or of_context or providers).items()
        if choice != " "
    }
    own = [choice for name, choice in choices.items() if name.lower() in ("intercom", "prod")]
    everything = [choice for name, choice in choices.items() if name.lower() == "all"]
    is_on = any(choice is True or isinstance(choice, dict) for choice in own)
    refusals = [choice for choice in own if choice is False or choice is None]

    selected = is_selected(message, _NAMES, [])

    if is_on:
        assert selected
    elif own and len(refusals) == len(own):
        assert not selected
    elif not own:
        assert selected == (not everything or everything[-1] is not False)


def test_options_by_place_and_spelling():
    """R7: the first place with the option wins, and there the exact spelling; the path names that place."""
    message = _track(
        {"Intercom": {"Owner Id": 1, "unsubscribed": ""}},
        {"Intercom": {"owner_id": 2, "unsubscribed": True}, "integrations": {"prod": {"role": "user"}}},
    )
    options = Options(message, _NAMES, is_trusted=True, notes=[])

    assert options.find("owner_id") == ("integrations.Intercom.Owner Id", 1)
    assert options.find("unsubscribedFromEmails", "unsubscribed") == ("context.Intercom.unsubscribed", True)
    assert options.find("role") == ("context.integrations.prod.role", "user")
    assert options.find("contact_id") is None
    assert len(option_objects(message, _NAMES)) == 3


@pytest.mark.parametrize("place", ["integrations", "context.integrations", "context.providers"])
@pytest.mark.parametrize(
    ("choices", "is_on", "paths"),
    [
        ({"Intercom": "false"}, False, ["Intercom"]),
        ({"Intercom": " FALSE "}, False, ["Intercom"]),
        ({"intercom": "no"}, False, ["intercom"]),
        ({"Intercom": "Off"}, False, ["Intercom"]),
        ({"Intercom": "0"}, False, ["Intercom"]),
        ({"Intercom": "f"}, False, ["Intercom"]),
        ({"Intercom": "null"}, False, ["Intercom"]),
        ({"Intercom": "\u200bfalse"}, False, ["Intercom"]),
        ({"All": "false"}, False, ["All"]),
        ({"all": "OFF"}, False, ["all"]),
        ({"All": "true"}, True, ["All"]),
        ({"All": False, "Intercom": "true"}, True, ["Intercom"]),
        ({"All": "no", "Intercom": "1"}, True, ["All", "Intercom"]),
        ({"All": False, "Intercom": "on"}, True, ["Intercom"]),
        ({"All": False, "Intercom": ""}, False, ["Intercom"]),
        ({"All": True, "Intercom": " "}, True, ["Intercom"]),
        ({"All": False, "Prod": "yes"}, True, ["Prod"]),
        ({"Mixpanel": "false"}, True, []),
    ],
)
def test_switches_that_are_texts(place, choices, is_on, paths):
    """R6: a text counts as what it says, a blank one as absent, each with a note, so that an opt-out is never lost."""
    inner = place.partition(".")[2]
    message = _track({}, {inner: choices}) if inner else _track(choices)
    notes = []

    assert is_selected(message, _NAMES, notes) is is_on
    assert [(note.rule, note.path) for note in notes] == [("R6", f"{place}.{path}") for path in paths]


@pytest.mark.parametrize(
    ("options", "contact_id", "notes"),
    [
        ({"id": "c"}, "c", []),
        ({"ID": 7}, "7", []),
        ({"id": "c", "contact_id": "d"}, "d", []),
        ({"id": "c", "contact_id": " "}, "c", []),
        ({"id": "c", "contact_id": "undefined"}, "c", [("R2", "contact_id")]),
        ({"contactId": "e", "contact_id": "null"}, "e", [("R2", "contact_id")]),
        ({"id": "[object Object]"}, None, [("R2", "id")]),
        ({"id": "c", "contact_id": [1]}, None, [("R7", "contact_id")]),
        ({"id": "\ufeffc"}, "c", []),
    ],
)
def test_the_contact_id_of_rudderstack(options, contact_id, notes):
    """R2, R7: ``id`` is the contact id where ``contact_id`` is absent or an accident; the lane is the same contact's."""
    made = []
    message = _track({"Intercom": options})

    assert Options(message, _NAMES, is_trusted=True, notes=made).contact_id() == contact_id
    assert [(note.rule, note.path) for note in made] == [
        (rule, f"integrations.Intercom.{key}") for rule, key in notes
    ]
    keys = contact_keys({"type": "track", "integrations": {"Intercom": options}}, _NAMES)
    assert keys == ([] if contact_id is None else [f"contact:{contact_id}"])


@pytest.mark.parametrize(
    ("option", "contact_id", "reasons"),
    [("c", "c", []), (7, "7", []), (None, None, []), (1.5, None, ["not an id"])],
)
def test_contact_ids(option, contact_id, reasons):
    """R7, R8: a contact id is a text or a whole number; any other value gets a note."""
    notes = []
    options = Options(_track({"Intercom": {"contact_id": option}}), _NAMES, is_trusted=True, notes=notes)

    assert options.contact_id() == contact_id
    assert [note.reason for note in notes] == reasons


def test_untrusted_senders_have_few_options():
    """V3: from an untrusted sender contact id, role and owner are left out with a note; consent stays."""
    notes = []
    sent = {"contactId": "c", "role": "lead", "owner_id": 5, "unsubscribed": True, "colour": "blue"}
    options = Options(_track({"Intercom": sent}), _NAMES, is_trusted=False, notes=notes)

    assert options.contact_id() is options.find("role") is options.find("owner_id") is None
    assert options.find("unsubscribed") == ("integrations.Intercom.unsubscribed", True)
    assert [(note.rule, note.path) for note in notes] == [
        ("V3", "integrations.Intercom.contactId"),
        ("V3", "integrations.Intercom.role"),
        ("V3", "integrations.Intercom.owner_id"),
        ("R7", "integrations.Intercom.colour"),
    ]
    assert isinstance(notes[0], Note)


def test_no_options_are_empty():
    """The options of a message without any are empty."""
    assert NO_OPTIONS.is_empty
    assert NO_OPTIONS.contact_id() is None
    assert NO_OPTIONS.find("role") is None


def test_silent_contexts_are_remembered():
    """R6, R7: a context is silent when it names neither this destination nor choices; 5,000 sets of names are remembered."""
    silence = Silence(_NAMES)
    for count in range(5_010):
        assert silence[(f"k{count}",)]

    assert len(silence) == 5_000
    assert silence[("ip", "page")]
    assert not silence[("ip", "PROD")]
    assert not silence[("integrations",)]
    assert not silence[("providers",)]


def test_a_silent_context_has_no_options():
    """R6, R7: a message whose context is silent is for Intercom and has no options, as the full path finds."""
    silence = Silence(_NAMES)
    choices = st.sampled_from(
        [True, False, None, {}, {"All": False}, {"role": "lead"}, {"Intercom": {"user_hash": "x"}}]
    )
    contexts = usual_with_changes(
        [{"ip": "192.0.2.7", "page": {"path": "/"}}, {}],
        mostly(
            change(["ip", "page", "new", "All", ("page", "integrations")], VALUES),
            change(["integrations", "providers", "Intercom", "PROD", "intercom ", "INTERCOM"], choices),
        ),
    )

    def full(context):
        notes = []
        message = _track(context=context)
        options = Options(message, _NAMES, is_trusted=True, notes=notes)
        return is_selected(message, _NAMES, notes), options.is_empty, option_objects(message, _NAMES), notes

    assert_twins_agree(
        lambda context: (True, True, [], []) if silence[tuple(context)] else None, full, contexts
    )
