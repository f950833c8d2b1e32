# SPDX-FileCopyrightText: The Reeve authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Text of a .x file -> tokens."""

import re
from dataclasses import dataclass

from model import Refused

TOKEN = re.compile(
    r"""
      (?P<space>\s+)
    | (?P<doc>/\*\*(?!/).*?\*/)
    | (?P<comment>/\*.*?\*/|//[^\n]*)
    | (?P<passthrough>^[%\#][^\n]*)
    | (?P<open>/\*)
    | (?P<number>-?(?:0[xX][0-9a-fA-F]+|[0-9]+)(?![A-Za-z0-9_]))
    | (?P<name>[A-Za-z][A-Za-z0-9_]*)
    | (?P<sign>[{}()\[\]<>;:,=*])
    """,
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)


@dataclass
class Token:
    kind: str
    text: str
    where: str
    doc: str = ""


def clean_doc(text: str) -> str:
    """A doc comment without its stars."""
    lines = text[3:-2].split("\n")
    return "\n".join(re.sub(r"^\s*\*? ?", "", line).rstrip() for line in lines).strip()


def tokenize(path: str, text: str) -> tuple[str, list[Token]]:
    """The file's own doc comment, which has a blank line behind it, and the
    tokens; any other doc comment is kept with the token behind it."""
    tokens = []
    file_doc = doc = ""
    position = 0
    line = 1
    while position < len(text):
        match = TOKEN.match(text, position)
        if match is not None and match.lastgroup == "open":
            raise Refused(f"{path}:{line}", "this comment has no end")
        if match is None:
            raise Refused(f"{path}:{line}", f"unexpected character {text[position]!r}")
        kind = match.lastgroup
        if kind == "doc":
            doc = clean_doc(match.group())
            if not tokens and text.startswith("\n\n", match.end()):
                file_doc, doc = doc, ""
        elif kind in ("number", "name", "sign"):
            tokens.append(Token(kind, match.group(), f"{path}:{line}", doc))
            doc = ""
        line += match.group().count("\n")
        position = match.end()
    tokens.append(Token("end", "end of file", f"{path}:{line}", doc))
    return file_doc, tokens
