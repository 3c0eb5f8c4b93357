"""`tunefast study confirm`: the best trials again on new seeds, and who takes the confirmed one for the best."""

from __future__ import annotations

import json
import signal
from collections import Counter

import optuna
import pytest

from tests.integration.processes import Terminal, ended, wait_until
from tests.integration.specs import digits

OWN = """
from pathlib import Path

def run(recipe, context):
    if Path("broken").exists() and recipe.params["x"] == 3:
        raise ValueError("no such luck")
    luck = (context.seed % 7) / 100
    yield {"val_accuracy": (0.9 if context.seed > 10**6 else 0.5) * recipe.params["x"] / 3 + luck}
"""
SPEC = """
[study]
name = "s"
sampler = {{ name = "{sampler}" }}
[budget]
trials = 4
[recipe]
epochs = 1
{recipe}
[space]
"{path}" = {{ choices = [0, 1, 2, 3] }}
"""


def _own(terminal: Terminal) -> None:
    """A grid over an own objective that has run: four trials, the better the greater `x`."""
    terminal.write("mine.py", OWN)
    terminal.write("s.toml", SPEC.format(sampler="grid", recipe='objective = "mine:run"', path="params.x"))
    terminal.tunefast("study", "run", "s.toml", "-n", "1")


def test_killed_and_asked_again(terminal: Terminal) -> None:
    """Real trainings on two workers, killed in between: all runs are trained to their end, on one split, none twice."""
    terminal.write(
        "s.toml",
        digits("s", "random", 3, epochs=3)
        .replace("median", "none")
        .replace(", warmup_epochs = 1, startup_trials = 2", ""),
    )
    terminal.tunefast("study", "run", "s.toml", "-n", "2")
    with terminal.started("study", "confirm", "s", "--top", "2", "--seeds", "3", "-n", "2") as run:
        wait_until(lambda: terminal.counts("s.confirm").get("complete", 0) > 1, "two runs are complete")
        run.kill()
    assert terminal.study("s.confirm").counts["complete"] < 6
    done = terminal.json("study", "confirm", "s", "--top", "2", "--seeds", "3", "-n", "2")
    study, confirming = terminal.study("s"), terminal.study("s.confirm")
    assert confirming.counts == {"complete": 6}
    assert len({tuple(sorted(trial.params.items())) for trial in confirming.trials}) == 6
    epochs = Counter(row["trial"] for row in confirming.epochs)
    assert set(epochs.values()) == {3}
    searched = {row["seed"] for row in study.attempts}
    trained = {row["trial"]: row["seed"] for row in confirming.attempts}
    assert trained == {trial.number: trial.params["seed"] for trial in confirming.trials}
    assert not searched & set(trained.values())
    assert len(set(trained.values())) == 3
    assert done["winner"] in done["order"] == [each["trial"] for each in done["trials"]]
    assert [each["trial"] for each in done["trials"] if each["interval"][0] > each["mean"]] == []
    stock = optuna.load_study(study_name="s.confirm", storage=f"sqlite:///{terminal.database}")
    assert sorted(trial.value or 0 for trial in stock.trials) == sorted(
        value for each in done["trials"] for value in each["values"].values()
    )
    shown = terminal.tunefast("study", "confirm", "s", "--top", "2", "--seeds", "3").stdout
    assert f"Confirmed: trial {done['winner']}, mean val_accuracy" in shown
    assert max(map(len, shown.splitlines()[:6])) <= 80
    assert terminal.study("s.confirm").trials == confirming.trials
    terminal.tunefast("train", "--study", "s", "-o", "out")
    written = json.loads((terminal.directory / "out" / "metrics.json").read_text())
    assert written["metrics"]["val_accuracy"] == study.trial(done["winner"]).value


def test_a_signal(terminal: Terminal) -> None:
    """Ctrl-C stops at the next epoch end, and says how to go on; nobody wins before all runs have ended."""
    _own(terminal)
    terminal.write("mine.py", OWN.replace("    yield", "    import time; time.sleep(0.3)\n    yield"))
    with terminal.started("study", "confirm", "s", "--seeds", "5", "-n", "1") as run:
        wait_until(lambda: terminal.counts("s.confirm").get("complete", 0) > 1, "two runs are complete")
        run.send_signal(signal.SIGINT)
        output = ended(run, 130)
    assert "tunefast study run s.confirm" in output
    assert "its confirmation is not finished" in terminal.tunefast("study", "best", "s").stdout
    assert terminal.json("study", "best", "s")["confirmed"] is None
    assert "Confirmed: trial" in terminal.tunefast("study", "run", "s.confirm", "-n", "1").stdout


