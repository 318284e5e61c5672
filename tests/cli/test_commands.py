"""The command line as a whole: help texts, exit codes, and errors about what is missing."""

from __future__ import annotations

import os
import subprocess
import sys

import click
import pytest

from metarouter_intercom._cli import main
from metarouter_intercom._cli.commands import commands, run
from metarouter_intercom._cli.exit_codes import ExitCode, failure
from metarouter_intercom._cli.formatting import echo
from metarouter_intercom.errors import BufferFull, ConnectFailed, DeliveryFailed, RejectedMessage, SpoolFailed


def _all_commands():
    for name, command in sorted(commands.commands.items()):
        yield (name,), command
        if isinstance(command, click.Group):
            yield from (((name, inner), one) for inner, one in sorted(command.commands.items()))


_COMMANDS = list(_all_commands())


def test_the_commands_are_pinned():
    """A command is added or removed on purpose only."""
    assert [" ".join(name) for name, _ in _COMMANDS] == [
        "check",
        "connect",
        "dead-letters",
        "dead-letters discard",
        "dead-letters export",
        "dead-letters list",
        "dead-letters retry",
        "dead-letters show",
        "demo",
        "sandbox",
        "send",
        "stats",
        "translate",
    ]


@pytest.mark.parametrize(("name", "command"), _COMMANDS, ids=[" ".join(name) for name, _ in _COMMANDS])
def test_each_command_explains_itself(cli, name, command):
    """`--help` and `-h` explain a command and every option, and the list of commands cuts no sentence off."""
    done = cli(*name, "--help")

    assert done.code == 0
    assert done.out == cli(*name, "-h").out
    assert done.out.startswith(f"Usage: metarouter-intercom {' '.join(name)} ")
    assert [one.name for one in command.params if isinstance(one, click.Option) and not one.help] == []
    assert not command.get_short_help_str(limit=72).endswith("...")


def test_the_help_documents_the_exit_codes(cli):
    """The help lists every exit code."""
    help_text = cli("--help").out

    codes = [
        int(line.split()[0]) for line in help_text.partition("Exit codes:")[2].splitlines() if line.strip()
    ]
    assert codes == [int(code) for code in ExitCode]


def test_the_version_is_printed(cli):
    """`--version` prints the program's name and version."""
    done = cli("--version")

    assert done.code == 0
    assert done.out.startswith("metarouter-intercom, version ")


@pytest.mark.parametrize(
    "arguments", [("nonsense",), ("send",), ("send", "x", "--rate-share", "2"), ("stats",)]
)
def test_a_wrong_command_line_is_reported(cli, arguments):
    """For a wrong command line, the error names the fault and the way to get help; exit code 2."""
    done = cli(*arguments)

    assert done.code == 2
    assert "Try 'metarouter-intercom" in done.err
    assert "\nError: " in done.err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConnectFailed("x"), ExitCode.UNREACHABLE),
        (DeliveryFailed("x", reason="held"), ExitCode.UNREACHABLE),
        (BufferFull("x"), ExitCode.FILE),
        (SpoolFailed("x\ny"), ExitCode.FILE),
        (PermissionError(13, "Permission denied", "events.jsonl"), ExitCode.FILE),
        (OSError("nothing more is known"), ExitCode.FILE),
    ],
    ids=lambda value: type(value).__name__,
)
def test_expected_errors_have_one_line_and_a_code(error, code):
    """Each kind of expected error has its exit code and one line of text."""
    failed = failure(error)

    assert failed.code == code
    assert "\n" not in str(failed)


def test_an_unexpected_error_has_no_line():
    """An unexpected error is not turned into a line with a remedy."""
    assert failure(RejectedMessage([])) is None


def test_an_unexpected_error_is_not_hidden():
    """A bug in the package shows its traceback."""

    @commands.command("bug")
    def bug():
        raise RecursionError

    try:
        with pytest.raises(RecursionError):
            run(["bug"])
    finally:
        del commands.commands["bug"]


def test_characters_that_a_terminal_cannot_show_are_replaced(capsys):
    """A character that the terminal cannot show is replaced and is no error."""
    echo("Zoë \x07 \N{SNOWMAN}\nnext", err=True)

    assert capsys.readouterr().err == "Zoë \N{REPLACEMENT CHARACTER} \N{SNOWMAN}\nnext\n"


def test_output_works_on_ascii_terminals():
    """On a terminal without UTF-8, question marks replace the other characters."""
    done = subprocess.run(
        [sys.executable, "-m", "metarouter_intercom._cli", "translate", "-"],
        input='{"type": "identify", "userId": "u-1", "traits": {"name": "Zoë"}}'.encode(),
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
        timeout=60,
    )

    assert done.returncode == 0
    assert b'"name": "Zo?"' in done.stdout


def test_a_closed_pipe_is_no_error():
    """`... | head` ends a command without a traceback."""
    rows = '{"type": "page", "userId": "u-1"}\n' * 20_000
    process = subprocess.Popen(
        [sys.executable, "-m", "metarouter_intercom._cli", "translate", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    process.stdout.close()

    err = _feed(process, rows)

    assert err == ""


def _feed(process, rows):
    try:
        process.stdin.write(rows)
        process.stdin.close()
    except BrokenPipeError:
        process.stdin.close()
    err = process.stderr.read()
    process.stderr.close()
    process.wait(timeout=60)
    return err


@pytest.mark.parametrize("library", ["click", "tqdm"])
def test_without_the_extra_one_line_says_how_to_install_it(monkeypatch, capsys, library):
    """If click or tqdm is missing, one line says what to install; exit code 2."""
    monkeypatch.setitem(sys.modules, library, None)

    with pytest.raises(SystemExit) as caught:
        main()

    assert caught.value.code == 2
    assert capsys.readouterr() == (
        "",
        'metarouter-intercom: the command line needs click, platformdirs and tqdm; run pip install "metarouter-intercom[cli]"\n',
    )


def test_the_installed_program_takes_the_arguments_of_its_process(monkeypatch, capsys):
    """The entry point runs the arguments of its process."""
    monkeypatch.setattr(sys, "argv", ["metarouter-intercom", "--version"])

    with pytest.raises(SystemExit) as caught:
        main()

    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith("metarouter-intercom, version ")
