"""Ask the daemon that listens as MONITOR_LISTEN says whether it is ready; exit 1 if not."""

import os
import sys
import urllib.error
import urllib.request

EVERYWHERE = {"": "localhost", "0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104 (not we)

host, _, port = os.environ.get("MONITOR_LISTEN", "127.0.0.1:8470").rpartition(":")
direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # whatever HTTP_PROXY says
try:
    with direct.open(f"http://{EVERYWHERE.get(host, host)}:{port}/-/ready", timeout=8):
        pass
except urllib.error.HTTPError as error:
    sys.exit(error.read(1000).decode())
except OSError as error:
    sys.exit(f"no answer: {error}")
