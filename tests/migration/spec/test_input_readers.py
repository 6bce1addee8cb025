"""How one input value is read."""

from __future__ import annotations

from typing import Any

import pytest

from ocean_migration_pulumi.errors import InputError
from ocean_migration_pulumi.migration.spec import input_readers


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("90s", 90), ("20m", 1200), ("1h30m", 5400), ("1d", 86400), ("250ms", 0.25), ("1.5m", 90), ("0s", 0)],
)
def test_duration_is_read_as_seconds(value: str, seconds: float) -> None:
    """Each unit counts, and parts add up."""
    assert input_readers.read_duration("soak_time", value) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "value", ["20", "20 m", "m", "-5m", "5w", "never", 20, 20.0, None, True, "20m!", "1h 5m"], ids=repr
)
def test_bad_duration_names_property_value_and_what_is_allowed(value: Any) -> None:
    """Nothing but the documented form is a duration; "never" only where it is allowed."""
    with pytest.raises(InputError) as caught:
        input_readers.read_duration("soak_time", value)
    assert caught.value.property_name == "soak_time"
    assert input_readers.shorten_value(value) in caught.value.message
    assert '"1h30m"' in caught.value.message


def test_never_is_no_duration_at_all() -> None:
    """Where "never" is allowed it is None, and a span of nothing is refused: it would end every wait at once."""
    assert input_readers.read_duration("stall_timeout", "never", never=True) is None
    with pytest.raises(InputError, match='or "never"'):
        input_readers.read_duration("stall_timeout", "0s", never=True)


@pytest.mark.parametrize(("value", "number"), [(1, 1), (50, 50), (20.0, 20)])
def test_whole_number_takes_the_wire_s_floats(value: float, number: int) -> None:
    """Pulumi's numbers are floats on the wire."""
    read = input_readers.read_whole_number("batch_size_percentage", value, 1, 50)
    assert read == number
    assert isinstance(read, int)


@pytest.mark.parametrize(
    "value", [0, 51, 12.5, "ten", "20", True, None, float("nan"), float("inf"), -1, [20], 10**400], ids=repr
)
def test_bad_number_names_value_and_range(value: Any) -> None:
    """What is not an integer from 1 to 50 is refused."""
    with pytest.raises(InputError, match="a whole number from 1 to 50") as caught:
        input_readers.read_whole_number("batch_size_percentage", value, 1, 50)
    assert caught.value.property_name == "batch_size_percentage"


@pytest.mark.parametrize("value", ["true", 1, 0.0, None, "yes"], ids=repr)
def test_only_booleans_are_flags(value: Any) -> None:
    """Nothing else stands for True or False."""
    with pytest.raises(InputError, match="true or false"):
        input_readers.read_flag("should_terminate_drained_nodes", value)
    assert input_readers.read_flag("x", True) is True


@pytest.mark.parametrize("value", ["", "  ", 5, None, ["a"]], ids=repr)
def test_text_is_not_empty(value: Any) -> None:
    """An empty string is not taken."""
    with pytest.raises(InputError, match=r"must not be empty|must be a string"):
        input_readers.read_text("ocean_id", value)
    assert input_readers.read_text("ocean_id", " o-1 ") == "o-1"


@pytest.mark.parametrize("value", ["i-1", {"i-1": True}, 5, None, ["i-1", ""], [["i-1"]]], ids=repr)
def test_list_of_texts_is_not_a_text(value: Any) -> None:
    """A text is not taken for a list of its letters."""
    with pytest.raises(InputError):
        input_readers.read_texts("nodes.instance_ids", value)


def test_list_of_texts_drops_duplicates_and_keeps_order() -> None:
    """The same id twice is once."""
    assert input_readers.read_texts("nodes.instance_ids", ("b", "a", "b")) == ("b", "a")


def test_unknown_word_is_refused_with_all_that_are_allowed() -> None:
    """The message shows the words."""
    with pytest.raises(InputError, match='new_nodes must be "report" or "migrate", not \'later\''):
        input_readers.read_choice("new_nodes", "later", ["report", "migrate"])


def test_long_value_is_shown_on_one_short_line() -> None:
    """A message does not repeat a whole document."""
    shown = input_readers.shorten_value("x\n" * 500)
    assert len(shown) == 80
    assert "\n" not in shown
