"""Permissions of moderators and administrators in the admin, and refusal of everyone else."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.contenttypes.models import ContentType
from django.test import Client
from django.urls import resolve, reverse

from accounts.tests.factories import UserFactory
from videoplatform.tests.askers import (
    Asker,
    Row,
    answer,
    answers,
    expected,
    routes,
    surprises,
    table,
    undone,
    writes,
)
from videoplatform.tests.world import World, world
from videos.models import Video

__all__ = ["world"]  # a fixture
pytestmark = [pytest.mark.django_db, pytest.mark.redis, pytest.mark.storage]

STAFF = (Asker.MODERATOR, Asker.ADMINISTRATOR)
OTHERS = tuple(asker for asker in Asker if asker not in STAFF)

# Pages beside the lists and forms; for the password form of accounts.user, see MODELS.
DESK = table("""
                                                      anonymous person owner moderator administrator suspended
GET     /admin/                                           login  login login       200           200     login
GET     /admin/login/                                     login    403   403       302           302     login
POST    /admin/logout/                                      302-  302-  302-      302-          302-      302-
GET     /admin/password_change/                           login  login login       200           200     login
GET     /admin/password_change/done/                      login  login login       200           200     login
GET     /admin/jsi18n/                                    login  login login       200           200     login
GET     /admin/autocomplete/                              login  login login       403           403     login
GET     /admin/figures/                                   login  login login       200           200     login
GET     /admin/live/                                      login  login login       200           200     login
GET     /admin/common/                                    login  login login       404           200     login
GET     /admin/no/such/page/                              login  login login       404           404     login
GET     /admin/r/{video_type}/{public_pk}/                login  login login       302           302     login
GET     /admin/accounts/user/{person_pk}/password/        login  login login       403           200     login
POST    /admin/accounts/user/{person_pk}/password/        login  login login       403           302     login

# The moderation desk
GET     /admin/accounts/case/next/                        login  login login       302           302     login
POST    /admin/accounts/case/{case}/claim/                login  login login       200           200     login
POST    /admin/accounts/case/{case}/release/              login  login login       200-          200-    login
POST    /admin/accounts/case/{case}/decide/#leave         login  login login       302           302     login
POST    /admin/accounts/case/{case}/decide/#remove        login  login login       302           302     login
POST    /admin/accounts/case/{case}/decide/#ban           login  login login       302           302     login
POST    /admin/accounts/case/{decided_case}/undo/{decision}/ login login login     302           302     login
""")

# For each model: the row under test, and the permissions on its list, its forms and its
# delete page.
MODELS = """
model                  target       moderator           administrator
auth.group             group        -                   see add change delete
accounts.user          person       see                 see add change
accounts.channel       channel      see change          see change
accounts.follow        follow       see                 see
accounts.case          case         see                 see
accounts.report        report       see                 see
accounts.decision      decision     see                 see
accounts.sanction      sanction     see                 see
accounts.invitation    invitation   -                   see add change delete
accounts.outboxentry   entry        -                   see
accounts.sweepfailure  failure      -                   see
accounts.apitoken      token        -                   see delete
mfa.authenticator      factor       -                   see delete
comments.comment       comment      see change          see change
comments.danmaku       danmaku      see change          see change
videos.video           public       see                 see change delete
videos.clip            public_clip  see                 see
live.stream            stream       see change          see change
common.pendingdeletion  pending     -                   see delete
common.discrepancy     discrepancy  -                   see delete
videos.transcription   hearing      -                   see change
videos.job             waiting_job  -                   see change
live.broadcast         broadcast    see                 see
live.chatmessage       message      see                 see
live.chatrestriction   restriction  see delete          see delete
"""

# For each action: the row it is applied to, and whether it succeeds.
ACTIONS = """
model                  action              target          moderator  administrator
auth.group             delete_selected     group           -          done

accounts.user          delete_selected     person          -          -
accounts.user          time_out            person          done       done
accounts.user          time_out            colleague       -          done
accounts.user          suspend             person          done       done
accounts.user          suspend             colleague       -          done
accounts.user          suspend             chief           -          done
accounts.user          suspend             moderator       -          done
accounts.user          suspend             administrator   -          -
accounts.user          ban                 person          done       done
accounts.user          ban                 chief           -          done
accounts.user          lift_all            guest           done       done
accounts.user          lift_all            colleague       -          done
accounts.user          revoke_tokens       owner           done       done
accounts.user          revoke_tokens       chief           -          done
accounts.user          confirm_email       person          -          done
accounts.user          make_moderator      person          -          done
accounts.user          make_moderator      moderator       -          done
accounts.user          make_administrator  person          -          done
accounts.user          make_administrator  moderator       -          done
accounts.user          take_moderator      colleague       -          done
accounts.user          take_administrator  chief           -          done
accounts.user          take_administrator  administrator   -          -
accounts.channel       delete_selected     channel         -          -
accounts.follow        delete_selected     follow          -          -

