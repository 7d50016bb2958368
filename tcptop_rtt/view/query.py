"""The language of filters: turns the text that a user types into a question about rows.

Words side by side must all hold; ``or``, ``!`` and parentheses combine them. A word is ``field:value``,
``field>value`` or text to look for. A row with an unknown value matches neither a word nor its negation.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tcptop_rtt.model.rows import Get
from tcptop_rtt.view.questions import OPERATORS, Answer, Ask, Match, ValueNotTakenError

MAX_DEPTH = 50
"""How deep parentheses and ``!`` may be nested."""


class QueryError(ValueError):
    """The text is not a valid filter.

    :param at: where the text is wrong, in characters from the start
    """

    def __init__(self, message: str, at: int) -> None:
        super().__init__(message)
        self.at = at


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    at: int
    quoted: bool = False


_TOKEN = re.compile(r'\s*(?:(?P<sign>[()!])|(?P<word>(?:"[^"]*"|[^\s()"])+)|(?P<bad>"))')
_TERM = re.compile(r"([A-Za-z_][A-Za-z_0-9]*)(" + "|".join(map(re.escape, OPERATORS)) + r")(.*)", re.DOTALL)
_HEX = re.compile(r"[a-fA-F]{1,4}")


def parse(text: str, matches: Mapping[str, Match], find: Callable[[str], Ask]) -> Ask | None:
    """Make a question of a filter; None if it is empty and all rows match.

    :param matches: how to ask for a field, by each word for it
    :param find: makes the question whether a text is anywhere in a row
    :raises QueryError: the text is not a valid filter
    """
    tokens = _tokens(text)
    if not tokens:
        return None
    return _Parser(tokens, len(text), matches, find).parse()


def both(text: str, more: str) -> str:
    """A filter that selects the rows that two filters both select, either of which may be empty."""
    have, add = ([(token.text.lower(), token.quoted) for token in _tokens(one)] for one in (text, more))
    others = {("or", False), ("!", False)}
    if others.isdisjoint((*have, *add)) and set(add) <= set(have):
        return text
    parts = (f"({one})" if ("or", False) in words else one for one, words in ((text, have), (more, add)))
    return " ".join(parts).strip()


def _tokens(text: str) -> list[_Token]:
    tokens = []
    at = 0
    while at < len(text) and (found := _TOKEN.match(text, at)):
        kind = found.lastgroup or ""
        if kind == "bad":
            raise QueryError('a " has no other', found.start(kind))
        raw = found[kind]
        tokens.append(_Token(raw.replace('"', ""), found.start(kind), raw.startswith('"')))
        at = found.end()
    return tokens


class _Parser:
    """Parses by recursive descent: ``or`` binds less tightly than words side by side."""

    def __init__(
        self, tokens: list[_Token], end: int, matches: Mapping[str, Match], find: Callable[[str], Ask]
    ) -> None:
        self._tokens = tokens
        self._end = end
        self._matches = matches
        self._find = find
        self._depth = 0

    def parse(self) -> Ask:
        asked = self._alternatives()
        if self._tokens:
            raise QueryError("there is no ( for this )", self._tokens[0].at)
        return asked

    def _next_is(self, *texts: str) -> bool:
        return bool(self._tokens) and not self._tokens[0].quoted and self._tokens[0].text.lower() in texts

    def _alternatives(self) -> Ask:
        asked = [self._together()]
        while self._next_is("or"):
            self._tokens.pop(0)
            asked.append(self._together())
        return asked[0] if len(asked) == 1 else _any(asked)

    def _together(self) -> Ask:
        asked = []
        while self._tokens and not self._next_is("or", ")"):
            if self._next_is("and"):
                self._tokens.pop(0)
                continue
            asked.append(self._single())
        if not asked:
            raise QueryError("a word is missing here", self._tokens[0].at if self._tokens else self._end)
        return asked[0] if len(asked) == 1 else _all(asked)

    def _single(self) -> Ask:
        token = self._tokens.pop(0)
        if token.quoted or token.text not in ("!", "("):
            return self._word(token)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise QueryError("( or ! nested too deeply", token.at)
        if token.text == "!":
            if not self._tokens or self._next_is("or", ")"):
                raise QueryError("a word is missing after !", token.at + 1)
            asked = _not(self._single())
        else:
            asked = self._alternatives()
            if not self._next_is(")"):
                raise QueryError("there is no ) for this (", token.at)
            self._tokens.pop(0)
        self._depth -= 1
        return asked

    def _word(self, token: _Token) -> Ask:
        found = None if token.quoted else _TERM.fullmatch(token.text)
        if found is None:
            return self._bare(token)
        name, sign, value = found.groups()
        match = self._matches.get(name.lower())
        if match is None:
            if sign == ":" and (_HEX.fullmatch(name) or value.startswith(":")):
                return self._find(token.text)  # an address
            near = difflib.get_close_matches(name.lower(), self._matches, 1)
            hint = f": {near[0]}?" if near else ""
            raise QueryError(f"there is no field {name}{hint}", token.at)
        at = token.at + found.start(3)
        if not value:
            raise QueryError(f"a value is missing, such as {name}{sign}{match.example}", at)
        try:
            return match.ask(sign, value)
        except ValueNotTakenError as error:
            raise QueryError(str(error), at) from None

    def _bare(self, token: _Token) -> Ask:
        if not token.quoted and token.text.lower() == "local" and "local_peer" in self._matches:
            return self._matches["local_peer"].ask(":", "yes")
        return self._find(token.text)


def _all(asked: list[Ask]) -> Ask:
    def answer(get: Get, lacking: frozenset[str]) -> Answer:
        yes, no = asked[0](get, lacking)
        for one in asked[1:]:
            more = one(get, lacking)
            yes, no = yes & more.yes, no | more.no
        return Answer(yes, no)

    return answer


def _any(asked: list[Ask]) -> Ask:
    return _not(_all([_not(one) for one in asked]))


def _not(asked: Ask) -> Ask:
    def answer(get: Get, lacking: frozenset[str]) -> Answer:
        yes, no = asked(get, lacking)
        return Answer(no, yes)

    return answer
