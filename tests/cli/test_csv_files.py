"""CSV: which messages rows become, which rows are no message, and what is wrong with columns."""

from __future__ import annotations

import io
from contextlib import closing

import pytest

from metarouter_intercom._cli.csv_columns import map_columns, parse_columns
from metarouter_intercom._cli.csv_files import CsvOptions
from metarouter_intercom._cli.exit_codes import ExitCode, Failed
from metarouter_intercom._cli.message_files import FileForm, read_messages, table_of
from metarouter_intercom._cli.progress import digest_of


def _read(content, *columns, kind=None, encoding=None, delimiter=None):
    content = content if isinstance(content, bytes) else content.encode()
    options = CsvOptions(columns=parse_columns(columns), fixed_type=kind, delimiter=delimiter)
    return list(read_messages(io.BytesIO(content), FileForm(is_csv=True, encoding=encoding, options=options)))


@pytest.mark.parametrize(
    ("content", "columns", "expected"),
    [
        ("type,userId,traits.plan\nidentify,u-1,pro\n", [], {"userId": "u-1", "traits": {"plan": "pro"}}),
        ("type,user_id,anonymous_id\nidentify,u-1,a\n", [], {"userId": "u-1", "anonymousId": "a"}),
        ("Type,USER_ID\nidentify,u-1\n", [], {"userId": "u-1"}),
        ("type,id\nidentify,u-1\n", ["id=userId"], {"userId": "u-1"}),
        (
            "type,id,p\nidentify,u-1,x\n",
            ["id=user_id,p=traits.a.b"],
            {"userId": "u-1", "traits": {"a": {"b": "x"}}},
        ),
        ('type,"a,b"\nidentify,x\n', ['"a,b=traits.c"'], {"traits": {"c": "x"}}),
        ("type,a=b\nidentify,x\n", ["a=b=traits.c"], {"traits": {"c": "x"}}),
        ("type,a\nidentify,x\n", ["a="], {}),
        ("type,traits.n\nidentify,007\n", [], {"traits": {"n": "007"}}),
        ("type,n\nidentify,7\n", ["n=traits.n:number"], {"traits": {"n": 7}}),
        ("type,traits.n:number\nidentify, -7.5e1 \n", [], {"traits": {"n": -75.0}}),
        ("type,b\nidentify,Yes\n", ["b=traits.b:boolean"], {"traits": {"b": True}}),
        ("type,b\nidentify,0\n", ["b=traits.b:boolean"], {"traits": {"b": False}}),
        ('type,j\nidentify,"[1, null]"\n', ["j=traits.j:json"], {"traits": {"j": [1, None]}}),
        ('type,traits\nidentify,"{""a"": 1}"\n', [], {"traits": {"a": 1}}),
        ("type,traits.a,traits.b\nidentify,,x\n", [], {"traits": {"b": "x"}}),
        ("type;traits.a\nidentify;1,5\n", [], {"traits": {"a": "1,5"}}),
        ("type\ttraits.a\nidentify\tx\n", [], {"traits": {"a": "x"}}),
        ("type|traits.a\r\nidentify|x\r\n", [], {"traits": {"a": "x"}}),
        ("sep=;\ntype;traits.a\nidentify;x\n", [], {"traits": {"a": "x"}}),
        ('type,traits.a\nidentify,"two\nlines, ""q"""\n', [], {"traits": {"a": 'two\nlines, "q"'}}),
        ("\ufefftype,userId\nidentify,u-1\n", [], {"userId": "u-1"}),
        ('\ufeff"type",userId\nidentify,u-1', [], {"userId": "u-1"}),
        ("\n\ntype,userId\n\n,\nidentify,u-1\n", [], {"userId": "u-1"}),
        ("type,rejected_because\nidentify,line 2: wrong\n", [], {}),
    ],
)
def test_a_row_becomes_a_message(content, columns, expected):
    """A column goes to its path as the text that its cells have, unless another kind is asked for; an empty cell is left out."""
    (entry,) = _read(content, *columns)

    assert entry.message == {"type": "identify", **expected}


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_encodings_are_recognised(encoding):
    """UTF-16, as spreadsheets write it, and UTF-32 are recognised."""
    (entry,) = _read("type\ttraits.a\nidentify\tJosé\n".encode(encoding))

    assert entry.message == {"type": "identify", "traits": {"a": "José"}}


def test_another_encoding_is_named():
    """A row that is not UTF-8 names the option for the encoding, and that option reads it."""
    content = "type,traits.a\nidentify,José\nidentify,x\n".encode("cp1252")
    wrong, right = _read(content)
    (named, _) = _read(content, encoding="cp1252")

    assert (wrong.fault, wrong.remedy) == ("not UTF-8", "name the file's encoding: --encoding cp1252")
    assert right.message == {"type": "identify", "traits": {"a": "x"}}
    assert named.message == {"type": "identify", "traits": {"a": "José"}}


