"""Pause and promote: who goes on from a rung, and when."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunefast.search.pruning import Curve, Standing, pruning_rule
from tunefast.search.pruning.forecast import ForecastRule
from tunefast.search.pruning.promoting import Place, PromotingRule
from tunefast.search.pruning.saving import SavingRule
from tunefast.spec.pruners import AshaPruner, FastPruner

EPOCHS = 16


class Played:
    """Trials with known costs, handed out as a study does it: promotable ones first."""

    def __init__(self, reduction: int, costs: list[float]) -> None:
        self.reduction, self.costs = reduction, costs
        self.rule = PromotingRule(1, reduction, maximize=False)
        self.at: dict[int, list[int]] = {}
        """By rung's epoch, the trials that got there."""
        self.reached: dict[int, int] = {}
        """By trial, the epoch that it has got to."""

    def top(self, epoch: int) -> set[int]:
        """Who is among the best at a rung, by the definition."""
        ordered = sorted(self.at[epoch], key=lambda number: (self.costs[number], number))
        return set(ordered[: len(ordered) // self.reduction])

    def train(self, number: int) -> None:
        """Train a trial until it is held, or done."""
        for epoch in range(self.reached.get(number, 0) + 1, EPOCHS + 1):
            self.reached[number] = epoch
            cost = self.costs[number]
            decision = self.rule.judge(Standing(number, epoch, cost, cost, EPOCHS))
            is_rung = epoch in [self.reduction**power for power in range(5)]
            if is_rung:
                self.at.setdefault(epoch, []).append(number)
                assert decision.num_curves == len(self.at[epoch])
            assert decision.prune == (is_rung and epoch < EPOCHS and number not in self.top(epoch))
            if decision.prune:
                return
        self.rule.learn(Curve(number, dict.fromkeys(range(1, EPOCHS + 1), self.costs[number]), EPOCHS, complete=True))


@given(
    reduction=st.integers(2, 4),
    costs=st.lists(st.floats(0, 1) | st.sampled_from([0.25, 0.5]), min_size=1, max_size=40),
    restarts=st.sets(st.integers(0, 80)),
)
@settings(max_examples=100)
def test_nobody_goes_on_who_is_not_among_the_best(reduction: int, costs: list[float], restarts: set[int]) -> None:
    """No trial leaves its rung but in the best of those there at the time; at the end all of these have left."""
    played = Played(reduction, costs)
    new = iter(range(len(costs)))
    for step in range(400):
        number = played.rule.promotable()
        if number is not None:
            epoch = played.reached[number]
            assert number in played.top(epoch)
            assert not any(
                other in played.top(rung) and played.reached[other] == rung
                for rung, there in played.at.items()
                if epoch < rung < EPOCHS
                for other in there
            )
            played.rule.promote(number)
        else:
            number = next(new, None)
        if number is None:
            break
        played.train(number)
        if step in restarts:
            played.rule = restarted(played)
    for epoch, there in played.at.items():
        left = [number for number in there if played.reached[number] > epoch]
        assert epoch == EPOCHS or len(left) >= len(there) // reduction
        assert epoch == EPOCHS or played.top(epoch) <= set(left)


def restarted(played: Played) -> PromotingRule:
    """The rule as a coordinator finds it that starts anew."""
    rule = PromotingRule(1, played.reduction, maximize=False)
    for number, reached in played.reached.items():
        curve = dict.fromkeys(range(1, reached + 1), played.costs[number])
        done = reached == EPOCHS
        rule.learn(Curve(number, curve, EPOCHS, complete=done, running=not done, paused=not done))
    return rule


def test_where_a_trial_waits() -> None:
    """Its rung, and its rank among those that got there; it moves when others come."""
    rule = pruning_rule(AshaPruner(min_epochs=2, reduction=2, promote=True), maximize=True)
    assert isinstance(rule, PromotingRule)
    judged = [rule.judge(Standing(number, 2, value, value, 8)).prune for number, value in enumerate((0.5, 0.4, 0.3))]
    assert judged == [True, True, True]
    assert [rule.place(number) for number in range(3)] == [Place(2, 1, 3), Place(2, 2, 3), Place(2, 3, 3)]
    assert rule.promotable() == 0
    assert not rule.judge(Standing(3, 2, 0.6, 0.6, 8)).prune
    assert rule.place(2) == Place(2, 4, 4)


def test_a_trial_that_goes_on_is_not_held_there_again() -> None:
    """One that trains the epochs of its rung again, after its worker died, is not held there again."""
    rule = PromotingRule(1, 2, maximize=True)
    for number, value in enumerate((0.5, 0.4)):
        rule.judge(Standing(number, 1, value, value, 8))
    rule.promote(0)
    for number, value in ((2, 0.9), (3, 0.8)):
        rule.judge(Standing(number, 1, value, value, 8))
    assert not rule.judge(Standing(0, 1, 0.5, 0.5, 8)).prune


def test_the_best_goes_on_where_nobody_is_done() -> None:
    """Of the highest rung the best, until a trial has trained to its end."""
    rule = PromotingRule(1, 4, maximize=True)
    for number, value in enumerate((0.5, 0.7, 0.6)):
        rule.judge(Standing(number, 1, value, value, 8))
    assert (rule.promotable(), rule.leader()) == (None, 1)
    assert [rule.next(), rule.next(last=True), rule.next(last=True, alone=True)] == [None, None, 1]
    rule.learn(Curve(8, {1: 0.1}, 8, complete=True, imported=True))
    assert rule.leader() == 1
    rule.learn(Curve(9, {1: 0.1}, 8, complete=True))
    assert rule.leader() is None


def test_nobody_goes_on_who_will_not_be_the_best() -> None:
    """With a forecast a trial that is among the better half waits all the same, where it cannot become the best."""
    rule = PromotingRule(1, 2, maximize=True, forecast=ForecastRule(1, 1.0, maximize=True))
    rule.learn(Curve(0, {1: 0.9, 2: 0.9, 3: 0.9, 4: 0.9}, 4, complete=True))
    for number, value in ((1, 0.1), (2, 0.2), (3, 0.3)):
        assert rule.judge(Standing(number, 1, value, value, 4, 0, value)).prune
    assert rule.promotable() is None
    rule.learn(Curve(4, {1: 0.0, 2: 0.9, 3: 0.9, 4: 0.9}, 4, complete=True))
    assert rule.promotable() == 3


STEADY = st.tuples(st.sampled_from([1, 1, 1, 2]), st.sampled_from([0.3, 0.5, 0.7]), st.just(0.0))
WHOLE = st.sampled_from([(8, 0.9, 0.0), (8, 0.0, 0.5)])
"""The epoch that a trial got to, what it has from the first one on, and what it gains in the middle."""


@given(trials=st.lists(STEADY | WHOLE, min_size=10, max_size=25), last=st.booleans(), saves=st.booleans())
@settings(max_examples=100, deadline=None)
def test_who_fell_short_is_looked_at_again(trials: list[tuple[int, float, float]], last: bool, saves: bool) -> None:
    """Whoever was asked for before, a rule lets the same trial go on as one that was never asked."""

    def new() -> PromotingRule:
        forecast = ForecastRule(2, 1.0, maximize=True)
        if saves:
            return SavingRule(1, 2, 0.9, maximize=True, forecast=forecast, chances=1.5)
        return PromotingRule(1, 2, maximize=True, forecast=forecast, chances=1.5)

    asked, learned = new(), []
    for number, (reached, value, gain) in enumerate(trials):
        done = reached == 8
        curve = {epoch: value + gain * (epoch > 4) for epoch in range(1, reached + 1)}
        learned.append(Curve(number, curve, 8, complete=done, running=not done, paused=not done))
        asked.learn(learned[-1])
        fresh = new()
        for each in learned:
            fresh.learn(each)
        assert asked.next(last=last) == fresh.next(last=last)
    gone = []
    while (going := asked.promotable(last=True)) is not None:
        asked.promote(going)
        gone.append(going)
    waits = {each.number for each in learned if each.paused}
    assert set(asked.waiting()) == waits - set(gone)
    assert len(gone) == len(set(gone))


def test_the_epochs_that_are_left() -> None:
    """Of four at the first rung two go on, for one epoch and half of two more; two new ones as those until now."""
    rule = PromotingRule(1, 2, maximize=True)
    assert rule.epochs_to_come(2, 1.5) == 3
    for number, value in enumerate((0.5, 0.4, 0.3, 0.2)):
        rule.learn(Curve(number, {1: value}, 4, running=True, paused=True))
    assert rule.epochs_to_come(2, 1.5) == 3 + 2 * (1 + 2 / 2)
    rule.promote(0)
    assert rule.epochs_to_come(0, 1.5) == 1 + 2 / 2


def test_who_falls_short_trains_no_epochs() -> None:
    """Of those among the best only such count that a forecast gives a chance; of very many not all are looked at."""
    forecast = ForecastRule(1, 1.0, maximize=True)
    rule = PromotingRule(1, 2, maximize=True, forecast=forecast)
    rule.learn(Curve(0, dict.fromkeys(range(1, 5), 0.5), 4, complete=True))
    for number in range(1, 401):
        better = number <= 100
        rule.learn(Curve(number, {1: 0.6 + number / 1000 if better else 0.1}, 4, running=True, paused=True))
    assert rule.epochs_to_come(0, 1.0) == pytest.approx(100 * 2, rel=0.1)


def test_trends_count_in_the_order() -> None:
    """With a trend a trial that still gains is ahead of one that is a little better and gains nothing."""
    order = {}
    for trend in (0.0, 0.5):
        rule = PromotingRule(4, 2, maximize=True, trend=trend)
        assert rule.judge(Standing(0, 4, 0.52, 0.52, 16, 0, 0.52)).prune
        order[trend] = rule.judge(Standing(1, 4, 0.5, 0.5, 16, 0, 0.3)).prune
    assert order == {0.0: True, 0.5: False}


def test_fast_gives_more_of_them_a_chance_at_the_end() -> None:
    """Of six at a rung three go on, and a fourth when no more trials begin."""
    rule = pruning_rule(FastPruner(), maximize=True)
    assert isinstance(rule, PromotingRule)
    for number, value in enumerate((0.6, 0.5, 0.4, 0.3, 0.2, 0.1)):
        rule.judge(Standing(number, 2, value, value, 8, halfway=value))
    gone: list[int] = []
    while (going := rule.promotable(last=len(gone) >= 3)) is not None:
        rule.promote(going)
        gone.append(going)
    assert gone == [0, 1, 2, 3]


@pytest.mark.parametrize("resumes", [True, False])
def test_fast_lets_trials_wait_where_they_go_on_for_little(resumes: bool) -> None:
    """Trials of tunefast's own loop wait; others are stopped, unless the spec says otherwise."""

    def waits(pruner: FastPruner) -> bool:
        return isinstance(pruning_rule(pruner, maximize=True, resumes=resumes), PromotingRule)

    assert waits(FastPruner()) == resumes
    assert waits(FastPruner(promote=True))
    assert not waits(FastPruner(promote=False))
