"""Names for instances that mean nothing outside of one review, so that no address says or guesses which one it is."""

import secrets
import threading

_BYTES = 12


class Handles:
    """Random names of the instances that were listed; an instance that was not has none."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_instance: dict[int, str] = {}
        self._by_handle: dict[str, int] = {}

    def of(self, instance_id: int) -> str:
        """Return the name of an instance, the same one each time."""
        with self._lock:
            handle = self._by_instance.setdefault(instance_id, secrets.token_urlsafe(_BYTES))
            self._by_handle[handle] = instance_id
        return handle

    def instance(self, handle: str) -> int | None:
        """Return the instance that has a name, ``None`` if none has it."""
        with self._lock:
            return self._by_handle.get(handle)
