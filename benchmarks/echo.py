"""A Litestar handler that only echoes, served as the API is: what framework and server reach by themselves."""

import sys
from datetime import timedelta
from typing import Any

from litestar import Litestar, get, post

from cronhook_server.process import HttpServer, Signals, listen, run, spare_garbage_collector


@post("/echo")
async def echo(data: dict[str, Any]) -> dict[str, Any]:
    return data


@get("/echo/{name:str}")
async def echo_name(name: str) -> dict[str, str]:
    return {"name": name}


async def main(port: int) -> None:
    server = HttpServer(
        Litestar([echo, echo_name], openapi_config=None),  # type: ignore[arg-type]
        listen("127.0.0.1", port),
        drain_timeout=timedelta(seconds=1),
    )
    spare_garbage_collector()
    with Signals() as signals:
        server.start(signals.stop.set)
        await signals.stop.wait()
        await server.stop(at_once=True)


if __name__ == "__main__":
    run(main(int(sys.argv[1])))