accounts.case          delete_selected     case            -          -
accounts.case          leave               case            done       done
accounts.case          hide                case            done       done
accounts.case          remove              case            done       done
accounts.case          time_out            case            done       done
accounts.case          suspend             case            done       done
accounts.case          ban                 case            done       done
accounts.report        delete_selected     report          -          -
accounts.decision      delete_selected     decision        -          -
accounts.decision      undo                decision        done       done
accounts.sanction      delete_selected     sanction        -          -
accounts.sanction      undo                sanction        done       done
accounts.invitation    delete_selected     invitation      -          done
accounts.outboxentry   delete_selected     entry           -          -
accounts.outboxentry   try_again           entry           -          done
accounts.sweepfailure  delete_selected     failure         -          -
accounts.sweepfailure  try_again           failure         -          done
accounts.apitoken      delete_selected     token           -          done
mfa.authenticator      delete_selected     factor          -          done

comments.comment       delete_selected     comment         -          -
comments.comment       hide                comment         done       done
comments.comment       remove              comment         done       done
comments.comment       undo_latest         hidden_comment  done       done
comments.comment       approve             held_comment    done       done
comments.danmaku       delete_selected     danmaku         -          -
comments.danmaku       hide                danmaku         done       done
comments.danmaku       remove              danmaku         done       done
comments.danmaku       undo_latest         hidden_danmaku  done       done

videos.video           delete_selected     public          -          done
videos.video           retry               failed          -          done
videos.video           reencode            public          done       done
videos.video           cancel              processing      -          done
videos.video           hide                public          done       done
videos.video           remove              public          done       done
videos.video           undo_latest         hidden          done       done

videos.clip            delete_selected     public_clip     -          -
videos.clip            hide                public_clip     done       done
videos.clip            remove              public_clip     done       done
videos.clip            undo_latest         hidden_clip     done       done

live.stream            delete_selected     stream          -          -
live.stream            revoke_keys         stream          done       done
live.stream            suspend             stream          done       done
live.stream            lift_suspension     suspended       done       done
live.broadcast         delete_selected     broadcast       -          -
live.broadcast         end                 broadcast       done       done
live.chatmessage       delete_selected     message         -          -
live.chatrestriction   delete_selected     restriction     done       done

