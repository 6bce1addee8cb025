"""The hint to install an extra, by how the package was installed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ocean_migration_pulumi.common import installation
from ocean_migration_pulumi.common.installation import install_command

GIT = {"vcs": "git", "commit_id": "0123abc"}


class Installed:
    """A distribution with a record of its origin."""

    def __init__(self, text: str | None) -> None:
        self.text = text

    def read_text(self, name: str) -> str | None:
        """Return the record."""
        assert name == "direct_url.json"
        return self.text


@pytest.mark.parametrize(
    ("origin", "command"),
    [
        (None, 'pip install "ocean-migration[aws]"'),
        ({"dir_info": {"editable": True}, "url": "file:///src/om"}, 'pip install --editable "/src/om[aws]"'),
        ({"dir_info": {}, "url": "file:///src/my%20om"}, 'pip install "/src/my om[aws]"'),
        (
            {"archive_info": {}, "url": "https://user:canary@host.example/om-0.1.0.whl"},
            'pip install "ocean-migration[aws] @ https://host.example/om-0.1.0.whl"',
        ),
        (
            {"vcs_info": GIT, "url": "https://host.example/om"},
            'pip install "ocean-migration[aws] @ git+https://host.example/om@0123abc"',
        ),
        (
            {"vcs_info": GIT | {"requested_revision": "v1"}, "url": "https://canary@h.example/m", "subdirectory": "om"},
            'pip install "ocean-migration[aws] @ git+https://h.example/m@v1#subdirectory=om"',
        ),
        ([], 'pip install "ocean-migration[aws]"'),
        ({"url": "http://[canary"}, 'pip install "ocean-migration[aws]"'),
    ],
)
def test_command_installs_from_where_the_package_came_from(
    monkeypatch: pytest.MonkeyPatch, origin: Any, command: str
) -> None:
    """Without the credentials of a URL."""
    text = None if origin is None else json.dumps(origin)
    monkeypatch.setattr(installation, "distribution", lambda name: Installed(text))
    assert install_command("aws") == command


@pytest.mark.parametrize("text", ["", "{", "null"])
def test_broken_record_is_none(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """The package may be on an index."""
    monkeypatch.setattr(installation, "distribution", lambda name: Installed(text))
    assert install_command("stack") == 'pip install "ocean-migration[stack]"'


def test_package_that_is_not_installed_has_no_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when it runs from a source tree."""

    def find_nothing(name: str) -> Installed:
        raise installation.PackageNotFoundError(name)

    monkeypatch.setattr(installation, "distribution", find_nothing)
    assert install_command("stack") == 'pip install "ocean-migration[stack]"'
