"""The rules of the consortium: deterministic, plain, synchronous functions over a ledger's state.

Start reading at `host.invoke`. Every function, its arguments, keys, events and refusals: docs/formats/contracts.md.
"""
