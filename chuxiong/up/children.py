"""How a program becomes our child: it dies with us, whatever happens to us."""

from __future__ import annotations

import functools
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

#: A parent that died before the death signal was set sends none: such a child leaves by itself.
_UNLESS_ORPHANED = 'test "$PPID" = "$0" || exit 143; exec "$@"'


class ServiceFailed(Exception):
    """A part did not start; the message names its log and what to do."""


@dataclass(frozen=True)
class Guise:
    """As whom a program runs that refuses root: the words before its command, and whose its files must be."""

    prefix: tuple[str, ...]
    uid: int
    gid: int


def dying_with_us(command: list[str]) -> list[str]:
    """``command`` with a parent-death signal. Call ``Popen`` from the main thread: the signal follows the thread."""
    if shutil.which("setpriv") is None:
        return command
    return ["setpriv", "--pdeathsig", "KILL", "--", "sh", "-c", _UNLESS_ORPHANED, str(os.getpid()), *command]


def spawn(
    command: list[str],
    *,
    log: Path,
    environment: dict[str, str] | None = None,
    folder: Path | None = None,
    guise: Guise | None = None,
) -> subprocess.Popen[bytes]:
    """Start ``command`` as our child in a session of its own, its output appended to ``log``.

    The death signal is set innermost, after the ``guise``: a change of credentials clears it.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "ab") as out:
        return subprocess.Popen(
            [*(guise.prefix if guise else ()), *dying_with_us(command)],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=folder,
            start_new_session=True,
        )


@functools.cache
def not_root() -> Guise:
    """The guise for programs that refuse root.

    Root is shown as another user by a user namespace. Where those are forbidden (many containers) it becomes
    that user, keeping only the right to pass through folders that are root's alone.
    """
    if os.geteuid():
        return Guise((), os.geteuid(), os.getegid())
    known = {entry.pw_name: entry for entry in pwd.getpwall() if entry.pw_uid}
    if not known:
        raise ServiceFailed("本机没有 root 以外的用户；请先建立一个 / no user but root exists: create one")
    # initdb looks the name of its user up, so the user must exist.
    other = known.get("nobody") or next(iter(known.values()))
    return _mapped(other.pw_uid, other.pw_gid) or _changed(other.pw_uid, other.pw_gid)


def _mapped(uid: int, gid: int) -> Guise | None:
    if shutil.which("unshare") is None:
        return None
    prefix = ("unshare", "--user", f"--map-user={uid}", f"--map-group={gid}", "--")
    # Files stay root's: the mapping changes what is seen, not what is.
    return Guise(prefix, 0, 0) if _works(prefix) else None


def _changed(uid: int, gid: int) -> Guise:
    passage = ("--inh-caps=+dac_override", "--ambient-caps=+dac_override")
    prefix = ("setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", *passage, "--")
    if shutil.which("setpriv") is None or not _works(prefix):
        raise ServiceFailed(
            "PostgreSQL 不能以 root 运行，本机又不允许切换用户；请用普通用户运行"
            " / PostgreSQL refuses root and this machine forbids changing user: start as an ordinary user"
        )
    return Guise(prefix, uid, gid)


def _works(prefix: tuple[str, ...]) -> bool:
    return subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode == 0


def tail(log: Path, lines: int = 8) -> str:
    """The last lines of a log, for an error that names it."""
    if not log.is_file():
        return "(no log)"
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
