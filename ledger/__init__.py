"""What the consortium agreed: contracts, the ledgers that host them, the client that reaches them, the verifier."""

import os

# Read when gRPC is imported. Beside a channel, it begins a thread in every child that Python forks, and that thread now
# and then ends the child before its command begins (grpc 1.81 and later, issue 43055: `subprocess` with preexec_fn). No
# child here goes on with a channel of its parent.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")
