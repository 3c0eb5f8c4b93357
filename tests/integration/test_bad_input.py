"""Bad input: one message, exit code 2, nothing written."""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.integration.processes import Terminal
from tests.integration.specs import digits, objective

GOOD = digits("good", "tpe", 4)
PASSING = (".db-wal", ".db-shm", ".lock")
"""What SQLite puts beside a file that it only reads, and who held a lock last."""
BAD_SPECS = {
    "unknown key": (
        GOOD.replace("\nepochs =", "\nepochz ="),
        "[recipe] epochz: unknown key 'epochz'. Did you mean 'epochs'?",
    ),
    "wrong type": (GOOD.replace("trials = 4", 'trials = "four"'), "[budget] trials = 'four'"),
    "out of range": (GOOD.replace("trials = 4", "trials = 0"), "[budget] trials = 0"),
    "empty choices": (GOOD.replace("choices = [64, 128]", "choices = []"), "choices is empty"),
    "low over high": (
        GOOD.replace("choices = [0.001, 0.01, 0.1]", "low = 0.1, high = 0.01"),
        "low = 0.1 is greater than high = 0.01",
    ),
    "log from zero": (
        GOOD.replace("choices = [0.001, 0.01, 0.1]", "low = 0.0, high = 0.01, log = true"),
        "log = true needs low > 0",
    ),
    "condition on nothing": (
        GOOD + '"optimizer.eps" = { choices = [1e-8], when = { "model.name" = "mlp" } }\n',
        "'model.name' is not searched",
    ),
    "unknown part": (GOOD.replace('name = "adamw"', 'name = "adamx"'), "Known: adagrad, adam, adamw, muon"),
    "endless grid": (
        digits("good", "grid", 4).replace("choices = [0.001, 0.01, 0.1]", "low = 0.1, high = 0.2"),
        "a grid cannot cover a continuous domain",
    ),
    "no data": (GOOD.replace('name = "digits" }', 'name = "mnist", root = "nowhere" }'), "nowhere: no such directory"),
    "empty data": (
        GOOD.replace('name = "digits" }', 'name = "mnist", root = "." }'),
        "train-images-idx3-ubyte: no such file",
    ),
    "model for other data": (
        GOOD.replace('name = "mlp", width = 32', 'name = "small_cnn", depth = 4'),
        "needs at least 16 pixels a side; images are 8x8",
    ),
    "conditions that never hold": (
        GOOD
        + '"optimizer.name" = { choices = ["adam", "adamw"] }\n'
        + '"optimizer.eps" = { choices = [1e-8], when = { "optimizer.name" = "adam" } }\n'
        + '"optimizer.weight_decay" = { choices = [0.0, 0.1], '
        + 'when = { "optimizer.name" = "adamw", "optimizer.eps" = 1e-8 } }\n',
        "its conditions can never hold together",
    ),
    "no objective": (objective("good", "none_such", 4), "has no function 'none_such'"),
    "not TOML": ("[study\n", "is not valid TOML"),
}


