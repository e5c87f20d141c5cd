"""What the platform costs a round on a Fabric network, as bench_round_overhead.py measures it on the embedded ledger.

python tests/bench/bench_round_overhead_fabric.py [DIR]
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.bench_round_overhead import main  # noqa: E402

if __name__ == "__main__":
    main("fabric")
