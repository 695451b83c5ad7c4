"""Two sources of one's own, as docs/secrets.md shows them: a Vault's, and mounted files."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import urllib3

from luggage.crypto import Opened, Secret, SecretError, opened_from


@dataclass(frozen=True)
class VaultSecrets:
    """The values at one path of a Vault's key-value store (KV version 2)."""

    path: str
    required: tuple[str, ...] = ()

    def open(self, environ: Mapping[str, str] | None = None) -> Opened:
        """Ask the Vault at VAULT_ADDR once, with the token in the file VAULT_TOKEN_FILE."""
        environ = os.environ if environ is None else environ
        try:
            token = Secret(Path(environ["VAULT_TOKEN_FILE"]).read_text().strip())
            answer = urllib3.request(
                "GET",
                f"{environ['VAULT_ADDR']}/v1/{self.path}",
                headers={"X-Vault-Token": token.reveal()},
                redirect=False,  # the token is for this host alone
                retries=False,
                timeout=5,
            )
            why = "" if answer.status == 200 else f"answered {answer.status}"
            values = {} if why else json.loads(answer.data)["data"]["data"]
            raw = {name: Secret(value.encode()) for name, value in values.items()}
        except (LookupError, TypeError, AttributeError, ValueError, OSError) as error:
            why = f"could not be asked: {type(error).__name__}"
        except urllib3.exceptions.HTTPError as error:
            why = f"could not be asked: {type(error).__name__}"
        values = None
        if why:  # outside `except`, and forgotten: no traceback holds the token or an answer
            raise SecretError(f"Vault, {self.path}: {why}", "see VAULT_ADDR and VAULT_TOKEN_FILE")
        hint = f"vault kv patch {self.path} NAME=-"
        return opened_from("vault", raw, required=self.required, hint=hint)


@dataclass(frozen=True)
class MountedSecrets:
    """One file a value, named as the value is: a Secret of Kubernetes, mounted as a folder."""

    folder: Path
    required: tuple[str, ...] = ()

    def open(self, environ: Mapping[str, str] | None = None) -> Opened:
        """Read every file of the folder that is named like a secret, each to its last byte."""
        try:
            paths = [path for path in self.folder.iterdir() if path.name[:1].isupper()]
            raw = {path.name: Secret(path.read_bytes()) for path in paths}
        except OSError as error:
            raise SecretError(f"{self.folder}: cannot be read: {error.strerror}") from None
        return opened_from("mounted", raw, required=self.required)
