"""The state of FFmpeg's sandbox on the admin's first page and in ``check --deploy``."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core.checks import run_checks
from django.test import Client

from accounts.tests.factories import UserFactory
from common import heartbeat
from videos.transcoding.layers import OLD_KERNEL, Layer

WHOLE = dict.fromkeys(Layer, "")
LACKING = {"files": "Function not implemented", "calls": "", "network": OLD_KERNEL}


@pytest.fixture
def administrator(client: Client) -> Client:
    client.force_login(UserFactory(is_staff=True, is_superuser=True))
    return client


def shown(client: Client, language: str = "en") -> list[list[str]]:
    """Return the hosts of the admin's first page, each as its words."""
    page = client.get("/admin/", headers={"accept-language": language}).content.decode()
    section = page.partition('<section class="sandbox"')[2].partition("</section>")[0]
    return [
        [word.strip() for word in re.split(r"<[^>]+>", host.partition("</li>")[0]) if word.strip()]
        for host in section.split("<li>")[1:]
    ]


@pytest.mark.django_db
@pytest.mark.redis
def test_first_page_names_each_layer_of_each_host(administrator: Client) -> None:
    heartbeat.show_host("encoder-1", {"sandbox": WHOLE})
    heartbeat.show_host("encoder-2", {"sandbox": LACKING})
    heartbeat.show_host("older-version", {"guard": []})

    first, second = shown(administrator)

    assert first == ["encoder-1", "Files", "Active", "System calls", "Active", "Network", "Active"]
    assert second[:7] == [
        "encoder-2", "Files", "Missing", "The kernel lacks it, or the container hides it.",
        "System calls", "Active", "Network",
    ]  # fmt: skip
    assert second[7:9] == ["Missing", "The kernel is older than Linux 5.9."]


@pytest.mark.django_db
@pytest.mark.redis
def test_first_page_names_layers_in_chinese(administrator: Client) -> None:
    heartbeat.show_host("encoder-1", {"sandbox": WHOLE})

    assert shown(administrator, "zh-hans") == [
        ["encoder-1", "文件", "已启用", "系统调用", "已启用", "网络", "已启用"]
    ]


@pytest.mark.django_db
@pytest.mark.redis
def test_moderator_sees_no_hosts(client: Client) -> None:
    heartbeat.show_host("encoder-1", {"sandbox": WHOLE})
    client.force_login(UserFactory(is_staff=True))

    assert 'class="sandbox"' not in client.get("/admin/").content.decode()


@pytest.mark.django_db
@pytest.mark.usefixtures("dead_redis")
def test_first_page_without_redis_leaves_the_hosts_out(administrator: Client) -> None:
    assert 'class="sandbox"' not in administrator.get("/admin/").content.decode()


def test_deployment_check_names_missing_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("videoplatform.sandbox_checks.layer_reasons", lambda: LACKING)

    found: list[Any] = [
        issue for issue in run_checks(include_deployment_checks=True) if issue.id == "videoplatform.I001"
    ]

    assert [issue.msg for issue in found] == [
        "FFmpeg's sandbox lacks the layer “files” on this machine: Function not implemented.",
        "FFmpeg's sandbox lacks the layer “network” on this machine: Linux is older than 5.9.",
    ]


def test_deployment_check_is_silent_if_every_layer_is_active(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("videoplatform.sandbox_checks.layer_reasons", lambda: WHOLE)

    issues = run_checks(include_deployment_checks=True)

    assert "videoplatform.I001" not in {issue.id for issue in issues}
