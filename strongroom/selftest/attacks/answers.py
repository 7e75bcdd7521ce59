"""Attacks on one answer: its chunks, its ends, its bits."""

from collections.abc import Callable
from dataclasses import replace
from random import Random

from strongroom.selftest.attacks.tampering import Answer, Tampering, flipped
from strongroom.selftest.replies import Reply
from strongroom.selftest.trial import BROKEN_ANSWER, Attack, Trial

Edit = Callable[[Random, Answer], bytes]
"""The bytes to tell instead of an honest answer of several chunks."""
_CUT = "cut, reorder, repeat, swap answers"
_RECEIPT = "an answer without its receipt, or with another's"
_BREAKS = 0.3
"""The share of trials in which the connection breaks behind the bytes."""
_LAST, _NOT_LAST = b"\x01", b"\x00"


def reorder(rng: Random, answer: Answer) -> bytes:
    """Exchange two chunks."""
    one, two = rng.sample(range(len(answer.chunks)), 2)
    chunks = list(answer.chunks)
    chunks[one], chunks[two] = chunks[two], chunks[one]
    return Answer(answer.head, chunks).to_bytes()


def cut_at_chunk(rng: Random, answer: Answer) -> bytes:
    """Keep some whole chunks, perhaps none, perhaps not even the head."""
    kept = rng.randrange(-1, len(answer.chunks))
    return b"" if kept < 0 else Answer(answer.head, answer.chunks[:kept]).to_bytes()


def cut_inside(rng: Random, answer: Answer) -> bytes:
    """Cut inside the head or inside a chunk."""
    parts = [answer.head, *answer.chunks]
    number = rng.randrange(len(parts))
    return b"".join(parts[:number]) + parts[number][: rng.randrange(1, len(parts[number]))]


def duplicate(rng: Random, answer: Answer) -> bytes:
    """Tell a chunk twice."""
    number = rng.randrange(len(answer.chunks))
    chunks = list(answer.chunks)
    chunks.insert(rng.randrange(number, len(chunks)) + 1, chunks[number])
    return Answer(answer.head, chunks).to_bytes()


def drop(rng: Random, answer: Answer) -> bytes:
    """Leave out a chunk before the last."""
    number = rng.randrange(len(answer.chunks) - 1)
    return Answer(answer.head, answer.chunks[:number] + answer.chunks[number + 1 :]).to_bytes()


def move_last_flag(rng: Random, answer: Answer) -> bytes:
    """Call an earlier chunk the last and stop there, or deny that the last is."""
    number = rng.randrange(len(answer.chunks))
    flag = _NOT_LAST if number == len(answer.chunks) - 1 else _LAST
    return Answer(answer.head, [*answer.chunks[:number], flag + answer.chunks[number][1:]]).to_bytes()


def flip_bit(rng: Random, answer: Answer) -> bytes:
    """One bit, anywhere."""
    return flipped(rng, answer.to_bytes())


def append(rng: Random, answer: Answer) -> bytes:
    """Bytes behind the last chunk."""
    return answer.to_bytes() + rng.randbytes(rng.randint(1, 200))


def drop_receipt(rng: Random, answer: Answer) -> bytes:
    """Leave out the chunk with the receipt, and call the one before it the last in every other trial."""
    *front, end, _ = answer.chunks
    flag = rng.choice((_LAST, _NOT_LAST))
    return Answer(answer.head, [*front, flag + end[1:]]).to_bytes()


def rewrite_suite(rng: Random, answer: Answer) -> bytes:
    """Another suite in the head."""
    suite = rng.choice([suite for suite in (0, 1, 2, 3, 4, 0xFFFF) if suite.to_bytes(2, "big") != answer.head[4:6]])
    return answer.head[:4] + suite.to_bytes(2, "big") + answer.to_bytes()[6:]


def rewrite_digest(rng: Random, answer: Answer) -> bytes:
    """Another document in the head: of nobody."""
    return Answer(answer.head[:-48] + rng.randbytes(48), answer.chunks).to_bytes()


def _attack(name: str, edit: Edit, threat: str = _CUT, *, fools_control: bool = False) -> Attack:
    async def run(trial: Trial) -> bool:
        broken = trial.rng.random() < _BREAKS
        codes = BROKEN_ANSWER | {"unreachable"} if broken else BROKEN_ANSWER

        def tell(reply: Reply) -> Reply:
            return replace(reply.of(edit(trial.rng, Answer.of(reply.body))), missing_bytes=int(broken))

        return await trial.fooled(Tampering(trial.enclaves.home, answer=tell), trial.chat(), codes)

    return Attack(name, threat, run, fools_control=fools_control)


ATTACKS = (
    _attack("reorder-chunks", reorder),
    _attack("truncate-at-chunk", cut_at_chunk, fools_control=True),
    _attack("truncate-inside-chunk", cut_inside, fools_control=True),
    _attack("duplicate-chunk", duplicate),
    _attack("drop-chunk", drop),
    _attack("move-last-flag", move_last_flag),
    _attack("append-to-answer", append),
    _attack("flip-answer-bit", flip_bit, "read or change a request or an answer"),
    _attack("remove-receipt", drop_receipt, _RECEIPT, fools_control=True),
    _attack("rewrite-answer-suite", rewrite_suite, "weaken the suite, or the way in"),
    _attack("rewrite-document-digest", rewrite_digest, _RECEIPT),
)
