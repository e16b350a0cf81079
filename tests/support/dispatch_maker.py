"""A dispatcher over the way out of a test, and subscriptions for it to serve."""

import random
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any

from receiver import Receiver
from release_maker import DEPARTMENT, PURPOSE, RESIDENT, residents
from standing_maker import Standing

from catalog.caller import Caller
from catalog.subscription import Subscription
from catalog.subscription_store import find_subscription
from hub.acts import subscriptions
from hub.acts.subscriptions import WantedSubscription
from hub.exchange.embedded_log import EmbeddedLog
from hub.identity.organization_tokens import issue
from hub.keys import Signer
from hub.subscription.destination import Allowed
from hub.subscription.dispatcher import Dispatcher
from hub.subscription.push import Pusher, tls_context
from schemas.national.sm2 import PrivateKey

LOOPBACK = ip_network("127.0.0.0/8")


@dataclass
class Dispatching:
    """A dispatcher that the test steps by hand."""

    stage: Standing
    dispatcher: Dispatcher
    log: EmbeddedLog
    allowed: Allowed

    def subscribe(self, kind: str = "push", address: str | None = None, who: Caller = DEPARTMENT) -> Subscription:
        """A subscription from now on."""
        wanted = WantedSubscription(RESIDENT, kind, address, PURPOSE)  # pyright: ignore[reportArgumentType] - as the case needs it
        with self.stage.out.conn.transaction():
            return subscriptions.create(
                self.stage.out.conn, who, wanted, self.stage.feed, self.allowed, 10, datetime.now(UTC)
            )

    def verified(self, receiver: Receiver) -> Subscription:
        """One of kind push whose address has answered."""
        made = self.subscribe("push", receiver.address)
        assert self.dispatcher.step()
        return self.now(made)

    def now(self, subscription: Subscription) -> Subscription:
        """As it stands."""
        found = find_subscription(self.stage.out.conn, subscription.id)
        assert found is not None
        return found

    def due(self, subscription: Subscription) -> None:
        """What it waits for is over."""
        self.stage.out.conn.execute("UPDATE subscription SET next_at = now() WHERE id = %s", [subscription.id])

    def settle(self, times: int = 20) -> int:
        """Step until nothing is to be done; how often something was."""
        for number in range(times):
            if not self.dispatcher.step():
                return number
        return times

    def change(self, count: int = 3, **members: Any) -> None:
        """Some records, taken as a batch would be."""
        self.stage.out.take(RESIDENT, [one | members for one in residents(count)], version=self._version())
        self.stage.out.conn.execute(
            "UPDATE dataset_statistics SET last_taken_at = clock_timestamp() WHERE dataset = %s", [RESIDENT]
        )

    def _version(self) -> int:
        return int(datetime.now(UTC).timestamp() * 1_000_000)


@contextmanager
def dispatching(stage: Standing, receiver: Receiver | None = None, **members: Any) -> Generator[Dispatching]:
    """A dispatcher that pushes to the receiver's port on the loopback."""
    conn = stage.out.conn
    for organization in ("ren-she", "min-zheng"):  # so that they are callers whose subscription stands
        issue(conn, organization, datetime.now(UTC))
    allowed = Allowed(frozenset({443} if receiver is None else {receiver.port}), (LOOPBACK,))
    key = PrivateKey.generate()
    with closing(EmbeddedLog(stage.out.url)) as log:
        dispatcher = Dispatcher(
            pool=stage.out.release._pool,
            feed=stage.feed,
            pusher=Pusher(allowed, tls_context(None if receiver is None else receiver.ca_file), 5),
            log=log,
            signer=Signer("push", key),
            clock=lambda: datetime.now(UTC),
            failures_max=3,
            dice=random.Random(1),
        )
        yield Dispatching(stage, replace(dispatcher, **members), log, allowed)
