"""The SQL that gathers rows into occurrences as ``Cluster`` defines them. Pure; used by the compiler.

What undecided rows keep open is bounded by windows (each row that opens one, and what it reaches), and rows may
stand so thick that listing the rows of every window would grow with the square of their number. So none is listed:

- a **unit** is the rows of one place within one block of time, blocks as long as an anchor reaches. Rows of a unit are
  near the same places, and what a row reaches lies in units of its block and the next: of each such unit one
  stretch of rows, from ``low`` to ``high`` in the order of time;
- conditions on a window are counts over its rows (a greatest or least value passes when one row's does), so a
  window's figures are differences of running counts at the two ends of its stretches;
- whether a row lies in a window that may be a hit is a running count of the stretches begun and ended.

Running counts are window functions over rows and ends of stretches in one order: n log n in the rows and stretches.
Pairs of rows are only formed with anchors, of which a row is reached by at most a handful, because they do not
reach each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from supervision.rulebook.spec import Cluster, Leaf, Node

if TYPE_CHECKING:
    from supervision.rulebook.compiler import _Builder

_EARTH = 6371000
#: The planner takes so many conditions to leave a handful of rows, and would join every row to every row; by its
#: reckoning a list of unknown length has a hundred entries, and then it hashes.
MANY = " cross join jsonb_array_elements('[0]')"


def q(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _coalesced(condition: exp.Expression) -> exp.Expression:
    return exp.Coalesce(this=condition, expressions=[exp.false()])


class Clustering:
    """Steps from ``kept`` to ``occurrences`` (its rows with ``bucket``, ``possible`` and ``f_<leaf>``)."""

    def __init__(self, builder: _Builder, cluster: Cluster) -> None:
        self.b, self.cluster, self.rule = builder, cluster, builder.rule
        self.leaves: list[Leaf] = builder._having()
        self.flags = [f"f_{leaf.id}" for leaf in self.leaves]

    def steps(self) -> list[tuple[str, str]]:
        """``part`` numbers the partitions within which rows may belong together, ``n`` all rows, partition by
        partition in the order of time; an occurrence or a window is known by the ``n`` of its first row.

        Joins are on one number each, because the planner, asked for several, joins by one and tries every pair of rows
        for the others; and steps are to be computed each for itself (``materialized``), because it would put pairs
        of rows before the choice of a few.
        """
        flagged = ["possible", *self.flags]
        return [
            ("ordered", self._ordered()),
            ("held", self._held("select * from ordered where is_true")),
            # Only partitions that hold an undecided row need windows.
            ("loose", "select distinct part from ordered where not is_true"),
            ("units", self._units()),
            ("near", self._near_units()),
            # Which units hold rows that a row may reach: of each those from the row itself to ``until``.
            (
                "sights",
                "select o.n as o, o.until, o.is_true, t.there as unit"
                " from near t join ordered o on o.unit = t.here",
            ),
            (
                "anchors",
                "select o.n, o.unit from units u join ordered o on o.unit = u.unit"
                " join held h on h.n = o.n and h.anchor = h.n",
            ),
            ("reaches", "select s.* from anchors a join sights s on s.o = a.n"),
            # Rows that an anchor of true rows reaches, itself included.
            (
                "grasped",
                "select s.o as anchor, r.n, r.is_true from reaches s"
                " join ordered r on r.unit = s.unit and r.n >= s.o and r.n <= s.until",
            ),
            # A true row that an anchor reaches, reaching another anchor.
            (
                "pushes",
                "select distinct g.anchor, a.n from grasped g join sights s on s.o = g.n"
                " join anchors a on a.unit = s.unit and a.n > s.o and a.n <= s.until where g.is_true",
            ),
            # Anchors of true rows that others may come to reach: undecided rows, or rows set free by such an anchor.
            (
                "displaced",
                "select a.n from sights s join anchors a on a.unit = s.unit and a.n > s.o and a.n <= s.until"
                " where not s.is_true"
                " union select p.n from displaced d join pushes p on p.anchor = d.n",
            ),
            # Rows whose anchor no undecided row can change, or only to an earlier one.
            (
                "fixed",
                "select g.n, min(g.anchor) as anchor from grasped g"
                # Distinct, so that the planner does not prepare for the millions that it expects of a recursion.
                " where g.anchor not in (select distinct n from displaced) group by g.n",
            ),
            ("stretches", self._stretches()),
            ("measured", self._measured()),
            ("judged_windows", self._judged()),
            ("touched", self._touched()),
            # Undecided rows of windows without any true row: occurrences of their own.
            (
                "apart",
                self._held("select * from ordered where n in (select n from touched where apart)"),
            ),
            ("homes", "select * from held union all select * from apart"),
            (
                "occurrences",
                "select o.*, first_value(o.occurrence) over (partition by h.anchor order by h.n) as bucket, "
                + ", ".join(f"t.{q(flag)}" for flag in flagged)
                + " from homes h join ordered o on o.n = h.n join touched t on t.n = h.n",
            ),
        ]

    def _ordered(self) -> str:
        """``until``: the last row behind this one within its time; ``lost``: without time or place (and unit)."""
        cluster = self.cluster
        subject = f"k.{q(self.rule.clue.subject)}"
        part = ", ".join([subject, *(f"k.{q(name)}" for name in cluster.same)])
        names = [f"k.{q(name)}" for name in cluster.named_by]
        order = ", ".join(
            [f"k.{q(cluster.time)} nulls last", *(f"{n}::text" for n in names), self.b._order()]
        )
        bucket = " || ' ' || ".join(
            f"coalesce({self.b._as_name(name)}, '')" for name in (*cluster.same, *cluster.named_by)
        )
        place = cluster.place
        lon, lat = (f"k.{q(place.lon)}", f"k.{q(place.lat)}") if place else ("0::float8", "0::float8")
        values = {
            leaf.field: self.b._measured(self.rule.measures[leaf.field])
            for leaf in self.leaves
            if self.rule.measures[leaf.field].kind != "count"
        }
        valued = "".join(f", {value} as {q(f'v_{name}')}" for name, value in sorted(values.items()))
        numbered = (
            f"select k.*, {bucket} as occurrence, k.{q(cluster.time)} as at, {lon} as lon, {lat} as lat,"
            f" k.{q(cluster.time)} is null or {lon} is null or {lat} is null as lost,"
            f" dense_rank() over (order by {part}) as part,"
            f" row_number() over (order by {part}, {order}) as n,"
            f" div(extract(epoch from k.{q(cluster.time)})::numeric, greatest({self._span()}, 1) * 3600) as block{valued}"
            f" from kept k{MANY} where {subject} is not null"
        )
        weights = "".join(f", {sql}::int as {q(name)}" for name, sql in self._weights().items())
        return (
            "select k.*, case when k.lost then k.n else max(k.n) over (partition by k.part order by k.at"
            f" range between unbounded preceding and {self._hours()} following) end as until,"
            " case when not k.lost then dense_rank() over (order by k.part, k.lon, k.lat, k.block) end as unit"
            f"{weights} from ({numbered}) k"
        )

    def _weights(self) -> dict[str, str]:
        """What is counted of a window's rows, by column: ``w_<leaf>`` rows that make the condition possible by
        themselves, ``k_<leaf>`` rows that hold a value where a missing one has a meaning.
        """
        found = {}
        for leaf in self.leaves:
            if self.rule.measures[leaf.field].kind == "count":
                continue
            value = f"v_{leaf.field}"
            passes = self.b._condition(leaf.model_copy(update={"field": value, "missing_as": None}), "k")
            missing = f"k.{q(value)} is null"
            if leaf.missing_as is None:
                found[f"w_{leaf.id}"] = f"({missing} or coalesce({self.b._sql(passes)}, false))"
            else:
                found[f"w_{leaf.id}"] = f"coalesce({self.b._sql(passes)}, false)"
                found[f"k_{leaf.id}"] = f"({missing} is false)"
        return found

    def _counted(self) -> list[str]:
        return ["certain", "rows", *self._weights()]

    def _of_row(self, alias: str) -> list[str]:
        return [f"{alias}.is_true::int", "1", *(f"{alias}.{q(name)}" for name in self._weights())]

    def _units(self) -> str:
        corner = ""
        if self.cluster.place is not None:
            # Cells of a grid in space, twice as wide as a row reaches: what is near lies in eight of them.
            axes = (
                f"{_EARTH} * cos(radians(lat)) * cos(radians(lon))",
                f"{_EARTH} * cos(radians(lat)) * sin(radians(lon))",
                f"{_EARTH} * sin(radians(lat))",
            )
            corner = "".join(
                f", floor(({axis}) / (2 * {self._grid()}))::bigint as c{i}, "
                f"floor((({axis}) - {self._grid()}) / (2 * {self._grid()}))::bigint as low{i}"
                for i, axis in enumerate(axes)
            )
        return (
            f"select unit, part, lon, lat, block{corner} from (select distinct unit, part, lon, lat, block from ordered"
            " where unit is not null and part in (select part from loose)) u"
        )

    def _near_units(self) -> str:
        """Units near each other in space whose blocks are the same or follow each other."""
        cells = " cross join (values (0), (1)) t(later)"
        own, seen = ["part", "block"], ["part", "block + later"]
        where = ""
        if self.cluster.place is not None:
            for i in range(3):
                cells += f" cross join (values (0), (1)) a{i}(on{i})"
                own.append(f"c{i}")
                seen.append(f"low{i} + on{i}")
            where = f" where {self._near('u.lon', 'u.lat', 'v.lon', 'v.lat')}"
        return (
            "select u.unit as here, v.unit as there"
            f" from (select *, concat_ws(' ', {', '.join(seen)}) as cell from units{cells}) u"
            f" join (select *, concat_ws(' ', {', '.join(own)}) as cell from units) v on v.cell = u.cell{where}"
        )

    def _stretches(self) -> str:
        """Windows by their stretches: (anchor, unit, low, high).

        A row opens one unless it is fixed to an earlier anchor. Rows fixed to an anchor before it are not its own: as
        far as the last such anchor reaches in the unit, they are all of them fixed to it or an earlier one.
        """
        return (
            "select * from (select s.o as anchor, s.unit, greatest(s.o, 1 + coalesce(max(s.until)"
            " filter (where s.steady) over (partition by s.unit order by s.o rows between unbounded preceding"
            " and 1 preceding), 0)) as low, s.until as high from (select s.*, x.anchor is not null as steady"
            " from sights s left join fixed x on x.n = s.o"
            " where coalesce(x.anchor = s.o, true)) s) s where low <= high"
        )

    def _measured(self) -> str:
        """The counts of each window: in loose partitions by its stretches, in others by the rows of the occurrence."""
        counted = [q(name) for name in self._counted()]
        nothing = ", ".join(f"0 as {name}" for name in counted)
        of_row = ", ".join(f"{sql} as {name}" for sql, name in zip(self._of_row("o"), counted, strict=True))
        running = ", ".join(
            f"sum({name}) over (partition by unit order by pos, kind rows unbounded preceding) as {name}"
            for name in counted
        )
        differences = ", ".join(f"sum(sign * {name})::bigint as {name}" for name in counted)
        sums = ", ".join(f"sum({sql})::bigint" for sql in self._of_row("o"))
        own = ", ".join(self._of_row("o"))
        return (
            f"select anchor, false as lost, {differences} from (select anchor, sign, {running} from ("
            f" select unit, low as pos, 0 as kind, anchor, -1 as sign, {nothing} from stretches"
            f" union all select unit, high, 2, anchor, 1, {nothing} from stretches"
            f" union all select o.unit, o.n, 1, null, 0, {of_row} from units u join ordered o on o.unit = u.unit"
            ") e) r where sign <> 0 group by anchor"
            f" union all select h.anchor, bool_or(o.lost), {sums} from held h join ordered o on o.n = h.n"
            " where h.part not in (select part from loose) group by h.anchor"
            f" union all select o.n, true, {own} from ordered o where o.lost and o.part in (select part from loose)"
        )

    def _judged(self) -> str:
        """Whether the conditions on the whole could hold there; a lost row is never ruled out."""
        if self.rule.having is None:
            return "select w.anchor, w.certain > 0 as certain, true as possible from measured w"
        flags = [
            f"w.lost or {self._flag(leaf)} as {q(name)}"
            for leaf, name in zip(self.leaves, self.flags, strict=True)
        ]

        def possible(node: Node) -> exp.Expression:
            if isinstance(node, Leaf):
                return exp.column(f"f_{node.id}", table="w", quoted=True)
            joined = [possible(child) for child in (node.all or node.any or ())]
            return exp.paren(exp.and_(*joined) if node.all else exp.or_(*joined))

        return (
            f"select w.*, {self.b._sql(possible(self.rule.having))} as possible"
            f" from (select w.anchor, w.certain > 0 as certain, {', '.join(flags)} from measured w) w"
        )

    def _flag(self, leaf: Leaf) -> str:
        """A condition on a window's counts: true of some way its undecided rows may turn out."""
        if self.rule.measures[leaf.field].kind == "count":
            return self.b._sql(_coalesced(self.b._condition(leaf.model_copy(update={"field": "rows"}), "w")))
        passes = f"w.{q(f'w_{leaf.id}')} > 0"
        if leaf.missing_as is None:
            return passes
        missing = self.b._condition(leaf.model_copy(update={"field": "nothing"}), "z")
        kind = "float8" if self.rule.measures[leaf.field].per else self._type(leaf.field)
        return (
            f"({passes} or w.{q(f'k_{leaf.id}')} = 0 and coalesce((select {self.b._sql(missing)}"
            f" from (select null::{kind} as nothing) z), false))"
        )

    def _type(self, measure: str) -> str:
        alias, column = self.rule.measures[measure].field.split(".")
        feed = self.rule.sources[alias].feed
        if feed is None:
            feed = (self.rule.sources[alias].any_of or ())[0].feed
            column = (self.rule.sources[alias].any_of or ())[0].columns[column]
        return self.b.plan.catalog[feed].column(column).pool_type

    def _touched(self) -> str:
        """Of each row whether a window that holds it may be a hit (with its conditions), and may be one ``apart``."""
        names = ["possible", "apart", *self.flags]
        told = ["j.possible", "j.possible and not j.certain", *(f"j.{q(flag)}" for flag in self.flags)]
        begun = ", ".join(f"({sql})::int as {q(name)}" for sql, name in zip(told, names, strict=True))
        ended = ", ".join(f"-({sql})::int" for sql in told)
        zeros = ", ".join("0" for _ in names)
        covered = ", ".join(
            f"sum({q(name)}) over (partition by unit order by pos, kind rows unbounded preceding) > 0 as {q(name)}"
            for name in names
        )
        plain = ", ".join(told)
        return (
            f"select n, {', '.join(q(name) for name in names)} from (select n, kind, {covered} from ("
            f" select s.unit, s.low as pos, 0 as kind, null::bigint as n, {begun}"
            " from stretches s join judged_windows j on j.anchor = s.anchor"
            f" union all select s.unit, s.high, 2, null, {ended}"
            " from stretches s join judged_windows j on j.anchor = s.anchor"
            f" union all select o.unit, o.n, 1, o.n, {zeros} from units u join ordered o on o.unit = u.unit"
            ") e) r where kind = 1"
            f" union all select h.n, {plain} from held h join judged_windows j on j.anchor = h.anchor"
            " where h.part not in (select part from loose)"
            f" union all select o.n, {plain} from ordered o join judged_windows j on j.anchor = o.n"
            " where o.lost and o.part in (select part from loose)"
        )

    def _held(self, rows: str) -> str:
        """(part, n, anchor) of the rows, anchored among themselves.

        Walks each partition once, keeping the anchors that still reach in time; arrays, because a common
        table expression has no index by which the next row could be found.
        """
        arrays = "array_agg(n order by n) as ns, array_agg(at order by n) as ats"
        near = "true"
        if self.cluster.place:
            arrays += ", array_agg(lon order by n) as lons, array_agg(lat order by n) as lats"
            near = self._near(*(f"p.{c}[{i}]" for i in ("h", "w.i + 1") for c in ("lons", "lats")))
        return (
            f"with rows as ({rows})"
            " select p.part, p.ns[w.i] as n, p.ns[w.anchor] as anchor"
            f" from (select part, {arrays} from rows where not lost group by part) p cross join lateral ("
            "with recursive walk(i, anchor, live) as (select 1, 1, array[1] union all"
            " select w.i + 1, coalesce(s.mine, w.i + 1), case when s.mine is null then s.live || (w.i + 1) else s.live end"
            " from walk w cross join lateral (select coalesce(array_agg(h order by h), '{}') as live,"
            f" min(h) filter (where {near}) as mine from unnest(w.live) h"
            f" where p.ats[w.i + 1] <= p.ats[h] + {self._hours()}) s where w.i < cardinality(p.ns))"
            " select i, anchor from walk) w"
            " union all select part, n, n from rows where lost"
        )

    def _near(self, lon1: str, lat1: str, lon2: str, lat2: str) -> str:
        """Great-circle distance on a sphere of 6,371 km; without a place nothing is near."""
        return (
            f"coalesce(2 * {_EARTH} * asin(least(1, sqrt(sin(radians({lat2} - {lat1}) / 2) ^ 2 + cos(radians({lat1}))"
            f" * cos(radians({lat2})) * sin(radians({lon2} - {lon1}) / 2) ^ 2)))"
            f" <= {self._metres()}, false)"
        )

    def _metres(self) -> str:
        assert self.cluster.place is not None  # noqa: S101  asked for by callers that have one
        return self.b._sql(self.b.param(self.cluster.place.metres))

    def _grid(self) -> str:
        """A little more than a row reaches, so that rounding loses nothing."""
        return f"({self._metres()} + 1)"

    def _span(self) -> str:
        return f"({self.b._sql(self.b.param(self.cluster.hours))})"

    def _hours(self) -> str:
        return f"make_interval(hours => {self._span()}::int)"
