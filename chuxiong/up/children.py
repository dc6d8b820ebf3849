"""How a server becomes our child: dies with us, whatever happens to us."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from pathlib import Path


def spawn(
    command: list[str],
    *,
    log: Path,
    environment: dict[str, str] | None = None,
    as_other_user: bool = False,
) -> subprocess.Popen[bytes]:
    """Start ``command`` with a parent-death signal, its output appended to ``log``.

    ``as_other_user``: for programs that refuse to run as root; a user namespace shows us as another user. The
    death signal is set innermost because a change of credentials clears it.
    """
    prefix: list[str] = []
    if as_other_user and os.geteuid() == 0:
        prefix = mapped_user()
    if shutil.which("setpriv"):
        prefix += ["setpriv", "--pdeathsig", "KILL", "--"]
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "ab") as out:
        return subprocess.Popen(
            [*prefix, *command],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )


def mapped_user() -> list[str]:
    """Root seen as an ordinary user of this machine (initdb looks its name up)."""
    known = {entry.pw_name: entry for entry in pwd.getpwall() if entry.pw_uid}
    if not known:
        raise ServiceFailed("本机没有 root 以外的用户；请先建立一个 / no user but root exists")
    other = known.get("nobody") or next(iter(known.values()))
    return ["unshare", "--user", f"--map-user={other.pw_uid}", f"--map-group={other.pw_gid}", "--"]


def run_as_other_user(command: list[str], **keywords: object) -> subprocess.CompletedProcess[str]:
    """Run a short program to its end under the same mapping."""
    prefix = mapped_user() if os.geteuid() == 0 else []
    return subprocess.run([*prefix, *command], capture_output=True, text=True, check=False, **keywords)  # type: ignore[call-overload,no-any-return]


class ServiceFailed(Exception):
    """A service did not start; the message names its log and what to do."""


def tail(log: Path, lines: int = 8) -> str:
    if not log.is_file():
        return "(no log)"
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
