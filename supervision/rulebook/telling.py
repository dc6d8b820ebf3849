"""What a result says for itself, as SQL: its label, the row that decides with every condition's values, its records.

Pure; used by the compiler. All of it is gathered for results alone: no row that only counts is explained, and of
combined sources the records are looked up by the keys of the results.
"""

from __future__ import annotations

from supervision.rulebook.clustering import q as _q
from supervision.rulebook.operators import PARAM_KEYS
from supervision.rulebook.reading import links_to
from supervision.rulebook.rows import Rows
from supervision.rulebook.spec import FIELD_KEYS, SCORE, Leaf, Link, judged_leaves

#: evidence rows carried along per source; the measures count all of them
EVIDENCE_ROWS = 12


class Telling(Rows):
    """From the rows of a group (``k``, numbered by ``place``) to what is told of the result (``g``)."""

    # -- order ------------------------------------------------------------------------------------

    def _order(self, direction: str = "") -> str:
        """By the records that a row was linked from: no two rows are alike in all of them, whatever engine reads them."""
        plain = [alias for alias, source in self.rule.sources.items() if not source.any_of]
        aliases = [self.rule.driver, *(alias for alias in plain if alias != self.rule.driver)]
        return ", ".join(f"k.{_q(f'{alias}.evidence')}{direction}" for alias in aliases)

    def _latest(self) -> str:
        return f"k.n desc, {self._order(' desc')}" if self.rule.cluster else self._order(" desc")

    def _sequence(self) -> str:
        """Of an occurrence the order of time, so that a corrected record keeps its place; else that of arrival."""
        return f"k.n, {self._order()}" if self.rule.cluster else self._order()

    # -- gathered from a group's rows -----------------------------------------------------------------

    def _shown_of(self) -> dict[str, str]:
        """Column → aggregate over the rows of a result; ``d_…`` of the row that decides.

        That is the latest true one, else the latest undecided one: the one in the first place.
        """
        found = {}
        if self.rule.cluster:
            # Whatever its name, an occurrence is known by its records.
            found["members"] = "jsonb_agg(distinct encode(k.natural_hash, 'hex')) filter (where k.is_true)"
        for name, field in (("label", self.rule.clue.label), ("county", f"{self.rule.driver}.county")):
            column = f"k.{_q(field)}"
            found[name] = (
                f"(array_agg({column} order by {self._sequence()}) filter (where {column} is not null))[1]"
            )
        for name in self._explaining():
            found[f"d_{name}"] = f"(array_agg(k.{_q(name)}) filter (where k.place = 1))[1]"
        for alias in self.rule.clue.evidence:
            column = f"k.{_q(f'{alias}.evidence')}"
            if self.rule.sources[alias].any_of:
                if self._follows_subject(links_to(self.rule)[alias]):
                    found[f"r_{alias}"] = f"k.{_q(self.rule.clue.subject)}"
                else:
                    found[f"r_{alias}"] = f"(array_agg({column} order by k.is_true desc, {self._order()}))[1]"
                continue
            held = "" if alias == self.rule.driver else f" and {column} is not null"
            found[f"t_{alias}"] = f"array_agg({column}) filter (where k.is_true{held})"
            found[f"o_{alias}"] = f"array_agg({column}) filter (where not k.is_true{held})"
        return found

    def _follows_subject(self, link: Link) -> bool:
        """Whether the linked key is the result's own subject."""
        mentioned = self.fields.mention(link.left, link.right) or self.fields.mention(link.right, link.left)
        plain = link.by in ("identity", "key") and not (link.left_role or link.right_role)
        return plain and link.left == self.rule.clue.subject and not mentioned

    # -- the explanation ------------------------------------------------------------------------------

    def _explaining(self) -> list[str]:
        """Columns of the deciding row that the explanation reads."""
        found: list[str] = []
        for leaf in judged_leaves(self.rule):
            found += [f"is_{leaf.id}", leaf.field]
            found += [name for key in FIELD_KEYS if (name := getattr(leaf, key)) is not None]
            found += [f"n_{leaf.id}"] if leaf.op == "shared_by" else []
        if self.rule.score:
            found += [f"is_{self.rule.score.id}", SCORE]
        for leg in self.rule.without:
            found += [f"is_{leg.id}", leg.since]
        return list(dict.fromkeys(found + self._tiers()))

    def _explanations(self) -> list[str]:
        """One JSON object per condition on rows, of the values that the deciding row holds."""
        parts = [self._explained(leaf) for leaf in judged_leaves(self.rule)]
        if self.rule.score:
            mark = self._sql(self.param(self.rule.score.at_least))
            parts.append(self._object(self.rule.score.id, f"'field', {_decides(SCORE)}, 'param', {mark}"))
        for leg in self.rule.without:
            covered = [f"%(covers_{absence.feed})s::date" for absence in leg.feeds]
            # Covered together only as far as the least of them; a feed never delivered covers nothing.
            known = " and ".join(f"{day} is not null" for day in covered)
            shown = (
                covered[0] if len(covered) == 1 else f"case when {known} then least({', '.join(covered)}) end"
            )
            parts.append(self._object(leg.id, f"'since', {_decides(leg.since)}, 'covered_until', {shown}"))
        for name in self._tiers():
            parts.append(
                f"jsonb_build_object('id', {self._text(f'tier {name}')}, 'truth', true,"
                f" 'values', jsonb_build_object('tier', {_decides(name)}))"
            )
        return parts

    def _explained(self, leaf: Leaf) -> str:
        values = [f"'field', {_decides(leaf.field)}"]
        for key in FIELD_KEYS:
            if (name := getattr(leaf, key)) is not None:
                values.append(f"'{key}', {_decides(name)}")
        if leaf.op == "shared_by":
            values.append(f"'count', {_decides(f'n_{leaf.id}')}")
        for key in PARAM_KEYS:
            name = getattr(leaf, key)
            if name and not isinstance(self.rule.params[name].value, list):
                values.append(f"'{key}', {self._sql(self.param(name))}")
        return self._object(leaf.id, ", ".join(values))

    def _object(self, condition: str, values: str) -> str:
        return (
            f"jsonb_build_object('id', {self._text(condition)}, 'truth', {_decides(f'is_{condition}')},"
            f" 'values', jsonb_build_object({values}))"
        )

    # -- records ----------------------------------------------------------------------------------------

    def _evidence(self, alias: str) -> str:
        """The records of a source: of true rows, or where there is none of undecided ones; the first by number."""
        if self.rule.sources[alias].any_of:
            return f"{_q(f'proof_{alias}')}.evidence"
        once = "" if alias == self.rule.driver and not self._multiplies() else "distinct "
        numbers = f"unnest(coalesce(g.{_q(f't_{alias}')}, g.{_q(f'o_{alias}')})) as u(r)"
        feed = self.rule.sources[alias].feed or ""
        return (
            f"(select jsonb_agg(jsonb_build_object('alias', {self._text(alias)}, 'feed', {self._text(feed)},"
            f" 'record_id', x.r) order by x.r)"
            f" from (select {once}u.r from {numbers} order by u.r limit {EVIDENCE_ROWS}) x)"
        )

    def _multiplies(self) -> bool:
        """Whether a link may lead from one row to several; a combined source has one row per key."""
        return any(
            not self.rule.sources[link.right.split(".")[0]].any_of
            or link.by == "relation"
            or link.left_role is not None
            or link.right_role is not None
            for link in self.rule.link
        )

    def _combined_evidence(self) -> list[str]:
        """Combined sources among the evidence, in the order of the rule."""
        return [alias for alias in dict.fromkeys(self.rule.clue.evidence) if self.rule.sources[alias].any_of]

    def _proofs(self) -> list[tuple[str, str]]:
        """Per combined source the records behind the keys of the results."""
        steps = []
        for alias in self._combined_evidence():
            source = self.rule.sources[alias]
            key, members = self._members(alias, source)
            feeds = list(dict.fromkeys(member.feed for member in source.any_of or ()))
            cases = " ".join(f"when {n} then {self._text(feed)}" for n, feed in enumerate(feeds))
            name = f"case u.member {cases} end" if len(feeds) > 1 else self._text(feeds[0])
            one = (
                f"jsonb_build_object('alias', {self._text(alias)}, 'feed', f.feed, 'record_id', f.record_id)"
            )
            steps.append(
                (
                    f"proof_{alias}",
                    f"select f.key, jsonb_agg({one} order by f.record_id, f.feed) as evidence"
                    f" from (select u.{_q(key)} as key, u.record_id, {name} as feed from ({members}) u"
                    f" where u.{_q(key)} in (select g.{_q(f'r_{alias}')} from results g)) f group by f.key",
                )
            )
        return steps

    def _proof_joins(self) -> str:
        return "".join(
            f" left join {_q(f'proof_{a}')} on {_q(f'proof_{a}')}.key = g.{_q(f'r_{a}')}"
            for a in self._combined_evidence()
        )


def _decides(column: str) -> str:
    return f"g.{_q(f'd_{column}')}"
