"""The table of states against the code: who changes a state, and the effect of each event in each state."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import timedelta
from functools import cache
from importlib import import_module
from typing import Any
from unittest import mock

import pytest
from django.utils import timezone

from common.errors import Refusal
from docs import make_states
from videoplatform.tests.test_import_directions import modules, tree_of
from videos import ends, queue, services, transcribing, transcriptions
from videos.models import Job, Transcription, Video
from videos.publishing import LeaseLost
from videos.states import GONE, IMPORT, JOB, TABLES, TRANSCRIPTION, UPLOAD, VIDEO, StateChange, StateTable
from videos.tests.factories import VideoFactory
from videos.transcoding.errors import DecodeFailed, EncodeFailed, EncodeStopped

PID = 77
MODELS = {"Video": VIDEO, "Job": JOB, "Transcription": TRANSCRIPTION}
# Methods of ``LeasedQuerySet`` that change a state, and the state they begin.
METHODS = {"take": "running", "release": "waiting", "queue_again": "waiting", "put_off": "waiting"}
WRITING_CALLS = {"update", "create", "get_or_create", "transition", "end", *MODELS}
COLUMNS = {"completing_at": UPLOAD, "multipart_id": UPLOAD, "import_url": IMPORT}


def codes(table: StateTable) -> set[str]:
    return {code for event in table.events for code in event.code}


def changes(table: StateTable) -> list[StateChange]:
    """Return the events of rows that exist before and after."""
    return [event for event in table.events if GONE not in (*event.before, event.after)]


def test_page_is_drawn_from_the_table() -> None:
    assert make_states.PAGE.read_text() == make_states.page(), "run python -m docs.make_states"


@pytest.mark.parametrize("table", TABLES, ids=operator.attrgetter("title"))
def test_each_state_begins_and_has_a_way_out(table: StateTable) -> None:
    named = {state for event in table.events for state in (*event.before, event.after)}
    assert named - {GONE} == set(table.states)
    reached, seen = {GONE}, set[str]()
    while reached - seen:
        state = (reached - seen).pop()
        seen.add(state)
        reached |= table.after(state)
    assert reached - {GONE} == set(table.states)
    assert [state for state in table.states if not table.after(state) - {state}] == []


COLUMN_VALUES = {
    "Video": Video.Status.values,
    "Job": [value for value, _label in Job._meta.get_field("status").flatchoices],
    "Transcription": Transcription.Status.values,
}


@pytest.mark.parametrize("model", MODELS)
def test_states_are_those_of_the_column(model: str) -> None:
    assert list(MODELS[model].states) == COLUMN_VALUES[model]


def name_of_call(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def statuses_in(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, str]]:
    """Yield model and state for each ``Model.Status.STATE`` within ``nodes``."""
    for node in nodes:
        for inner in ast.walk(node):
            if isinstance(inner, ast.Attribute) and isinstance(inner.value, ast.Attribute):
                model = ast.unparse(inner.value.value)
                if inner.value.attr == "Status" and model in MODELS:
                    yield model, inner.attr.lower()


def writes_of(node: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield model and state for each write that ``node`` itself makes."""
    match node:
        case ast.Call() if name_of_call(node) in WRITING_CALLS:
            yield from writes_of_call(node)
        case ast.Dict():
            pairs = zip(node.keys, node.values, strict=True)
            yield from statuses_in(
                value for key, value in pairs if isinstance(key, ast.Constant) and key.value == "status"
            )
        case ast.Assign(targets=[ast.Name(id="status")], value=value):
            yield from statuses_in([value])
        case ast.Attribute(attr=method, value=ast.Attribute(attr="objects", value=ast.Name(id=model))):
            if method in METHODS and model in MODELS:
                yield model, METHODS[method]


def writes_of_call(call: ast.Call) -> Iterator[tuple[str, str]]:
    name = name_of_call(call)
    written = [keyword.value for keyword in call.keywords if keyword.arg == "status"]
    written += call.args if name in ("transition", "end") else []
    yield from statuses_in(written)
    created = ast.unparse(call.func).removesuffix(".objects.create")
    if created in MODELS and not written:
        yield created, next(iter(MODELS[created].states))


@cache
def functions() -> tuple[tuple[str, ast.AST], ...]:
    """Return the dotted name below ``videos`` and each node of all functions of the project."""
    return tuple(
        (f"{module}.{function.name}".removeprefix("videos."), node)
        for module in modules()
        for function in ast.walk(tree_of(module))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
    )


@cache
def all_writes() -> frozenset[tuple[str, tuple[str, str]]]:
    """Return function, model and state of every write of the project."""
    return frozenset((name, write) for name, node in functions() for write in writes_of(node))


@pytest.mark.parametrize("model", MODELS)
def test_only_the_listed_functions_change_a_state(model: str) -> None:
    events = [event for event in MODELS[model].events if event.after != GONE]
    assert {(name, state) for name, (owner, state) in all_writes() if owner == model} == {
        (code, event.after) for event in events for code in event.code
    }


def test_only_listed_functions_write_the_columns_of_uploads_and_imports() -> None:
    for name, node in functions():
        if not isinstance(node, ast.Call) or name_of_call(node) not in WRITING_CALLS:
            continue
        for keyword in node.keywords:
            if table := COLUMNS.get(keyword.arg or ""):
                assert name in codes(table), keyword.arg


