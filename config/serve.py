"""The web server with the options it needs: `python -m config.serve [--host 0.0.0.0] [--port 8000] [--workers 2]`."""

import argparse

import uvicorn

APPLICATION = "config.asgi:application"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m config.serve", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--workers", type=int, default=1, help="processes, each with WEB_THREADS threads")
    parser.add_argument("--stop-seconds", type=int, default=10, help="how long running requests may take to end")
    chosen = parser.parse_args()
    uvicorn.run(
        APPLICATION,
        host=chosen.host,
        port=chosen.port,
        workers=chosen.workers,
        timeout_graceful_shutdown=chosen.stop_seconds,
        lifespan="off",
        ws_max_size=4096,  # clients only say where they resume; longer messages are closed before they are in memory
        access_log=False,  # it would hold query strings; config.logs writes a line for each request
        log_config=None,  # LOGGING in the settings is everybody's
        server_header=False,
        proxy_headers=False,  # TRUSTED_PROXIES says whose X-Forwarded-For counts
    )


if __name__ == "__main__":
    main()
