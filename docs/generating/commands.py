"""The command line as sections: every command with its arguments and options, as click knows them."""

from __future__ import annotations

from collections.abc import Iterator
from inspect import cleandoc
from textwrap import dedent

import click

from .package import MEANINGS, VARIABLES, commands
from .words import code, from_rst, table


def sections() -> str:
    """Return a section for each command."""
    return "\n".join(_section(name, command) for name, command in _walk("metarouter-intercom", commands))


def exit_codes() -> str:
    """Return the exit codes as a table."""
    return table(
        ["code", "meaning"], [[code(str(int(exit_code))), meaning] for exit_code, meaning in MEANINGS.items()]
    )


def environment() -> str:
    """Return the environment variables as a table."""
    rows = [
        [", ".join(code(one) for one in name.split(", ")), from_rst(meaning)]
        for name, meaning in VARIABLES.items()
    ]
    return table(["variable", "what it says"], rows)


def _walk(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        yield name, command
        return
    for word in sorted(command.commands):
        yield from _walk(f"{name} {word}", command.commands[word])


def _section(name: str, command: click.Command) -> str:
    options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
    arguments = [parameter for parameter in command.params if isinstance(parameter, click.Argument)]
    usage = " ".join([name, *(["[OPTIONS]"] if options else []), *map(_usage, arguments)])
    text = "\n\n".join(map(_paragraph, cleandoc(command.help or "").split("\n\n")))
    rows = [[_names(option), _default(option), from_rst(option.help or "")] for option in options]
    listed = "\n" + table(["option", "default", "meaning"], rows) if rows else ""
    return f"### `{name.partition(' ')[2]}`\n\n```text\n{usage}\n```\n\n{text}\n{listed}"


def _usage(argument: click.Argument) -> str:
    word = (argument.name or "").upper()
    word = f"{word}..." if argument.nargs == -1 else word
    return word if argument.required else f"[{word}]"


def _paragraph(text: str) -> str:
    """Return a part of a help text. One that begins with a backspace has its own lines: examples."""
    if not text.startswith("\b\n"):
        return from_rst(text)
    heading, _, lines = text.removeprefix("\b\n").partition("\n")
    return f"{heading}\n\n```text\n{dedent(lines).rstrip()}\n```"


def _names(option: click.Option) -> str:
    names = ", ".join(code(name) for name in (*option.opts, *option.secondary_opts))
    if option.is_flag:
        return names
    if isinstance(option.type, click.Choice):
        return f"{names} {' or '.join(code(str(choice)) for choice in option.type.choices)}"
    return f"{names} {option.metavar or option.type.name.split()[0].upper()}"


def _default(option: click.Option) -> str:
    shown = getattr(option, "show_default", None)
    return code(str(option.default)) if shown else ""
