"""Reading messages: every form of file, and that what is broken stops nothing and is named by its line and place."""

from __future__ import annotations

import gzip
import io
import json

import pytest

from metarouter_intercom._cli.message_files import read_messages


def _read(content):
    return list(read_messages(io.BytesIO(content if isinstance(content, bytes) else content.encode())))


def _facts(content):
    """Return line, place and message of each found place, the fault where there is no message."""
    return [(one.line, one.place, one.message or one.fault) for one in _read(content)]


_A, _B, _C = {"type": "identify", "userId": "u-1"}, {"type": "track", "userId": "u-2"}, {"type": "page"}
_LINES = "\n".join(json.dumps(one) for one in (_A, _B, _C))


@pytest.mark.parametrize("ending", ["", "\n", "\n\n  \n"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_json_lines(ending, newline):
    """One message a line; blank lines and the kind of line end make no difference."""
    found = _facts((_LINES + ending).replace("\n", newline))

    assert found == [(1, "", _A), (2, "", _B), (3, "", _C)]


def test_a_byte_order_mark_is_no_fault():
    """Files of Windows programs begin with a mark."""
    assert _facts(b"\xef\xbb\xbf" + _LINES.encode())[0] == (1, "", _A)
    assert _facts(b"\xef\xbb\xbf" + json.dumps([_A]).encode()) == [(1, "[0]", _A)]


@pytest.mark.parametrize("indent", [None, 0, 2])
def test_one_array(indent):
    """An array's members are named by their place, and by the line in which they begin."""
    content = json.dumps([_A, _B, _C], indent=indent)

    found = _read(content)

    assert [(one.place, one.message) for one in found] == [("[0]", _A), ("[1]", _B), ("[2]", _C)]
    lines = content.splitlines()
    assert all("{" in lines[one.line - 1] for one in found)
    assert [one.line for one in found] == sorted({one.line for one in found}) or indent is None


def test_an_array_larger_than_a_piece():
    """Members that lie across the pieces in which a file is read come out whole."""
    messages = [{"type": "track", "n": n, "text": "äöü" * (n % 700)} for n in range(400)]

    assert [one.message for one in _read(json.dumps(messages, ensure_ascii=False))] == messages


def test_an_array_in_each_line():
    """JSON lines may hold arrays; the file does not end with the first one."""
    content = f"{json.dumps([_A, _B])}\n{json.dumps([_C])}\n{json.dumps(_A)}\n"

    assert _facts(content) == [(1, "[0]", _A), (1, "[1]", _B), (2, "[0]", _C), (3, "", _A)]


@pytest.mark.parametrize("indent", [None, 2])
def test_a_batch(indent):
    """A Segment batch gives its members, each with what the batch says for all; the member's own word wins."""
    own = {**_B, "context": {"ip": "192.0.2.1"}}
    batch = {
        "batch": [_A, own],
        "sentAt": "2026-05-01T10:00:00Z",
        "context": {"app": "shop"},
        "writeKey": "k",
    }

    found = _read(json.dumps(batch, indent=indent))

    shared = {"sentAt": "2026-05-01T10:00:00Z"}
    assert [one.place for one in found] == ["batch[0]", "batch[1]"]
    assert [one.message for one in found] == [
        {**_A, **shared, "context": {"app": "shop"}},
        {**own, **shared},
    ]


def test_batches_in_lines_and_arrays():
    """The place names the way to a message through lines, arrays and batches."""
    content = json.dumps(_A) + "\n" + json.dumps({"batch": [_B]}) + "\n"

    assert _facts(content) == [(1, "", _A), (2, "batch[0]", _B)]
    assert _facts(json.dumps([_A, {"batch": [_B]}])) == [(1, "[0]", _A), (1, "[1].batch[0]", _B)]


def test_objects_over_many_lines():
    """Objects written over many lines, one after the other, are messages too."""
    content = json.dumps(_A, indent=2) + "\n" + json.dumps(_B, indent=2)

    assert _facts(content) == [(1, "", _A), (5, "", _B)]


@pytest.mark.parametrize("content", [_LINES, json.dumps([_A, _B, _C])])
def test_gzip_is_seen_by_itself(content):
    """A compressed file is read as what it holds, whatever its name."""
    assert [one.message for one in _read(gzip.compress(content.encode()))] == [_A, _B, _C]


def test_gzip_of_many_members():
    """Files that were joined after being compressed are read to the end."""
    assert len(_read(gzip.compress(b'{"a": 1}\n') + gzip.compress(b'{"a": 2}\n'))) == 2


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (b'{"type": "track"', "not JSON at column 17: Expecting ',' delimiter"),
        (b"nonsense", "not JSON at column 1: Expecting value"),
        (b'{"a": "\xff"}', "not UTF-8 at byte 8"),
        (b"[" * 200_000, "nested too deeply to be read"),
        (b"1" * 5_000, "a number too long to be read"),
        (b"12", "no object; a message is a JSON object"),
        (b"null", "no object; a message is a JSON object"),
    ],
    ids=["cut", "nonsense", "bytes", "nested", "number", "scalar", "null"],
)
def test_a_broken_line_stops_nothing(row, fault):
    """The lines around a broken one are read; the broken one is named with its fault and kept."""
    first, _, third = _LINES.encode().split(b"\n")

    found = _read(b"\n".join((first, row, third)))

    assert [(one.line, one.message) for one in found] == [(1, _A), (2, None), (3, _C)]
    assert found[1].fault == fault
    assert found[1].text[:10] == row.decode("utf-8", "replace")[:10]


