"""Tags and metadata: what users hang on a job for themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cronhook_core.errors import InvalidRequest

MAX_TAGS = 20
MAX_TAG_LENGTH = 64
MAX_METADATA = 50
MAX_METADATA_KEY_LENGTH = 64
MAX_METADATA_VALUE_LENGTH = 500


def check_tags(tags: Sequence[str]) -> tuple[str, ...]:
    """The tags, each once, in the user's order; raises `InvalidRequest`."""
    if len(tags) > MAX_TAGS:
        raise InvalidRequest(f"at most {MAX_TAGS} tags, got {len(tags)}", pointer="/tags")
    for index, tag in enumerate(tags):
        if not 1 <= len(tag) <= MAX_TAG_LENGTH or not tag.strip():
            raise InvalidRequest(f"a tag has 1 to {MAX_TAG_LENGTH} characters", pointer=f"/tags/{index}")
    return tuple(dict.fromkeys(tags))


def check_metadata(metadata: Mapping[str, str]) -> dict[str, str]:
    """The metadata as it is stored; raises `InvalidRequest`."""
    if len(metadata) > MAX_METADATA:
        raise InvalidRequest(f"at most {MAX_METADATA} metadata, got {len(metadata)}", pointer="/metadata")
    for key, value in metadata.items():
        if not 1 <= len(key) <= MAX_METADATA_KEY_LENGTH:
            raise InvalidRequest(
                f"a key of the metadata has 1 to {MAX_METADATA_KEY_LENGTH} characters", pointer="/metadata"
            )
        if len(value) > MAX_METADATA_VALUE_LENGTH:
            raise InvalidRequest(
                f"the value of {key!r} has more than {MAX_METADATA_VALUE_LENGTH} characters", pointer="/metadata"
            )
    return dict(metadata)
