from typing import Any

import structlog
from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from procrastinate.contrib.django import app
from procrastinate.contrib.django.utils import connector_params
from procrastinate.psycopg_connector import PsycopgConnector

logger = structlog.get_logger(__name__)


class Command(BaseCommand):
    help = "Run background jobs until told to stop. Any number of workers may run side by side, on any machine."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--concurrency", type=int, default=settings.WORKER_CONCURRENCY, help="jobs at once")
        parser.add_argument("--once", action="store_true", help="stop when no job is due")

    def handle(self, *args: Any, **options: Any) -> None:
        """SIGTERM and SIGINT: no new job is taken, running ones get WORKER_STOP_SECONDS to end."""
        concurrency: int = options["concurrency"]
        stalled_after: float = settings.WORKER_STALLED_AFTER_SECONDS
        connector = PsycopgConnector(kwargs=connector_params("default"), min_size=1, max_size=concurrency + 3)
        logger.info("worker_started")
        with app.replace_connector(connector) as worker_app:
            worker_app.run_worker(
                wait=not options["once"],
                concurrency=concurrency,
                delete_jobs="successful",
                shutdown_graceful_timeout=settings.WORKER_STOP_SECONDS,
                update_heartbeat_interval=stalled_after / 3,
                stalled_worker_timeout=stalled_after,
            )
        logger.info("worker_stopped")
