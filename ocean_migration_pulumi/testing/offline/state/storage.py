"""The state file of an offline stack, which is written atomically, locked while in use, and encrypts secrets."""

from __future__ import annotations

import json
import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ocean_migration_pulumi.testing.offline.state.state import Journal, PendingOperation, StateResource, format_now
from ocean_migration_pulumi.testing.offline.state.values import SECRET, SIGNATURE


class StateError(Exception):
    """The state cannot be used: it is locked, damaged, or encrypted with another key."""


class StateFile:
    """The state file of a stack, in the format of `pulumi stack export`.

    In the same directory are its key (`.key`, which only its owner can read) and, while an update runs, its lock
    (`.lock`).

    Args:
        path: The path of the file, which the first update creates.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock_path = path.with_name(path.name + ".lock")
        self._secrets = _Secrets(path.with_name(path.name + ".key"))

    def export(self) -> dict[str, Any]:
        """Return the stored document, with encrypted secrets; raises `StateError` when the file is damaged."""
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return _build_document([], [])
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
        """Return the resources and pending operations, with decrypted secrets."""
        deployment = self._secrets.convert(self.export()["deployment"], self._secrets.decrypt)
        resources = [StateResource.from_json(document) for document in deployment.get("resources") or ()]
        operations = [
            PendingOperation(StateResource.from_json(operation["resource"]), operation["type"])
            for operation in deployment.get("pending_operations") or ()
        ]
        return resources, operations

    def save(self, journal: Journal) -> None:
        """Write the current state of the journal."""
        self.write(_build_document(journal.resources(), journal.operations()))

    def write(self, document: dict[str, Any]) -> None:
        """Encrypt the secrets of a document and replace the file atomically."""
        text = json.dumps(self._secrets.convert(document, self._secrets.encrypt), indent=4)
        _write_atomically(self.path, text)

    @contextmanager
    def locked(self, command: str) -> Iterator[None]:
        """Hold the lock during the block; raises `StateError` when another update holds it, or was killed with it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        note = f"pid {os.getpid()} on {socket.gethostname()}, {command} since {format_now()}"
        try:
            with self._lock_path.open("x", encoding="utf-8") as file:
                file.write(note)
        except FileExistsError:
            holder = self._read_holder()
            msg = f"the stack is currently locked ({holder}): wait for that process, or `cancel` if it is dead"
            raise StateError(msg) from None
        try:
            yield
        finally:
            self._lock_path.unlink(missing_ok=True)

    def unlock(self) -> bool:
        """Remove the lock of a killed update; return whether there was one."""
        with suppress(FileNotFoundError):
            self._lock_path.unlink()
            return True
        return False

    def _read_holder(self) -> str:
        with suppress(OSError):
            return self._lock_path.read_text(encoding="utf-8")
        return "by a process that has just ended"


class _Secrets:
    """Encrypts secrets with a random key, which is created when the first secret is written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ciphertexts: dict[str, str] = {}

    def convert(self, value: Any, convert_secret: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
        if isinstance(value, dict):
            if value.get(SIGNATURE) == SECRET:
                return {SIGNATURE: SECRET, **convert_secret(value)}
            return {key: self.convert(item, convert_secret) for key, item in value.items()}
        return [self.convert(item, convert_secret) for item in value] if isinstance(value, list) else value

    def encrypt(self, value: dict[str, Any]) -> dict[str, Any]:
        if "ciphertext" in value:
            return {"ciphertext": value["ciphertext"]}
        plain = json.dumps(value["value"] if "value" in value else json.loads(value["plaintext"]))
        if plain not in self._ciphertexts:
            self._ciphertexts[plain] = self._cipher().encrypt(plain.encode()).decode()
        return {"ciphertext": self._ciphertexts[plain]}

    def decrypt(self, value: dict[str, Any]) -> dict[str, Any]:
        if "plaintext" in value:
            return {"value": json.loads(value["plaintext"])}
        from cryptography.fernet import InvalidToken

        try:
            plain = self._cipher().decrypt(value["ciphertext"]).decode()
        except InvalidToken:
            msg = f"a secret of the state was encrypted with another key than {self._path.name}"
            raise StateError(msg) from None
        # A secret keeps its ciphertext, so that an update without changes leaves the file as it is.
        self._ciphertexts[plain] = value["ciphertext"]
        return {"value": json.loads(plain)}

    def _cipher(self) -> Any:
        from cryptography.fernet import Fernet

        if not self._path.exists():
            _write_atomically(self._path, Fernet.generate_key().decode())
        return Fernet(self._path.read_text(encoding="ascii"))


def _build_document(resources: list[StateResource], operations: list[PendingOperation]) -> dict[str, Any]:
    deployment: dict[str, Any] = {"manifest": {"time": format_now(), "version": "offline"}}
    if resources:
        deployment["resources"] = [resource.to_json() for resource in resources]
    if operations:
        deployment["pending_operations"] = [
            {"resource": operation.resource.to_json(), "type": operation.type} for operation in operations
        ]
    return {"version": 3, "deployment": deployment}


def _write_atomically(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Only its owner can read a file of mkstemp: the state and its key are private.
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