def fingerprint(directory: Path) -> dict[str, str]:
    """Every file below `directory` with what is in it."""
    files = (path for path in sorted(directory.rglob("*")) if path.is_file() and path.suffix not in PASSING)
    return {str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def refused(terminal: Terminal, *arguments: str) -> str:
    """The one message of a command that is refused and changes no file."""
    before = fingerprint(terminal.directory)
    done = terminal.tunefast(*arguments, code=2)
    assert fingerprint(terminal.directory) == before
    assert done.stderr.startswith("Error: ")
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    return done.stderr


@pytest.mark.parametrize("case", BAD_SPECS)
def test_a_bad_spec_is_refused_with_what_is_wrong_in_it(terminal: Terminal, case: str) -> None:
    """`study create` of a bad spec names file, key and value, and writes nothing: no study, no trial row."""
    text, message = BAD_SPECS[case]
    path = terminal.write("bad.toml", text)
    said = refused(terminal, "study", "create", str(path))
    assert message in said


def test_damaged_data_is_named(terminal: Terminal) -> None:
    """A data file that is cut off is named, and no study is created."""
    raw = terminal.directory / "data" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (raw / f"{part}-ubyte").write_bytes(b"\x00\x00\x08\x01\x00\x00\x00\x09abc")
    spec = terminal.write("s.toml", GOOD.replace('name = "digits" }', 'name = "mnist", root = "data" }'))
    said = refused(terminal, "study", "create", str(spec))
    assert "train-images-idx3-ubyte: damaged" in said


def test_what_exists_and_what_does_not_is_said(terminal: Terminal) -> None:
    """A study that exists says how to go on with it; one that does not, which name is nearest."""
    spec = str(terminal.write("s.toml", GOOD))
    terminal.tunefast("study", "create", spec)
    assert "tunefast study run good" in refused(terminal, "study", "create", spec)
    for verb in (("study", "show"), ("study", "best"), ("worker", "start"), ("study", "delete", "--yes")):
        assert "Did you mean 'good'?" in refused(terminal, *verb, "goood")
    assert "Did you mean 'digits'?" in refused(terminal, "study", "run", "digts")
    changed = terminal.write("s.toml", GOOD.replace("\nepochs = 3", "\nepochs = 4"))
    said = refused(terminal, "study", "run", str(changed))
    assert "recipe.epochs: stored 3, file 4" in said


def test_a_budget_that_differs_is_said_and_the_stored_one_counts(terminal: Terminal) -> None:
    """`study run FILE` after `extend` goes on: the file's old budget is no changed spec."""
    spec = terminal.write("s.toml", objective("more", "paced", 2))
    terminal.tunefast("study", "run", str(spec), "-n", "1")
    terminal.tunefast("study", "extend", "more", "--trials", "4")
    assert "The stored budget counts" in terminal.tunefast("study", "run", str(spec), "-n", "1").stdout
    assert terminal.study("more").counts == {"complete": 4}


def test_databases_that_cannot_be_used_are_refused(terminal: Terminal) -> None:
    """No directory, no database, another backend, memory: one message each, and the file stays as it was."""
    spec = str(terminal.write("s.toml", GOOD))
    terminal.write("text.db", "this is not a database at all, it is a line of text\n" * 20)
    cases = {
        "sqlite:////none/such/x.db": "there is no directory",
        "sqlite:///text.db": "cannot be used as a database",
        "sqlite:///run": "is a directory",
        "sqlite:///:memory:": "must be a file",
        "postgresql://me:secret@host/x": "only SQLite databases are supported",
        "nonsense": "is no database URL",
    }
    for url, message in cases.items():
        said = refused(terminal, "study", "create", spec, "--storage", url)
        assert message in said
        assert "secret" not in said
    for verb in (("study", "list"), ("study", "show", "x"), ("worker", "start", "x"), ("dashboard",)):
        assert "run: is a directory" in refused(terminal, *verb, "--storage", "sqlite:///run")
        assert "no such database" in refused(terminal, *verb)


def test_a_read_only_database_is_refused(terminal: Terminal) -> None:
    """A path that no one can write, not even root, is one message."""
    spec = str(terminal.write("s.toml", GOOD))
    assert "cannot be" in refused(terminal, "study", "create", spec, "--storage", "sqlite:////proc/x.db")


def test_workers_and_devices_that_cannot_be(terminal: Terminal) -> None:
    """`-n 0`, an unknown device, and a CUDA device that is not there."""
    spec = str(terminal.write("s.toml", GOOD))
    assert "-n 0" in refused(terminal, "study", "run", spec, "-n", "0")
    assert "use auto, cpu, cuda" in refused(terminal, "study", "run", spec, "--device", "tpu")
    assert "cuda:99" in refused(terminal, "study", "run", spec, "--device", "cuda:99")


def test_a_typing_error_in_a_command_is_exit_code_2(terminal: Terminal) -> None:
    """Unknown commands and options are the user's mistake."""
    for arguments in (("study", "lst"), ("study", "show", "x", "--trail", "3"), ("study", "extend", "x")):
        assert terminal.tunefast(*arguments, code=2).stderr


def test_which_version_this_is(terminal: Terminal) -> None:
    """What every report of a bug needs."""
    assert terminal.tunefast("--version").stdout == f"tunefast {version('tunefast')}\n"
