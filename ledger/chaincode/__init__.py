"""The contracts as a service for a Fabric peer: one process a hospital, which that hospital's own peer connects to.

Start reading at `server.run`: it listens, `service` takes the peer's stream, `stream` runs each of its transactions,
`simulation` is what a contract sees. The peer finds the process by the three scripts in `builder/bin`.
"""
