"""Run cronhook inside an asyncio program of your own; the sender is a plain async function."""

import asyncio
from datetime import UTC, datetime, timedelta

from cronhook_core import JobDefinition, OneTimeSchedule, Outcome, WebhookRequest, WebhookResult
from cronhook_core.embedded import embedded


async def main() -> None:
    called = asyncio.Event()

    async def send(request: WebhookRequest) -> WebhookResult:
        print("called:", request.url, request.body.decode())
        called.set()
        return WebhookResult(outcome=Outcome.SUCCEEDED)

    async with embedded(send) as cronhook:
        job = JobDefinition(
            name="remind me",
            schedule=OneTimeSchedule(datetime.now(UTC) + timedelta(seconds=1)),
            callback_url="https://app.example/reminders",
            payload=b'{"text": "stand up"}',
        )
        stored = await cronhook.jobs.create(cronhook.workspace_id, job)
        print("next run:", stored.next_run)
        await called.wait()


asyncio.run(main())
