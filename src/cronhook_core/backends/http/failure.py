"""From what went wrong before an answer to the result of an attempt: an outcome, and a sentence without addresses."""

from __future__ import annotations

import errno
import os
import ssl
from collections.abc import Iterator

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

from cronhook_core.backends.http.exchange import Exchange, Stage
from cronhook_core.backends.http.resolver import NameNotResolved
from cronhook_core.domain.webhook import Outcome, WebhookRequest, WebhookResult

_NO_DESCRIPTOR = (errno.EMFILE, errno.ENFILE)
_BROKEN_HANDSHAKE = "the receiver closed the connection during the TLS handshake"


def failed(outcome: Outcome, error: str, *, permanent: bool = False) -> WebhookResult:
    return WebhookResult(outcome=outcome, error=error, permanent=permanent)


def timed_out(request: WebhookRequest, exchange: Exchange) -> WebhookResult:
    """The deadline passed before the headers of an answer were in."""
    limit = f"{request.timeout.total_seconds():g} s"
    if exchange.stage is Stage.RESOLVING:
        return failed(Outcome.DNS_ERROR, f"the receiver's name was not resolved within {limit}")
    if exchange.stage is Stage.CONNECTING:
        return failed(Outcome.TIMEOUT, f"no connection to the receiver within {limit}")
    return failed(Outcome.TIMEOUT, f"no answer from the receiver within {limit}")


def result_of_error(error: Exception, exchange: Exchange, scheme: str) -> WebhookResult | None:
    """The result of an error of the network, the receiver or the system; None for one that none of them can cause."""
    if exchange.blocked is not None:
        return failed(Outcome.BLOCKED, str(exchange.blocked))
    if exchange.spoke_first:
        return failed(Outcome.PROTOCOL_ERROR, "the receiver spoke before it was asked; it is not an HTTP server")
    if exchange.meter is not None and exchange.meter.exceeded:
        return failed(Outcome.PROTOCOL_ERROR, "the headers of the answer are too large")
    if isinstance(error, OSError) and error.errno in _NO_DESCRIPTOR:
        return failed(Outcome.INTERNAL_ERROR, "this worker has no free file descriptor")
    if isinstance(error, NameNotResolved):
        return failed(Outcome.DNS_ERROR, str(error))
    if (tls := _tls_error(error)) is not None:
        return failed(Outcome.TLS_ERROR, tls)
    if isinstance(error, aiohttp.ClientConnectorError):
        return _connect_failed(error.os_error, scheme)
    if isinstance(error, HttpProcessingError):
        return failed(Outcome.PROTOCOL_ERROR, "the answer is not valid HTTP, or its headers are too large")
    if isinstance(error, aiohttp.ClientConnectionError | aiohttp.ClientPayloadError | OSError):
        return failed(Outcome.CONNECT_ERROR, "the receiver closed the connection before it answered")
    return None


def _tls_error(error: BaseException) -> str | None:
    """The reason of a TLS failure, which may be the cause of the error at hand."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"the receiver's certificate is not valid: {_certificate_reason(cause)}"
        if isinstance(cause, ssl.SSLError):
            return f"TLS with the receiver failed: {(cause.reason or 'unknown reason').replace('_', ' ').lower()}"
        if isinstance(cause, ssl.CertificateError):
            return "the receiver's certificate is not valid"
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """What aiohttp wraps, innermost last; the wrappers themselves may count as errors of TLS without saying more."""
    cause: BaseException | None = error
    while cause is not None:
        if not isinstance(cause, aiohttp.ClientError):
            yield cause
        cause = cause.__cause__


def _certificate_reason(error: ssl.SSLCertVerificationError) -> str:
    # OpenSSL's words for a certificate that does not name the host repeat the host, or its address.
    if "mismatch" in error.verify_message.lower():
        return "it is for another host"
    return error.verify_message


def _connect_failed(cause: OSError, scheme: str) -> WebhookResult:
    if scheme == "https" and isinstance(cause, ConnectionResetError | ConnectionAbortedError | BrokenPipeError):
        return failed(Outcome.TLS_ERROR, _BROKEN_HANDSHAKE)
    reason = f": {os.strerror(cause.errno).lower()}" if cause.errno else ""
    return failed(Outcome.CONNECT_ERROR, f"no connection to the receiver{reason}")
