"""One prefecture behind all feeds: who works where, owns what, runs which firm. Nobody is meant by anybody in it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import lru_cache
from random import Random

from chuxiong.demo import identifiers, names, places
from chuxiong.demo.calendar import month_first
from chuxiong.demo.firms import Firm, firms
from chuxiong.demo.outfalls import Outlets
from chuxiong.demo.pension import Register
from chuxiong.demo.people import Person, Population
from chuxiong.demo.plan import Plan
from chuxiong.demo.recovery import Docket
from chuxiong.demo.truth import Truth
from chuxiong.demo.wages import Market

_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
_SCHOOLS = ("中心小学", "第一中学", "幼儿园", "职业高级中学")
_HOTELS = ("宾馆", "酒店", "客栈", "电竞酒店")


@dataclass
class World:
    """People and organisations that every later feed shares. ``workers``, ``elders``: people without a planted part."""

    plan: Plan
    people: Population
    today: date
    truth: Truth
    register: Register
    market: Market
    docket: Docket
    outlets: Outlets
    offenders: list[dict[str, str]] = field(default_factory=list)
    #: (owner, lessee, signed, years, rent a year in yuan, honest) of leases in enforcement
    leases: list[tuple[Person, Person, date, int, int, bool]] = field(default_factory=list)
    #: (firm, square metres, decided, tax paid) of farmland taken
    occupied: list[tuple[Firm, int, date, bool]] = field(default_factory=list)
    #: ((number, name), day, own liability, the other's) of people hurt on the road
    injured: list[tuple[tuple[str, str], date, str, str]] = field(default_factory=list)
    #: number → kind of people hurt on the road whose compensation was mediated
    paid_twice: dict[str, str] = field(default_factory=dict)
    #: (kind, person) of people on assistance for whom an employer pays contributions
    on_wages: list[tuple[str, Person]] = field(default_factory=list)
    #: (kind, person) of debtors who run a firm
    barred: list[tuple[str, Person]] = field(default_factory=list)
    #: numbers of everybody whom the courts have listed: nobody else of them runs a firm
    listed: set[str] = field(default_factory=set)
    #: (kind, firm) of eating places, by the drainage permit that they hold
    eating: list[tuple[str, Firm]] = field(default_factory=list)
    #: (kind, firm) of firms founded at one address within weeks
    shells: list[tuple[str, Firm]] = field(default_factory=list)

    def __post_init__(self) -> None:
        dice = self.dice("world")
        count = self.people.frame.height
        free = [i for i in range(count) if i not in self.people.cast]
        # Some offices register a share of the people under a number of another place: they are inhabitants all the same.
        self.workers = [i for i in free if i >= self.people.pensioners]
        self.elders = [i for i in free if i < self.people.pensioners]
        dice.shuffle(self.workers)
        dice.shuffle(self.elders)
        known = {f.name: f for f in (*self.market.firms, *self.outlets.owners)}
        for firm in firms(self.plan, self.plan.size["firms"], "registered"):
            known.setdefault(firm.name, firm)
        self.firms = list(known.values())
        self.garages = self._garages()
        self.hospitals = self._bodies("hospitals", ("人民医院", "中医医院"), 2)
        self.schools = self._bodies("schools", _SCHOOLS, 4)
        self.hotels = self._bodies("hotels", _HOTELS, 3)
        self._next = {"workers": 0, "elders": 0}
        self._owner = {
            f.credit_code: self.workers[(n * 3) % len(self.workers)] for n, f in enumerate(self.firms)
        }

    def dice(self, part: str) -> Random:
        """A source of its own for every part: the same seed and scale give the same throws."""
        return Random(f"{self.plan.seed} {self.plan.scale} {part}")  # noqa: S311  (no secret is drawn)

    def _garages(self) -> list[tuple[Firm, str]]:
        """Motor repair shops, each with what becomes of its waste oil."""
        kinds = [
            k
            for k, count in (("kept", 6), ("handed_over", 5), ("closed", 3), ("no_waste", 3), ("young", 3))
            for _ in range(count)
        ]
        made = firms(self.plan, len(kinds), "garages", "服务业")
        named = [
            replace(f, name=f"{places.COUNTIES[f.county]}演示{n + 1}号汽车维修有限公司")
            for n, f in enumerate(made)
        ]
        return list(zip(named, kinds, strict=True))

    def _bodies(self, part: str, kinds: tuple[str, ...], each: int) -> list[Firm]:
        draw = self.plan.draw(part)
        made = []
        for county, name in places.COUNTIES.items():
            towns = [v.town for v in places.villages_of(county)]
            for n in range(each):
                kind = kinds[n % len(kinds)]
                town = towns[int(draw.integers(0, len(towns)))] if part != "hospitals" else ""
                title = f"{name}{town}{kind}（演示）" if n < len(kinds) else f"{name}{town}{kind}{n}（演示）"
                made.append(Firm(title, identifiers.credit_code(draw, county), county, kind))
        return made

    # ---- people ------------------------------------------------------------------------------

    def person(self, index: int) -> Person:
        return self.people.person(index)

    def take(self, group: str) -> Person:
        """The next worker or elder for a planted case, from the last third: nobody else has this person."""
        listed = self.workers if group == "workers" else self.elders
        self._next[group] += 1
        if self._next[group] > len(listed) // 3:
            raise ValueError(f"{group} 不够植入案例：请在 plan.yaml 中调大规模或减少案例")
        return self.person(listed[-self._next[group]])

    def anyone(self, dice: Random, group: str = "workers") -> Person:
        """Somebody at random out of the first two thirds, where no case is planted."""
        listed = self.workers if group == "workers" else self.elders
        return self.person(listed[int(dice.random() * (len(listed) * 2 // 3))])

    def owner(self, firm: Firm) -> Person:
        """Who stands in the register as the firm's legal representative."""
        at = self._owner[firm.credit_code]
        while (person := self.person(at)).citizen_id in self.listed:
            at = self.workers[(self.workers.index(at) + 1) % len(self.workers)]
        return person

    def unlisted(self, dice: Random) -> Person:
        """Somebody at random whom no court has listed."""
        while (person := self.anyone(dice)).citizen_id in self.listed:
            pass
        return person

    @property
    def visit_day(self) -> date:
        """When hospitals see the children: in the last month that the insurance has delivered."""
        return month_first(self.today, -1) + timedelta(days=9)

    def employer(self, person: Person) -> Firm:
        return self.firms[person.index * 7 % len(self.firms)]

    def home(self, person: Person) -> str:
        """The real-estate unit of the person's home: 28 characters of GB/T 37346."""
        return unit(person.county, person.index)

    # ---- things ------------------------------------------------------------------------------

    @staticmethod
    def plate(person: Person) -> str:
        n = person.index * 13 + 7
        return f"云E{_LETTERS[n % 24]}{_LETTERS[n // 24 % 24]}{n % 1000:03d}"

    def firm(self, dice: Random) -> Firm:
        return self.firms[int(dice.random() * len(self.firms))]

    def county(self, dice: Random) -> str:
        return dice.choices(list(places.COUNTIES), weights=places.SHARES.tolist())[0]

    def days_ago(self, dice: Random, low: int, high: int) -> date:
        return self.today - timedelta(days=dice.randint(low, high))


def unit(county: str, serial: int) -> str:
    """A whole real-estate unit number: state land for building, a house, its unit."""
    return f"{county}001{serial % 7 + 1:03d}GB{serial % 99_999 + 1:05d}F{serial % 90 + 1:04d}0001"


def moment(day: date, dice: Random, low: int = 8, high: int = 18) -> str:
    """A time of day within office hours, as systems export it."""
    return (
        f"{day.isoformat()} {dice.randint(low, high):02d}:{dice.randint(0, 59):02d}:{dice.randint(0, 59):02d}"
    )


def after(stamp: str, dice: Random, minutes: tuple[int, int]) -> str:
    return (datetime.fromisoformat(stamp) + timedelta(minutes=dice.randint(*minutes))).isoformat(sep=" ")


def iso(day: date | None) -> str:
    return day.isoformat() if day else ""


@lru_cache(maxsize=64)
def court(county: str) -> str:
    return places.courts(county)


def single(dice: Random) -> str:
    """One Han name, for officials and agents."""
    table = names.MALE if dice.random() < 0.6 else names.FEMALE
    return dice.choice(names.HAN) + dice.choice(table) + dice.choice(table)