def test_an_own_objective(terminal: Terminal) -> None:
    """It gets the new seeds; the search was lucky, which is told, and best names the confirmed trial with its mean."""
    _own(terminal)
    document = terminal.json("study", "confirm", "s", "--top", "2", "--seeds", "3", "-n", "1")
    study = terminal.study("s")
    x = {trial.number: trial.params["params.x"] for trial in study.trials}
    assert x[document["winner"]] == max(x.values())
    assert document["optimism"] > 0.1
    assert document["order_held"]
    for each in document["trials"]:
        for seed, value in each["values"].items():
            assert value == pytest.approx(0.5 * x[each["trial"]] / 3 + (int(seed) % 7) / 100)
    best = terminal.json("study", "best", "s")
    assert best["confirmed"]["mean"] == document["trials"][0]["mean"]
    rows = {row["study"]: row for row in terminal.json("study", "list")}
    assert rows["s"]["confirmed"] == document["trials"][0]["mean"]
    assert (rows["s.confirm"]["best"], rows["s.confirm"]["trials"]) == (None, {"complete": 6})
    assert f"confirmed: trial {document['winner']}" in terminal.tunefast("study", "show", "s").stdout
    assert "the best of s on new seeds" in terminal.tunefast("study", "show", "s.confirm").stdout


def test_the_order_need_not_hold(terminal: Terminal) -> None:
    """Where the winner of the search was lucky another trial is confirmed, and the search's is shown beside it."""
    _own(terminal)
    flipped = OWN.replace('recipe.params["x"] / 3', '(1 - recipe.params["x"] / 9)')
    terminal.write("mine.py", flipped)
    shown = terminal.tunefast("study", "confirm", "s", "--top", "2", "--seeds", "1", "-n", "1").stdout
    assert "The order did not hold" in shown
    assert "one seed cannot tell" in shown
    study = terminal.study("s")
    x = {trial.number: trial.params["params.x"] for trial in study.trials}
    best = terminal.json("study", "best", "s")
    assert (x[best["trial"]], x[best["best_of_search"]["trial"]]) == (2, 3)
    assert f"the best of the search was trial {study.best.number if study.best else None}" in (
        terminal.tunefast("study", "best", "s").stdout
    )


def test_failed_runs(terminal: Terminal) -> None:
    """They are told and tried again; until then a trial that fails on a seed is no winner."""
    _own(terminal)
    (terminal.directory / "broken").touch()
    shown = terminal.tunefast("study", "confirm", "s", "--top", "2", "--seeds", "2", "-n", "1").stdout
    assert "2 failed" in shown
    assert "ValueError: no such luck" in shown
    assert "tunefast study retry s.confirm" in shown
    x = {trial.number: trial.params["params.x"] for trial in terminal.study("s").trials}
    assert x[terminal.json("study", "best", "s")["trial"]] == 2
    (terminal.directory / "broken").unlink()
    terminal.tunefast("study", "retry", "s.confirm")
    document = terminal.json("study", "confirm", "s", "--top", "2", "--seeds", "2", "-n", "1")
    assert x[document["winner"]] == 3
    assert [each["not_complete"] for each in document["trials"]] == [{}, {}]


PROGRAM = """
import json, sys
print(json.dumps({"val_accuracy": int(sys.argv[1]) / 3 + int(sys.argv[2]) % 1000 / 1e6}))
"""
SUGGESTING = """
def objective(trial):
    return trial.suggest_float("x", 0.0, 1.0)
"""


def test_a_program(terminal: Terminal) -> None:
    """A command is told the new seed as it was told the trial's own."""
    terminal.write("prog.py", PROGRAM)
    recipe = 'command = "python prog.py {x} {seed}"'
    terminal.write("s.toml", SPEC.format(sampler="random", recipe=recipe, path="x"))
    terminal.tunefast("study", "run", "s.toml", "-n", "1")
    document = terminal.json("study", "confirm", "s", "--top", "1", "--seeds", "2", "-n", "1")
    (trial,) = document["trials"]
    for seed, value in trial["values"].items():
        assert value == pytest.approx(trial["params"]["x"] / 3 + int(seed) % 1000 / 1e6)


def test_an_objective_for_optuna(terminal: Terminal) -> None:
    """It suggests what the trial had; that no seed changes its value is told."""
    terminal.write("mine.py", SUGGESTING)
    recipe = 'objective = "mine:objective"\nstyle = "optuna"'
    spec = SPEC.format(sampler="random", recipe=recipe, path="x").partition("[space]")[0]
    terminal.write("s.toml", spec)
    terminal.tunefast("study", "run", "s.toml", "-n", "1")
    shown = terminal.tunefast("study", "confirm", "s", "--top", "2", "--seeds", "2", "-n", "1").stdout
    assert "does the training use its seed?" in shown
    for each in terminal.json("study", "confirm", "s", "--top", "2", "--seeds", "2")["trials"]:
        assert set(each["values"].values()) == {each["value"]}


