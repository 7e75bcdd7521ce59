"""One trial: its random values, its clients, and the verdict, which is True when the client was fooled."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from random import Random

from strongroom.client import AsyncClient, GatewayProblem, StrongroomError
from strongroom.protocol.problems import Problem
from strongroom.protocol.suites import Suite
from strongroom.selftest.gateway import Lane, Script
from strongroom.selftest.host import EnclaveHost
from strongroom.selftest.questions import Known, Questions
from strongroom.selftest.replies import Reply
from strongroom.selftest.world import World

BROKEN_ANSWER = frozenset({"seal-broken", "answer-truncated"})
REFUSED_OUTSIDE = frozenset({Problem.REJECTED.code, Problem.STALE_KEY.code})
"""What an enclave says of a request that it cannot open, by the names of its problems."""
REFUSED_EVIDENCE = frozenset({"attestation-refused"})


class Inconclusive(Exception):
    """An attack failed for another reason than the defence that it is meant to meet."""


@dataclass(frozen=True)
class Seat:
    """A client, and the lane that it goes through."""

    lane: Lane
    client: AsyncClient

    async def ask(self, known: Known) -> object:
        """The client's answer. Raises StrongroomError, Inconclusive."""
        return await known.question.ask(self.client)


class Desk:
    """The clients of one worker: trials of a worker follow each other, so none meets another's script."""

    def __init__(self, world: World, questions: Questions, kind: type[Seat] = Seat) -> None:
        self.world, self.questions, self._kind = world, questions, kind
        self.first, self.second = self._seat(Suite.XWING), self._seat(Suite.XWING)
        self.classical = self._seat(Suite.X25519)
        self.neighbour = self._seat(Suite.XWING, world.enclaves.sibling)
        self._fresh_lane = world.gateway.lane(Script(world.enclaves.home))

    def fresh(self) -> Seat:
        """A client that has attested nothing yet; close it after use."""
        return self._kind(self._fresh_lane, self.world.client(self._fresh_lane.url))

    async def aclose(self) -> None:
        """Close the clients."""
        for seat in (self.first, self.second, self.classical, self.neighbour):
            await seat.client.close()

    def _seat(self, suite: Suite, enclave: EnclaveHost | None = None) -> Seat:
        lane = self.world.gateway.lane(Script(enclave or self.world.enclaves.home))
        return self._kind(lane, self.world.client(lane.url, suite=suite))


class Trial:
    """What an attack works with; equal seeds and indices draw equal values."""

    def __init__(self, desk: Desk, rng: Random) -> None:
        self.desk, self.rng = desk, rng
        self.world, self.enclaves = desk.world, desk.world.enclaves

    def tensor(self) -> Known:
        """A question with an answer of one chunk."""
        return self.rng.choice(self.desk.questions.tensors)

    def chat(self) -> Known:
        """A question with an answer of several chunks."""
        return self.rng.choice(self.desk.questions.chats)

    def either(self) -> Known:
        """Any question."""
        return self.rng.choice((self.tensor, self.chat))()

    async def fooled(self, script: Script, known: Known, codes: Collection[str], *, seat: Seat | None = None) -> bool:
        """Ask through `script`, which no answer may survive. Raises Inconclusive for a refusal of other codes."""
        return await is_answered(seat or self.desk.first, script, known, codes)

    async def fooled_at_first_contact(self, script: Script, known: Known, codes: Collection[str]) -> bool:
        """The same for a client that has attested nothing yet: it must not even send its request."""
        seat = self.desk.fresh()
        async with seat.client:
            try:
                return await self.fooled(script, known, codes, seat=seat) or bool(script.messages)
            except Inconclusive:
                if script.messages:
                    return True
                raise

    async def honest(self, script: Script, known: Known, *, seat: Seat | None = None) -> None:
        """Ask through a script that must not change the answer. Raises Inconclusive when it is another one."""
        answer = await ask(seat or self.desk.first, script, known)
        if answer != known.honest or not answer.receipt:
            raise Inconclusive("expected the honest answer and its receipt, got another")


@dataclass(frozen=True)
class Attack:
    """`threat` is the first cell of the attack's row in docs/threat-model.md."""

    name: str
    threat: str
    run: Callable[[Trial], Awaitable[bool]]
    weight: int = 1
    """How often it is drawn, against others."""
    fools_control: bool = False
    """Whether it meets a check that the control client lacks, and must fool it."""


async def ask(seat: Seat, script: Script, known: Known) -> object:
    """Ask through the seat's lane, which follows `script`. Raises StrongroomError, Inconclusive."""
    seat.lane.script, seat.lane.failure = script, None
    try:
        return await seat.ask(known)
    except StrongroomError:
        if seat.lane.failure is not None:
            raise Inconclusive(f"expected a script that works, got {seat.lane.failure!r}") from seat.lane.failure
        raise


async def is_answered(seat: Seat, script: Script, known: Known, codes: Collection[str]) -> bool:
    """Whether the client took an answer. Raises Inconclusive for an error that is none of `codes`."""
    try:
        await ask(seat, script, known)
    except StrongroomError as error:
        check_code(error, codes)
        return False
    return True


def check_code(error: StrongroomError, codes: Collection[str]) -> None:
    """Raise Inconclusive unless it is one of the refusals that the attack must meet: a problem's name, or a code."""
    problem = error.problem if isinstance(error, GatewayProblem) else None
    code = problem.code if problem else error.code
    if code not in codes:
        raise Inconclusive(f"expected {' or '.join(sorted(codes))}, got {code}: {error}") from error


def answered(reply: Reply, refusal: Problem) -> bool:
    """Whether an enclave answered what it must refuse. Raises Inconclusive for any other refusal."""
    if reply.status != 200 and reply != Reply.problem(refusal):
        raise Inconclusive(f"expected {refusal.code}, got {reply.status}")
    return reply.status == 200
