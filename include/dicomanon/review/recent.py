"""Keeps the objects that were looked at last, in memory: the next frame of a cine need not be sent for again."""

import threading
from collections import OrderedDict


class Recent:
    """The newest objects, as many as fit.

    Parameters
    ----------
    most_bytes
        Of all objects together.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._objects: OrderedDict[int, bytes] = OrderedDict()

    def get(self, instance_id: int) -> bytes | None:
        """Return an object, ``None`` if it is not kept."""
        with self._lock:
            found = self._objects.pop(instance_id, None)
            if found is not None:
                self._objects[instance_id] = found
        return found

    def keep(self, instance_id: int, raw: bytes) -> None:
        """Keep an object, and let go of the oldest ones that do not fit beside it."""
        with self._lock:
            self._objects.pop(instance_id, None)
            self._objects[instance_id] = raw
            while sum(map(len, self._objects.values())) > self._most_bytes:
                self._objects.popitem(last=False)
