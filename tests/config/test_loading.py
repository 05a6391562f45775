from __future__ import annotations

import re
from pathlib import Path

import pytest

from derivproxy.config import Loaded, Settings, SettingsError, load, load_with_sources, settings_table
from derivproxy.domain.limits import Limits
from derivproxy.domain.policy import Bases, SizePolicy

KEY = "0123456789abcdef" * 2
SECRET = "correct-horse-battery"  # noqa: S105


def refusal(flags: dict[str, object] | None = None, environ: dict[str, str] | None = None) -> str:
    with pytest.raises(SettingsError) as refused:
        load(flags or {}, environ or {})
    return str(refused.value)


def source(loaded: Loaded, name: str) -> tuple[str, str]:
    (shown,) = [line for line in loaded.shown if line.setting.name == name]
    return shown.value, shown.source


def toml(folder: Path, text: str) -> dict[str, str]:
    path = folder / "derivproxy.toml"
    path.write_text(text, encoding="utf-8")
    return {"DERIVPROXY_CONFIG": str(path)}


def test_nothing_given_is_the_defaults() -> None:
    loaded = load_with_sources({}, {"HOME": "/somewhere", "PATH": "/bin"}, cpus=3)
    expected = Settings(store=(Path("data").absolute() / "store").as_uri(), processes=3, slots=6, queue=192)
    assert loaded.settings == expected
    assert {line.source for line in loaded.shown} == {"default"}


def test_processes_default_to_the_cpus_this_program_may_use() -> None:
    assert load({}, {}).processes >= 1


def test_a_flag_comes_before_a_variable_before_the_file_before_the_default(tmp_path: Path) -> None:
    environ = toml(tmp_path, 'port = 1\nhost = "10.0.0.1"\nmax_age = 60\n')
    environ |= {"DERIVPROXY_PORT": "2", "DERIVPROXY_HOST": "10.0.0.2"}
    loaded = load_with_sources({"port": 3, "host": None}, environ)
    assert (loaded.settings.port, loaded.settings.host, loaded.settings.max_age) == (3, "10.0.0.2", 60)
    assert source(loaded, "port") == ("3", "--port")
    assert source(loaded, "host") == ("10.0.0.2", "DERIVPROXY_HOST")
    assert source(loaded, "max_age") == ("60", f"max_age in {tmp_path / 'derivproxy.toml'}")
    assert source(loaded, "bases") == ("closed", "default")


def test_the_config_flag_comes_before_the_config_variable(tmp_path: Path) -> None:
    environ = toml(tmp_path, "port = 1")
    other = tmp_path / "other.toml"
    other.write_text("port = 2")
    assert load({"config": str(other)}, environ).port == 2


@pytest.mark.parametrize("name", [row.name for row in settings_table()])
def test_every_setting_has_one_name_as_flag_variable_and_key(name: str, tmp_path: Path) -> None:
    row = next(row for row in settings_table() if row.name == name)
    assert row.flag == "--" + row.name.replace("_", "-")
    assert row.variable == "DERIVPROXY_" + row.name.upper()
    sample = {"config": str(tmp_path / "c.toml"), "host": "::1", "store": "file:///srv", "token": SECRET}
    sample |= {"public_url": "https://a", "sizes": "none", "signing_keys": KEY, "bases": "open", "page": "off"}
    sample |= {
        "log_format": "console",
        "log_level": "error",
        "data": "there",
        "slots": "900",
        "memory_tier_bytes": "1MiB",
    }
    (tmp_path / "c.toml").write_text("")
    raw = sample.get(row.name, "900000000" if row.name == "max_memory_bytes" else "90")
    by_flag, by_variable = load({row.name: raw}, {}), load({}, {row.variable: raw})
    assert by_flag == by_variable
    value = getattr(by_flag.limits, row.limit) if row.limit else getattr(by_flag, row.name)
    assert value != (getattr(Limits(), row.limit) if row.limit else getattr(Settings(), row.name))
    if row.in_file:
        assert load({}, toml(tmp_path, f'{row.name} = "{raw}"')) == load(
            {"config": str(tmp_path / "derivproxy.toml"), row.name: raw}, {}
        )


