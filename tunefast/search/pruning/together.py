"""Several rules as one."""

from __future__ import annotations

from collections.abc import Sequence

from tunefast.search.pruning.rule import Curve, Decision, PruningRule, Standing


class TogetherRule:
    """Stops a trial that any of its rules stops; says the numbers of that one, else those of the first."""

    def __init__(self, rules: Sequence[PruningRule]) -> None:
        self._rules = rules

    def judge(self, standing: Standing) -> Decision:
        """Ask all of the rules, since some of them learn from being asked."""
        decisions = [rule.judge(standing) for rule in self._rules]
        return next((decision for decision in decisions if decision.prune), decisions[0])

    def learn(self, curve: Curve) -> None:
        """Tell all of the rules."""
        for rule in self._rules:
            rule.learn(curve)
