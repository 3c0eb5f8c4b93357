"""Pause and promote within a common purse of epochs: what is saved, who goes on first, what a restart changes."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunefast.search.pruning import Curve, Standing, pruning_rule
from tunefast.search.pruning.forecast import ForecastRule
from tunefast.search.pruning.promoting import PromotingRule
from tunefast.search.pruning.saving import Purse, SavingRule
from tunefast.spec.pruners import SafePruner

CAREFUL = 1e9
"""A margin with which no forecast falls short."""


def rule_of(first: int = 1, chances: float = 1.0) -> SavingRule:
    """A rule that counts epochs and ranks alone."""
    forecast = ForecastRule(1, CAREFUL, maximize=False)
    return SavingRule(first, 2, 0.5, maximize=False, forecast=forecast, chances=chances)


class Played:
    """Trials whose costs fall at an equal pace, handed out as a study does it."""

    def __init__(self, rule: SavingRule, costs: list[float], epochs: int) -> None:
        self.rule, self.costs, self.epochs = rule, costs, epochs
        self.reached: dict[int, int] = {}

    def cost(self, number: int, epoch: int) -> float:
        """What a trial has at an epoch."""
        return self.costs[number] + 1 / epoch

    def curve(self, number: int) -> Curve:
        """What a trial has reported until now."""
        values = {epoch: self.cost(number, epoch) for epoch in range(1, self.reached[number] + 1)}
        done = self.reached[number] == self.epochs
        return Curve(number, values, self.epochs, complete=done, running=not done, paused=not done)

    def train(self, number: int) -> None:
        """Train a trial until it is held, or done."""
        for epoch in range(self.reached.get(number, 0) + 1, self.epochs + 1):
            self.reached[number] = epoch
            cost = self.cost(number, epoch)
            if self.rule.judge(Standing(number, epoch, cost, cost, self.epochs)).prune:
                break
        self.rule.learn(self.curve(number))

    def search(self) -> None:
        """Train all there are, those first that may go on."""
        while True:
            number, started = self.rule.promotable(last=len(self.reached) == len(self.costs)), len(self.reached)
            if number is not None:
                self.rule.promote(number)
            elif started < len(self.costs):
                number = started
            else:
                return
            self.train(number)


COSTS = st.lists(st.floats(0, 1), min_size=1, max_size=30)


@given(costs=COSTS, epochs=st.integers(6, 40), chances=st.sampled_from([1.0, 1.25, 2.0]))
@settings(max_examples=100, deadline=None)
def test_half_of_the_epochs_are_saved(costs: list[float], epochs: int, chances: float) -> None:
    """However many chances there are, no more than half of all trials' epochs are spent."""
    played = Played(rule_of(chances=chances), costs, epochs)
    played.search()
    assert sum(played.reached.values()) <= epochs * len(costs) / 2


def test_chances_use_what_is_left() -> None:
    """With a chance for everybody nearly the half is spent; without chances less."""
    spent = []
    for chances in (1.0, 2.0):
        played = Played(rule_of(chances=chances), [0.01 * (7 * n % 100) for n in range(100)], 40)
        played.search()
        spent.append(sum(played.reached.values()) / 4000)
    assert spent[0] == pytest.approx(0.5, abs=0.01)
    assert spent[1] < 0.25


def test_short_trainings_are_not_ended_by_their_first_rung() -> None:
    """Where the first rung takes more than half of the epochs, the better ones go on all the same."""
    played = Played(rule_of(first=3), [0.4, 0.3, 0.2, 0.1], 5)
    played.search()
    assert [played.reached[number] for number in range(4)] == [5, 5, 5, 5]


def test_who_is_ahead_of_most_goes_on_first() -> None:
    """The second of ten goes on before the second of two, which is at a higher rung."""
    rule = rule_of()
    for number in range(2):
        values = dict.fromkeys((1, 2), 0.2 + number / 10)
        rule.learn(Curve(number, values, 8, running=True, paused=True))
    rule.promote(0)
    for number in range(2, 10):
        rule.learn(Curve(number, {1: 0.25 + number / 100}, 8, running=True, paused=True))
    assert rule.waiting()[:2] == [2, 3]
    assert rule.promotable(last=True) == 2


@given(costs=COSTS, epochs=st.integers(3, 20))
@settings(max_examples=50, deadline=None)
def test_a_restart_changes_no_decision(costs: list[float], epochs: int) -> None:
    """A rule that is told the curves anew lets the same trial go on, also of those that wait for the end."""
    played = Played(rule_of(chances=1.25), costs, epochs)
    for number in range(len(costs)):
        played.train(number)
    again = rule_of(chances=1.25)
    for number in played.reached:
        again.learn(played.curve(number))
    for last in (False, True):
        assert again.promotable(last=last) == played.rule.promotable(last=last)
    assert again.waiting() == played.rule.waiting()


def test_what_the_purse_holds() -> None:
    """Half of what is planned, two first rungs at least; of one that broke off half of what it spent."""
    purse = Purse(0.5, 3)
    purse.note(0, 3, 20)
    assert purse.affords(7, 20)
    assert not purse.affords(8, 20)
    purse.note(1, 3, 4)
    assert purse.affords(8, 20)
    purse.note(2, 8, 20, ended=True)
    assert purse.affords(4, 20)
    assert not purse.affords(5, 20)


@pytest.mark.parametrize("num_imported", [0, 20])
def test_imported_trials_take_nothing_from_the_purse(num_imported: int) -> None:
    """Beside trials that another study paid for this one's spend the half of their epochs all the same."""
    rule = rule_of()
    for number in range(100, 100 + num_imported):
        values = dict.fromkeys(range(1, 41), 2.0 + number / 100)
        rule.learn(Curve(number, values, 40, complete=True, imported=True))
    played = Played(rule, [0.01 * (7 * n % 100) for n in range(100)], 40)
    played.search()
    assert sum(played.reached.values()) / 4000 == pytest.approx(0.5, abs=0.01)


def test_the_epochs_that_are_left_are_in_the_purse() -> None:
    """However many wait, no more is foretold than the purse holds, with what new trials will bring."""
    rule = rule_of()
    for number in range(10):
        rule.judge(Standing(number, 1, number / 10, number / 10, 40))
    assert rule.epochs_to_come(0, 1.0) == pytest.approx(10 * (1 + 2 / 2 + 4 / 4 + 8 / 8 + 16 / 16 + 8 / 32))
    for number in range(10, 20):
        rule.learn(Curve(number, dict.fromkeys(range(1, 36), 0.9), 40, complete=True))
    assert rule.epochs_to_come(0, 1.0) == 20 * 20 - 10 - 10 * 35
    assert rule.epochs_to_come(1, 30.0) == 20 * 20 - 10 - 10 * 35 + 20


def test_unknown_lengths_are_no_matter() -> None:
    """A trial whose end nobody knows neither brings nor takes, and may always go on."""
    purse = Purse(0.5, 3)
    purse.note(0, 50, None)
    assert purse.affords(50, None)
    assert not purse.affords(1, 20)


def test_safe_saves() -> None:
    """What the default pruner makes of a spec: this rule where trials wait, with a chance for four of five."""
    rule = pruning_rule(SafePruner(), maximize=False)
    assert isinstance(rule, SavingRule)
    assert isinstance(rule, PromotingRule)
    for number in range(10):
        rule.judge(Standing(number, 3, 0.1 * number, 0.1 * number, 50))
    while (chosen := rule.promotable(last=True)) is not None:
        rule.promote(chosen)
    assert rule.waiting() == [8, 9]
    assert math.isfinite(rule.place(8).rank)