def test_what_is_shown_can_be_written_down_again() -> None:
    given = {
        "DERIVPROXY_MAX_SECONDS": "2.5",
        "DERIVPROXY_DERIVATIVE_EXPIRY_SECONDS": "90d",
        "DERIVPROXY_CDN_MAX_AGE": "1h",
    }
    loaded = load_with_sources({}, given | {"DERIVPROXY_BASES": "open"}, cpus=2)
    again = {line.setting.variable: line.value for line in loaded.shown if line.value != "-"}
    assert load({}, again) == loaded.settings


def test_secrets_are_never_shown() -> None:
    loaded = load_with_sources({}, {"DERIVPROXY_TOKEN": SECRET, "DERIVPROXY_SIGNING_KEYS": KEY})
    text = repr(loaded) + "".join(line.value for line in loaded.shown)
    assert SECRET not in text
    assert KEY not in text
    assert repr(bytes.fromhex(KEY)) not in text
    assert source(loaded, "token") == ("(hidden)", "DERIVPROXY_TOKEN")


def test_a_secret_that_is_wrong_is_not_shown_either() -> None:
    text = refusal(environ={"DERIVPROXY_TOKEN": "two words", "DERIVPROXY_SIGNING_KEYS": "0badc0de"})
    assert "two words" not in text
    assert "0badc0de" not in text


def test_a_secret_can_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(f"\n{SECRET}  \n")
    assert load({}, {"DERIVPROXY_TOKEN_FILE": str(path)}).token == SECRET
    assert load({"token_file": str(path)}, {}).token == SECRET
    loaded = load_with_sources({}, toml(tmp_path, f'token_file = "{path}"'))
    assert loaded.settings.token == SECRET
    assert source(loaded, "token")[1].startswith("token_file in ")
    keys = tmp_path / "keys"
    keys.write_text(f"{KEY}\n{KEY[::-1]}\n")
    assert load({}, {"DERIVPROXY_SIGNING_KEYS_FILE": str(keys)}).signing_keys == (
        bytes.fromhex(KEY),
        bytes.fromhex(KEY[::-1]),
    )


def test_a_secret_file_that_cannot_be_is_refused(tmp_path: Path) -> None:
    assert "cannot be read (No such file" in refusal(environ={"DERIVPROXY_TOKEN_FILE": str(tmp_path / "none")})
    (tmp_path / "empty").touch()
    assert "DERIVPROXY_TOKEN_FILE: is empty" in refusal(environ={"DERIVPROXY_TOKEN_FILE": str(tmp_path / "empty")})
    (tmp_path / "large").write_bytes(b"a" * 70_000)
    assert "too large" in refusal(environ={"DERIVPROXY_TOKEN_FILE": str(tmp_path / "large")})
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    assert "not text" in refusal(environ={"DERIVPROXY_TOKEN_FILE": str(tmp_path / "binary")})


