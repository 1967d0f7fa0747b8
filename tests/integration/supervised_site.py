"""A small site under the real supervisor, for its tests: `python supervised_site.py DATA_DIR PORT PROGRAM...`."""

from __future__ import annotations

import sys
from pathlib import Path

from aggregator.domain.errors import Click2CartError
from aggregator.settings import Settings
from workers.children import Program
from workers.supervisor import Children, site_is_ready, supervise

WEB = """
import http.server, sys
class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Ready).serve_forever()
"""
# Each says when it starts and when it is asked to end; what a test needs to know stands in their common diary.
ORDERLY = """
import os, signal, sys
def say(what):
    with open("diary", "a") as diary:
        diary.write(f"{what} {os.getpid()}\\n")
def end(*_):
    say(sys.argv[1] + " ended")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
say(sys.argv[1] + " started")
while True:
    signal.pause()
"""
STUBBORN = """
import os, signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
helper = subprocess.Popen(["sleep", "600"])
with open("diary", "a") as diary:
    diary.write(f"stubborn started {os.getpid()}\\nhelper started {helper.pid}\\n")
while True:
    signal.pause()
"""
STEP = "import sys; print('the step cannot go on', file=sys.stderr); sys.exit(3)"
MISTAKEN = "import sys; print('click2cart: the key is too short', file=sys.stderr); sys.exit(2)"
FAILING = "import sys; sys.exit('cannot find my spectacles')"


def program(name: str, port: int) -> Program:
    sources = {
        "web": WEB, "stubborn": STUBBORN, "failing": FAILING, "mistaken": MISTAKEN, "step": STEP,
    }  # fmt: skip
    source = sources.get(name, ORDERLY)
    argument = str(port) if name == "web" else name
    return Program(
        name, (sys.executable, "-c", source, argument), patience=0.5 if name == "stubborn" else 10.0
    )


def main(data_dir: str, port: str, *names: str) -> None:
    settings = Settings(data_dir=Path(data_dir), port=int(port))

    def start(children: Children) -> None:
        for name in names:
            run = children.run_to_end if name == "step" else children.start
            run(program(name, settings.port))
        children.wait_until(lambda: site_is_ready(settings), what="the site", patience=30.0)
        sys.stdout.write("ready\n")
        sys.stdout.flush()

    try:
        supervise(settings, start)
    except Click2CartError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main(*sys.argv[1:])
