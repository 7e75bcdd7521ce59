"""What may be said outside the seal: one of the fixed problems, and nothing of the reason (review R20)."""

from strongroom.protocol.problems import Problem


class Refused(Exception):
    """A request is refused before its seal gives a context to answer in."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.code)
        self.problem = problem