@pytest.mark.parametrize("code", sorted(set().union(*map(codes, TABLES))))
def test_listed_function_exists(code: str) -> None:
    module, _, name = code.rpartition(".")
    assert callable(getattr(import_module(f"videos.{module}"), name))


@pytest.mark.parametrize("before", VIDEO.states)
@pytest.mark.parametrize("after", VIDEO.states)
def test_video_refuses_a_change_that_is_not_listed(before: str, after: str) -> None:
    video = Video(status=before)
    with mock.patch.object(Video.objects, "filter") as rows:
        if after in VIDEO.after(before):
            assert video.transition(after)
            assert video.status == after
        else:
            with pytest.raises(ValueError, match="cannot become"):
                video.transition(after)
            rows.assert_not_called()


def fail_outdated(job: Job) -> None:
    job.encode_key = "older"
    ends.stop_outdated(job)


def redo(job: Job) -> None:
    """Find frames missing in the run of ``job``; the failure that follows is an event of its own."""
    run = job.video.runs.create(encode_key=job.encode_key, kind="video", position=0, attempt=job.attempt)
    Job.objects.filter(pk=job.pk).update(run=run)
    with mock.patch("videos.ends.fail"):
        ends._redo(run)


Act = Callable[[Job], object]
# By the name of the event: the kind of the job, and the call.
ACTS: dict[str, tuple[str, Act]] = {
    "it is due, or its lease has expired: claim": ("video", lambda job: queue.take(job, "next:1")),
    "step ends": ("video", ends.finish_row),
    "media fails, attempts are left": ("video", lambda job: ends.fail(job, EncodeFailed())),
    "platform is in trouble: put off": (
        "video",
        lambda job: ends.put_off(job, Job.WaitsFor.HOST, OSError()),
    ),
    "worker stops: release": ("video", lambda _job: queue.release([PID])),
    "media fails for good, the job is dispensable": ("poster", lambda job: ends.fail(job, DecodeFailed())),
    "media fails for good": ("video", lambda job: ends.fail(job, DecodeFailed())),
    "encode fails or is stopped": ("video", lambda job: ends.fail_video(job.video, EncodeStopped())),
    "encode was replaced": ("video", fail_outdated),
    "chunk lacks frames that a later one has: encode it again": ("video", redo),
    "a dispensable job ended with an error: try again": ("storyboard", services.retry_job),
    "cancel of work that the video is complete without": ("storyboard", services.cancel_job),
}
HEARD: dict[str, Callable[[Transcription], object]] = {
    "captions are requested again": lambda row: transcriptions.request(row.video),
    "it is due, or its lease has expired: claim": lambda row: Transcription.objects.take(row, "next:1"),
    "chunk is heard": transcribing._release,
    "chunk fails, attempts are left": lambda row: transcriptions.fail(row, OSError()),
    "platform is in trouble: put off": lambda row: transcriptions.put_off(
        row, Transcription.WaitsFor.HOST, OSError()
    ),
    "worker stops: release": lambda _row: transcriptions.release([PID]),
    "captions are stored": lambda row: transcribing._record(row, "en", "key", mock.Mock()),
    "no speech, or the owner has captions": lambda row: transcriptions.end(
        row, Transcription.Outcome.NO_SPEECH
    ),
    "no audio, or attempts are used up": lambda row: transcriptions.end(row, Transcription.Outcome.NO_AUDIO),
    "cancel": lambda row: transcriptions.cancel(row.video),
}


def in_state(state: str) -> dict[str, Any]:
    """Return the fields of a row in ``state``; the lease of a running one has expired."""
    long_ago = timezone.now() - timedelta(hours=1)
    lease = {"lease_until": long_ago, "worker": f"{queue.this_host()}:{PID}"} if state == "running" else {}
    return {"status": state, "attempt": 1, "not_before": long_ago, "error_code": "x", **lease}


@pytest.mark.django_db
@pytest.mark.redis
@pytest.mark.parametrize("state", JOB.states)
@pytest.mark.parametrize("event", changes(JOB), ids=operator.attrgetter("name"))
def test_event_changes_a_job_as_listed(event: StateChange, state: str) -> None:
    kind, act = ACTS[event.name]
    video = VideoFactory(status="processing", is_playable=False, encoded=False)
    job = Job.objects.create(video=video, encode_key=video.encode_key, kind=kind, lane=0, **in_state(state))

    with suppress(LeaseLost, Refusal):
        act(job)

    job.refresh_from_db()
    assert job.status == (event.after if state in event.before else state)


@pytest.mark.django_db
@pytest.mark.redis
@pytest.mark.parametrize("state", TRANSCRIPTION.states)
@pytest.mark.parametrize("event", changes(TRANSCRIPTION), ids=operator.attrgetter("name"))
def test_event_changes_a_transcription_as_listed(event: StateChange, state: str) -> None:
    row = Transcription.objects.create(video=VideoFactory(), **in_state(state))

    with suppress(LeaseLost), mock.patch("videos.caption_tracks.record_ours"):
        HEARD[event.name](row)

    row.refresh_from_db()
    assert row.status == (event.after if state in event.before else state)
