# One image for every part of cronhook: docs/how_to/run_in_containers.md.
FROM python:3.13-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY requirements requirements
COPY src src
# Each package is the one whose hash is written down: `nox -s lock` writes the newest ones.
RUN pip install --no-cache-dir --require-hashes --requirement requirements/build.txt \
    && pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels . \
    && python -m venv /opt/cronhook \
    && /opt/cronhook/bin/pip install --no-cache-dir --require-hashes --requirement requirements/server.txt \
    && /opt/cronhook/bin/pip install --no-cache-dir --no-deps --no-index /wheels/*.whl

FROM python:3.13-slim
RUN groupadd --system --gid 10001 cronhook \
    && useradd --system --uid 10001 --gid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin cronhook \
    && install --directory --owner=10001 --group=10001 --mode=0700 /data
COPY --from=build /opt/cronhook /opt/cronhook
ENV PATH=/opt/cronhook/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    NO_PROXY=127.0.0.1,localhost \
    CRONHOOK_HOST=0.0.0.0 \
    CRONHOOK_PORT=8080 \
    CRONHOOK_METRICS_PORT=9108 \
    CRONHOOK_DATABASE_URL=sqlite:////data/cronhook.db
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8080 9108
STOPSIGNAL SIGTERM
# Asks /livez at CRONHOOK_BASE_URL, by default http://127.0.0.1:8080: say http://127.0.0.1:9108 to schedulers and workers.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["cronhook", "health", "--live", "--quiet"]
ENTRYPOINT ["cronhook"]
CMD ["up"]
