"""The web server with the options it needs: `python -m config.serve [--host 0.0.0.0] [--port 8000] [--workers 2]`."""

import argparse
import socket
import sys
from collections.abc import Callable
from typing import Any

import uvicorn
from uvicorn.supervisors import Multiprocess

APPLICATION = "config.asgi:application"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m config.serve", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--workers", type=int, default=1, help="processes, each with WEB_THREADS threads")
    parser.add_argument("--stop-seconds", type=int, default=10, help="how long running requests may take to end")
    chosen = parser.parse_args()
    options: dict[str, Any] = {
        "host": chosen.host,
        "port": chosen.port,
        "workers": chosen.workers,
        "timeout_graceful_shutdown": chosen.stop_seconds,
        "timeout_keep_alive": 75,  # s; proxies keep idle connections for up to 60 and must be the ones who close them
        "lifespan": "off",
        "ws_max_size": 4096,  # clients only say where they resume; longer messages are closed before they are in memory
        "access_log": False,  # it would hold query strings; config.logs writes a line for each request
        "log_config": None,  # LOGGING in the settings is everybody's
        "server_header": False,
        "proxy_headers": False,  # TRUSTED_PROXIES says whose X-Forwarded-For counts
    }
    if chosen.workers > 1 and sys.platform == "linux":
        config = uvicorn.Config(APPLICATION, **options)
        Multiprocess(config, [Port.of(config.bind_socket())]).run()
    else:
        uvicorn.run(APPLICATION, **options)


class Port(socket.socket):
    """A port that several processes listen on: sent to one of them, it is a socket of that process's own.

    Linux spreads connections over the sockets of a port. Handed one socket, as uvicorn does by itself, whichever
    process wakes up first takes all connections that wait: a frontend that opens its pool at once would keep one
    process busy and the others idle.
    """

    @classmethod
    def of(cls, reserved: socket.socket) -> "Port":
        """The port that this socket has; somebody else who listens there has been found out by then."""
        family, address = reserved.family, reserved.getsockname()
        reserved.close()
        return cls._bound(family, address)

    @classmethod
    def _bound(cls, family: int, address: Any) -> "Port":
        port = cls(family)
        port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        port.bind(address)
        return port

    def __reduce__(self) -> tuple[Callable[..., "Port"], tuple[int, Any]]:
        return Port._bound, (self.family, self.getsockname())


if __name__ == "__main__":
    main()
