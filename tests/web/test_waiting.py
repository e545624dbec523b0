"""Waiting: until it changes, until the time is over, or not at all when the room is full."""

import threading

from wharfage.web.waiting import WaitingRoom


class Paused:
    """A pause that adds up what it was asked for."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self, seconds: float) -> None:
        self.seconds += seconds


def test_a_change_ends_the_wait():
    pause, values = Paused(), iter([1, 1, 2, 3])

    value, waited = WaitingRoom(pause=pause).wait_for(
        lambda: next(values), lambda each: each == 2, 20
    )

    assert (value, waited.refused) == (2, False)
    assert 0 < pause.seconds < 1


def test_what_has_changed_already_is_answered_at_once():
    pause = Paused()

    WaitingRoom(pause=pause).wait_for(lambda: 1, lambda each: True, 20)

    assert pause.seconds == 0


def test_the_wait_ends_with_its_time():
    pause = Paused()

    WaitingRoom(pause=pause).wait_for(lambda: 1, lambda each: False, 20)

    assert abs(pause.seconds - 20) < 1e-6


def test_no_time_is_no_wait():
    pause = Paused()

    WaitingRoom(pause=pause).wait_for(lambda: 1, lambda each: False, 0)

    assert pause.seconds == 0


def test_a_full_room_refuses_and_a_seat_is_given_back():
    pause = Paused()
    room = WaitingRoom(pause=pause, seats=threading.Semaphore(1))

    room.seats.acquire()
    _, refused = room.wait_for(lambda: 1, lambda each: False, 20)
    room.seats.release()
    _, waited = room.wait_for(lambda: 1, lambda each: False, 1)

    assert (refused.refused, waited.refused) == (True, False)
    assert abs(pause.seconds - 1) < 1e-6
    assert room.seats.acquire(blocking=False)
