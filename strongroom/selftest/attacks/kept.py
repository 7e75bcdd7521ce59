"""Attacks on the answers to KMS envelopes, which come in files from anybody."""

from dataclasses import replace

from strongroom.protocol.messages import SealedResponseHead
from strongroom.selftest.attacks.answers import Edit, cut_inside, flip_bit
from strongroom.selftest.attacks.resting import answer_of, file_of, kept, opens, seal
from strongroom.selftest.attacks.tampering import Answer
from strongroom.selftest.trial import BROKEN_ANSWER, REFUSED_EVIDENCE, Attack, Trial

_ACCOUNT = "an enclave of another account, image, configuration or catalogue"
_RECEIPT = "an answer without its receipt, or with another's"
_RECEIPT_REFUSED = frozenset({"receipt-refused"})


async def answered_by_a_stranger(trial: Trial) -> bool:
    """The other account's enclave answers, genuinely; its own evidence goes with it, or that of the right one."""
    ticket, stranger = seal(trial, trial.tensor()), trial.enclaves.stranger
    reply = await answer_of(stranger, ticket)
    if trial.rng.random() < 0.5:
        return opens(trial, ticket, await kept(stranger, reply), REFUSED_EVIDENCE)
    home = trial.world.evidence["home"].to_bytes()
    return opens(trial, ticket, file_of(reply.body, home), _RECEIPT_REFUSED)


async def evidence_of_another(trial: Trial) -> bool:
    """The right answer with evidence of a second enclave, or of this one with the other's keys."""
    ticket, home = seal(trial, trial.tensor()), trial.enclaves.home
    reply, right, other = await answer_of(home, ticket), trial.world.evidence["home"], trial.world.evidence["sibling"]
    mixed = replace(right, key_list=other.key_list, receipt_key=other.receipt_key)
    told = trial.rng.choice((other, mixed)).to_bytes()
    return opens(trial, ticket, file_of(reply.body, told), REFUSED_EVIDENCE | _RECEIPT_REFUSED)


async def swap_answers(trial: Trial) -> bool:
    """Two answers, each told to the sealer of the other envelope: whole, or with its own head."""
    tickets = [seal(trial, known) for known in trial.rng.sample(trial.desk.questions.tensors, 2)]
    replies = [await answer_of(trial.enclaves.home, ticket) for ticket in tickets]
    evidence = trial.world.evidence["home"].to_bytes()
    mine, theirs = replies[0].body, replies[1].body
    size = SealedResponseHead.SIZE_BYTES
    told = trial.rng.choice((theirs, mine[:size] + theirs[size:], theirs[:size] + mine[size:]))
    return opens(trial, tickets[0], file_of(told, evidence), BROKEN_ANSWER)


async def spoil_answer(trial: Trial) -> bool:
    """An answer with one bit flipped, or cut."""
    ticket, edits = seal(trial, trial.tensor()), (flip_bit, cut_inside)
    edit: Edit = trial.rng.choice(edits)
    reply = await answer_of(trial.enclaves.home, ticket)
    told = file_of(edit(trial.rng, Answer.of(reply.body)), trial.world.evidence["home"].to_bytes())
    return opens(trial, ticket, told, BROKEN_ANSWER)


ATTACKS = (
    Attack("envelope-answered-by-a-stranger", _ACCOUNT, answered_by_a_stranger),
    Attack("envelope-with-evidence-of-another", _RECEIPT, evidence_of_another),
    Attack("swap-envelope-answers", "cut, reorder, repeat, swap answers", swap_answers),
    Attack("spoil-envelope-answer", "read or change a request or an answer", spoil_answer),
)
