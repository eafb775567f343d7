"""The same servers from container images, for `pytest --backends=containers`.

The images are of the oldest versions that are supported, since the wheels bring new ones.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from testcontainers.core.container import DockerContainer

from tests.services import START_SECONDS, postgres_answers, redis_answers, wait_until


@contextmanager
def postgres_container() -> Iterator[str]:
    """Yields the URL of its database `postgres`."""
    container = (
        DockerContainer("postgres:15-alpine")
        .with_env("POSTGRES_HOST_AUTH_METHOD", "trust")
        .with_command("-c fsync=off -c max_connections=200")
        .with_exposed_ports(5432)
    )
    with container:
        url = f"postgresql://postgres@{_address(container, 5432)}/postgres"
        wait_until(lambda: postgres_answers(url), START_SECONDS, "Postgres in the container answers")
        yield url


@contextmanager
def redis_container() -> Iterator[str]:
    container = DockerContainer("redis:6.2-alpine").with_exposed_ports(6379)
    with container:
        url = f"redis://{_address(container, 6379)}/0"
        wait_until(lambda: redis_answers(url), START_SECONDS, "Redis in the container answers")
        yield url


def _address(container: DockerContainer, port: int) -> str:
    return f"{container.get_container_host_ip()}:{container.get_exposed_port(port)}"
