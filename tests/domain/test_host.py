"""Hosts: how much room they have, and what may be said of it."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfage.domain.host import Room
from wharfage.domain.price import Resources

ONE = Resources(cpu_millis=1000, memory_mb=512, disk_mb=1024)
rooms = st.builds(
    Room,
    slots=st.integers(0, 10_000),
    cpu_millis=st.integers(0, 10_000_000),
    memory_mb=st.integers(0, 100_000_000),
    disk_mb=st.integers(0, 1_000_000_000),
)


@pytest.mark.parametrize(
    ("room", "fits"),
    [
        (Room(slots=1, cpu_millis=1000, memory_mb=512, disk_mb=1024), True),
        (Room(slots=0, cpu_millis=1000, memory_mb=512, disk_mb=1024), False),
        (Room(slots=1, cpu_millis=999, memory_mb=512, disk_mb=1024), False),
        (Room(slots=1, cpu_millis=1000, memory_mb=511, disk_mb=1024), False),
        (Room(slots=1, cpu_millis=1000, memory_mb=512, disk_mb=1023), False),
    ],
)
def test_a_container_has_room_only_if_all_of_it_is_there(room: Room, fits: bool) -> None:
    assert room.fits(ONE) is fits


@given(rooms)
def test_what_is_left_beside_a_container_that_fits_is_never_negative(room: Room) -> None:
    if not room.fits(ONE):
        return

    left = room.less(ONE)

    assert left.slots == room.slots - 1
    assert min(left.slots, left.cpu_millis, left.memory_mb, left.disk_mb) >= 0
    assert left.memory_mb + ONE.memory_mb == room.memory_mb


@pytest.mark.parametrize("name", Room.__struct_fields__)
@pytest.mark.parametrize("value", [-1, 0.5, "1", True, 2**63])
def test_a_room_is_whole_numbers_in_their_ranges(name: str, value: object) -> None:
    fine = dict.fromkeys(Room.__struct_fields__, 1)

    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(msgspec.json.encode(fine | {name: value}), type=Room)


def test_a_room_has_no_other_fields() -> None:
    fine = dict.fromkeys(Room.__struct_fields__, 1)

    with pytest.raises(msgspec.ValidationError, match="unknown field"):
        msgspec.convert(fine | {"gpu": 1}, Room)
