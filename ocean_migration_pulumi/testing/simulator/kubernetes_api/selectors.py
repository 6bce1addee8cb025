"""Label selectors, as strings and as JSON, and field selectors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_TOKEN = re.compile(r"\s*(==|!=|[=!<>(),]|[^\s=!<>(),]+)")
_SPECIAL = frozenset({"", "==", "!=", "=", "!", "<", ">", "(", ")", ","})
_NAME = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)")
_PREFIX = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_OPERATORS = {"=": "In", "==": "In", "!=": "NotIn", "in": "In", "notin": "NotIn", ">": "Gt", "<": "Lt"}


class SelectorError(ValueError):
    """A selector is invalid; the message is that of the real API server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectorRequirement:
    """One condition of a label selector."""

    key: str
    """The label."""
    operator: str
    """``In``, ``NotIn``, ``Exists``, ``DoesNotExist``, ``Gt`` or ``Lt``."""
    values: frozenset[str] = frozenset()
    """The values to compare with, empty for ``Exists`` and ``DoesNotExist``."""

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Return whether labels satisfy the condition; an absent label matches ``NotIn``."""
        value = labels.get(self.key)
        if self.operator in ("Exists", "DoesNotExist"):
            return (value is not None) == (self.operator == "Exists")
        if self.operator in ("Gt", "Lt"):
            return _is_beyond(value, next(iter(self.values)), greater=self.operator == "Gt")
        return (value in self.values) == (self.operator == "In")


Selector = tuple[SelectorRequirement, ...]
"""Conditions that labels must all satisfy."""


def selects(selector: Selector, labels: Mapping[str, str]) -> bool:
    """Return whether labels satisfy every condition."""
    return all(requirement.matches(labels) for requirement in selector)


def _is_beyond(value: str | None, limit: str, *, greater: bool) -> bool:
    if value is None or not re.fullmatch(r"-?\d+", value):
        return False
    return int(value) > int(limit) if greater else int(value) < int(limit)


def parse_label_selector(selector: Mapping[str, Any]) -> Selector:
    """Parse a ``LabelSelector`` object; an empty one selects everything. Raises ``SelectorError``."""
    try:
        labels = [
            SelectorRequirement(key=key, operator="In", values=frozenset({value}))
            for key, value in (selector.get("matchLabels") or {}).items()
        ]
        expressions = [
            SelectorRequirement(key=part["key"], operator=part["operator"], values=frozenset(part.get("values") or ()))
            for part in selector.get("matchExpressions") or []
        ]
    except (AttributeError, KeyError, TypeError):
        raise SelectorError(f"{selector!r} is not a label selector") from None
    for requirement in expressions:
        if requirement.operator not in ("In", "NotIn", "Exists", "DoesNotExist"):
            raise SelectorError(f"{requirement.operator!r} is not a valid label selector operator")
    return (*labels, *expressions)


def parse_selector(text: str) -> Selector:
    """Parse a label selector in kubectl's syntax; raises ``SelectorError``."""
    return _Parser(text).parse()


class _Parser:
    """Parses a selector token by token."""

    def __init__(self, text: str) -> None:
        # Only trailing white space matches no token; the empty token marks the end.
        self._tokens: list[str] = [*_TOKEN.findall(text), ""]
        self._position = 0

    def parse(self) -> Selector:
        requirements: list[SelectorRequirement] = []
        while self._current or requirements:
            if requirements and not (self._current == "!" or self._at_word()):
                raise SelectorError(f"found '{self._current}', expected: identifier after ','")
            if not (self._current == "!" or self._at_word()):
                raise SelectorError(f"found '{self._current}', expected: !, identifier, or 'end of string'")
            try:
                requirements.append(self._parse_requirement())
            except SelectorError as error:
                raise SelectorError(f"unable to parse requirement: {error}") from None
            if not self._current:
                break
            if (end := self._next_token()) != ",":
                raise SelectorError(f"found '{end}', expected: ',' or 'end of string'")
        return tuple(requirements)

    @property
    def _current(self) -> str:
        return self._tokens[self._position]

    def _at_word(self) -> bool:
        return self._current not in _SPECIAL

    def _next_token(self) -> str:
        token = self._current
        self._position += token != ""
        return token

    def _parse_requirement(self) -> SelectorRequirement:
        absent = self._current == "!" and bool(self._next_token())
        key = self._parse_word("identifier")
        _check_key(key)
        if absent or self._current in ("", ","):
            return SelectorRequirement(key=key, operator="DoesNotExist" if absent else "Exists")
        operator = self._next_token()
        if operator not in _OPERATORS:
            raise SelectorError(f"found '{operator}', expected: in, notin, =, ==, !=, gt, lt")
        values = self._parse_list() if operator in ("in", "notin") else frozenset({self._parse_value()})
        for value in values:
            _check_value(key, value)
        if operator in "<>" and not re.fullmatch(r"-?\d+", next(iter(values))):
            raise SelectorError(f'values[0][{key}]: Invalid value: "{next(iter(values))}": must be an integer')
        return SelectorRequirement(key=key, operator=_OPERATORS[operator], values=values)

    def _parse_word(self, expected: str) -> str:
        if not self._at_word():
            raise SelectorError(f"found '{self._current}', expected: {expected}")
        return self._next_token()

    def _parse_value(self) -> str:
        """Return the value after an operator; a missing value is the empty string."""
        return "" if self._current in ("", ",") else self._parse_word("identifier")

    def _parse_list(self) -> frozenset[str]:
        if (word := self._next_token()) != "(":
            raise SelectorError(f"found '{word}' expected: '('")
        values = [""] if self._current == ")" else []
        while self._current != ")":
            values.append("" if self._current == "," else self._parse_word("',', ')' or identifier"))
            if self._current == ",":
                self._next_token()
                values += [""] if self._current == ")" else []
            elif self._current != ")":
                raise SelectorError(f"found '{self._current}', expected: ',' or ')'")
        self._next_token()
        return frozenset(values)


def _check_key(key: str) -> None:
    prefix, slash, name = key.rpartition("/")
    if not _NAME.fullmatch(name) or (slash and not _PREFIX.fullmatch(prefix)):
        raise SelectorError(
            f'key: Invalid value: "{key}": name part must consist of alphanumeric characters, '
            "'-', '_' or '.', and must start and end with an alphanumeric character"
        )


def _check_value(key: str, value: str) -> None:
    if value and not _NAME.fullmatch(value):
        raise SelectorError(
            f'values[0][{key}]: Invalid value: "{value}": a valid label must be an empty string or consist of '
            "alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
        )


def parse_field_selector(text: str, known: frozenset[str]) -> list[tuple[str, str, bool]]:
    """Parse a field selector into tuples of field, value, and whether they must be equal; raises ``SelectorError``."""
    conditions = []
    for term in filter(None, text.split(",")):
        parts = re.fullmatch(r"([^=!]+)(==|!=|=)(.*)", term)
        if parts is None:
            raise SelectorError(f"invalid selector: '{text}'; can't understand '{term}'")
        if parts[1] not in known:
            raise SelectorError(f"field label not supported: {parts[1]}")
        conditions.append((parts[1], parts[3], parts[2] != "!="))
    return conditions
