"""Why a request is not taken for a webhook. Standard library only.

::

    WebhookVerificationError          answer it with 401 and do nothing
    ├── MissingHeader
    ├── MalformedHeader
    ├── TimestampOutOfTolerance       old (perhaps replayed), or the clocks differ
    └── SignatureMismatch             another secret, or another body than was signed

    InvalidSecret                     the receiver's own mistake: the text is no signing secret
"""

from __future__ import annotations


class WebhookVerificationError(ValueError):
    """The request does not prove that it comes from cronhook."""


class MissingHeader(WebhookVerificationError):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f"the header {self.name} is missing"


class MalformedHeader(WebhookVerificationError):
    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, reason)
        self.name = name
        self.reason = reason

    def __str__(self) -> str:
        return f"the header {self.name} {self.reason}"


class TimestampOutOfTolerance(WebhookVerificationError):
    """``age_seconds`` is negative for a timestamp ahead of the receiver's clock."""

    def __init__(self, age_seconds: float, tolerance_seconds: float) -> None:
        super().__init__(age_seconds, tolerance_seconds)
        self.age_seconds = age_seconds
        self.tolerance_seconds = tolerance_seconds

    def __str__(self) -> str:
        side = "old" if self.age_seconds > 0 else "ahead of this clock"
        return (
            f"the request is {abs(self.age_seconds):.0f} s {side}, at most {self.tolerance_seconds:g} s are allowed: "
            "it may be a replay, or the clocks differ"
        )


class SignatureMismatch(WebhookVerificationError):
    def __str__(self) -> str:
        return (
            "no signature fits: the secret is another one, or the body is not the raw body that was sent "
            "(decoded and written again it is different bytes)"
        )


class InvalidSecret(ValueError):
    """What was given is not a signing secret. The message does not repeat it."""
