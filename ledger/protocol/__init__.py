"""Hyperledger Fabric's own bytes: proposals, endorsed transactions, blocks, policies, the genesis block.

Pure functions over bytes: no network, no files, no clock. The embedded ledger, the gateway client and the offline
verifier all read and write through these modules, so that one of them cannot understand a byte differently.
"""
