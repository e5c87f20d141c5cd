"""A process begun beside an open channel begins, however often."""

from __future__ import annotations

import subprocess
import sys

BESIDE_A_CHANNEL = """
import ledger.gateway, os, subprocess, threading
from concurrent.futures import ThreadPoolExecutor
import grpc
server = grpc.server(ThreadPoolExecutor(2))
port = server.add_insecure_port("127.0.0.1:0")
server.start()
channel = grpc.insecure_channel(f"127.0.0.1:{port}")
def talk():
    while True:
        try:
            channel.unary_unary("/a/b")(b"", timeout=5)
        except grpc.RpcError:
            pass
threading.Thread(target=talk, daemon=True).start()
for _ in range(300):
    begun = subprocess.run(["true"], capture_output=True, preexec_fn=os.getpid)
    if begun.returncode or begun.stderr:
        print(begun.returncode, begun.stderr.decode())
        break
else:
    print("all began")
os._exit(0)
"""


def test_a_process_begins_beside_a_channel_that_is_in_use():
    command = [sys.executable, "-c", BESIDE_A_CHANNEL]
    told = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert told.stdout == "all began\n"
