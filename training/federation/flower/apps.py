"""Flower's two apps around our code: a site's ClientApp, and the hub's ServerApp."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flwr.app import ConfigRecord, Context, Message, RecordDict, UserConfig
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp

from consent.errors import CovenantError
from training.federation.flower.wire import ARRAYS, FACTS, HUB_NODE, RUN_ID, arrays_of, pack, request_of, unpack
from training.federation.messages import Request
from training.federation.transport import Blobs
from training.federation.vectors import Vector


def client_app(site: str, handle: Callable[[Request], tuple[Mapping[str, str], Vector | None]]) -> ClientApp:
    """Flower's ClientApp around a site: `handle` gives facts and, for training, the update; or raises CovenantError."""
    app = ClientApp()

    def answer(message: Message, _: Context) -> Message:
        vector = None
        try:
            facts, vector = handle(request_of(message))
            reply = {"site": site, **{f"fact.{name}": value for name, value in facts.items()}}
        except CovenantError as error:
            reply = {"site": site, "code": error.code}  # the message stays: it may name a line of a file, or a count
        except Exception as error:  # nothing of it may travel: a message could quote a record
            reply = {"site": site, "code": "site.failed", "message": f"this site failed ({type(error).__name__})"}
        records: dict[str, Any] = {FACTS: ConfigRecord(reply)}
        if vector is not None:
            records[ARRAYS] = arrays_of(vector)
        return Message(RecordDict(records), reply_to=message)

    for register in (app.train(), app.evaluate(), app.query("cohort"), app.query("confirm"), app.query("describe")):
        register(answer)
    return app


def deliver(app: ClientApp, blobs: Blobs, data: bytes) -> bytes:
    """A site's end of the wire: one message in, its answer out."""
    return pack(app(unpack(data, blobs), context()), blobs)


def server_app(main: Callable[[Grid, Context], None]) -> ServerApp:
    """Flower's ServerApp that runs `main`."""
    app = ServerApp()
    app.main()(main)
    return app


def context() -> Context:
    """A context without state: everything that must outlive a message stands in our own stores."""
    nothing = UserConfig()
    return Context(run_id=RUN_ID, node_id=HUB_NODE, node_config=nothing, state=RecordDict(), run_config=nothing)
