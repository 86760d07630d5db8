"""Answer a request again whose transaction PostgreSQL has ended in favour of another one: ASGI middleware.

It is the innermost one, so the others see one request. Nothing of the failed attempt is left: its transaction is rolled
back, its answer has not begun, and what an endpoint does after its answer has not begun either.
"""

import asyncio
import logging

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from newsletter.store import conflicts

log = logging.getLogger(__name__)


class Repetition:
    """Passes each request on, and passes it on again after a conflict, with the same body."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on until it is answered; raises the error if another attempt would not help."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        before, received, number, has_begun = dict(scope), list[Message](), 1, False

        async def send_and_note(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        while True:
            with conflicts.attempt() as present:
                try:
                    await self.app(scope, _again(received, receive), send_and_note)
                except Exception as error:
                    if has_begun or not present.may_be_repeated(error, number):
                        raise
                else:
                    return
            log.info("a request is repeated: its transaction met another one", extra={"attempt": number})
            await asyncio.sleep(conflicts.pause(number))
            number += 1
            scope.clear()  # the same object: the other middleware reads the route from it
            scope.update(before)


def _again(received: list[Message], receive: Receive) -> Receive:
    """Return a `receive` that gives what arrived before, and then what still arrives, which it keeps."""
    kept = iter(tuple(received))

    async def receive_again() -> Message:
        if (message := next(kept, None)) is None:
            message = await receive()
            received.append(message)
        return message

    return receive_again
