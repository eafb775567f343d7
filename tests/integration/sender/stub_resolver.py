"""A name service that answers as a test tells it to."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from ipaddress import ip_address

from cronhook_core.backends.http.resolver import NameNotResolved
from cronhook_core.domain.addresses import IPAddress


class StubResolver:
    """Gives each name's next answer, the last one for ever; a name without answers does not exist.

    An answer of None never comes. ``lookups`` counts the questions.
    """

    def __init__(self, **answers: Sequence[Sequence[str] | None]) -> None:
        self.answers = {name: list(given) for name, given in answers.items()}
        self.lookups: Counter[str] = Counter()
        self.closed = False

    def answer(self, name: str, *answers: Sequence[str] | None) -> None:
        self.answers[name] = list(answers)

    async def addresses(self, host: str, /) -> Sequence[IPAddress]:
        self.lookups[host] += 1
        await asyncio.sleep(0)
        if host not in self.answers:
            raise NameNotResolved("the name of the receiver does not exist")
        answers = self.answers[host]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if answer is None:
            await asyncio.sleep(3600)
        return [ip_address(text) for text in answer or ()]

    async def close(self) -> None:
        self.closed = True
