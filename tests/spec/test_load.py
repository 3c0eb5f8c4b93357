"""Spec files: what is refused, and what the one message says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.spec.specs import BASE, table
from tunefast.errors import SpecError
from tunefast.spec.load import load_spec, parse_spec

GRID = BASE.replace("[budget]", 'sampler = { name = "grid" }\n[budget]')

MODELS = "mlp, own, resnet9, small_cnn, timm, torchvision"
ADAMW = "amsgrad, betas, decay_norm_and_bias, eps, lr, name, weight_decay"

MESSAGES = {
    # unknown keys: the nearest valid one is named
    "batchsize = 3": "[recipe] batchsize: unknown key 'batchsize'. Did you mean 'batch_size'?",
    "[recip]\nx = 3": "[recip]: unknown key 'recip'. Did you mean 'recipe'?",
    'model = { name = "mlp", widht = 3 }': "[recipe] model.widht: unknown key 'widht'. Did you mean 'width'?",
    "[space]\nbatchsize = { choices = [1, 2] }": (
        "[space] \"batchsize\": unknown key 'batchsize'. Did you mean 'batch_size'?"
    ),
    '[space]\n"optimizer.lrr" = { low = 1.0, high = 2.0 }': (
        "[space] \"optimizer.lrr\": unknown key 'lrr'. Did you mean 'optimizer.lr'?"
    ),
    "[space]\nbatch_size = { choises = [1, 2] }": (
        "[space] batch_size.choises: unknown key 'choises'. Did you mean 'choices'?"
    ),
    "[space]\nbatch_size = { low = 1, hihg = 2 }": (
        "[space] batch_size.hihg: unknown key 'hihg'. Did you mean 'high'?"
    ),
    "[space]\nbatch_size = { choices = [1, 2], log = true }": (
        "[space] batch_size.log: unknown key 'log'. Known: choices, when."
    ),
    # paths in [space] without quotes, of which TOML makes tables
    "[space]\noptimizer.lr = { low = 1e-4, high = 0.1 }": (
        '[space] optimizer.lr: a path with dots needs quotes: "optimizer.lr" = { ... }'
    ),
    "[space.optimizer.options.eps]\nvalues = [1, 2]": (
        '[space] optimizer.options.eps: a path with dots needs quotes: "optimizer.options.eps" = { ... }'
    ),
    '[space]\noptimizer.choices = ["sgd"]\noptimizer.lr.low = 1': (
        '[space] optimizer.lr: a path with dots needs quotes: "optimizer.lr" = { ... }'
    ),
    # what other programs call it
    "[space]\nbatch_size = { values = [1, 2] }": (
        "[space] batch_size.values: unknown key 'values'. Did you mean 'choices'?"
    ),
    "[space]\nbatch_size = { min = 1, high = 2 }": "[space] batch_size.min: unknown key 'min'. Did you mean 'low'?",
    "[space]\nbatch_size = { low = 1, max = 2 }": "[space] batch_size.max: unknown key 'max'. Did you mean 'high'?",
    '[space]\n"optimizer.lr" = { low = 0.1, high = 0.2, distribution = "log_uniform_values" }': (
        "[space] \"optimizer.lr\".distribution: unknown key 'distribution'. Did you mean 'log = true'?"
    ),
    '[space]\n"optimizer.lr" = { low = 0.1, high = 0.2, distribution = "uniform" }': (
        "[space] \"optimizer.lr\".distribution: unknown key 'distribution'. Leave it out: values are drawn evenly."
    ),
    '[space]\n"optimizer.lr" = { low = 0.1, high = 0.2, log_uniform = true }': (
        "[space] \"optimizer.lr\".log_uniform: unknown key 'log_uniform'. Did you mean 'log = true'?"
    ),
    "[space]\nbatch_size = [1, 2]": "[space] batch_size = [1, 2]: should be a table, { choices = [1, 2] }",
    # searched paths that are none
    '[space]\n"optimzer.lr" = { low = 0.1, high = 0.2 }': (
        "[space] \"optimzer.lr\": unknown key 'optimzer'. Did you mean 'optimizer.lr'?"
    ),
    "[space]\nlr = { low = 0.1, high = 0.2 }": "[space] \"lr\": unknown key 'lr'. Did you mean 'optimizer.lr'?",
    "lr = 0.1": "[recipe] lr: unknown key 'lr'. Did you mean 'optimizer.lr'?",
    # unknown names: all valid ones are listed
    'schedule = { name = "cosin" }': (
        "[recipe] schedule: unknown name 'cosin'. Did you mean 'cosine'? Known: constant, cosine, cyclic, exponential, "
        "multi_step, one_cycle, plateau, step."
    ),
    'model = { name = "resnet" }': (f"[recipe] model: unknown name 'resnet'. Did you mean 'resnet9'? Known: {MODELS}."),
    "model = { width = 3 }": f"[recipe] model: needs a name. Known: {MODELS}.",
    '[space]\n"model.name" = { choices = ["mlp", "resnet"] }': (
        f"[space] \"model.name\" = 'resnet': unknown name 'resnet'. Did you mean 'resnet9'? Known: {MODELS}."
    ),
    # wrong types
    'batch_size = "64"': "[recipe] batch_size = '64': should be a whole number",
    "batch_size = 64.0": "[recipe] batch_size = 64.0: should be a whole number",
    "batch_size = true": "[recipe] batch_size = True: should be a whole number",
    'model = "mlp"': "[recipe] model = 'mlp': should be a table, { name = \"mlp\" }",
    '[space]\nbatch_size = { choices = [2, "a"] }': "[space] \"batch_size\" = 'a': should be a whole number",
    "[space]\nbatch_size = 3": "[space] batch_size = 3: should be a table, { ... }",
    "[space]\nbatch_size = { low = 'a', high = 3 }": "[space] batch_size.low = 'a': should be a number",
    '[space]\n"batch_size.x" = { low = 1, high = 2 }': (
        '[space] "batch_size.x": batch_size should be a whole number, and has no settings of its own'
    ),
    '[space]\n"model.width.x" = { low = 1, high = 2 }': (
        '[space] "model.width.x": model.width should be a whole number, and has no settings of its own'
    ),
    'metrics = [{ name = "a b", path = "x:y" }]': (
        "[recipe] metrics.0.name = 'a b': should be letters, digits, - and _ alone"
    ),
    "[[enqueue]]\nepochs = [1]": "[enqueue] 0.epochs: should be text, a number or true or false",
    # words in braces
    '[notify]\ncommand = "echo {hi}"': (
        "[notify]: {hi} is nothing that a command is told. Known: event, metric, study, text, trial, value."
    ),
    # out of range
    "batch_size = 0": "[recipe] batch_size = 0: should be at least 1",
    "clipping = { norm = 0.0 }": "[recipe] clipping.norm = 0.0: should be greater than 0",
    'precision = "fp61"': "[recipe] precision = 'fp61': should be 'fp32', 'tf32', 'bf16', 'fp16' or 'auto'",
    "drop_last = 1": "[recipe] drop_last = 1: should be true or false",
    "metrics = 1": "[recipe] metrics = 1: should be a list",
    "clipping = { norm = 'no' }": "[recipe] clipping.norm = 'no': should be a number",
    "[space]\nbatch_size = { low = 0, high = 4 }": ('[space] "batch_size" = 0: should be at least 1'),
    '[space]\n"optimizer.momentum" = { low = 0.5, high = 1.0 }': (
        '[space] "optimizer.momentum" = 1.0: should be less than 1'
    ),
    # domains that make no sense
    "[space]\nbatch_size = { choices = [] }": "[space] batch_size.choices: choices is empty",
    "[space]\nbatch_size = { low = 1 }": "[space] batch_size.high: is missing",
    "[space]\nbatch_size = { low = 4, high = 2 }": "[space] batch_size: low = 4 is greater than high = 2",
    '[space]\n"optimizer.lr" = { low = 0.0, high = 2.0, log = true }': (
        '[space] "optimizer.lr": log = true needs low > 0, and low = 0'
    ),
    "[space]\nbatch_size = { low = 1, high = 4, step = 2 }": (
        "[space] batch_size: high = 4 is not reached in steps of 2; the last value would be 3"
    ),
    "[space]\nbatch_size = { choices = [1, 1] }": (
        "[space] batch_size.choices: choice 1 stands there twice; give tables that share a name a label each"
    ),
    '[space]\n"data.x" = { choices = [{ a = 1 }] }': (
        "[space] \"data.x\".choices: the choice {'a': 1} is a table without a name: give it one for people, as in "
        "{ label = 'slow', ... }"
    ),
    '[space]\n"optimizer.lr" = { low = 1, high = 9 }': (
        '[space] "optimizer.lr": the setting is a real number, and whole bounds search whole numbers only; '
        "write low = 1.0, high = 9.0"
    ),
    # conditions
    "[space]\nbatch_size = { choices = [1, 2], when = { precision = 'fp32' } }": (
        "space.\"batch_size\".when: 'precision' is not searched; only searched settings can be conditions"
    ),
    "[space]\nbatch_size = { choices = [1], when = { epochs = 1 } }\n"
    "epochs = { choices = [1], when = { batch_size = 1 } }": "conditions go in a circle: batch_size, epochs",
    # options that some choice lacks
    '[space]\n"optimizer.name" = { choices = ["sgd", "adamw"] }\n"optimizer.momentum" = { low = 0.1, high = 0.9 }': (
        f"[space] \"optimizer.momentum\": unknown key 'momentum'. Known: {ADAMW}. "
        "That is so with optimizer.name = 'adamw': give it a condition (when = ...) in [space]."
    ),
    # settings that do not go together
    'schedule = { name = "one_cycle", base_momentum = 0.99 }': (
        "[recipe] schedule: base_momentum = 0.99 must not exceed max_momentum = 0.95"
    ),
    'early_stopping = { monitor = "val_f1" }': (
        "[recipe]: early_stopping.monitor = 'val_f1' is not reported; known: loss, accuracy, val_loss, val_accuracy"
    ),
    'early_stopping = { monitor = "val_los" }': (
        "[recipe]: early_stopping.monitor = 'val_los' is not reported; known: loss, accuracy, val_loss, val_accuracy"
    ),
    'early_stopping = { monitor = "val_fluency" }\nmetrics = [{ path = "a:b", name = "fluency" }]': (
        "[recipe]: early_stopping: mode = \"auto\": the name 'val_fluency' does not say which way is better; "
        'set mode = "min" or "max"'
    ),
    'schedule = { name = "plateau", monitor = "val_f1" }': (
        "[recipe]: schedule.monitor = 'val_f1' is not reported; known: loss, accuracy, val_loss, val_accuracy"
    ),
    'metrics = ["rmse"]': "[recipe]: metrics: 'rmse' does not go with the loss 'cross_entropy'",
    'preprocess = { normalize = "fixed", mean = [0.5] }': '[recipe] preprocess: normalize = "fixed" needs mean and std',
    'preprocess = { normalize = "weights" }': (
        '[recipe]: preprocess.normalize = "weights" needs a model with pretrained weights (model.weights)'
    ),
}


@pytest.mark.parametrize("extra", MESSAGES)
def test_message(extra: str) -> None:
    """A mistake is named by file, key and value, with what would be valid."""
    with pytest.raises(SpecError) as caught:
        parse_spec(table(extra), "my.toml")
    assert str(caught.value) == f"my.toml: {MESSAGES[extra]}"


BASE_MESSAGES = {
    BASE.replace("trials = 3", ""): "budget: give trials or minutes, or the search has no end",
    BASE.replace("trials = 3", "trails = 3"): "[budget] trails: unknown key 'trails'. Did you mean 'trials'?",
    BASE.replace("[budget]", "num_samples = 9\n[budget]"): (
        "[study] num_samples: unknown key 'num_samples'. Did you mean 'trials' in [budget]?"
    ),
    BASE.replace("trials = 3", "trials = 3\ntimeout = 60"): (
        "[budget] timeout: unknown key 'timeout'. Did you mean 'minutes'?"
    ),
    BASE.replace('data = { name = "digits" }', ""): "[recipe] data: is missing",
    BASE.replace('name = "digits"\nmetric', 'name = "a/b"\nmetric'): (
        "[study] name = 'a/b': should be a name without / and \\ and control characters, such as line breaks"
    ),
    BASE.replace('data = { name = "digits" }\noptimizer = { name = "sgd" }', 'command = "p {weightdecay}"'): (
        "[recipe]: {weightdecay} is no setting of [recipe] or [space], nor of the trial. Known: checkpoints, device, "
        "directory, epochs, seed, study, threads, trial."
    ),
    BASE.replace('{ name = "digits" }', '{ name = "npz", file = "" }'): "[recipe] data.file = '': is empty",
    BASE.replace('"val_accuracy"', "3"): "[study] metric = 3: should be text or a list",
    BASE.replace("[budget]", 'direction = "up"\n[budget]'): (
        "[study] direction = 'up': should be 'maximize' or 'minimize' or a list"
    ),
    BASE.replace("val_accuracy", "val_acuracy"): (
        "[study]: direction is missing, and the name 'val_acuracy' does not say which way is better: "
        'give direction = "maximize" or "minimize". '
        "Did you mean 'val_accuracy'?"
    ),
    BASE.replace("val_accuracy", "top5_accuracy"): (
        "[study] metric = 'top5_accuracy': not reported by a training with the loss 'cross_entropy', which is for"
        " classes. With metrics = ['top5_accuracy'] in [recipe] it is, as 'val_top5_accuracy'."
    ),
    BASE.replace('"val_accuracy"', '"steps_to_target"\ntarget = { metric = "val_f1", value = 0.9 }'): (
        "[study] target.metric = 'val_f1': not reported by a training with the loss 'cross_entropy', which is for"
        " classes. With metrics = ['f1'] in [recipe] it is, as 'val_f1'."
    ),
    BASE.replace("val_accuracy", "seconds_to_target"): (
        "[study] metric = 'seconds_to_target': needs target = { metric = \"val_accuracy\", value = ... }"
    ),
    BASE.replace('"val_accuracy"', '["val_loss", "seconds_to_target"]'): (
        "[study] metric = 'seconds_to_target': needs target = { metric = \"val_accuracy\", value = ... }, "
        "and no other metrics beside it"
    ),
    BASE.replace("val_accuracy", "f1"): (
        "[study] metric = 'f1': not reported by a training with the loss 'cross_entropy', which is for classes."
        " With metrics = ['f1'] in [recipe] it is, as 'val_f1'."
    ),
    BASE.replace("[budget]", 'sampler = "grid"\n[budget]'): (
        "[study] sampler = 'grid': should be a table, { name = \"grid\" }"
    ),
    BASE.replace("[budget]", 'sampler = { name = "gird" }\n[budget]'): (
        "[study] sampler: unknown name 'gird'. Did you mean 'grid'? Known: cmaes, gp, grid, nsga2, qmc, random, tpe."
    ),
    GRID + '[space]\n"optimizer.lr" = { low = 0.1, high = 0.2 }': (
        'space."optimizer.lr": a grid cannot cover a continuous domain, nor one of more than 100,000 values; '
        "give it a step or choices, or use another sampler"
    ),
    GRID + "[space]\nbatch_size = { low = 1, high = 999 }\nepochs = { low = 1, high = 999 }": (
        "space: more than 100,000 cells in the grid; narrow it, or use another sampler"
    ),
    BASE.replace('{ name = "sgd" }', '{ name = "sgd", momentum = 0.9 }')
    + '[space]\n"optimizer.name" = { choices = ["sgd", "adamw"] }': (
        f"[recipe] optimizer.momentum: unknown key 'momentum'. Known: {ADAMW}. "
        "That is so with optimizer.name = 'adamw': give it a condition (when = ...) in [space]."
    ),
    BASE.replace('{ name = "sgd" }', '{ name = "sgd", nesterov = true }'): (
        "[recipe] optimizer: nesterov = true needs momentum > 0"
    ),
    BASE.replace('data = { name = "digits" }\noptimizer = { name = "sgd" }', 'objective = "a:b"\nmodel = 3'): (
        "[recipe] model: unknown key 'model'. Known: accumulation_steps, batch_size, clipping, early_stopping, epochs, "
        "lr_scaling, objective, optimizer, params, precision, schedule, seed, style."
    ),
}


@pytest.mark.parametrize("text", BASE_MESSAGES)
def test_message_of_a_whole_spec(text: str) -> None:
    """The same goes for sections, budgets, samplers and metrics."""
    with pytest.raises(SpecError) as caught:
        parse_spec(table(base=text), "my.toml")
    assert str(caught.value) == f"my.toml: {BASE_MESSAGES[text]}"


def test_every_mistake_has_a_line() -> None:
    """Mistakes in all sections are told at once, a line each, unknown keys first."""
    text = BASE.replace("trials = 3", "trails = 3").replace('name = "digits"\nmetric', "seed = -1\nname = 3\nmetric")
    extra = 'epcohs = 3\nbatchsize = 4\n[space]\n"optimzer.lr" = { low = 0.1, high = 0.2 }'
    with pytest.raises(SpecError) as caught:
        parse_spec(table(extra, text), "my.toml")
    assert str(caught.value).splitlines() == [
        "my.toml: [budget] trails: unknown key 'trails'. Did you mean 'trials'?",
        "  [study] name = 3: should be text",
        "  [study] seed = -1: should be at least 0",
        "  [recipe] epcohs: unknown key 'epcohs'. Did you mean 'epochs'?",
        "  [recipe] batchsize: unknown key 'batchsize'. Did you mean 'batch_size'?",
        "  (and 1 more mistake)",
    ]


@pytest.mark.parametrize(
    ("space", "found"),
    [
        ('data = { choices = ["x"] }', ["  [recipe] batchsize: unknown key 'batchsize'. Did you mean 'batch_size'?"]),
        ("data.x = { low = 1 }", []),
    ],
)
def test_what_is_searched_is_no_mistake_of_the_recipe(space: str, found: list[str]) -> None:
    """While [space] has mistakes of its own, what a recipe lacks or has too much of may be one of them."""
    text = BASE.replace('data = { name = "digits" }', "" if not found else "batchsize = 4")
    with pytest.raises(SpecError) as caught:
        parse_spec(table(f"[space]\n{space}\nepochs = {{ choises = [1] }}", text), "my.toml")
    assert [line for line in str(caught.value).splitlines()[1:] if "recipe" in line] == found


def test_file(tmp_path: Path) -> None:
    """A file is read, and its name is the study's where the spec has none."""
    path = tmp_path / "my digits.toml"
    path.write_text(BASE.replace('name = "digits"\nmetric', "metric"))
    assert load_spec(path).study.name == "my digits"
    assert load_spec(path, "other").study.name == "other"
    path.write_text(BASE)
    assert load_spec(path).study.name == "digits"