@pytest.mark.parametrize(
    ("rows", "line", "path", "fault"),
    [
        ("identify,u-1\nidentify,1,2\n", 3, "", "3 cells, where the first row has 2"),
        ("identify,u-1\nidentify\n", 3, "", "1 cells, where the first row has 2"),
        ('identify,"a\nb"\nidentify,"open\n', 4, "", "a quote is opened and never closed"),
        ('identify,u-1\nidentify,"a"b"\n', 3, "", "a quote within a cell is not doubled"),
    ],
)
def test_a_row_that_cannot_be_read(rows, line, path, fault):
    """A row with too many or too few cells, or with a wrong quote, is a fault at its first line; the other rows are read."""
    *_, wrong = [one for one in _read(f"type,userId\n{rows}") if one.message is None]

    assert (wrong.line, wrong.path, wrong.fault) == (line, path, fault)
    assert wrong.row is not None


def test_a_quote_that_is_not_closed_loses_one_line():
    """The rows behind a quote that is never closed are read."""
    entries = _read('type,userId\nidentify,"u-1\nidentify,u-2\nidentify,u-3\n')

    assert [(one.line, one.message is not None) for one in entries] == [(2, False), (3, True), (4, True)]


@pytest.mark.parametrize(
    ("kind", "cell", "fault"),
    [
        ("number", "1.000,5", "not a number"),
        ("number", "1_000", "not a number"),
        ("number", "nan", "not a number"),
        ("number", "9" * 40, "not a number"),
        ("boolean", "perhaps", "not a boolean"),
        ("json", "{", "not JSON"),
    ],
)
def test_a_cell_of_another_kind(kind, cell, fault):
    """A cell that is not of the kind asked for rejects its row, with the path."""
    (entry,) = _read(f'type,traits.a\nidentify,"{cell}"\n', f"traits.a=traits.a:{kind}")

    assert (entry.message, entry.path, entry.fault) == (None, "traits.a", fault)


@pytest.mark.parametrize(
    ("header", "columns", "kind", "expected"),
    [
        (["type", "email"], "", None, "column email: no path of a message"),
        (["u-1", "pro"], "", "identify", "is the row of column names missing?"),
        (["type", "userId", "userId"], "", None, "column userId: there are two of this name"),
        (["type", "userId", "user_id"], "", None, "both go to userId"),
        (["type", "traits", "traits.a"], "", None, "traits.a lies in traits"),
        (["userId"], "", None, "no column says of which type the rows are"),
        (["type"], "plan=traits.plan", None, "--columns plan: no such column; the file has type"),
        (["type", "plan"], "plan=plan", None, "use a field such as userId, event or timestamp"),
        (["type", "plan"], "plan=traits.plan:date", None, "date is no kind of value"),
        (["type", "plan"], "plan=traits.", None, "no path of a message"),
    ],
)
def test_columns_that_cannot_be_mapped(header, columns, kind, expected):
    """Unknown, doubled and missing columns are errors before anything is sent; exit code 2."""
    with pytest.raises(Failed) as caught:
        map_columns(header, parse_columns([columns] if columns else []), kind)

    assert expected in str(caught.value)
    assert caught.value.code == ExitCode.USAGE


@pytest.mark.parametrize("text", ["plan", "=traits.plan", "a=traits.a,a=traits.b"])
def test_a_wrong_option_is_reported(text):
    """`--columns` without a name, without a path, or with a name twice is an error."""
    with pytest.raises(Failed, match="--columns"):
        parse_columns([text])


def test_columns_without_a_path_are_told():
    """With `--columns`, a column that has no path is left out and told; columns whose names are paths are sent."""
    mapping = map_columns(["id", "event", "note", ""], {"id": "userId"}, "track")

    assert [column.path for column in mapping.columns] == [("userId",), ("event",)]
    assert mapping.unsent == ("note", "number 4 (without a name)")


def test_digests_depend_on_the_rows_alone():
    """A row has the same digest, and so the same message id, under other `--columns`."""
    content = "type,a\nidentify,x\n"
    (one,), (other,) = _read(content, "a=traits.a"), _read(content, "a=traits.b")

    assert digest_of("", one) == digest_of("", other)
    assert one.message != other.message


def test_an_empty_file_has_no_rows():
    """A file without a first row has no messages and no fault."""
    assert _read("") == []
    with closing(table_of(io.BytesIO(b"\n"), FileForm(is_csv=True))) as table:
        assert table.header == []
