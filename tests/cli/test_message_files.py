"""Reading messages: every form of file; invalid parts do not stop the reading and are reported by line and place."""

from __future__ import annotations

import gzip
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metarouter_intercom._cli.message_files import read_messages

from .._support.promises import promised


def _read(content):
    return list(read_messages(io.BytesIO(content if isinstance(content, bytes) else content.encode())))


def _places(content):
    """Return line, place and message of each entry, or the fault instead of the message."""
    return [(one.line, one.place, one.message or one.fault) for one in _read(content)]


_A, _B, _C = {"type": "identify", "userId": "u-1"}, {"type": "track", "userId": "u-2"}, {"type": "page"}
_LINES = "\n".join(json.dumps(one) for one in (_A, _B, _C))


@pytest.mark.parametrize("ending", ["", "\n", "\n\n  \n"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_json_lines(ending, newline):
    """Each line is one message; blank lines and the kind of line ending make no difference."""
    places = _places((_LINES + ending).replace("\n", newline))

    assert places == [(1, "", _A), (2, "", _B), (3, "", _C)]


def test_a_byte_order_mark_is_no_fault():
    """A byte order mark, which Windows programs write, is skipped."""
    assert _places(b"\xef\xbb\xbf" + _LINES.encode())[0] == (1, "", _A)
    assert _places(b"\xef\xbb\xbf" + json.dumps([_A]).encode()) == [(1, "[0]", _A)]


_ENCODINGS = ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be", "utf-8"]
_FORMS = {
    "lines": "\r\n".join(json.dumps({**one, "traits": {"name": "Größe 😀 \u2028"}}, ensure_ascii=False) for one in (_A, _B)),
    "array": json.dumps([_A, {**_B, "event": "ß"}], ensure_ascii=False, indent=1),
    "batch": json.dumps({"batch": [_A, _B]}),
    "objects": json.dumps(_A, indent=1) + "\n" + json.dumps(_B, indent=1),
    "broken": json.dumps(_A) + "\n{ß\n" + json.dumps(_B),
    "blank": "\n \n" + json.dumps(_A),
    "empty": "",
}  # fmt: skip


@pytest.mark.parametrize("form", _FORMS)
@pytest.mark.parametrize("encoding", _ENCODINGS)
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_other_encodings(form, encoding, mark, pack):
    """A file in UTF-16 or UTF-32, with or without a byte order mark, gives what the same text in UTF-8 gives, faults included."""
    text = _FORMS[form]

    assert _read(pack((mark + text).encode(encoding))) == _read(text)


@given(
    st.lists(st.dictionaries(st.text(max_size=3), st.text(max_size=9), max_size=2), max_size=9),
    st.sampled_from(_ENCODINGS),
    st.booleans(),
)
@promised
def test_any_text_in_any_encoding(messages, encoding, is_ascii):
    """Whatever the texts are, halves of surrogate pairs included, no message of a file is lost by its encoding."""
    content = "".join(json.dumps(one, ensure_ascii=is_ascii) + "\n" for one in messages)

    entries = _read(content.encode(encoding, "surrogatepass"))

    if encoding != "utf-8" or is_ascii:
        assert [one.message for one in entries] == messages


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_a_file_that_ends_inside_a_character(encoding):
    """What is there is read; that the file is cut off is one fault, at its last line, and no message is counted twice."""
    content = (json.dumps(_A) + "\n" + json.dumps(_B) + "\n").encode(encoding)

    entries = _read(content + b"\x00")

    assert [one.message for one in entries] == [_A, _B, None]
    assert (entries[-1].line, entries[-1].fault) == (
        2,
        f"not {encoding[:6].upper()}: truncated data after this line; the rest was not read",
    )
    assert entries[-1].problem.remedy == "get a complete copy of the file"


def test_a_byte_order_mark_inside_a_file():
    """Files that were joined have a byte order mark in the midst of the whole, and it is skipped."""
    part = b"\xef\xbb\xbf" + _LINES.encode() + b"\n"

    assert [one.message for one in _read(part + part)] == [_A, _B, _C, _A, _B, _C]
    assert [one.message for one in _read((_LINES + "\n\ufeff" + _LINES).encode("utf-16"))] == [_A, _B, _C] * 2


def test_one_line_in_another_encoding():
    """A line in another encoding than the rest of the file is one fault, and the lines around it are read."""
    row = json.dumps(_B).encode("utf-16-be")

    entries = _read(json.dumps(_A).encode() + b"\n" + row + b"\n" + json.dumps(_C).encode())

    assert [one.message for one in entries] == [_A, None, _C]
    assert entries[1].fault == "not JSON at column 1: Expecting value"


@pytest.mark.parametrize("indent", [None, 0, 2])
def test_one_array(indent):
    """Members of an array are reported by their index and by the line in which they begin."""
    content = json.dumps([_A, _B, _C], indent=indent)

    entries = _read(content)

    assert [(one.place, one.message) for one in entries] == [("[0]", _A), ("[1]", _B), ("[2]", _C)]
    lines = content.splitlines()
    assert all("{" in lines[one.line - 1] for one in entries)
    assert [one.line for one in entries] == sorted({one.line for one in entries}) or indent is None


def test_an_array_larger_than_a_chunk():
    """Members that span the chunks in which a file is read are complete."""
    messages = [{"type": "track", "n": n, "text": "äöü" * (n % 700)} for n in range(400)]

    assert [one.message for one in _read(json.dumps(messages, ensure_ascii=False))] == messages


def test_an_array_in_each_line():
    """JSON lines may be arrays; the file does not end with the first one."""
    content = f"{json.dumps([_A, _B])}\n{json.dumps([_C])}\n{json.dumps(_A)}\n"

    assert _places(content) == [(1, "[0]", _A), (1, "[1]", _B), (2, "[0]", _C), (3, "", _A)]


@pytest.mark.parametrize("indent", [None, 2])
def test_a_batch(indent):
    """A Segment batch gives its members, each with the shared fields of the batch; a member's own field wins."""
    own = {**_B, "context": {"ip": "192.0.2.1"}}
    batch = {
        "batch": [_A, own],
        "sentAt": "2026-05-01T10:00:00Z",
        "context": {"app": "shop"},
        "writeKey": "k",
    }

    entries = _read(json.dumps(batch, indent=indent))

    shared = {"sentAt": "2026-05-01T10:00:00Z"}
    assert [one.place for one in entries] == ["batch[0]", "batch[1]"]
    assert [one.message for one in entries] == [
        {**_A, **shared, "context": {"app": "shop"}},
        {**own, **shared, "context": {"app": "shop", "ip": "192.0.2.1"}},
    ]


def test_batches_in_batches():
    """R1: a batch within a batch adds what it says for its messages, and the inner one wins."""
    inner = {"batch": [_A], "context": {"a": 2}, "sent_at": "inner"}
    outer = {"batch": [inner, 5], "context": {"a": 1, "b": 1}, "integrations": {"Intercom": False}}

    entries = _read(json.dumps(outer))

    assert [(one.place, one.message) for one in entries] == [
        (
            "batch[0].batch[0]",
            {**_A, "context": {"a": 2, "b": 1}, "integrations": {"Intercom": False}, "sentAt": "inner"},
        ),
        ("batch[1]", None),
    ]


def test_batches_in_lines_and_arrays():
    """The place is the path to a message through arrays and batches."""
    content = json.dumps(_A) + "\n" + json.dumps({"batch": [_B]}) + "\n"

    assert _places(content) == [(1, "", _A), (2, "batch[0]", _B)]
    assert _places(json.dumps([_A, {"batch": [_B]}])) == [(1, "[0]", _A), (1, "[1].batch[0]", _B)]


def test_objects_that_span_lines():
    """Objects that span several lines, one after the other, are messages too."""
    content = json.dumps(_A, indent=2) + "\n" + json.dumps(_B, indent=2)

    assert _places(content) == [(1, "", _A), (5, "", _B)]


@pytest.mark.parametrize("content", [_LINES, json.dumps([_A, _B, _C])])
def test_gzip_is_detected(content):
    """A gzipped file is detected by its content, whatever its name."""
    assert [one.message for one in _read(gzip.compress(content.encode()))] == [_A, _B, _C]


def test_gzip_of_many_members():
    """Gzip files that were joined are read to the end."""
    assert len(_read(gzip.compress(b'{"a": 1}\n') + gzip.compress(b'{"a": 2}\n'))) == 2


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (b'{"type": "track"', "not JSON at column 17: Expecting ',' delimiter"),
        (b"nonsense", "not JSON at column 1: Expecting value"),
        (b'{"a": "\xff"}', "not UTF-8 at byte 8"),
        (b"[" * 200_000, "nested too deeply to be read"),
        (b"1" * 5_000, "a number too long to be read"),
        (b"12", "not an object; a message is a JSON object"),
        (b"null", "not an object; a message is a JSON object"),
    ],
    ids=["cut", "nonsense", "bytes", "nested", "number", "scalar", "null"],
)
def test_a_broken_line_stops_nothing(row, fault):
    """The lines around an invalid one are read; the invalid one is reported with its fault and its text."""
    first, _, third = _LINES.encode().split(b"\n")

    entries = _read(b"\n".join((first, row, third)))

    assert [(one.line, one.message) for one in entries] == [(1, _A), (2, None), (3, _C)]
    assert entries[1].fault == fault
    assert entries[1].text[:10] == row.decode("utf-8", "replace")[:10]


