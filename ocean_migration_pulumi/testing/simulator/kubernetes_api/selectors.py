"""Selectors: those of labels as text and as JSON, and those of fields."""

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
    """A selector cannot be understood; the message is the server's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectorRequirement:
    """One condition; ``operator`` is In, NotIn, Exists, DoesNotExist, Gt or Lt."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Tell whether labels satisfy it; a label that is absent is not one of any values."""
        value = labels.get(self.key)
        if self.operator in ("Exists", "DoesNotExist"):
            return (value is not None) == (self.operator == "Exists")
        if self.operator in ("Gt", "Lt"):
            return _is_beyond(value, next(iter(self.values)), greater=self.operator == "Gt")
        return (value in self.values) == (self.operator == "In")


Selector = tuple[SelectorRequirement, ...]
"""Conditions that must all hold."""


def selects(selector: Selector, labels: Mapping[str, str]) -> bool:
    """Tell whether labels satisfy every condition."""
    return all(requirement.holds(labels) for requirement in selector)


def _is_beyond(value: str | None, limit: str, *, greater: bool) -> bool:
    if value is None or not re.fullmatch(r"-?\d+", value):
        return False
    return int(value) > int(limit) if greater else int(value) < int(limit)


def of_json(selector: Mapping[str, Any]) -> Selector:
    """Return a ``LabelSelector``; an empty one selects everything. Raises ``SelectorError``."""
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
        raise SelectorError(f"{selector!r} is no label selector") from None
    for requirement in expressions:
        if requirement.operator not in ("In", "NotIn", "Exists", "DoesNotExist"):
            raise SelectorError(f"{requirement.operator!r} is not a valid label selector operator")
    return (*labels, *expressions)


def parse(text: str) -> Selector:
    """Return a label selector in kubectl's syntax; raises ``SelectorError``."""
    return _Parser(text).parse()


class _Parser:
    """Reads a selector word by word."""

    def __init__(self, text: str) -> None:
        # What no word of the grammar matches is white space at the end.
        self._words: list[str] = [*_TOKEN.findall(text), ""]
        self._at = 0

    def parse(self) -> Selector:
        requirements: list[SelectorRequirement] = []
        while self._ahead or requirements:
            if requirements and not (self._ahead == "!" or self._is_word()):
                raise SelectorError(f"found '{self._ahead}', expected: identifier after ','")
            if not (self._ahead == "!" or self._is_word()):
                raise SelectorError(f"found '{self._ahead}', expected: !, identifier, or 'end of string'")
            try:
                requirements.append(self._requirement())
            except SelectorError as error:
                raise SelectorError(f"unable to parse requirement: {error}") from None
            if not self._ahead:
                break
            if (end := self._take()) != ",":
                raise SelectorError(f"found '{end}', expected: ',' or 'end of string'")
        return tuple(requirements)

    @property
    def _ahead(self) -> str:
        return self._words[self._at]

    def _is_word(self) -> bool:
        return self._ahead not in _SPECIAL

    def _take(self) -> str:
        word = self._ahead
        self._at += word != ""
        return word

    def _requirement(self) -> SelectorRequirement:
        absent = self._ahead == "!" and bool(self._take())
        key = self._word("identifier")
        _check_key(key)
        if absent or self._ahead in ("", ","):
            return SelectorRequirement(key=key, operator="DoesNotExist" if absent else "Exists")
        operator = self._take()
        if operator not in _OPERATORS:
            raise SelectorError(f"found '{operator}', expected: in, notin, =, ==, !=, gt, lt")
        values = self._list() if operator in ("in", "notin") else frozenset({self._value()})
        for value in values:
            _check_value(key, value)
        if operator in "<>" and not re.fullmatch(r"-?\d+", next(iter(values))):
            raise SelectorError(f'values[0][{key}]: Invalid value: "{next(iter(values))}": must be an integer')
        return SelectorRequirement(key=key, operator=_OPERATORS[operator], values=values)

    def _word(self, expected: str) -> str:
        if not self._is_word():
            raise SelectorError(f"found '{self._ahead}', expected: {expected}")
        return self._take()

    def _value(self) -> str:
        """Return the value after an operator; none at all is the empty one."""
        return "" if self._ahead in ("", ",") else self._word("identifier")

    def _list(self) -> frozenset[str]:
        if (word := self._take()) != "(":
            raise SelectorError(f"found '{word}' expected: '('")
        values = [""] if self._ahead == ")" else []
        while self._ahead != ")":
            values.append("" if self._ahead == "," else self._word("',', ')' or identifier"))
            if self._ahead == ",":
                self._take()
                values += [""] if self._ahead == ")" else []
            elif self._ahead != ")":
                raise SelectorError(f"found '{self._ahead}', expected: ',' or ')'")
        self._take()
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


def parse_fields(text: str, known: frozenset[str]) -> list[tuple[str, str, bool]]:
    """Return a field selector as (field, value, whether it must be that value); raises ``SelectorError``."""
    conditions = []
    for term in filter(None, text.split(",")):
        parts = re.fullmatch(r"([^=!]+)(==|!=|=)(.*)", term)
        if parts is None:
            raise SelectorError(f"invalid selector: '{text}'; can't understand '{term}'")
        if parts[1] not in known:
            raise SelectorError(f"field label not supported: {parts[1]}")
        conditions.append((parts[1], parts[3], parts[2] != "!="))
    return conditions
