"""The counters of one stream, also behind their wrap at 2^32."""

import pytest

from strongroom.simulator.vhost.vsock.credit import BUFFER_BYTES, Credit


@pytest.mark.parametrize(
    ("sent", "forwarded", "room", "expected"),
    [
        (0, 0, 100, 100),
        (60, 0, 100, 40),
        (60, 60, 100, 100),
        (160, 60, 100, 0),
        ((1 << 32) + 5, 0xFFFFFFFF, 100, 94),
        ((5 << 32) + 5, 5, 100, 100),
        (60, 0, 50, 0),
        (60, 61, 100, 0),
    ],
)
def test_what_may_be_sent(sent: int, forwarded: int, room: int, expected: int) -> None:
    credit = Credit(sent=sent)
    credit.learn(room, forwarded)
    assert credit.may_send() == expected


def test_what_was_passed_on_is_told_modulo_2_32() -> None:
    credit = Credit(received=(1 << 32) + 7, forwarded=(1 << 32) + 7)
    assert credit.announce() == 7
    assert credit.may_receive() == BUFFER_BYTES


def test_an_update_is_due_when_half_of_the_room_was_passed_on_untold() -> None:
    credit = Credit(received=BUFFER_BYTES, forwarded=BUFFER_BYTES // 2 - 1)
    assert not credit.is_update_due()
    credit.forwarded += 1
    assert credit.is_update_due()
    credit.announce()
    assert not credit.is_update_due()