_BROKEN = '{"type": "track", "userId": }'


def test_a_broken_member_of_an_array_stops_nothing():
    """In an array with one member per line, the members after an invalid one are read."""
    content = f"[\n{json.dumps(_A)},\n{_BROKEN},\n{json.dumps(_C)}\n]"

    entries = _read(content)

    assert [(one.line, one.place, one.message) for one in entries] == [
        (2, "[0]", _A),
        (3, "[1]", None),
        (4, "[2]", _C),
    ]
    assert entries[1].fault == "not JSON: Expecting value"
    assert entries[1].text == f"{_BROKEN},"


def test_a_broken_member_that_spans_lines_is_one_fault():
    """In an indented array, reading continues at the next line with the indent of the invalid member."""
    whole = json.dumps(
        [{**_A, "traits": {"a": [{"b": 1}]}}, {**_B, "traits": {"a": [{"b": 2}]}}, _C], indent=2
    )
    content = whole.replace('"b": 1', '"b": ')

    entries = _read(content)

    assert [(one.place, one.message is None) for one in entries] == [
        ("[0]", True),
        ("[1]", False),
        ("[2]", False),
    ]
    assert '"b": ' in entries[0].text


def test_a_broken_array_on_one_line_ends_with_its_line():
    """If nothing shows where the next member begins, the rest of the line is one fault, and the next line is read."""
    content = f"[{json.dumps(_A)}, {_BROKEN}, {json.dumps(_C)}\n{json.dumps(_B)}]"

    places = _places(content)

    assert places == [(1, "[0]", _A), (1, "[1]", "not JSON: Expecting value"), (2, "[2]", _B)]


