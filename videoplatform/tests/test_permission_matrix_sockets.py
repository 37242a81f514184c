"""Permissions of WebSockets: the type of the first message, or the close code, for each asker."""

from __future__ import annotations

import json

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.conf import settings

from accounts.routing import websocket_urlpatterns as notification_urlpatterns
from live.chat import tickets
from live.routing import websocket_urlpatterns as chat_urlpatterns
from live.services import edit_stream
from live.tests.chat_clients import Socket, joined
from videoplatform.asgi import application
from videoplatform.tests.askers import Asker, Row, expected, surprises, table
from videoplatform.tests.world import World, world
from videos.routing import websocket_urlpatterns as video_urlpatterns

__all__ = ["world"]  # a fixture
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.redis, pytest.mark.storage]

PATIENCE_S = 10
OURS, ANOTHERS, NOBODYS = "http://localhost", "https://elsewhere.example", ""

SOCKETS = table("""
                                            anonymous   person    owner moderator administrator suspended
WS  /ws/notifications/                           4001   unread   unread    unread        unread      4001
WS  /ws/videos/{public}/progress/                4004     4004 progress  progress      progress      4004
WS  /ws/videos/{private}/progress/               4004     4004 progress  progress      progress      4004
WS  /ws/videos/{uploading}/progress/             4004     4004 progress  progress      progress      4004
WS  /ws/videos/no-such-video/progress/           4004     4004     4004      4004          4004      4004
WS  /ws/videos/{public}/conversation/           taken    taken    taken     taken         taken      4004
WS  /ws/videos/{private}/conversation/           4004     4004    taken     taken         taken      4004
WS  /ws/videos/{locked}/conversation/            4004     4004    taken     taken         taken      4004
WS  /ws/videos/{followed}/conversation/          4004    taken    taken     taken         taken      4004
WS  /ws/videos/{removed}/conversation/           4004     4004     4004     taken         taken      4004
WS  /ws/live/{owner}/chat/                      hello    hello    hello     hello         hello      4004
WS  /ws/live/{owner}/chat/?ticket=forged         4001     4001     4001      4001          4001      4001
WS  /ws/live/nobody-here/chat/                   4004     4004     4004      4004          4004      4004
""")

# With a ticket issued while the stream was public and nobody was suspended. A ticket is
# valid for a minute without a database check; a test below covers its use by the suspended
# owner.
PRIVATE_STREAM = table("""
                                            anonymous   person    owner moderator administrator suspended
WS  /ws/live/{owner}/chat/                       4004     4004     4004      4004          4004      4004
WS  /ws/live/{owner}/chat/?ticket={ticket}       4001     4004    hello     hello         hello     hello
""")


async def answered(
    asker: Asker, rows: tuple[Row, ...], world: World, *, origin: str = OURS
) -> dict[str, str]:
    ticket = await sync_to_async(ticket_of)(asker, world)
    cookie = await sync_to_async(cookie_of)(asker, world)
    names = world.names | {"ticket": ticket or "none"}
    return {row.request: await first_word(row.path(names), cookie, origin) for row in rows}


def ticket_of(asker: Asker, world: World) -> str:
    if asker is Asker.ANONYMOUS:
        return ""
    person = world.person("owner" if asker is Asker.SUSPENDED else asker)
    return tickets.issue(world.rows["stream"], person)[0]


def cookie_of(asker: Asker, world: World) -> str:
    cookie = world.client(asker).cookies.get(settings.SESSION_COOKIE_NAME)
    return f"{settings.SESSION_COOKIE_NAME}={cookie.value}" if cookie else ""


async def first_word(path: str, cookie: str, origin: str) -> str:
    headers = {b"host": b"localhost", b"origin": origin.encode(), b"cookie": cookie.encode()}
    sent = [(name, value) for name, value in headers.items() if value]
    socket = WebsocketCommunicator(application, path, sent)
    is_open, _code = await socket.connect(PATIENCE_S)
    if not is_open:
        return "turned away"
    # A conversation socket sends nothing before this message; the others ignore it.
    await socket.send_json_to({"type": "showing", "comments": ["gone"]})
    output = await socket.receive_output(PATIENCE_S)
    await socket.disconnect(timeout=PATIENCE_S)
    return str(output["code"]) if output["type"] == "websocket.close" else json.loads(output["text"])["type"]


@pytest.mark.slow
async def test_sockets_answer_according_to_the_table(world: World) -> None:
    for asker in Asker:
        assert surprises(await answered(asker, SOCKETS, world), expected(SOCKETS, asker)) == {}, asker


async def test_room_of_a_private_stream_answers_according_to_the_table(world: World) -> None:
    await sync_to_async(edit_stream)(world.rows["stream"], visibility="private")

    for asker in Asker:
        found = await answered(asker, PRIVATE_STREAM, world)
        assert surprises(found, expected(PRIVATE_STREAM, asker)) == {}, asker


@pytest.mark.parametrize("origin", [ANOTHERS, NOBODYS])
async def test_cookie_opens_sockets_only_from_our_origin(origin: str, world: World) -> None:
    found = await answered(Asker.OWNER, SOCKETS, world, origin=origin)

    by_cookie = {request: word for request, word in found.items() if "/chat/" not in request}
    by_ticket = {request: word for request, word in found.items() if "/chat/" in request}
    assert set(by_cookie.values()) == {"turned away"}
    assert by_ticket == {request: expected(SOCKETS, Asker.OWNER)[request] for request in by_ticket}


@pytest.mark.parametrize("who", ["owner", "moderator", "administrator"])
async def test_ticket_allows_no_writing_after_suspension(who: str, world: World) -> None:
    ticket = await sync_to_async(ticket_of)(Asker(who), world)
    await sync_to_async(world.suspend)(who)

    async with joined(f"/ws/live/owner/chat/?ticket={ticket}") as socket:
        assert (await socket.frame())["type"] == "hello"
        found = await refusal_of(socket, {"type": "say", "text": "still here", "nonce": "1"})
        moderated = await refusals_of_moderation(socket, world)

    assert (found, moderated) == ("silenced", {"forbidden"})


async def test_viewer_cannot_moderate_a_room(world: World) -> None:
    ticket = await sync_to_async(ticket_of)(Asker.PERSON, world)

    async with joined(f"/ws/live/owner/chat/?ticket={ticket}") as socket:
        await socket.frame()
        moderated = await refusals_of_moderation(socket, world)

    assert moderated == {"forbidden"}


async def refusals_of_moderation(socket: Socket, world: World) -> set[str]:
    """Return the error codes of all moderation messages."""
    return {
        await refusal_of(socket, {"type": "delete", "id": world.rows["message"].public_id}),
        await refusal_of(socket, {"type": "timeout", "username": "person", "seconds": 60}),
        await refusal_of(socket, {"type": "ban", "username": "person"}),
        await refusal_of(socket, {"type": "unban", "username": "guest"}),
        await refusal_of(socket, {"type": "mode", "slow_s": 60}),
    }


async def refusal_of(socket: Socket, frame: dict[str, object]) -> str:
    await socket.send(frame)
    return str((await socket.error())["code"])


def test_every_route_of_a_socket_is_in_the_table(world: World) -> None:
    known = [*notification_urlpatterns, *video_urlpatterns, *chat_urlpatterns]

    paths = [row.path(world.names).partition("?")[0].removeprefix("/") for row in SOCKETS]

    unasked = [str(route.pattern) for route in known if not any(route.pattern.match(path) for path in paths)]
    assert unasked == []
