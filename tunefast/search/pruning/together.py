"""Several rules as one."""

from __future__ import annotations

from collections.abc import Sequence

from tunefast.search.pruning.rule import Curve, Decision, PruningRule, Standing


class LaterRule:
    """Another rule, from a share of a trial's epochs on; before that no trial is stopped."""

    def __init__(self, rule: PruningRule, share: float) -> None:
        self._rule = rule
        self._share = share

    def judge(self, standing: Standing) -> Decision:
        """Ask the other rule when it is time; where nobody knows a trial's end it is."""
        if standing.planned is not None and standing.epoch <= self._share * standing.planned:
            return Decision(prune=False)
        decision = self._rule.judge(standing)
        return decision._replace(prune=decision.prune and not standing.is_done)

    def learn(self, curve: Curve) -> None:
        """Tell the other rule."""
        self._rule.learn(curve)


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
