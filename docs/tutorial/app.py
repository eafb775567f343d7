from datetime import UTC, datetime, timedelta

from fastapi import FastAPI, Request

from cronhook_client import Cronhook, Webhook
from cronhook_client.asgi import VerifyWebhooks, delivery_of

cronhook = Cronhook()  # its key is in CRONHOOK_API_KEY
webhook = Webhook(cronhook.workspace.signing_secret().secret)

app = FastAPI()
app.add_middleware(VerifyWebhooks, webhook=webhook, paths="/hooks")


@app.post("/reminders")
def remind_me(text: str, seconds: int = 5) -> str:
    job = cronhook.jobs.create(
        name="reminder",
        run_at=datetime.now(UTC) + timedelta(seconds=seconds),
        callback_url="http://127.0.0.1:8000/hooks/reminder",
        payload={"text": text},
    )
    return f"{job.id} runs at {job.next_run}"


@app.post("/hooks/reminder")
async def reminder(request: Request) -> None:
    delivery = delivery_of(request.scope)
    print("verified:", delivery.json()["text"], delivery.execution_id, flush=True)
