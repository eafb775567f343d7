"""What the tests' receiver can answer, and the paths that ask for it."""

from collections.abc import Mapping

import attrs


@attrs.frozen(kw_only=True)
class Reply:
    """`delay` is in seconds, before the status line; infinite: no answer ever comes."""

    status: int = 200
    headers: Mapping[str, str] = attrs.field(factory=dict)
    body: bytes = b"ok"
    delay: float = 0.0
    seconds_per_byte: float = 0.0
    stalls: bool = False  # the headers come, the body does not
    resets: bool = False  # the connection is reset, nothing is answered


def reply_by_path(path: str, body: bytes, earlier: int) -> Reply:  # noqa: C901 - a table, one line a path
    """`earlier` counts the requests before this one with the same path and `webhook-id`."""
    match path.partition("?")[0].strip("/").split("/"):
        case ["status", status]:
            return Reply(status=int(status))
        case ["fail-twice"]:
            return Reply(status=500 if earlier < 2 else 200)
        case ["fail", times]:
            return Reply(status=500 if earlier < int(times) else 200)
        case ["slow", seconds]:
            return Reply(delay=float(seconds))
        case ["drip", seconds]:
            return Reply(body=b"." * 1000, seconds_per_byte=float(seconds))
        case ["big", size]:
            return Reply(body=b"." * int(size))
        case ["redirect", status]:
            return Reply(status=int(status), headers={"location": "/status/200"})
        case ["retry-after", status, value]:
            return Reply(status=int(status), headers={"retry-after": value})
        case ["echo"]:
            return Reply(body=body)
        case ["silent"]:
            return Reply(delay=float("inf"))
        case ["stall"]:
            return Reply(stalls=True)
        case ["reset"]:
            return Reply(resets=True)
    return Reply()
