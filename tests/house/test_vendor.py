"""Third-party files are those of the manifest, to the byte, and name nothing that is not there."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

VENDOR = Path(__file__).resolve().parents[2] / "dashboard" / "static" / "vendor"


def test_vendored_files_are_those_of_the_manifest():
    listed = {}
    for package in json.loads((VENDOR / "MANIFEST.json").read_text(encoding="utf-8")):
        assert package["name"] and package["version"] and package["licence"]
        listed |= package["files"]
    found = {
        path.relative_to(VENDOR).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in VENDOR.rglob("*")
        if path.is_file() and path != VENDOR / "MANIFEST.json"
    }
    assert found == listed
    for path in (p for p in VENDOR.rglob("*.js") if p.is_file()):
        assert "sourceMappingURL" not in path.read_text(encoding="utf-8", errors="replace"), path
