"""The rows of a large site, generated within PostgreSQL.

200,000 people, 100,000 videos with 600,000 jobs, 1,000,000 comments; ``BENCHMARK_SHARE``
scales them. Every value depends only on the number of its row, so that two runs measure the
same.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from allauth.account.models import EmailAddress
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.core.management.color import no_style
from django.db import connection
from django.db.models import FloatField, IntegerField

from accounts.models import ApiToken, Case, Channel, Decision, Follow, Notification, Report, User
from comments.models import Comment, CommentLike, Danmaku
from live.models import Broadcast, ChatMessage, Stream
from videos.models import Job, Like, Rendition, SegmentRun, Tag, Video, VideoText

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.db.models import Field, Model

SHARE = float(os.environ.get("BENCHMARK_SHARE", "1"))
PEOPLE, VIDEOS, COMMENTS = int(200_000 * SHARE), int(100_000 * SHARE), int(1_000_000 * SHARE)
MESSAGES = LINKS = COMMENTS  # of chat and under the bell; half as many likes, follows, danmaku and tags
TAGS, STREAMS, BROADCASTS = PEOPLE // 40, PEOPLE // 10, PEOPLE // 5
CASES, REPORTS = PEOPLE // 10, PEOPLE // 2
JOBS_PER_VIDEO, RUNS_PER_VIDEO, PHRASES = 6, 4, 1_000
SYLLABLES = (
    "ka lo mi ter an su vel dro pin hat or ze qui ban ux lem fy gor wes cha 直播 视频 弹幕 游戏 音乐".split()  # noqa: SIM905
)

# A number between 0 and 1 derived from its row, and one that is mostly near 0: a few videos
# have most of the comments.
FUNCTIONS = """
CREATE OR REPLACE FUNCTION chance(n bigint, salt text) RETURNS float IMMUTABLE PARALLEL SAFE LANGUAGE sql AS
$$ SELECT ('x' || substr(md5(n::text || salt), 1, 8))::bit(32)::bigint / 4294967296.0 $$;
CREATE OR REPLACE FUNCTION pick(n bigint, salt text, size int, skew float DEFAULT 1)
RETURNS int IMMUTABLE PARALLEL SAFE LANGUAGE sql AS
$$ SELECT 1 + least(size - 1, floor(power(chance(n, salt), skew) * size)::int) $$;
"""


WORD = " || ".join(
    f"(ARRAY{SYLLABLES!r})[pick(9 * phrase + word, '{salt}', {len(SYLLABLES)})]" for salt in "abc"
)
VOCABULARY = f"""
WITH vocabulary AS MATERIALIZED (
    SELECT array_agg(text) AS phrases FROM (
        SELECT string_agg({WORD}, ' ') AS text
        FROM generate_series(1, {PHRASES}) AS a(phrase), generate_series(1, 3) AS b(word) GROUP BY phrase
    ) AS phrase
)
"""


def fill(report: Callable[[str], None]) -> None:
    """Fill an empty, migrated PostgreSQL; this takes some minutes."""
    with connection.cursor() as cursor:
        cursor.execute(FUNCTIONS)
    for part in (people, videos, comments, live, moderation, sign_in):
        report(part.__name__)
        part()
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def rows(model: type[Model], count: int, **columns: str) -> None:
    """Insert ``count`` rows.

    A column is an SQL expression of its row number ``n``, or the field's default.
    """
    names, values, parameters = [], [], []
    for field in model._meta.concrete_fields:
        if field.attname in columns:
            values.append(columns[field.attname])
        elif field.primary_key:
            values.append("n")
        else:
            values.append(f"%s::{field.db_type(connection)}")
            parameters.append(default_of(field))
        names.append(connection.ops.quote_name(field.column or ""))
    table = connection.ops.quote_name(model._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(
            f"{VOCABULARY} INSERT INTO {table} ({', '.join(names)}) SELECT {', '.join(values)}"
            f" FROM generate_series(1, {count}) AS series(n), vocabulary ON CONFLICT DO NOTHING",
            parameters,
        )
        for statement in connection.ops.sequence_reset_sql(no_style(), [model]):
            cursor.execute(statement)


def default_of(field: Field[Any, Any]) -> Any:
    value = field.get_default()
    if value in (None, "") and not field.null and isinstance(field, IntegerField | FloatField):
        value = 0
    return field.get_db_prep_save(value, connection)


def ago(minutes: str) -> str:
    """Return an SQL timestamp that many minutes ago."""
    return f"now() - ({minutes}) * interval '1 minute'"


def words(salt: str, count: int) -> str:
    """Return an SQL text of ``count`` words, in phrases of three."""
    return " || ' ' || ".join(f"phrases[pick(n, '{salt}{place}', {PHRASES})]" for place in range(count // 3))


def id_of(prefix: str) -> str:
    return f"'{prefix}' || lpad(n::text, 9, '0')"


def people() -> None:
    rows(
        User, PEOPLE,
        username="'Person' || n", email="'person' || n || '@example.org'", password="'!'",
        is_active="mod(n, 50) <> 7", date_joined=ago(f"{PEOPLE} - n"),
    )  # fmt: skip
    rows(
        Channel, PEOPLE,
        owner_id="n", display_name=words("name", 3), bio=words("bio", 12), created_at=ago(f"{PEOPLE} - n"),
    )  # fmt: skip
    rows(
        Follow, LINKS // 2,
        follower_id=f"pick(n, 'who', {PEOPLE})", channel_id=f"pick(n, 'whom', {PEOPLE}, 5)",
        created_at=ago("n"),
    )  # fmt: skip
    rows(
        Notification, LINKS,
        person_id=f"pick(n, 'bell', {PEOPLE}, 3)", kind="'reply'", created_at=ago("n"),
        read_at=f"CASE WHEN mod(n, 3) = 0 THEN {ago('n')} END",
    )  # fmt: skip


def videos() -> None:
    rows(
        Video, VIDEOS,
        public_id=id_of("vd"), channel_id=f"pick(n, 'by', {PEOPLE}, 4)", title=words("title", 6),
        description=words("about", 60),
        category="(ARRAY['music', 'gaming', 'film', 'other'])[pick(n, 'cat', 4)]",
        visibility="CASE mod(n, 20) WHEN 1 THEN 'private' WHEN 2 THEN 'unlisted' ELSE 'public' END",
        status="CASE WHEN mod(n, 1000) = 3 THEN 'processing' WHEN mod(n, 50) = 4 THEN 'failed'"
        " ELSE 'ready' END",
        is_playable="mod(n, 1000) <> 3 AND mod(n, 50) <> 4", encode_key="'k' || n", duration_s="mod(n, 3000)",
        source_key="'videos/' || n || '/source'", view_count="floor(1000000 * power(chance(n, 'views'), 8))",
        like_count="floor(10000 * power(chance(n, 'likes'), 8))", created_at=ago(f"({VIDEOS} - n) * 5"),
        published_at=ago(f"({VIDEOS} - n) * 5"),
    )  # fmt: skip
    # The words are plain ASCII, whose searched form is lower case.
    title, description = words("title", 6), words("about", 60)
    rows(
        VideoText,
        VIDEOS,
        video_id="n",
        title=f"lower({title})",
        text=f"lower({title} || ' ' || {description})",
    )
    rows(Tag, TAGS, name="'tag' || n")
    through: Any = Video.tags.through
    rows(through, LINKS // 3, video_id=f"1 + mod(n, {VIDEOS})", tag_id=f"pick(n, 'tag', {TAGS}, 3)")
    rows(
        Like,
        LINKS // 2,
        video_id=f"pick(n, 'liked', {VIDEOS}, 3)",
        user_id=f"pick(n, 'liker', {PEOPLE})",
        created_at=ago("n"),
    )
    rows(
        Rendition, 4 * VIDEOS,
        video_id="1 + (n - 1) / 4", encode_key="'k' || (1 + (n - 1) / 4)", kind="'video'",
        position="mod(n, 4)",
        name="'v' || mod(n, 4)", frame_rate="30",
    )  # fmt: skip
    rows(
        SegmentRun, RUNS_PER_VIDEO * VIDEOS,
        video_id=f"1 + (n - 1) / {RUNS_PER_VIDEO}", encode_key=f"'k' || (1 + (n - 1) / {RUNS_PER_VIDEO})",
        kind=f"CASE WHEN mod(n - 1, {RUNS_PER_VIDEO}) = 0 THEN 'audio' ELSE 'video' END",
        position=f"greatest(0, mod(n - 1, {RUNS_PER_VIDEO}) - 1)", attempt="1", bytes_stored="1000000",
        is_open=f"mod(1 + (n - 1) / {RUNS_PER_VIDEO}, 1000) = 3",
        segments="(SELECT jsonb_agg(4.0 + mod(n + i, 7) / 100.0) FROM generate_series(1, 20) AS s(i))",
    )  # fmt: skip
    video = f"1 + (n - 1) / {JOBS_PER_VIDEO}"
    unfinished = f"mod({video}, 1000) = 3 AND mod(n, 2) = 0"
    moment = ago(f"({VIDEOS} - {video}) * 5")
    rows(
        Job, JOBS_PER_VIDEO * VIDEOS,
        video_id=video, encode_key=f"'k' || ({video})",
        kind="(ARRAY['plan', 'poster', 'audio', 'video', 'video', 'video'])[1 + mod(n - 1, 6)]",
        position="greatest(0, mod(n - 1, 6) - 3)", lane="mod(n, 2)", attempt="1",
        status=f"CASE WHEN {unfinished} THEN 'waiting' ELSE 'done' END",
        claimed_at=moment, finished_at=f"CASE WHEN NOT ({unfinished}) THEN {moment} END",
        length_s="80",
        # After the plan and the poster, each job has a run.
        run_id=f"CASE WHEN mod(n - 1, 6) >= 2 THEN ({video} - 1) * {RUNS_PER_VIDEO} + mod(n - 1, 6) - 1 END",
    )  # fmt: skip


def comments() -> None:
    """Insert comments with replies in groups of ten; the first video has a tenth of all."""
    video_type = ContentType.objects.get_for_model(Video).pk
    group = "(n - 1) / 10"
    target = f"CASE WHEN mod({group}, 10) = 0 THEN 1 ELSE pick({group}, 'video', {VIDEOS}, 3) END"
    is_reply = "mod(n - 1, 10) >= 7"
    likes = "floor(1000 * power(chance(n, 'hearts'), 10))"
    about = {"target_type_id": str(video_type), "target_id": target}
    rows(
        Comment, COMMENTS, **about,
        public_id=id_of("cm"), author_id=f"pick(n, 'author', {PEOPLE}, 2)", text=words("text", 12),
        parent_id=f"CASE WHEN {is_reply} THEN {group} * 10 + 1 END", created_at=ago(f"({COMMENTS} - n) / 2"),
        deleted_at=f"CASE WHEN mod(n, 50) = 5 THEN {ago('n')} END", is_hidden="mod(n, 200) = 6",
        is_held="mod(n, 500) = 8", is_pinned="n = 1", like_count=likes,
        score=f"ln(1 + {likes}) / ln(2) - ({COMMENTS} - n) / 2.0 / 1440 / 30",
    )  # fmt: skip
    rows(
        CommentLike, LINKS // 2,
        comment_id=f"pick(n, 'liked', {COMMENTS}, 2)", user_id=f"pick(n, 'liker', {PEOPLE})",
        created_at=ago("n"),
    )  # fmt: skip
    rows(
        Danmaku, LINKS // 2, **about,
        public_id=id_of("dm"), author_id=f"pick(n, 'author', {PEOPLE}, 2)", text=words("fly", 3),
        offset_ms="pick(n, 'at', 600000)", created_at=ago("n"), is_hidden="mod(n, 200) = 6",
    )  # fmt: skip


def live() -> None:
    rows(
        Stream, STREAMS, channel_id="n", title=words("stream", 3),
        key_digest="encode(sha256(n::text::bytea), 'hex')", key_created_at=ago("n"),
    )  # fmt: skip
    rows(
        Broadcast, BROADCASTS,
        public_id=id_of("bc"), stream_id=f"1 + mod(n - 1, {STREAMS})",
        status="CASE WHEN n <= 100 THEN 'live' ELSE 'ended' END",
        started_at=ago("n"), connection_id="'c' || n",
    )  # fmt: skip
    rows(
        ChatMessage, MESSAGES,
        public_id=id_of("ch"), stream_id=f"pick(n, 'room', {STREAMS}, 4)",
        broadcast_id=f"pick(n, 'room', {STREAMS}, 4)",
        user_id=f"pick(n, 'who', {PEOPLE})", seq="n", text=words("chat", 6),
        sent_at=ago(f"({MESSAGES} - n) / 4"),
    )  # fmt: skip


def moderation() -> None:
    rows(
        Case, CASES,
        target_type="'comment'", target_id=id_of("cm"), author_id=f"pick(n, 'author', {PEOPLE}, 2)",
        title=words("title", 6), status="CASE WHEN mod(n, 20) = 0 THEN 'open' ELSE 'closed' END",
        report_count="mod(n, 7)", opened_at=ago("n"), reported_at=ago("n"),
    )  # fmt: skip
    rows(
        Report, REPORTS,
        case_id=f"pick(n, 'case', {CASES})", reporter_id=f"pick(n, 'reporter', {PEOPLE}, 2)", reason="'spam'",
        title=words("title", 6), text=words("text", 12), status="'dismissed'", created_at=ago("n"),
    )  # fmt: skip
    rows(
        Decision, REPORTS,
        case_id=f"pick(n, 'case', {CASES})", action="'leave'", moderator_name="'Person1'",
        title=words("title", 6),
        person_id=f"pick(n, 'person', {PEOPLE}, 2)", created_at=ago("n"),
    )  # fmt: skip


def sign_in() -> None:
    rows(
        EmailAddress, PEOPLE,
        user_id="n", email="'person' || n || '@example.org'", verified="true", primary="true",
    )  # fmt: skip
    rows(
        ApiToken, PEOPLE,
        digest="md5(n::text)", user_id="n", token_key="'k' || n", created=ago("n"),
        expiry=f"now() + (n - {PEOPLE // 2}) * interval '1 minute'",
    )  # fmt: skip
    rows(
        Session, PEOPLE,
        session_key="'s' || n", session_data="md5(n::text)",
        expire_date=f"now() + (n - {PEOPLE // 2}) * interval '1 minute'",
    )  # fmt: skip
