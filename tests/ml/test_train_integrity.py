from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch is not installed (the extra `ml`)")

import torch
from kinlight.ml import train_integrity
from kinlight.ml.photos import Collection
from kinlight.ml.train_integrity import (
    Batches,
    Plan,
    Run,
    Training,
    load_plan,
    validate,
    validation_batches,
)

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def small_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_integrity, "SIDES", {64: (8, 1.0)})


def trained(run: Path, photos: Collection, plan: Plan, steps: int) -> Training:
    """A run to that step, taken up from its checkpoint if it has one."""
    training = Training(plan, CPU)
    checkpoint = run / "checkpoint.safetensors"
    if checkpoint.exists():
        training.load(checkpoint)
    batches = Batches(photos, plan.seed)
    ahead = (batches[step] for step in range(training.step, steps))
    run.mkdir(exist_ok=True)
    Run(run, training, validation_batches(photos, 16), 1e6, steps).go(ahead, pause=1e6)
    return training


def test_training_lowers_the_loss(photos: Collection, tmp_path: Path) -> None:
    plan = Plan(seed=3, warm_up=5, average=0.9, cool_down=0)
    batches = validation_batches(photos, 16)
    before = validate(Training(plan, CPU).average, batches, CPU)["loss"]
    training = trained(tmp_path / "run", photos, plan, 24)
    after = validate(training.average, batches, CPU)
    assert after["loss"] < 0.95 * before
    log = (tmp_path / "run" / "log.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(log[-1])["step"] == 24


def test_a_run_that_was_interrupted_ends_where_another_does(
    photos: Collection, tmp_path: Path
) -> None:
    plan = Plan(seed=4, cool_down=0)
    through = trained(tmp_path / "through", photos, plan, 4)
    trained(tmp_path / "halves", photos, plan, 2)
    halves = trained(tmp_path / "halves", photos, plan, 4)
    assert halves.step == through.step == 4
    for name, value in through.net.state_dict().items():
        assert torch.equal(value, halves.net.state_dict()[name]), name
    for name, value in through.average.state_dict().items():
        assert torch.equal(value, halves.average.state_dict()[name]), name


def test_a_checkpoint_tells_what_was_asked_for(photos: Collection, tmp_path: Path) -> None:
    plan = Plan(seed=8, held_out=3, rate=0.5)
    trained(tmp_path / "run", photos, plan, 1)
    assert load_plan(tmp_path / "run" / "checkpoint.safetensors") == plan


def test_a_run_can_begin_with_weights_of_another() -> None:
    first, second = Training(Plan(seed=1), CPU), Training(Plan(seed=2), CPU)
    second.start_from(first.average.state_dict())
    for net in (second.net, second.average):
        for name, value in first.average.state_dict().items():
            assert torch.equal(net.state_dict()[name], value)


def test_the_validation_is_the_same_every_time(photos: Collection) -> None:
    first, second = (validation_batches(photos, 16) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first[0], second[0], strict=True))