def test_bad_input(terminal: Terminal) -> None:
    """One message, exit code 2, nothing written; fewer complete trials than asked for are all there is."""
    terminal.write("mine.py", OWN)
    terminal.write("s.toml", SPEC.format(sampler="grid", recipe='objective = "mine:run"', path="params.x"))
    terminal.tunefast("study", "create", "s.toml")

    def said(*arguments: str) -> str:
        return terminal.tunefast("study", "confirm", *arguments, code=2).stderr

    assert "There is no study 't'" in said("t")
    assert "study 's' has no complete trial yet, so there is nothing to confirm" in said("s")
    assert "--top" in said("s", "--top", "0")
    assert "--seeds" in said("s", "--seeds", "0")
    assert [row["study"] for row in terminal.json("study", "list")] == ["s"]
    terminal.tunefast("study", "run", "s", "-n", "1")
    shown = terminal.tunefast("study", "confirm", "s", "--top", "9", "--seeds", "1", "-n", "1").stdout
    assert "all 4 complete trials of s again on a new seed: 4 runs" in shown
    for change in ("budget.trials=9", "space.seed.high=7"):
        refused = terminal.tunefast("study", "edit", "s.confirm", "--set", change, code=2).stderr
        assert "is the confirmation of 's'" in " ".join(refused.split())
    terminal.tunefast("study", "edit", "s.confirm", "--set", "trial.minutes=9")
    assert "is the confirmation of 's'" in said("s.confirm")
    assert "tunefast study best s" in terminal.tunefast("study", "best", "s.confirm", code=2).stderr
    assert (
        "tunefast study confirm s" in terminal.tunefast("study", "extend", "s.confirm", "--trials", "9", code=2).stderr
    )
    terminal.tunefast("study", "delete", "s", "--yes")
    assert terminal.json("study", "list") == []


TOGETHER = """
import os
from pathlib import Path

def run(recipe, context):
    with Path("pids").open("a") as pids:
        pids.write(f"{os.getpid()}\\n")
    yield {"val_accuracy": recipe.params["x"] / 3 + (context.seed % 7) / 1000}
"""


def test_searched_and_confirmed_by_the_same_workers(terminal: Terminal) -> None:
    """One command from the search to the confirmed winner, and no worker starts twice; again it trains nothing."""
    terminal.write("mine.py", TOGETHER)
    terminal.write("s.toml", SPEC.format(sampler="grid", recipe='objective = "mine:run"', path="params.x"))
    done = terminal.tunefast("study", "run", "s.toml", "-n", "2", "--confirm", "2", "--seeds", "3").stdout
    assert "The search is over: its trials are used up (4 complete)." in done
    assert "Training the best 2 trials of s again on 3 new seeds: 6 runs, kept as study s.confirm." in done
    assert "Confirmed: trial " in done
    study, confirming = terminal.study("s"), terminal.study("s.confirm")
    assert (study.counts, confirming.counts) == ({"complete": 4}, {"complete": 6})
    pids = (terminal.directory / "pids").read_text().split()
    assert len(pids) == 10
    assert len(set(pids)) == 2
    again = terminal.json("study", "run", "s", "-n", "1", "--confirm", "2", "--seeds", "3")
    assert (again["study"], again["confirmation"], again["ended"]) == ("s", "s.confirm", "trials")
    assert terminal.study("s.confirm").trials == confirming.trials
    assert len((terminal.directory / "pids").read_text().split()) == 10


def test_interrupted_between_search_and_confirmation(terminal: Terminal) -> None:
    """A confirmation that was cut off goes on with the command that began it, or with its own."""
    terminal.write("mine.py", TOGETHER.replace("    yield", "    __import__('time').sleep(1)\n    yield"))
    terminal.write("s.toml", SPEC.format(sampler="grid", recipe='objective = "mine:run"', path="params.x"))
    command = ("study", "run", "s.toml", "-n", "2", "--confirm", "1", "--seeds", "5")
    with terminal.started(*command) as run:
        wait_until(lambda: terminal.counts("s.confirm").get("complete", 0) > 0, "a run is complete")
        run.send_signal(signal.SIGINT)
        assert "tunefast study run s.confirm" in ended(run, 130)
    assert terminal.study("s.confirm").counts["complete"] < 5
    terminal.tunefast(*command)
    assert terminal.study("s.confirm").counts == {"complete": 5}
    assert terminal.study("s").counts == {"complete": 4}


def test_nothing_to_confirm(terminal: Terminal) -> None:
    """A search that found nothing ends as ever; one that cannot be confirmed is refused before it trains."""
    terminal.write("mine.py", "def run(recipe, context):\n    raise ValueError(str(recipe.params['x']))\n")
    text = SPEC.format(sampler="grid", recipe='objective = "mine:run"', path="params.x")
    terminal.write("s.toml", text)
    failed = terminal.json("study", "run", "s.toml", "-n", "1", "--confirm", "1", code=1)
    assert failed["study"] == "s"
    assert "s.confirm" not in terminal.tunefast("study", "list").stdout
    dependent = (
        '"params.y" = {{ choices = [1, 2], when = {{ seed = [1, 2] }} }}\nseed = {{ choices = [1, 2] }}\n'.format()
    )
    terminal.write("t.toml", text.replace('"s"', '"t"') + dependent)
    refused = terminal.tunefast("study", "run", "t.toml", "--confirm", "1", code=2)
    assert "by its seed, which a confirmation changes" in refused.stderr
    assert terminal.study("t").trials == []
