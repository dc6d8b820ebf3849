"""What is wrong with a rule file: file, place, what, cure."""

from __future__ import annotations

from chuxiong.kit.problems import Problem


class RuleError(Exception):
    """One or more rules cannot be used; ``problems`` lists all that was found."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(p) for p in problems))
        self.problems = problems
