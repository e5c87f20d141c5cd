"""A whole Fabric channel in one process on SQLite: peers, orderer and gateway, for one machine.

It writes the bytes that Fabric would, and serves Fabric's Gateway and Deliver services, so that clients and auditors
are the same for both. One operator holds all of its keys: its signatures show what was agreed to, not that independent
machines agreed.
"""