_BROKEN = '{"type": "track", "userId": }'


def test_a_broken_member_of_an_array_stops_nothing():
    """In an array with a member a line, the members after a broken one are read."""
    content = f"[\n{json.dumps(_A)},\n{_BROKEN},\n{json.dumps(_C)}\n]"

    found = _read(content)

    assert [(one.line, one.place, one.message) for one in found] == [
        (2, "[0]", _A),
        (3, "[1]", None),
        (4, "[2]", _C),
    ]
    assert found[1].fault == "not JSON: Expecting value"
    assert found[1].text == f"{_BROKEN},"


def test_a_broken_member_over_many_lines_is_one_fault():
    """In an indented array the reading goes on at the next line that is indented as the broken member is."""
    whole = json.dumps(
        [{**_A, "traits": {"a": [{"b": 1}]}}, {**_B, "traits": {"a": [{"b": 2}]}}, _C], indent=2
    )
    content = whole.replace('"b": 1', '"b": ')

    found = _read(content)

    assert [(one.place, one.message is None) for one in found] == [
        ("[0]", True),
        ("[1]", False),
        ("[2]", False),
    ]
    assert '"b": ' in found[0].text


def test_a_broken_array_on_one_line_ends_with_its_line():
    """Where nothing says where the next member begins, the rest of the line is one fault, and the next line is read."""
    content = f"[{json.dumps(_A)}, {_BROKEN}, {json.dumps(_C)}\n{json.dumps(_B)}]"

    found = _facts(content)

    assert found == [(1, "[0]", _A), (1, "[1]", "not JSON: Expecting value"), (2, "[2]", _B)]


@pytest.mark.parametrize("end", ["", ",", ', {"type": "track", "userId": "u'])
def test_an_array_that_was_cut_off_is_told(end):
    """A file that ends within its array was probably cut off: said, not passed over."""
    found = _read(f"[{json.dumps(_A)}{end}")

    assert found[0].message == _A
    assert found[-1].fault == "the file ends within its array; was it cut off?"


def test_bytes_that_are_no_text_are_told_in_arrays():
    """Bad UTF-8 is a fault of its member, not silently replaced."""
    found = _read(b'[\n{"a": "\xff"},\n{"a": "\xc3\xa4"}\n]')

    assert [(one.message, one.fault) for one in found] == [(None, "not UTF-8"), ({"a": "ä"}, None)]


def test_a_member_nested_too_deeply_is_told():
    """Depth beyond reading is a fault of its member."""
    content = '[\n{"a": ' + "[" * 200_000 + '\n},\n{"b": 1}\n]'

    found = _read(content)

    assert found[0].fault == "nested too deeply to be read"
    assert found[-1].message == {"b": 1}


def test_a_number_too_long_in_an_array_is_told():
    """A number beyond Python's own limit is a fault of its member."""
    found = _read('[\n{"a": ' + "1" * 5_000 + '},\n{"b": 1}\n]')

    assert [(one.message, one.fault) for one in found] == [
        (None, "a number too long to be read"),
        ({"b": 1}, None),
    ]


@pytest.mark.parametrize("form", ["lines", "array"])
def test_broken_gzip_ends_the_file_with_a_fault(form):
    """What could be unpacked is read; the place where the data ends is told."""
    messages = [{"type": "track", "n": n, "text": f"{n * 7919 % 10007}" * 9} for n in range(20_000)]
    text = "\n".join(map(json.dumps, messages)) if form == "lines" else json.dumps(messages)
    whole = gzip.compress(text.encode())

    found = _read(whole[: len(whole) // 2])

    assert len(found) > 1_000
    assert [one.message for one in found[:-1]] == messages[: len(found) - 1]
    assert found[-1].fault.startswith("the gzip data is broken after this line")


def test_a_gzip_header_without_more_is_a_fault():
    """A file that only begins like gzip is told, not an unforeseen error."""
    (found,) = _read(b"\x1f\x8bnonsense")

    assert found.fault.startswith("the gzip data is broken after this line")


@pytest.mark.parametrize("content", [b"", b"\n\n", b"[]", gzip.compress(b"", mtime=0)])
def test_empty_files_hold_nothing(content):
    """An empty file is no fault."""
    assert _read(content) == []


def test_where_names_file_line_and_path():
    """A place is written as editors and compilers write it, with the value's path behind."""
    first, second = _read(json.dumps(_A) + "\n" + json.dumps({"batch": [_B]}))

    assert first.where("events.jsonl") == "events.jsonl:1"
    assert first.where("events.jsonl", "traits.plan") == "events.jsonl:1: traits.plan"
    assert second.where("events.jsonl", "traits.plan") == "events.jsonl:2: batch[0].traits.plan"