common.pendingdeletion  delete_selected     pending         -          done
common.pendingdeletion  try_now             pending         -          done
common.discrepancy     delete_selected     discrepancy     -          done
common.discrepancy     delete_objects      discrepancy     -          done
videos.transcription   delete_selected     hearing         -          -
videos.transcription   cancel              hearing         -          done
videos.job             delete_selected     waiting_job     -          -
videos.job             retry               hopeless_job    -          done
videos.job             cancel              waiting_job     -          done
"""

DECISION = {"reason": "spam", "duration_s": "86400", "version": "0"}
A_CASE = "POST /admin/accounts/case/{case}/decide/"
BODIES: dict[str, dict[str, Any]] = {
    **{f"{A_CASE}#{action}": {"action": action, **DECISION} for action in ("leave", "remove", "ban")},
    "POST /admin/accounts/user/{person_pk}/password/": {
        "password1": "x9!lampshade", "password2": "x9!lampshade", "usable_password": "true",
    },
}  # fmt: skip


def lines(text: str) -> list[list[str]]:
    """Return the cells of a table without its header. Two or more spaces separate cells."""
    rows = [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in text.splitlines()]
    return [row for row in rows if row][1:]


def tabled_models() -> dict[str, tuple[str, dict[Asker, set[str]]]]:
    return {
        model: (target, {asker: set(cell.split()) - {"-"} for asker, cell in zip(STAFF, cells, strict=True)})
        for model, target, *cells in lines(MODELS)
    }


def urls(world: World, model: str, target: str) -> dict[str, str]:
    """Return the URLs of the admin pages that every model has."""
    base, pk = f"admin:{model.replace('.', '_')}", [world.rows[target].pk]
    of_one = {name: reverse(f"{base}_{name}", args=pk) for name in ("change", "history", "delete")}
    return of_one | {name: reverse(f"{base}_{name}") for name in ("changelist", "add")}


@pytest.fixture
def names(world: World) -> dict[str, str]:
    return world.names | {
        "video_type": str(ContentType.objects.get_for_model(Video).pk),
        "public_pk": str(world.rows["public"].pk),
        "person_pk": str(world.person("person").pk),
    }


def test_desk_answers_according_to_the_table(world: World, names: dict[str, str]) -> None:
    for asker in Asker:
        answered = answers(world.client(asker), DESK, names, BODIES, frozenset(world.secrets))
        assert surprises(answered, expected(DESK, asker)) == {}, asker


@pytest.mark.slow
def test_lists_and_forms_are_open_according_to_the_table(world: World) -> None:
    for asker in STAFF:
        client = world.client(asker)
        found = {
            model: powers(client, urls(world, model, target), world.secrets)
            for model, (target, _powers) in tabled_models().items()
        }
        assert found == {model: powers[asker] for model, (_target, powers) in tabled_models().items()}, asker


def powers(client: Client, pages: dict[str, str], secrets: set[str]) -> set[str]:
    """Return the permissions that the pages of a model grant. Related pages must agree."""
    asked = {
        name: asked_for(client, pages[page], how, secrets)
        for name, page, how in (
            ("see", "changelist", None),
            ("see one", "change", None),
            ("see history", "history", None),
            ("add", "add", None),
            ("add one", "add", {}),
            ("change", "change", {}),
            ("delete", "delete", None),
            ("delete one", "delete", {"post": "yes"}),
        )
    }
    for page in ("see", "add", "delete"):
        alike = {may for name, may in asked.items() if name.startswith(page)}
        assert len(alike) == 1, (pages["changelist"], asked)
    return {name for name, may in asked.items() if may and " " not in name}


def asked_for(client: Client, page: str, data: dict[str, str] | None, secrets: set[str]) -> bool:
    """Return whether ``page`` opens, or accepts ``data`` as its form. A refusal must write nothing."""
    with undone(), writes() as written:
        response = client.get(page) if data is None else client.post(page, data)
    text = response.content.decode()
    assert not [secret for secret in secrets if secret in text], page
    if response.status_code == 403:
        assert written == [], page
        return False
    if data == {}:  # an accepted empty form was saved, or came back with its errors
        return response.status_code == 302 or bool(response.context.get("errors"))
    assert response.status_code == (302 if data else 200), page
    return True


@pytest.mark.slow
def test_others_are_redirected_to_sign_in(world: World) -> None:
    for asker in OTHERS:
        answered = each_page(world.client(asker), world)
        sent_to = {response.headers.get("Location", "").partition("?")[0] for response in answered.values()}
        assert sent_to == {"/admin/login/"}, asker


@pytest.mark.slow
def test_staff_without_a_role_are_refused_everywhere(world: World) -> None:
    client = Client()
    client.force_login(UserFactory(is_staff=True))

    found = {page: response.status_code for page, response in each_page(client, world).items()}

    assert set(found.values()) == {403}, found


def each_page(client: Client, world: World) -> dict[str, Any]:
    """Return the response of every page of every model."""
    pages = [urls(world, model, target) for model, (target, _powers) in tabled_models().items()]
    return {page: client.get(page) for found in pages for page in found.values()}


@pytest.mark.parametrize("asker", STAFF)
def test_suspended_staff_lose_access_at_once(asker: Asker, world: World) -> None:
    client = world.client(asker)
    before = client.get("/admin/").status_code

    world.suspend(asker)

    assert (before, client.get("/admin/").status_code) == (200, 302)


@pytest.mark.slow
def test_actions_succeed_according_to_the_table(world: World) -> None:
    for name in ("chief", "colleague"):
        world.token_of(name)
    column = {Asker.MODERATOR: 3, Asker.ADMINISTRATOR: 4}

    for asker in Asker:
        client = world.client(asker)
        done = {row[:3]: acted(client, world, *row[:3]) for row in map(tuple, lines(ACTIONS))}
        wanted = {tuple(row[:3]): row[column[asker]] if asker in STAFF else "login" for row in lines(ACTIONS)}
        surprising = {key: (word, wanted[key]) for key, word in done.items() if word != wanted[key]}
        assert surprising == {}, asker


def acted(client: Client, world: World, model: str, action: str, target: str) -> str:
    page = reverse(f"admin:{model.replace('.', '_')}_changelist")
    chosen = {"action": action, "_selected_action": str(world.rows[target].pk), "post": "yes", **DECISION}
    word = answer(client, Row("POST", page, {}), {}, chosen, frozenset(world.secrets))
    return {"302": "done", "302-": "-", "403": "-", "200-": "-"}.get(word, word)


def test_every_model_of_the_admin_is_in_the_table() -> None:
    assert set(tabled_models()) == {model._meta.label_lower for model in admin.site._registry}


def test_every_action_of_every_model_is_in_the_table() -> None:
    offered = {
        (model._meta.label_lower, action)
        for model, model_admin in admin.site._registry.items()
        for action in [
            *(getattr(one, "__name__", one) for one in model_admin.actions or ()),
            "delete_selected",
        ]
    }

    assert {(model, action) for model, action, *_rest in lines(ACTIONS)} == offered
    assert [name for name, _action in admin.site.actions] == ["delete_selected"]


def test_every_route_of_the_admin_is_in_a_table(world: World, names: dict[str, str]) -> None:
    pages = [row.path(names) for row in DESK]
    for model, (target, _powers) in tabled_models().items():
        found = urls(world, model, target)
        pages += [*found.values(), found["change"].removesuffix("change/")]  # redirects to the form

    tabled = {resolve(page).route for page in pages}

    assert tabled == {route for route in routes() if route.startswith("admin/")}
