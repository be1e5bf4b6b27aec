"""What the web server runs: HTTP through the WSGI application on threads, on the same origin as WebSockets."""

import gc
import logging
import os

from channels.routing import ProtocolTypeRouter
from django.conf import settings
from django.core.wsgi import get_wsgi_application

from config import cores
from config.bridge import WSGIBridge

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
http = WSGIBridge(get_wsgi_application(), threads=settings.WEB_THREADS, max_body_bytes=settings.MAX_BODY_BYTES)

from integrations.events.consumer import websocket  # noqa: E402  # its models can be imported once the apps are loaded

application = ProtocolTypeRouter({"http": http, "websocket": websocket})

# What was loaded stays: never look through it again. A request makes thousands of objects and leaves hardly a cycle.
gc.collect()
gc.freeze()
gc.set_threshold(20_000, 20, 20)
# No line of ours says by which code or thread it was written; see "Optimization" in Python's HOWTO of logging.
logging._srcfile = None
logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
if settings.WEB_ONE_CORE:
    cores.take_one()
