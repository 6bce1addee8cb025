"""The state file of an offline stack: written atomically, locked while in use, secrets encrypted."""

from __future__ import annotations

import json
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ocean_migration_pulumi.testing.offline.state.state import Journal, PendingOperation, StateResource, now
from ocean_migration_pulumi.testing.offline.state.values import SECRET, SIGNATURE


class StateError(Exception):
    """The state cannot be used: it is locked, damaged, or encrypted by another key."""


class StateFile:
    """One stack's state on disk, shaped as `pulumi stack export` writes it.

    Beside the file lie its key (`.key`, readable by its owner alone) and, while an update runs, its lock (`.lock`).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock_path = path.with_name(path.name + ".lock")
        self._secrets = _Secrets(path.with_name(path.name + ".key"))

    def export(self) -> dict[str, Any]:
        """Return the document as stored, secrets encrypted; raise `StateError` when the file is damaged."""
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return _document([], [])
        try:
            document = json.loads(text)
            if document["version"] != 3 or not isinstance(document["deployment"], dict):
                msg = f"{self.path}: not a stack's state of version 3"
                raise StateError(msg)
        except (ValueError, KeyError, TypeError) as exc:
            msg = f"{self.path}: not a stack's state: {exc}"
            raise StateError(msg) from exc
        else:
            return dict(document)

    def load(self) -> tuple[list[StateResource], list[PendingOperation]]:
        """Read the resources and the operations that never ended, secrets in clear."""
        deployment = self._secrets.walk(self.export()["deployment"], self._secrets.decrypted)
        resources = [StateResource.from_json(each) for each in deployment.get("resources") or ()]
        operations = [
            PendingOperation(StateResource.from_json(each["resource"]), each["type"])
            for each in deployment.get("pending_operations") or ()
        ]
        return resources, operations

    def save(self, journal: Journal) -> None:
        """Write what the journal holds now."""
        self.write(_document(journal.resources(), journal.operations()))

    def write(self, document: dict[str, Any]) -> None:
        """Replace the file in one step, so that a kill at any time leaves a whole one; encrypt what is secret."""
        text = json.dumps(self._secrets.walk(document, self._secrets.encrypted), indent=4)
        _replace(self.path, text)

    @contextmanager
    def locked(self, command: str) -> Iterator[None]:
        """Hold the lock for the time of the block; raise `StateError` when another update holds it, or left it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        note = f"pid {os.getpid()} on {socket.gethostname()}, {command} since {now()}"
        try:
            with self._lock_path.open("x", encoding="utf-8") as file:
                file.write(note)
        except FileExistsError:
            msg = f"the stack is currently locked ({self._holder()}): wait for that process, or `cancel` if it is dead"
            raise StateError(msg) from None
        try:
            yield
        finally:
            self._lock_path.unlink(missing_ok=True)

    def unlock(self) -> bool:
        """Take away the lock that a killed update left; return whether there was one."""
        with suppress(FileNotFoundError):
            self._lock_path.unlink()
            return True
        return False

    def _holder(self) -> str:
        with suppress(OSError):
            return self._lock_path.read_text(encoding="utf-8")
        return "by a process that has just ended"


class _Secrets:
    """Encrypts what is marked as secret by a random key, made when the first secret is written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, str] = {}

    def walk(self, value: Any, convert: Any) -> Any:
        if isinstance(value, dict):
            if value.get(SIGNATURE) == SECRET:
                return {SIGNATURE: SECRET, **convert(value)}
            return {key: self.walk(item, convert) for key, item in value.items()}
        return [self.walk(item, convert) for item in value] if isinstance(value, list) else value

    def encrypted(self, value: dict[str, Any]) -> dict[str, Any]:
        if "ciphertext" in value:
            return {"ciphertext": value["ciphertext"]}
        plain = json.dumps(value["value"] if "value" in value else json.loads(value["plaintext"]))
        if plain not in self._known:
            self._known[plain] = self._cipher().encrypt(plain.encode()).decode()
        return {"ciphertext": self._known[plain]}

    def decrypted(self, value: dict[str, Any]) -> dict[str, Any]:
        if "plaintext" in value:
            return {"value": json.loads(value["plaintext"])}
        from cryptography.fernet import InvalidToken

        try:
            plain = self._cipher().decrypt(value["ciphertext"]).decode()
        except InvalidToken:
            msg = f"a secret of the state was encrypted by another key than {self._path.name}"
            raise StateError(msg) from None
        # A secret keeps its ciphertext, so that saving an unchanged stack changes nothing.
        self._known[plain] = value["ciphertext"]
        return {"value": json.loads(plain)}

    def _cipher(self) -> Any:
        from cryptography.fernet import Fernet

        if not self._path.exists():
            _replace(self._path, Fernet.generate_key().decode())
        return Fernet(self._path.read_text(encoding="ascii"))


def _document(resources: list[StateResource], operations: list[PendingOperation]) -> dict[str, Any]:
    deployment: dict[str, Any] = {"manifest": {"time": now(), "version": "offline"}}
    if resources:
        deployment["resources"] = [each.to_json() for each in resources]
    if operations:
        deployment["pending_operations"] = [
            {"resource": each.resource.to_json(), "type": each.type} for each in operations
        ]
    return {"version": 3, "deployment": deployment}


def _replace(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # mkstemp makes the file readable by its owner alone, which the state and its key should be.
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
