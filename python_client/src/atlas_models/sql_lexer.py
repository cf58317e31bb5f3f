"""Cuts a SQL file into its top-level statements, as far as the migration runner must understand it.

The runner sends a file to the server in one piece. Before that it must know whether the file would end the runner's
transaction (a top-level COMMIT) or is meant for psql (a backslash command). A search for words would trip over
function bodies, literals and comments, so this lexer knows strings, quoted names, dollar quotes, nested comments and
SQL-standard ``begin atomic`` bodies, and nothing more of the grammar.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_SPACE = re.compile(r"\s+")
_WORD = re.compile(r"[A-Za-z_\u0080-\U0010ffff][A-Za-z0-9_$\u0080-\U0010ffff]*")
# A number may be followed by letters only by mistake, but `$1` inside of one must not open a dollar quote.
_NUMBER = re.compile(r"[0-9][A-Za-z0-9_.]*")
_LINE_COMMENT = re.compile(r"--[^\n\r]*")
_DOLLAR_OPENING = re.compile(r"\$(?:[A-Za-z_\u0080-\U0010ffff][A-Za-z0-9_\u0080-\U0010ffff]*)?\$")
_PLAIN_STRING = re.compile(r"'[^']*(?:''[^']*)*'")
_ESCAPE_STRING = re.compile(r"'[^'\\]*(?:(?:''|\\.)[^'\\]*)*'", re.DOTALL)
_QUOTED_NAME = re.compile(r'"[^"]*(?:""[^"]*)*"')
_COMMENT_EDGE = re.compile(r"/\*|\*/")


class UnfinishedSqlError(ValueError):
    """A string, quoted name or comment that is opened and never closed.

    Args:
        what: What was left open, in words.
        line: The line (from 1) on which it opens.
    """

    def __init__(self, what: str, line: int) -> None:
        super().__init__(f"line {line}: {what} is never closed")
        self.line = line


@dataclass(frozen=True)
class Statement:
    """One top-level statement: its line in the file (from 1) and its bare words in lower case, in order."""

    line: int
    words: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class Comment:
    """One top-level ``--`` comment: its line (from 1) and its text without the dashes."""

    line: int
    text: str


@dataclass(frozen=True)
class SqlFile:
    """What the lexer found in a file.

    Args:
        statements: The top-level statements, empty ones left out.
        comments: The top-level ``--`` comments.
        backslash_lines: Lines with a backslash outside of every quote: SQL has none, psql's commands do.
    """

    statements: tuple[Statement, ...]
    comments: tuple[Comment, ...]
    backslash_lines: tuple[int, ...]


@dataclass
class _Lexer:
    text: str
    position: int = 0
    statements: list[Statement] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    backslash_lines: list[int] = field(default_factory=list)
    _start: int | None = None
    _words: list[str] = field(default_factory=list)
    _parentheses: int = 0
    _atomic_depth: int = 0

    def run(self) -> SqlFile:
        while self.position < len(self.text):
            self._step()
        self._end_statement()
        return SqlFile(tuple(self.statements), tuple(self.comments), tuple(self.backslash_lines))

    def _line(self, position: int) -> int:
        return self.text.count("\n", 0, position) + 1

    def _step(self) -> None:
        at = self.position
        character = self.text[at]
        if space := _SPACE.match(self.text, at):
            self.position = space.end()
        elif comment := _LINE_COMMENT.match(self.text, at):
            self.comments.append(Comment(self._line(at), comment.group()[2:].strip()))
            self.position = comment.end()
        elif self.text.startswith("/*", at):
            self._skip_block_comment()
        elif character == ";" and self._parentheses == 0 and self._atomic_depth == 0:
            self.position += 1
            self._end_statement()
        else:
            if self._start is None:
                self._start = at
            self._token(character)

    def _token(self, character: str) -> None:
        at = self.position
        if character == "'":
            self._skip(_PLAIN_STRING, "a string")
        elif character == '"':
            self._skip(_QUOTED_NAME, "a quoted name")
        elif character == "$" and (opening := _DOLLAR_OPENING.match(self.text, at)):
            self._skip_dollar_quote(opening.group())
        elif word := _WORD.match(self.text, at):
            self.position = word.end()
            if word.group() in ("e", "E") and self.text.startswith("'", self.position):
                self._skip(_ESCAPE_STRING, "a string")
            else:
                self._word(word.group().lower())
        elif number := _NUMBER.match(self.text, at):
            self.position = number.end()
        else:
            if character == "\\":
                self.backslash_lines.append(self._line(at))
            elif character == "(":
                self._parentheses += 1
            elif character == ")":
                self._parentheses = max(0, self._parentheses - 1)
            self.position += 1

    def _word(self, word: str) -> None:
        # The same rule as psql's: only in CREATE FUNCTION / PROCEDURE does BEGIN open a body with statements inside.
        if self._creates_routine() and self._parentheses == 0:
            if word == "begin" or (word == "case" and self._atomic_depth > 0):
                self._atomic_depth += 1
            elif word == "end" and self._atomic_depth > 0:
                self._atomic_depth -= 1
        self._words.append(word)

    def _creates_routine(self) -> bool:
        words = [word for word in self._words[:4] if word not in ("or", "replace")]
        return words[:1] == ["create"] and words[1:2] in (["function"], ["procedure"])

    def _skip(self, pattern: re.Pattern[str], what: str) -> None:
        match = pattern.match(self.text, self.position)
        if match is None:
            raise UnfinishedSqlError(what, self._line(self.position))
        self.position = match.end()

    def _skip_dollar_quote(self, tag: str) -> None:
        end = self.text.find(tag, self.position + len(tag))
        if end < 0:
            raise UnfinishedSqlError(f"a string opened by {tag}", self._line(self.position))
        self.position = end + len(tag)

    def _skip_block_comment(self) -> None:
        opened_at, depth = self.position, 0
        while True:
            edge = _COMMENT_EDGE.search(self.text, self.position)
            if edge is None:
                raise UnfinishedSqlError("a comment", self._line(opened_at))
            self.position = edge.end()
            depth += 1 if edge.group() == "/*" else -1
            if depth == 0:
                return

    def _end_statement(self) -> None:
        if self._start is not None:
            text = self.text[self._start : self.position].rstrip().removesuffix(";").rstrip()
            self.statements.append(Statement(self._line(self._start), tuple(self._words), text))
        self._start, self._words, self._parentheses, self._atomic_depth = None, [], 0, 0


def read_sql(text: str) -> SqlFile:
    """Cuts SQL text into its top-level statements.

    Args:
        text: The whole text of a file.

    Returns:
        Its statements, its top-level comments and the lines that hold psql commands.

    Raises:
        UnfinishedSqlError: A string, quoted name or comment is never closed.
    """
    return _Lexer(text).run()


def transaction_control(statement: Statement) -> str | None:
    """Names the transaction control that a statement is, or None when it is none.

    Args:
        statement: A top-level statement.

    Returns:
        The command in upper case (``COMMIT``), or None.
    """
    first, second = (*statement.words, "", "")[:2]
    if first in ("begin", "commit", "end", "rollback", "abort", "savepoint", "release"):
        return first.upper()
    if (first, second) in (("start", "transaction"), ("prepare", "transaction")):
        return f"{first} {second}".upper()
    return None
