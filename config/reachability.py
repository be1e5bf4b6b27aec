"""Tries the services that the settings name, and says in one sentence what is wrong with one and how to cure it."""

import psycopg
import redis


class Unreachable(Exception):
    """The message is one sentence that says the cure, without passwords."""


def require_database(url: str, variable: str) -> None:
    """Log in once; raises Unreachable. `variable` is the setting the user would correct."""
    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.ProgrammingError as error:
        raise Unreachable(
            f"{variable} is no PostgreSQL address ({_first_line(error)}): write postgres://user:password@host:5432/name."
        ) from error
    except psycopg.OperationalError as error:
        raise Unreachable(
            f"{variable} can't be used ({_first_line(error)}): correct it or start that server,"
            f" or unset it to use the embedded one."
        ) from error


def require_redis(url: str, variable: str) -> None:
    """Ping once; raises Unreachable."""
    try:
        with redis.Redis.from_url(url, socket_connect_timeout=5, socket_timeout=5) as client:
            client.ping()
    except (redis.RedisError, ValueError) as error:
        raise Unreachable(
            f"{variable} can't be used ({_first_line(error)}): correct it or start that server,"
            f" or unset it to use the embedded one."
        ) from error


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1].strip() if str(error).strip() else type(error).__name__
