"""The last net: an error that nobody foresaw becomes `internal`, and its place, never its text, goes to the log."""

import asyncio
import traceback
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from parent.errors import GatewayError
from parent.problems import problem_response
from strongroom.process import emit
from strongroom.protocol.problems import Problem


class Faults:
    """ASGI middleware that turns what the application raises into a problem.

    Once an answer has begun no problem can follow: returning without the end makes the server cut the connection,
    which a client sees as a truncated answer.
    """

    def __init__(self, app: ASGIApp, problem_of: Callable[[GatewayError], Problem]) -> None:
        self._app, self._problem_of = app, problem_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; answer what it raises."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        begun = False

        async def watched_send(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, watched_send)
        except GatewayError as error:
            problem = self._problem_of(error)
        except asyncio.CancelledError:  # the drain's time is over: uvicorn would answer in its own words
            problem = Problem.BUSY
        except Exception as error:
            problem = _unforeseen(error)
        else:
            return None
        return None if begun else await problem_response(problem)(scope, receive, send)


def _unforeseen(error: Exception) -> Problem:
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{frames[-1].name}:{frames[-1].lineno}" if frames else "unknown"
    emit("internal-error", type=type(error).__name__, place=place)
    return Problem.INTERNAL
