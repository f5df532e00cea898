from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from secure import certificate
from spry_cli.errors import CommandError
from spry_cli.options import OPTIONS, Option
from spry_cli.settings import RunSettings, make_settings
from spry_cli.sources import Given, Source, Values, from_arguments, from_environment, from_project
from spry_core.protocol import Limits, Timeouts

SAMPLES: dict[str, tuple[str, RunSettings]] = {
    "backend": ("trio", RunSettings(backend="trio")),
    "loop": ("uvloop", RunSettings(loop="uvloop")),
    "engine": ("pure", RunSettings(engine="pure")),
    "host": ("::1", RunSettings(host="::1")),
    "port": ("81", RunSettings(port=81)),
    "uds": ("spry.sock", RunSettings(uds="spry.sock")),
    "fd": ("3", RunSettings(fd=3)),
    "backlog": ("7", RunSettings(limits=Limits(backlog=7))),
    "access-log": ("false", RunSettings(access_log=False)),
    "log-level": ("warning", RunSettings(log_level="warning")),
    "log-format": ("json", RunSettings(log_format="json")),
    "record": ("records", RunSettings(record="records")),
    "redact": ("X-Key,token", RunSettings(redact=("x-key", "token"))),
    "record-size": ("4000", RunSettings(record_size=4000)),
    "record-files": ("3", RunSettings(record_files=3)),
    "limit-concurrency": ("5", RunSettings(limits=Limits(max_connections=5))),
    "timeout-keep-alive": ("2.5", RunSettings(timeouts=Timeouts(keep_alive=2.5))),
    "timeout-graceful-shutdown": ("none", RunSettings(timeouts=Timeouts(grace=None))),
    "ws-max-size": ("none", RunSettings(limits=Limits(max_message_size=None))),
    "ws-max-queue": ("3", RunSettings(limits=Limits(max_queue=3))),
    "ws-ping-interval": ("none", RunSettings(timeouts=Timeouts(ping_interval=None))),
    "ws-ping-timeout": ("5", RunSettings(timeouts=Timeouts(ping_timeout=5.0))),
    "limit": ("max_body=1,max_fields=2", RunSettings(limits=Limits(max_body=1, max_fields=2))),
    "timeout": ("head=1,body=none", RunSettings(timeouts=Timeouts(head=1.0, body=None))),
}
"""An option, what may be written for it, and what comes of that."""

ELSEWHERE = {"app", "app-dir", "factory"} | {
    option.name for option in OPTIONS if option.name.startswith("ssl-")
}
"""What finds the application (tests/spry_cli/test_main.py), and what makes the TLS context (tests/spry_cli/test_tls.py)."""

SET = [(option, *SAMPLES[option.name]) for option in OPTIONS if option.name in SAMPLES]


def settings_of(*sources: Source) -> RunSettings:
    """Return what comes of these places, the one that wins last."""
    return make_settings(Values(OPTIONS, sources))


def source(**options: str) -> Source:
    """Return a place that says this."""
    names = {name.replace("_", "-"): text for name, text in options.items()}
    return {name: Given(f"--{name}", text) for name, text in names.items()}


def test_every_option_has_a_sample() -> None:
    assert {option.name for option in OPTIONS} == SAMPLES.keys() | ELSEWHERE


def test_nothing_said_is_the_defaults_of_everything() -> None:
    assert settings_of() == RunSettings()
    assert RunSettings() == RunSettings(limits=Limits(), timeouts=Timeouts())


@pytest.mark.parametrize(("option", "text", "settings"), SET, ids=lambda each: getattr(each, "name", ""))
def test_an_option_may_stand_on_the_command_line(
    option: Option[object], text: str, settings: RunSettings
) -> None:
    parsed = {"switch": False, "pairs": text.split(","), "names": text.split(",")}.get(option.shape, text)
    assert settings_of({}, {}, from_arguments({option.name: parsed})) == settings


@pytest.mark.parametrize(("option", "text", "settings"), SET, ids=lambda each: getattr(each, "name", ""))
def test_an_option_may_stand_in_the_environment(
    option: Option[object], text: str, settings: RunSettings
) -> None:
    assert settings_of({}, from_environment({option.variable: text}), {}) == settings


@pytest.mark.parametrize(("option", "text", "settings"), SET, ids=lambda each: getattr(each, "name", ""))
def test_an_option_may_stand_in_the_project_file(
    option: Option[object], text: str, settings: RunSettings, tmp_path: Path
) -> None:
    lines = ["[tool.spry]", f'{option.name} = "{text}"']
    if option.shape == "pairs":
        lines = [f"[tool.spry.{option.name}]"]
        lines += [f'{name} = "{value}"' for name, value in (pair.split("=") for pair in text.split(","))]
    (tmp_path / "pyproject.toml").write_text("\n".join(lines))
    assert settings_of(from_project(tmp_path / "pyproject.toml"), {}, {}) == settings


