"""The scheduler without threads: everything once, nobody starves, who leaves is gone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enclave.engine.batching.buckets import MAX_BATCH_TOKENS, MAX_PASSES
from enclave.engine.batching.intake import MAX_TURN_CHARACTERS
from enclave.engine.batching.requests import Row
from enclave.engine.batching.scheduler import Scheduler
from enclave.engine.errors import EngineBusy
from strongroom.protocol.payloads import MAX_TEXTS
from tests.enclave.engine.batching.parts import drain, next_rows, request, rows_of, scheduler

TEXTS = [5, 300, 20, 21, 22, 5, 40, 90, 20]


@given(st.lists(st.lists(st.integers(0, 3000), min_size=1, max_size=20), max_size=8), st.booleans())
def test_each_text_runs_once(lengths: list[list[int]], shared: bool) -> None:
    asked = [request(*texts) for texts in lengths]
    under_test = scheduler(shared=shared)
    for one in asked:
        under_test.add(one)
    found = [(row.request, row.index) for batch in drain(under_test) for row in batch]
    assert sorted(found, key=lambda key: (id(key[0]), key[1])) == sorted(
        ((one, index) for one in asked for index in range(len(one.texts))), key=lambda key: (id(key[0]), key[1])
    )
    assert len(under_test) == 0
    assert not under_test.has_work


def test_texts_of_several_requests_share_a_batch() -> None:
    asked = [request(100) for _ in range(3)]
    under_test = scheduler()
    for one in asked:
        under_test.add(one)
    batch = next_rows(under_test)
    assert {row.request for row in batch} == set(asked)
    assert set(under_test.finish(batch)) == set(asked)


def test_a_request_is_finished_with_its_last_row() -> None:
    under_test = scheduler()
    asked = request(200, 200, 200)
    under_test.add(asked)
    first, second, third = (next_rows(under_test) for _ in range(3))
    assert under_test.finish(second) == []
    assert under_test.finish(first) == []
    assert under_test.finish(third) == [asked]


@pytest.mark.parametrize(("many", "single"), [(250, 5), (5, 250)])
def test_256_texts_of_one_do_not_starve_single_texts_of_others(many: int, single: int) -> None:
    under_test = scheduler()
    for _ in range(20):  # each comes when the one before it is answered
        under_test.add(request(*[many] * 256))
        next_rows(under_test)
        other = request(single)
        under_test.add(other)
        for _ in range(MAX_PASSES + 2):
            if other in under_test.finish(next_rows(under_test)):
                break
        else:
            pytest.fail("passed over too often")


def test_256_texts_of_one_do_not_starve_texts_of_like_length() -> None:
    under_test = scheduler()
    under_test.add(request(*[100] * 256))
    next_rows(under_test)
    other = request(100)
    under_test.add(other)
    assert other in under_test.finish(next_rows(under_test))


def test_a_turn_of_the_tokenizer_is_bounded_and_the_next_waits_for_its_rows() -> None:
    under_test = scheduler()
    greedy, other = request(*[1000] * 40), request(10)
    under_test.add(greedy)
    under_test.add(other)
    first, second = under_test.next_turn(), under_test.next_turn()
    assert first is not None
    assert second is not None
    assert second.request is other
    assert sum(map(len, first.texts)) <= MAX_TURN_CHARACTERS < sum(map(len, first.texts)) + 1000
    under_test.put(greedy, rows_of(first))
    for _ in first.texts:
        assert under_test.next_turn() is None
        under_test.next_batch()
    further = under_test.next_turn()
    assert further is not None
    assert (further.request, further.first) == (greedy, len(first.texts))


def test_a_text_longer_than_a_turn_is_a_turn_of_its_own() -> None:
    under_test = scheduler()
    under_test.add(request(10, 2 * MAX_TURN_CHARACTERS, 10))
    assert [batch[0].tokens for batch in drain(under_test)] == [10, 2 * MAX_TURN_CHARACTERS, 10]


def test_late_is_who_has_not_begun() -> None:
    under_test = scheduler()
    begun, waits, patient = (request(200, 200, deadline_s=at) for at in (5.0, 5.0, 50.0))
    under_test.add(begun)
    next_rows(under_test)
    under_test.add(waits)
    under_test.add(patient)
    assert under_test.late(4.9) == []
    assert under_test.late(5.0) == [waits]
    under_test.cancel(waits)
    assert under_test.late(5.0) == []
    assert {row.request for batch in drain(under_test) for row in batch} == {begun, patient}


def test_requests_are_bounded() -> None:
    under_test = scheduler(max_requests=2)
    first = request(1)
    under_test.add(first)
    under_test.add(request(1))
    assert not under_test.room
    with pytest.raises(EngineBusy, match="at most 2 requests"):
        under_test.add(request(1))
    under_test.cancel(first)
    under_test.add(request(1))


def test_texts_are_bounded_until_they_ran() -> None:
    under_test = scheduler(max_texts=4)
    under_test.add(request(300, 300, 300))
    with pytest.raises(EngineBusy, match="at most 4 texts to wait, got 5"):
        under_test.add(request(1, 1))
    under_test.finish(next_rows(under_test))
    under_test.add(request(1, 1))


def test_there_is_room_for_a_request_only_if_it_may_have_all_the_texts_that_a_request_can_have() -> None:
    under_test = scheduler(max_requests=3, max_texts=2 * MAX_TEXTS)
    assert under_test.room == 2
    under_test.add(request(1))
    assert under_test.room == 1
    under_test.add(request(*[1] * MAX_TEXTS))
    assert under_test.room == 0
    while rows := next_rows(under_test):
        under_test.finish(rows)
    assert under_test.room == 2


def test_a_cancelled_request_is_gone_before_the_next_batch() -> None:
    under_test = scheduler()
    gone, stays = request(*[100] * 9), request(100)
    under_test.add(gone)
    under_test.add(stays)
    running = next_rows(under_test)
    under_test.cancel(gone)
    assert under_test.finish(running) == [stays]
    assert under_test.next_turn() is None
    assert under_test.next_batch() == []


def test_a_request_cancelled_in_its_last_batch_is_not_finished() -> None:
    under_test = scheduler()
    gone, stays = request(100), request(100)
    under_test.add(gone)
    under_test.add(stays)
    running = next_rows(under_test)
    under_test.cancel(gone)
    assert under_test.finish(running) == [stays]


def test_a_request_cancelled_in_its_turn_gets_no_rows() -> None:
    under_test = scheduler()
    gone = request(100)
    under_test.add(gone)
    turn = under_test.next_turn()
    assert turn is not None
    under_test.cancel(gone)
    under_test.put(gone, rows_of(turn))
    assert not under_test.has_work


def test_a_request_cancelled_before_its_turn_has_none() -> None:
    under_test = scheduler()
    gone = request(100)
    under_test.add(gone)
    under_test.cancel(gone)
    assert under_test.next_turn() is None
    under_test.cancel(gone)  # again: who leaves may have been refused meanwhile


def indexes(batches: list[list[Row]], texts: int) -> list[list[int]]:
    """The batches of the request of so many texts, in the order of their first text."""
    return sorted([row.index for row in batch] for batch in batches if len(batch[0].request.texts) == texts)


def test_apart_the_batches_of_a_request_follow_from_its_texts_alone() -> None:
    def batches(under_test: Scheduler, company: list[list[int]]) -> list[list[int]]:
        for lengths in [*company, TEXTS]:
            under_test.add(request(*lengths))
        return indexes(drain(under_test), len(TEXTS))

    company = [[20] * 8, [300], [5, 20, 90]]
    alone = batches(scheduler(shared=False), [])
    assert any(len(batch) > 1 for batch in alone)
    assert batches(scheduler(shared=False), company) == alone
    assert batches(scheduler(shared=True), company) != alone


def test_apart_nobody_starves_either() -> None:
    under_test = scheduler(shared=False)
    others = [request(5) for _ in range(10)]
    under_test.add(request(*[250] * 256))
    for other in others:
        under_test.add(other)
    ran = [row.request for _ in range(MAX_PASSES + 11) for row in next_rows(under_test)]
    assert set(others) < set(ran)


def test_a_batch_takes_what_is_there_and_no_more() -> None:
    under_test = scheduler()
    assert next_rows(under_test) == []
    under_test.add(request(10))
    assert len(next_rows(under_test)) == 1
    under_test.add(request(*[MAX_BATCH_TOKENS] * 3))
    assert len(next_rows(under_test)) == 1
