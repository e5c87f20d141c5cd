"""Exporting a ledger, and verifying an export offline. See docs/verify.md for what that proves."""

from __future__ import annotations

from ledger.verify.errors import VerificationFailed
from ledger.verify.export import export
from ledger.verify.ledger import Entry, Ledger
from ledger.verify.report import CodeChange, Report
from ledger.verify.verification import verify

__all__ = ["CodeChange", "Entry", "Ledger", "Report", "VerificationFailed", "export", "verify"]
