"""Who has the memory, who is asked for, who makes room: by the clock of the test."""

import pytest

from enclave.engine.errors import ModelRejected
from enclave.engine.footprint import Footprint
from enclave.engine.memory import WANTED_S, Memory

MIB = 1 << 20
MODEL = Footprint(resident_bytes=30 * MIB, loading_bytes=40 * MIB)
SMALL = Footprint(resident_bytes=8 * MIB, loading_bytes=10 * MIB)


def idle(model_id: str) -> bool:
    return False


def memory_of(*models: str, budget_mib: int = 100, residence_s: float = 60) -> Memory:
    """These are loaded, one a second from 0 on, with nobody asking; all have the size of MODEL."""
    memory = Memory(budget_mib * MIB, residence_s)
    for at_s, model in enumerate(models):
        load(memory, model, at_s)
    return memory


def load(memory: Memory, model: str, at_s: float, footprint: Footprint = MODEL) -> None:
    memory.expect(model, footprint)
    assert memory.reserve(model)
    memory.settle(model, at_s)


def use(memory: Memory, model: str, at_s: float) -> None:
    with memory.used(model, lambda: at_s):
        pass


def test_a_model_that_cannot_fit_even_alone_is_rejected() -> None:
    memory = Memory(40 * MIB - 1, 0)
    with pytest.raises(ModelRejected, match="within 39 MiB, got 40"):
        memory.expect("a", MODEL)
    assert not memory.want("a", 0)


def test_what_is_reserved_is_nobody_elses_and_comes_back() -> None:
    memory = memory_of("a", budget_mib=70)
    memory.expect("b", MODEL)
    memory.expect("c", SMALL)
    assert memory.reserve("b")
    assert not memory.reserve("c")
    memory.release("b")
    assert memory.reserve("c")


def test_a_loaded_model_takes_less_than_one_on_its_way() -> None:
    memory = memory_of("a", "b", budget_mib=70)
    memory.expect("c", SMALL)
    assert memory.reserve("c")


def test_the_one_used_longest_ago_leaves() -> None:
    memory = memory_of("a", "b", "c")
    use(memory, "a", 10)
    memory.expect("d", MODEL)
    assert memory.make_leave("d", 20, idle) == ["b"]


def test_as_many_leave_as_are_needed() -> None:
    memory = memory_of("a", "b", "c")
    memory.expect("d", Footprint(50 * MIB, 60 * MIB))
    assert memory.make_leave("d", 20, idle) == ["a", "b"]


def test_the_idle_leave_before_the_busy() -> None:
    memory = memory_of("a", "b", "c")
    memory.expect("d", MODEL)
    assert memory.make_leave("d", 20, lambda model_id: model_id != "c") == ["c"]
    assert memory.make_leave("d", 20, lambda model_id: True) == ["a"]
    assert [share.leaving for share in map(memory.share, "abc") if share] == [True, False, False]
    memory.stay()
    assert not any(share.leaving for share in map(memory.share, "abc") if share)


def test_one_that_was_asked_for_stays_its_time() -> None:
    memory = memory_of("a", budget_mib=40)
    memory.expect("b", MODEL)
    assert memory.want("b", 100)
    memory.release("a")
    load(memory, "b", 101)
    assert memory.want("a", 102)
    assert memory.wanted(102) == []
    assert memory.make_leave("a", 160, idle) == []
    memory.want("a", 161)
    assert memory.wanted(161) == ["a"]
    assert memory.make_leave("a", 161, idle) == ["b"]


def test_nobody_leaves_when_that_would_not_be_enough() -> None:
    memory = memory_of("a", budget_mib=80)
    memory.expect("b", SMALL)
    memory.want("b", 0)
    load(memory, "b", 1, SMALL)  # stays until 61
    memory.expect("c", Footprint(70 * MIB, 75 * MIB))
    assert memory.make_leave("c", 60, idle) == []
    assert memory.make_leave("c", 61, idle) == ["a", "b"]


def test_wanted_are_those_asked_for_of_late_in_the_order_of_asking() -> None:
    memory = memory_of("a", budget_mib=40)
    for model in ("b", "c"):
        memory.expect(model, MODEL)
    assert memory.wanted(0) == []
    memory.want("c", 0)
    memory.want("b", 1)
    memory.want("c", 2)
    assert memory.wanted(3) == ["c", "b"]
    assert memory.wanted(2 + WANTED_S) == ["c"]
    assert memory.wanted(3 + WANTED_S) == []


def test_a_large_model_is_not_kept_out_by_small_ones_in_turn() -> None:
    """Each of them stays its time from when it came, so that there is never room for more than one of them."""
    memory = memory_of(budget_mib=80)
    memory.expect("large", Footprint(70 * MIB, 75 * MIB))
    for model, at_s in (("a", 0), ("b", 30)):
        memory.expect(model, MODEL)
        memory.want(model, at_s)
        load(memory, model, at_s)
    memory.expect("c", MODEL)
    for at_s in range(40, 90, 10):
        memory.want("large", at_s)
        memory.want("c", at_s)
        assert memory.wanted(at_s) == []
    assert memory.make_leave("large", 90, idle) == ["a", "b"]
    assert memory.wanted(90) == ["large", "c"]
    memory.release("a")
    memory.release("b")
    assert memory.reserve("large")
    assert memory.wanted(90) == []


def test_what_is_on_its_way_or_loaded_is_not_wanted() -> None:
    memory = memory_of(budget_mib=80)
    memory.expect("a", MODEL)
    memory.want("a", 0)
    assert memory.reserve("a")
    assert memory.wanted(0) == []
    memory.settle("a", 0)
    assert memory.wanted(0) == []


def test_one_that_is_being_evicted_waits_until_its_memory_is_free() -> None:
    memory = memory_of("a", "b")
    assert not memory.reserve("a")
    assert memory.make_leave("a", 5, idle) == []
    memory.release("a")
    assert memory.reserve("a")


def test_an_unknown_model_is_not_wanted() -> None:
    memory = memory_of("a")
    assert not memory.want("no-such-model", 0)
    assert memory.wanted(0) == []
