"""The findings of a recorded migration as text, rows and JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ocean_migration_pulumi.api_check.live_findings import LiveCheck, LiveCode, LiveFinding
from ocean_migration_pulumi.common.text import count_noun, one_line
from ocean_migration_pulumi.common.times import format_elapsed
from ocean_migration_pulumi.report.markdown import heading, prose, row

LIVE_COLUMNS: Final = ("severity", "subject", "finding")
"""The headings of the rows."""


def describe_finding(check_result: LiveFinding) -> str:
    """Return one finding as a sentence fragment, on one line."""
    return one_line(_describe(check_result))


def live_rows(check: LiveCheck) -> tuple[tuple[str, ...], ...]:
    """Return a row for each finding."""
    return tuple((str(each.severity), one_line(each.subject), describe_finding(each)) for each in check.check_results)


def live_to_json(check: LiveCheck) -> dict[str, Any]:
    """Return the findings as JSON."""
    return {
        "ocean_id": check.ocean_id,
        "migration_id": check.migration_id,
        "instance_ids": list(check.instance_ids),
        "findings": [
            {
                "code": str(each.code),
                "severity": str(each.severity),
                "subject": each.subject,
                "fields": dict(each.fields),
                "message": describe_finding(each),
            }
            for each in check.check_results
        ],
    }


def live_to_markdown(check: LiveCheck) -> str:
    """Return the findings as Markdown."""
    lines = [f"### Migration {prose(check.migration_id or 'without an id')}", "", heading(LIVE_COLUMNS)]
    lines += [row(map(prose, cells)) for cells in live_rows(check)]
    return "\n".join(lines)


def _describe(check_result: LiveFinding) -> str:
    fields = check_result.fields
    match check_result.code:
        case LiveCode.CREATE_RESPONSE | LiveCode.STOP_RESPONSE:
            return _describe_write(check_result)
        case LiveCode.STATUS_RESPONSE:
            return _describe_status(fields)
        case LiveCode.STATUS_NODES:
            found = _join(fields["instance_ids"])
            return f"oldInstances: {found}" + _unless_equal(found, _join(fields["asked"]))
        case LiveCode.UNDOCUMENTED_STATE:
            return "state is not in the API reference"
        case LiveCode.STATE_SEQUENCE:
            return ", ".join(f"{each['state']} ({format_elapsed(each['seconds'])})" for each in fields["states"])
        case LiveCode.ECHOED_OPTIONS:
            echoed = _pairs(fields["echoed"])
            return f"migrationConfig: {echoed}" + _unless_equal(echoed, _pairs(fields["asked"]))
        case LiveCode.LISTED:
            if fields["seconds"] is None:
                return f"missing in all {fields['lists_without']} lists after the start"
            late = f", missing in {fields['lists_without']} earlier lists" if fields["lists_without"] else ""
            return f"listed {format_elapsed(fields['seconds'])} after the start{late}"
        case LiveCode.LIST_STATE:
            return f"state {fields['state']}" + _unless_equal(fields["state"], fields["status"])
        case LiveCode.DISCOVERY:
            pods = f", runningPods {_join(fields['running_pods'])}" if fields["running_pods"] else ""
            return f"returns {fields['returned']} of {fields['asked']} nodes{pods}"
        case LiveCode.STATE_AFTER_STOP:
            return f"first state after the stop, {format_elapsed(fields['seconds'])} later"
        case LiveCode.TERMINAL_STATE:
            if not fields["ended"]:
                return f"no terminal state, last state {fields['state']}"
            after = f"{fields['state']} after {format_elapsed(fields['seconds'])}"
            return after + _unless_equal(fields["state"], fields["expected"])
        case LiveCode.TERMINAL_TIME:
            return f"{fields['field']}: {fields['value']}"
        case LiveCode.TERMINAL_STABLE:
            return f"later statuses: {_join(fields['later_states'])}"


def _describe_write(check_result: LiveFinding) -> str:
    fields = check_result.fields
    if fields["http_status"] is None:
        return "not sent" if check_result.code is LiveCode.STOP_RESPONSE else "no answer"
    codes = f" {_join(fields['error_codes'])}" if fields["error_codes"] else ""
    state = f", state {fields['state']}" if fields.get("state") is not None else ""
    return f"HTTP {fields['http_status']}{codes}, fields: {_join(fields['item_fields']) or 'none'}{state}"


def _describe_status(fields: Mapping[str, Any]) -> str:
    if not fields["responses"]:
        return "no status was read"
    parts = [count_noun(fields["responses"], "response")]
    if fields["undocumented"]:
        parts.append(f"not documented: {_join(fields['undocumented'])}")
    if fields["missing"]:
        parts.append(f"missing: {_join(fields['missing'])}")
    return "; ".join(parts)


def _unless_equal(found: str, expected: str) -> str:
    return "" if found == expected else f" (expected {expected or 'none'})"


def _pairs(options: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {str(value).lower()}" for name, value in options.items()) or "none"


def _join(values: Any) -> str:
    return ", ".join(map(str, values))