def test_a_secret_given_both_ways_at_one_place_is_refused_and_a_higher_place_wins(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("from-the-file")
    environ = {"DERIVPROXY_TOKEN_FILE": str(path)}
    assert "keep one of them" in refusal(environ=environ | {"DERIVPROXY_TOKEN": SECRET})
    assert load({"token": SECRET}, environ).token == SECRET


def test_only_secrets_have_files() -> None:
    assert "DERIVPROXY_PORT_FILE: no such setting; did you mean DERIVPROXY_PORT?" in refusal(
        environ={"DERIVPROXY_PORT_FILE": "x"}
    )


def test_an_unknown_variable_is_refused_with_what_was_perhaps_meant() -> None:
    assert refusal(environ={"DERIVPROXY_MAX_PIXLES": "1"}) == (
        "DERIVPROXY_MAX_PIXLES: no such setting; did you mean DERIVPROXY_MAX_PIXELS?"
    )
    assert "config show" in refusal(environ={"DERIVPROXY_QQQQQQQQ": "1"})


def test_a_variable_has_one_spelling() -> None:
    assert "DERIVPROXY_port: no such setting; did you mean DERIVPROXY_PORT?" in refusal(
        environ={"DERIVPROXY_port": "1"}
    )


def test_variables_of_others_and_empty_ones_are_left_alone() -> None:
    assert load({}, {"DERIVPROXY_SERVER": "x", "DERIVPROXY_PORT": ""}, others=["DERIVPROXY_SERVER"]).port == 8080


def test_an_unknown_key_or_flag_is_refused_with_what_was_perhaps_meant(tmp_path: Path) -> None:
    text = refusal(environ=toml(tmp_path, 'prot = 1\npublic-url = "https://a"\n'))
    assert re.search(r"prot in .*derivproxy\.toml: no such setting; did you mean port\?", text)
    assert re.search(r"public-url in .*: no such setting; did you mean public_url\?", text)
    assert "--prot: no such setting; did you mean --port?" in refusal({"prot": 1})


def test_a_file_that_cannot_be_read_or_is_not_toml_is_refused(tmp_path: Path) -> None:
    assert "cannot be read (No such file or directory)" in refusal({"config": str(tmp_path / "none.toml")})
    assert "is not TOML: " in refusal(environ=toml(tmp_path, "port 8080"))
    (tmp_path / "derivproxy.toml").write_bytes(b"host = '\xff'")
    assert "is not TOML: " in refusal({"config": str(tmp_path / "derivproxy.toml")})


def test_a_file_does_not_name_another_file(tmp_path: Path) -> None:
    assert "use --config or DERIVPROXY_CONFIG" in refusal(environ=toml(tmp_path, 'config = "other.toml"'))


def test_all_that_is_wrong_is_said_at_once() -> None:
    lines = refusal({"port": "eighty"}, {"DERIVPROXY_WORKERS": "0", "DERIVPROXY_PROT": "1"}).splitlines()
    assert len(lines) == 3
    assert lines[-2:] == [
        "--port: 'eighty' is no whole number from 0 to 65535",
        "DERIVPROXY_WORKERS: '0' is not a whole number from 1 to 1024",
    ]


def test_a_value_of_a_wrong_kind_in_the_file_is_refused(tmp_path: Path) -> None:
    assert "port in " in refusal(environ=toml(tmp_path, "port = true"))
    assert "host in " in refusal(environ=toml(tmp_path, "[host]\nname = 1"))


def test_the_store_is_in_the_data_folder_where_none_is_named(tmp_path: Path) -> None:
    assert load({"data": str(tmp_path / "my data")}, {}).store == f"file://{tmp_path}/my%20data/store"


def test_sizes_are_open_without_signing_keys_and_none_with_them() -> None:
    assert load({}, {}).sizes == SizePolicy(everything=True)
    assert load({}, {"DERIVPROXY_SIGNING_KEYS": KEY}).sizes == SizePolicy()
    settings = load({"sizes": "open"}, {"DERIVPROXY_SIGNING_KEYS": KEY})
    assert settings.sizes.everything
    assert settings.policy.keys == (bytes.fromhex(KEY),)


def test_sizes_are_listed_by_spaces_commas_or_as_a_list(tmp_path: Path) -> None:
    expected = SizePolicy(stems=frozenset({"320x"}), suffixes=frozenset({"640x.jpg"}))
    assert load({}, {"DERIVPROXY_SIZES": "320x.*, 640x.jpg"}).sizes == expected
    assert load({}, toml(tmp_path, 'sizes = ["320x.*", "640x.jpg"]')).sizes == expected


def test_a_listed_size_that_is_no_suffix_is_refused() -> None:
    assert "DERIVPROXY_SIZES: '320x.*,0x.jpg' has '0x.jpg', which is no suffix" in refusal(
        environ={"DERIVPROXY_SIZES": "320x.*,0x.jpg"}
    )


def test_limits_are_settings() -> None:
    settings = load({"max_pixels": "1000", "max_seconds": "3s"}, {"DERIVPROXY_MAX_FILE_BYTES": "1MiB"})
    assert settings.limits == Limits(pixels=1000, seconds=3.0, file_bytes=2**20)


def test_bases_stay_closed_unless_opened() -> None:
    assert load({}, {}).bases is Bases.CLOSED
    assert load({"bases": "open"}, {}).policy.bases is Bases.OPEN


def test_fewer_slots_than_processes_are_refused() -> None:
    assert refusal({"slots": 1, "processes": 2}).startswith("--slots: 1 slots would leave some of the 2 processes idle")


def test_a_memory_tier_that_holds_nothing_is_refused() -> None:
    assert refusal({"memory_tier_bytes": "64"}).startswith("--memory-tier-bytes: 64 bytes hold no derivative")


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),  # noqa: S104
        ("::", False),
        ("a.example", False),
    ],
)
def test_the_page_is_shown_on_loopback_unless_told(host: str, loopback: bool) -> None:  # noqa: FBT001
    assert load({"host": host}, {}).page_shown is loopback
    assert load({"host": host, "page": "on"}, {}).page_shown
    assert not load({"host": host, "page": "off"}, {}).page_shown