def test_names_may_be_a_list_in_the_project_file(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.spry]\nredact = ["X-Key", "token"]')
    assert settings_of(from_project(tmp_path / "pyproject.toml")).redact == ("x-key", "token")


def test_a_name_that_cannot_be_hidden_is_told_with_its_place() -> None:
    with pytest.raises(CommandError) as caught:
        settings_of(source(redact="x-key,host"))
    assert str(caught.value) == "--redact: host cannot be redacted: a replay needs it"


def test_the_higher_place_wins_for_each_setting_alone() -> None:
    low = source(port="1", host="a", limit="max_queue=1,max_body=1", timeout="head=1", ws_ping_timeout="1")
    high = source(port="2", ws_max_queue="2", timeout="ping_timeout=2")
    assert settings_of(low, high) == RunSettings(
        host="a",
        port=2,
        limits=Limits(max_queue=2, max_body=1),
        timeouts=Timeouts(head=1.0, ping_timeout=2.0),
    )


def test_in_one_place_the_option_of_its_own_wins_over_the_general_one() -> None:
    settings = settings_of(source(limit="max_queue=1,max_body=1", ws_max_queue="2"))
    assert settings.limits == Limits(max_queue=2, max_body=1)


def test_a_general_option_of_a_higher_place_wins_over_the_own_one_of_a_lower() -> None:
    assert settings_of(source(ws_max_queue="2"), source(limit="max_queue=1")).limits == Limits(max_queue=1)


def test_a_limit_that_is_none_is_told_with_its_place() -> None:
    with pytest.raises(CommandError) as caught:
        settings_of(source(ws_max_queue="0"))
    assert str(caught.value) == "--ws-max-queue: Limits.max_queue is 0: nothing would ever be read"


@pytest.mark.parametrize(
    ("given", "label"),
    [({"ws_ping_interval": "0"}, "--ws-ping-interval"), ({"timeout": "head=3,ping_interval=0"}, "--timeout")],
)
def test_a_timeout_that_is_none_is_told_with_its_place(given: dict[str, str], label: str) -> None:
    with pytest.raises(CommandError) as caught:
        settings_of(source(**given))
    said = "Timeouts.ping_interval is 0: Pings would never end, and None means none"
    assert str(caught.value) == f"{label}: {said}"


@pytest.mark.parametrize(
    ("low", "high", "settings"),
    [
        (source(port="1", host="a"), source(uds="s"), RunSettings(host="a", port=1, uds="s")),
        (source(uds="s"), source(port="1"), RunSettings(port=1)),
        (source(uds="s"), source(host="a"), RunSettings(host="a")),
        (source(uds="s"), source(fd="3"), RunSettings(fd=3)),
        (source(fd="3"), source(uds="s"), RunSettings(uds="s")),
        (source(fd="3", backlog="1"), source(backlog="2"), RunSettings(fd=3, limits=Limits(backlog=2))),
    ],
)
def test_where_to_listen_is_what_the_highest_place_says(
    low: Source, high: Source, settings: RunSettings
) -> None:
    assert settings_of(low, high) == settings


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"uds": "s", "fd": "3"}, "--fd: cannot stand beside --uds"),
        ({"uds": "s", "port": "1"}, "--uds: cannot stand beside --port"),
        ({"fd": "3", "host": "a"}, "--fd: cannot stand beside --host"),
    ],
)
def test_one_place_may_say_in_one_way_only_where_to_listen(options: dict[str, str], words: str) -> None:
    with pytest.raises(CommandError) as caught:
        settings_of(source(uds="low"), source(**options))
    assert str(caught.value) == words


@pytest.mark.parametrize("backend", [{"backend": "trio"}, {}])
def test_a_loop_for_trio_is_refused_where_both_were_meant(backend: dict[str, str]) -> None:
    low = source() if backend else source(backend="trio")
    with pytest.raises(CommandError, match=r"^--loop: chooses a loop of asyncio; trio has its own$"):
        settings_of(low, source(loop="uvloop", **backend))


def test_who_chooses_trio_later_need_not_take_back_the_loop() -> None:
    assert settings_of(source(loop="uvloop"), source(backend="trio")) == RunSettings(backend="trio")
    assert settings_of(source(loop="auto", backend="trio")) == RunSettings(backend="trio")


def test_a_certificate_makes_a_context(tmp_path: Path) -> None:
    pem = certificate().private_key_and_cert_chain_pem
    (tmp_path / "both.pem").write_bytes(pem.bytes())
    settings = settings_of(source(ssl_certfile=str(tmp_path / "both.pem")))
    assert isinstance(settings.ssl_context, ssl.SSLContext)
