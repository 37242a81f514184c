"""The query times of a large site on PostgreSQL, against one row by its primary key.

It starts and fills its own PostgreSQL, as the tests do. ``DATABASE_URL`` names another one,
which is empty or was filled by an earlier run.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import django

from benchmarks.harness import report
from videoplatform.testing import postgres

RUNS = 7


@contextmanager
def database() -> Iterator[str]:
    """Yield the URL of the database to measure."""
    if url := os.environ.get("DATABASE_URL"):
        yield url
        return
    with tempfile.TemporaryDirectory() as folder:
        server = postgres.make_server(Path(folder))
        with subprocess.Popen(server.processes[0].command, stderr=subprocess.DEVNULL) as process:
            try:
                postgres.wait_until_it_answers(server.url)
                yield server.url
            finally:
                process.kill()


def questions() -> dict[str, Callable[[], object]]:
    """Return the queries of pages, the API, the admin and the workers, by name."""
    from django.contrib import admin
    from django.contrib.auth.models import AnonymousUser
    from django.db.models import Count
    from django.test import RequestFactory

    from accounts.models import Channel, User
    from comments.models import Comment, Danmaku
    from comments.thread import Place, Thread
    from live.models import Broadcast, ChatMessage
    from videos import queue
    from videos.listing import Listing
    from videos.models import Job, Video
    from videos.publishing import Encode
    from videos.room import kept_bytes

    (busiest_channel,) = Channel.objects.annotate(count=Count("videos")).order_by("-count")[:1]
    busiest = Place(Video.objects.get(pk=1), "", "")

    def thread() -> Thread:
        return Thread(busiest, AnonymousUser())

    def listing(**asked: str) -> Callable[[], object]:
        return lambda: Listing(**asked).page(Video.objects.listed().for_cards())

    def admin_list(model: type[Any], **asked: str) -> Callable[[], object]:
        request: Any = RequestFactory().get("/", asked)
        request.user = User(pk=1, is_superuser=True, is_staff=True)
        lists = admin.site.get_model_admin(model)
        return lambda: list(lists.get_changelist_instance(request).result_list)

    asked: dict[str, Callable[[], object]] = {
        "one person by name": lambda: User.objects.get(username__iexact="person777"),
        "one person by address": lambda: User.objects.get(email__iexact="Person777@example.org"),
        "comments, best": lambda: thread().page("best"),
        "comments, newest": lambda: thread().page("newest"),
        "comments, how many": lambda: thread().count,
        "claim a job": lambda: queue._fairest([Job.Lane.FIRST, Job.Lane.BULK]),
        "bytes of a channel": lambda: kept_bytes(busiest_channel),
        "playlist": lambda: Encode.of(Video.objects.get(pk=500)),
        "jobs that wait": lambda: Job.objects.claimable()[:20].count(),
    }
    for ordering in ("-published_at", "-views", "-likes"):
        asked[f"videos, {ordering}"] = listing(ordering=ordering)
        asked[f"videos of a tag, {ordering}"] = listing(ordering=ordering, tag="tag1")
    for word in ("zzzzqq", "kalomi", "直播", "qx", "person1"):
        asked[f"search {word}"] = listing(words=word)
        asked[f"channels {word}"] = lambda word=word: list(Channel.objects.matching(word))  # type: ignore[misc]
    for model in (Comment, Danmaku, Video, User, Channel, Broadcast, ChatMessage):
        asked[f"admin {model.__name__}"] = admin_list(model)
        asked[f"admin {model.__name__}, search"] = admin_list(model, q="person777")
    return asked


def milliseconds(ask: Callable[[], object]) -> tuple[float, int]:
    """Return the milliseconds that SQL takes for one entry, and the number of its queries."""
    from django.db import connection

    spent: list[float] = []

    def timed(execute: Any, *arguments: Any) -> Any:
        began = time.perf_counter()
        try:
            return execute(*arguments)
        finally:
            spent.append(time.perf_counter() - began)

    with connection.execute_wrapper(timed):
        ask()
    return sum(spent) * 1000, len(spent)


def measure() -> None:
    from videos.models import Video

    baseline = min(milliseconds(lambda: Video.objects.get(pk=500))[0] for _ in range(RUNS))
    report("one video by its key", ms=baseline)
    for name, ask in questions().items():
        runs = [milliseconds(ask) for _ in range(RUNS)]
        # The minimum is the least disturbed: other load only adds.
        least = min(run[0] for run in runs)
        report(name, ms=least, ratio=least / baseline, queries=runs[0][1])


def main() -> None:
    with database() as url, tempfile.TemporaryDirectory() as folder:
        os.environ |= {
            "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "videoplatform.settings", "DEBUG": "1",
            "SECRET_KEY": secrets.token_hex(), "DATA_DIR": os.environ.get("DATA_DIR", folder),
        }  # fmt: skip
        django.setup()
        from django.core.management import call_command

        from accounts.models import User
        from benchmarks import sql_rows

        call_command("migrate", verbosity=0)
        if not User.objects.exists():
            sql_rows.fill(lambda part: print(f"Filling {part}", flush=True))
        measure()


if __name__ == "__main__":
    main()
