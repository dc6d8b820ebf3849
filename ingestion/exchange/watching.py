"""The service that looks: drop folders every few seconds, addresses and views by their schedule."""

from __future__ import annotations

import logging
import tempfile
import threading
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path

from django.db import InterfaceError, OperationalError
from django.utils import timezone

from chuxiong.kit.problems import Problem
from chuxiong.work.jobs import where
from ingestion.exchange import deliveries, fetching, pulls, views
from ingestion.exchange.fetching import Fetch
from ingestion.exchange.folders import TAKEN, FilesFailed, Watcher
from ingestion.exchange.sources import Folder, Pull, Sources, SourcesFault, View, load
from ingestion.intake.receive import ALIAS
from ingestion.models import Delivery, SourceMark
from ingestion.selectors import catalog

logger = logging.getLogger(__name__)

_ROUND_SECONDS = 1.0
_SWEEP_ROUNDS = 3600


class Watch:
    """Reads the declaration anew when its file changes; a fault in it is told and the former one kept."""

    def __init__(self, path: Path, *, quiet_seconds: float | None = None) -> None:
        self.path, self.quiet = path, quiet_seconds
        self.sources, self._stamp = Sources(), 0.0
        self._watchers: dict[str, Watcher] = {}
        self.extra: list[Callable[[datetime], None]] = []

    def go_on(self, stop: threading.Event) -> None:
        """Round after round until ``stop``; a database that went away is waited for."""
        rounds = 0
        while not stop.is_set():
            try:
                self.round(at=timezone.now())
                if rounds % _SWEEP_ROUNDS == 0:
                    deliveries.sweep()
                rounds += 1
                # For whoever asks whether the service lives.
                (Path(tempfile.gettempdir()) / "exchange-round").touch()
            except Exception as error:
                # A database that went away is waited for; whatever else it was, the other sources are served.
                logger.warning("round interrupted: %s", where(error))
            stop.wait(_ROUND_SECONDS)

    def round(self, *, at: datetime) -> None:
        self._read()
        for folder in self.sources.folders:
            self._look(folder, at)
        for pull in self.sources.pulls:
            self._fetch(pull, partial(pulls.fetch, pull), Delivery.Way.PULL, at)
        for view in self.sources.views:
            self._fetch(view, partial(views.fetch, view), Delivery.Way.VIEW, at)
        for more in self.extra:
            more(at)

    def _read(self) -> None:
        stamp = self.path.stat().st_mtime if self.path.is_file() else -1.0
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self.sources = checked(load(self.path))
        except SourcesFault as fault:
            logger.error("%s", fault)
            return
        except OSError as error:
            logger.error("%s: %s", self.path, type(error).__name__)
            return
        known = {f.code: f for f in self.sources.folders}
        self._watchers = {c: w for c, w in self._watchers.items() if known.get(c) == w.folder}

    def _look(self, folder: Folder, at: datetime) -> None:
        watcher = self._watchers.setdefault(folder.code, Watcher(folder, quiet_seconds=self.quiet))
        try:
            watcher.round(at=at)
        except (OperationalError, InterfaceError):
            raise
        except FilesFailed as failed:
            names = "、".join(failed.names[:3])
            problem = Problem(
                str(folder.path / TAKEN),
                f"{len(failed.names)} 个文件未能移交：{names}（{where(failed.error)}）",
                "其余文件照常接收，这些将自动重试；持续出现请系统管理员按出错位置排除，或取出文件改用其他方式报送。",
            )
            _tell(folder, at, problem)
        except Exception as error:
            _tell(
                folder,
                at,
                Problem(
                    str(folder.path),
                    f"目录不能用（{type(error).__name__}）",
                    "请检查目录是否存在、是否已挂载、本程序能否读写。",
                ),
            )
        else:
            _tell(folder, at, None)

    def _fetch(self, source: Pull | View, fetch: Fetch, way: str, at: datetime) -> None:
        """One source by its schedule; whatever it does, the others are served."""
        try:
            if fetching.due(source, at=at):
                fetching.run(source, fetch, way=way, at=at)
        except (OperationalError, InterfaceError):
            raise
        except Exception as error:
            logger.error("source %s: %s", source.code, where(error))
            problem = Problem(
                f"来源 {source.code}",
                f"处理失败（{where(error)}）",
                "将按退避间隔自动重试；持续失败请系统管理员按出错位置排除，并与报送单位核对所返回的内容。",
            )
            fetching.failed(source, problem, at=at)


def checked(sources: Sources) -> Sources:
    """The same, once every feed is known to be live. Raises ``SourcesFault``."""
    live = catalog()
    every: list[Folder | Pull | View] = [*sources.folders, *sources.pulls, *sources.views]
    for source in every:
        if source.feed not in live:
            raise SourcesFault(f"来源 {source.code}：没有启用的数据源 {source.feed}；可用的见 feed list")
    return sources


def _tell(folder: Folder, at: datetime, problem: Problem | None) -> None:
    """Keep what is wrong with a folder where the status shows it; written only when it changes."""
    held = SourceMark.objects.using(ALIAS).filter(pk=folder.code).first()
    said = deliveries.as_problem(problem) if problem else None
    if (held.problem if held else None) == said:
        return
    SourceMark.objects.using(ALIAS).update_or_create(
        pk=folder.code, defaults={"tried_at": at, "problem": said}
    )
    if problem:
        logger.error("%s", problem)