def test_file_without_a_study_section(tmp_path: Path) -> None:
    """All of [study] has defaults."""
    path = tmp_path / "short.toml"
    path.write_text('[budget]\ntrials = 1\n[recipe]\ndata = { name = "digits" }')
    assert load_spec(path).study.name == "short"


def test_missing_file(tmp_path: Path) -> None:
    """A file that is not there is named."""
    with pytest.raises(SpecError) as caught:
        load_spec(tmp_path / "nowhere.toml")
    assert str(caught.value) == f"{tmp_path / 'nowhere.toml'}: cannot be read (No such file or directory)"


@pytest.mark.parametrize("content", [b"[study\n", b"a = 1\na = 2", b"lr = 1e", b"\xff\xfe", b"study = 3"])
def test_file_that_is_no_spec(tmp_path: Path, content: bytes) -> None:
    """Broken TOML, other encodings and plain values are refused by the file's name, and the line if there is one."""
    path = tmp_path / "bad.toml"
    path.write_bytes(content)
    with pytest.raises(SpecError) as caught:
        load_spec(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert ("line 1" in str(caught.value)) == (content in (b"[study\n", b"lr = 1e"))


def test_every_choice_is_built() -> None:
    """A choice that makes no recipe is refused wherever it stands among the choices."""
    with pytest.raises(SpecError, match=r'"precision" = .fp8.'):
        parse_spec(table('[space]\nprecision = { choices = ["fp32", "bf16", "fp16", "fp8"] }'))


def test_combinations_are_built() -> None:
    """Choices that are fine alone and wrong together are found too."""
    space = '[space]\nbatch_size = { choices = [64, 32, 1] }\n"model.batch_norm" = { choices = [false, true] }\n'
    with pytest.raises(SpecError, match=r"batch_size = 1: model\.batch_norm = true"):
        parse_spec(table('model = { name = "mlp" }\n' + space))


def test_metric_that_the_recipe_reports() -> None:
    """A metric can be searched for once the recipe measures it, and every choice of the loss has to."""
    f1 = BASE.replace("val_accuracy", "val_f1")
    with pytest.raises(SpecError, match=r"metric = 'val_f1': not reported by a training"):
        parse_spec(table(base=f1))
    assert parse_spec(table('metrics = ["f1"]', f1)).study.maximize
    with pytest.raises(SpecError, match=r"metric = 'val_accuracy': not reported by a training"):
        parse_spec(table('loss = { name = "mse" }'))
    assert not parse_spec(
        table('loss = { name = "mse" }', BASE.replace("accuracy", "rmse") + 'metrics = ["rmse"]\n')
    ).study.maximize


def test_condition_makes_it_valid() -> None:
    """An option under the condition that its part is chosen passes."""
    space = """
    [space]
    "optimizer.name" = { choices = ["sgd", "adamw"] }
    "optimizer.momentum" = { low = 0.1, high = 0.9, when = { "optimizer.name" = "sgd" } }
    """
    assert len(parse_spec(table(space)).space) == 2


@pytest.mark.parametrize("path", sorted((REPOSITORY / "studies").glob("*.toml")), ids=lambda path: path.name)
def test_shipped_study(path: Path) -> None:
    """Every study that tunefast ships is a valid spec, named like its file."""
    assert load_spec(path).study.name == path.stem
