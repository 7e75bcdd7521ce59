"""Batches: rows of like length, one of each request in turn, no bucket forgotten."""

from hypothesis import given
from hypothesis import strategies as st

from enclave.engine.batching.buckets import MAX_BATCH_TOKENS, MAX_PASSES, Buckets, width_of
from enclave.engine.batching.requests import Request, Row
from tests.enclave.engine.batching.parts import request, row


def rows(asked: Request, length: int, count: int = 1) -> list[Row]:
    return [row(asked, index, length) for index in range(count)]


def owners(batch: list[Row]) -> list[Request]:
    return [row.request for row in batch]


@given(st.integers(0, 1 << 16))
def test_a_bucket_is_at_most_half_as_wide_again_as_its_rows(tokens: int) -> None:
    assert tokens <= width_of(tokens) <= max(16, 1.5 * tokens)


def test_a_row_beyond_the_table_has_a_bucket_of_its_own() -> None:
    assert width_of(70_000) == 70_000


@given(st.lists(st.lists(st.integers(0, 600), max_size=20), max_size=8), st.booleans())
def test_each_row_comes_once_in_batches_that_stay_small(lengths: list[list[int]], shared: bool) -> None:
    buckets = Buckets(shared=shared)
    put: list[Row] = []
    for texts in lengths:
        asked = request()
        put.extend(row(asked, index, length) for index, length in enumerate(texts))
    buckets.add(put)
    found = []
    while batch := buckets.take():
        longest = max(row.tokens for row in batch)
        assert len(batch) == 1 or len(batch) * longest <= MAX_BATCH_TOKENS
        assert all(width_of(row.tokens) == width_of(longest) for row in batch)
        assert shared or len(set(owners(batch))) == 1
        found.extend(batch)
    assert len(found) == len(put)
    assert set(found) == set(put)
    assert not buckets


def test_requests_give_one_row_in_turn() -> None:
    buckets = Buckets(shared=True)
    many, few, one = request(), request(), request()
    buckets.add([*rows(many, 96, 10), *rows(few, 96, 2), *rows(one, 96)])
    assert owners(buckets.take()) == [many, few, one, many]
    assert owners(buckets.take()) == [few, many, many, many]


def test_rows_of_one_request_keep_their_order() -> None:
    buckets = Buckets(shared=True)
    buckets.add(rows(request(), 128, 5))
    assert [[row.index for row in buckets.take()] for _ in range(2)] == [[0, 1, 2], [3, 4]]


def test_the_fullest_bucket_comes_first() -> None:
    buckets = Buckets(shared=True)
    buckets.add([*rows(request(), 10, 2), *rows(request(), 50, 3), *rows(request(), 100)])
    assert [len(buckets.take()) for _ in range(3)] == [3, 1, 2]


def test_a_bucket_is_passed_over_a_bounded_number_of_times() -> None:
    """Although fuller ones come in for ever."""
    buckets = Buckets(shared=True)
    short, long = request(), request()
    waiting = [*rows(short, 4), *rows(long, 40)]
    buckets.add(waiting)
    batches = []
    for _ in range(MAX_PASSES + 2):
        buckets.add([*rows(request(), 200, 3), *rows(request(), 300, 3)])
        batches.append(buckets.take())
    assert set(waiting) <= {row for batch in batches for row in batch}
    assert not set(waiting) & {row for batch in batches[:MAX_PASSES] for row in batch}


def test_apart_each_request_gives_one_batch_in_turn() -> None:
    """However many buckets its rows fill, and however full."""
    buckets = Buckets(shared=False)
    others = [request() for _ in range(3)]
    for other in others:
        buckets.add([each for length in (10, 50, 90, 200) for each in rows(other, length, 40)])
    assert {*owners(buckets.take())} == {others[0]}
    one = request()
    buckets.add(rows(one, 10))
    assert [owners(buckets.take())[0] for _ in range(4)] == [others[1], others[2], others[0], one]


def test_apart_each_bucket_of_a_request_has_its_turn() -> None:
    """The fullest first: of as many rows, the one of the longest."""
    buckets = Buckets(shared=False)
    many = request()
    buckets.add([*rows(many, 10, 4), *rows(request(), 100), *rows(many, 40, 4)])
    assert [batch[0].tokens for batch in (buckets.take() for _ in range(3))] == [40, 100, 10]


def test_a_dropped_request_leaves_no_row() -> None:
    buckets = Buckets(shared=True)
    gone, stays = request(), request()
    buckets.add([*rows(gone, 20, 2), *rows(gone, 200), *rows(stays, 20)])
    buckets.drop(gone)
    assert len(buckets) == 1
    assert owners(buckets.take()) == [stays]
    assert buckets.take() == []
