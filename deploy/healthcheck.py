"""Ask the daemon where MONITOR_LISTEN says, whether it is ready; exit 1 if not."""

import os
import sys
import urllib.error
import urllib.request

host, _, port = os.environ["MONITOR_LISTEN"].rpartition(":")
if host in {"", "0.0.0.0", "[::]"}:  # noqa: S104 (what it listens on, not we)
    host = "localhost"
direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # whatever HTTP_PROXY says
try:
    with direct.open(f"http://{host}:{port}/-/ready", timeout=8):
        pass
except urllib.error.HTTPError as error:
    sys.exit(error.read(1000).decode())
except OSError as error:
    sys.exit(f"no answer: {error}")