@pytest.mark.parametrize("end", ["", ",", ', {"type": "track", "userId": "u'])
def test_an_array_that_was_cut_off_is_reported(end):
    """A file that ends inside its array was probably cut off, and this is reported."""
    entries = _read(f"[{json.dumps(_A)}{end}")

    assert entries[0].message == _A
    assert entries[-1].fault == "the file ends inside its array; was it cut off?"
    assert entries[-1].problem.remedy == "get a complete copy of the file"


def test_bad_utf8_in_an_array_is_reported():
    """Bad UTF-8 is a fault of its member and is not silently replaced."""
    entries = _read(b'[\n{"a": "\xff"},\n{"a": "\xc3\xa4"}\n]')

    assert [(one.message, one.fault) for one in entries] == [(None, "not UTF-8"), ({"a": "ä"}, None)]


def test_a_member_nested_too_deeply_is_reported():
    """A member that is nested too deeply for the parser is a fault."""
    content = '[\n{"a": ' + "[" * 200_000 + '\n},\n{"b": 1}\n]'

    entries = _read(content)

    assert entries[0].fault == "nested too deeply to be read"
    assert entries[-1].message == {"b": 1}


def test_a_number_too_long_in_an_array_is_reported():
    """A number with more digits than Python reads is a fault of its member."""
    entries = _read('[\n{"a": ' + "1" * 5_000 + '},\n{"b": 1}\n]')

    assert [(one.message, one.fault) for one in entries] == [
        (None, "a number too long to be read"),
        ({"b": 1}, None),
    ]


@pytest.mark.parametrize("form", ["lines", "array"])
def test_broken_gzip_ends_the_file_with_a_fault(form):
    """What can be unpacked is read; the line where the data ends is reported."""
    messages = [{"type": "track", "n": n, "text": f"{n * 7919 % 10007}" * 9} for n in range(20_000)]
    text = "\n".join(map(json.dumps, messages)) if form == "lines" else json.dumps(messages)
    whole = gzip.compress(text.encode())

    entries = _read(whole[: len(whole) // 2])

    assert len(entries) > 1_000
    assert [one.message for one in entries[:-1]] == messages[: len(entries) - 1]
    assert entries[-1].fault.startswith("the gzip data is broken after this line")
    assert entries[-1].problem.remedy == "get a complete copy of the file"


def test_a_gzip_header_without_more_is_a_fault():
    """A file that only begins like gzip is reported and raises no error."""
    (entry,) = _read(b"\x1f\x8bnonsense")

    assert entry.fault.startswith("the gzip data is broken after this line")


@pytest.mark.parametrize("content", [b"", b"\n\n", b"[]", gzip.compress(b"", mtime=0)])
def test_empty_files_contain_no_messages(content):
    """An empty file is no fault."""
    assert _read(content) == []


def test_where_names_file_line_and_path():
    """A place is written as compilers write it, file and line first, then the path of the value."""
    first, second = _read(json.dumps(_A) + "\n" + json.dumps({"batch": [_B]}))

    assert first.where("events.jsonl") == "events.jsonl:1"
    assert first.where("events.jsonl", "traits.plan") == "events.jsonl:1: traits.plan"
    assert second.where("events.jsonl", "traits.plan") == "events.jsonl:2: batch[0].traits.plan"
