"""A queue that outlives its visitors: who leaves while waiting disturbs nobody."""

from __future__ import annotations

from typing import Any

from gradio import queueing
from gradio.queueing import Event
from gradio.server_messages import EventMessage


class PatientQueue(queueing.Queue):
    """A queue that says nothing to sessions that are gone, and computes nothing for them.

    Gradio forgets a session that closes its connection, or that came before the last 2,000. If an event of it still
    waits, then Gradio's own queue raises an exception when it tells all who wait their places. As this happens in the
    loop that takes events out of the queue, the loop ends: nobody is served any more until the studio is started again.
    """

    def send_message(self, event: Event, event_message: EventMessage) -> None:
        if self._is_there(event):
            super().send_message(event, event_message)

    async def process_events(self, events: list[Event], *arguments: Any) -> None:
        for event in events:
            event.alive = event.alive and self._is_there(event)
        await super().process_events(events, *arguments)

    def _is_there(self, event: Event) -> bool:
        return event.session_hash in self.pending_messages_per_session


def install() -> None:
    """From here on the queues of Gradio's apps are patient."""
    queueing.Queue = PatientQueue
