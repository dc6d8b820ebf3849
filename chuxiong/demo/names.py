"""Names composed from short tables: nobody is meant by them."""

from __future__ import annotations

import numpy as np

HAN = "李王张刘陈杨赵黄周吴徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤"
_YI = "普毕鲁起自殷者迟李罗杨张"
_BAI = "段董尹赵杨李张"
_DAI = "刀岩玉帕依波"
_LISU_YI_LONG = ("阿苏", "吉克", "沙马", "阿鲁", "木呷", "罗吉", "曲比", "海来")
_LONG_GIVEN = ("拉铁", "木呷", "尔布", "日各", "依作", "古者", "阿芝", "伍各", "里坡", "子惹")
MALE = "建国志明永平文光正春福兴德荣华学军云海龙绍成金富贵开朝顺庆祥发宏伟强斌勇刚杰涛松林江山东升"
FEMALE = "丽秀美琼芬芳英兰珍玉凤翠花仙琴霞燕红梅莲菊桂香淑惠萍艳蓉娟琳雪晓会存从转竹枝"
#: characters outside GBK that a GB18030 file carries in four bytes
RARE = ("䶮", "㛃", "𬭩", "㭎", "䲟")

ETHNIC = (
    ("汉族", 0.655),
    ("彝族", 0.275),
    ("苗族", 0.02),
    ("傈僳族", 0.02),
    ("白族", 0.01),
    ("傣族", 0.01),
    ("回族", 0.01),
)


def ethnicities(draw: np.random.Generator, count: int) -> np.ndarray:
    """``count`` ethnicities, shares roughly those of the prefecture."""
    shares = np.array([share for _, share in ETHNIC])
    return draw.choice(np.array([name for name, _ in ETHNIC]), count, p=shares / shares.sum())


def names(draw: np.random.Generator, ethnic: np.ndarray, male: np.ndarray) -> np.ndarray:
    """One name a person, in the manner of the ethnicity; one in 700 holds a rare character."""
    count = len(ethnic)
    surname = _pick(draw, HAN, count)
    for name, table in (("彝族", _YI), ("白族", _BAI), ("傣族", _DAI)):
        surname = np.where(ethnic == name, _pick(draw, table, count), surname)
    first = np.where(male, _pick(draw, MALE, count), _pick(draw, FEMALE, count))
    second = np.where(male, _pick(draw, MALE, count), _pick(draw, FEMALE, count))
    second = np.where(draw.random(count) < 0.22, "", second)
    second = np.where(draw.random(count) < 1 / 700, _pick(draw, RARE, count), second)
    plain = np.strings.add(np.strings.add(surname, first), second)
    dotted = np.strings.add(
        np.strings.add(_pick(draw, _LISU_YI_LONG, count), "·"), _pick(draw, _LONG_GIVEN, count)
    )
    return np.where((ethnic == "彝族") & (draw.random(count) < 0.05), dotted, plain)


def single(draw: np.random.Generator) -> str:
    """One Han name, for officials and agents."""
    table = MALE if draw.random() < 0.6 else FEMALE
    return str(draw.choice(list(HAN))) + "".join(str(c) for c in draw.choice(list(table), 2))


def _pick(draw: np.random.Generator, table: str | tuple[str, ...], count: int) -> np.ndarray:
    return np.array(list(table))[draw.integers(0, len(table), count)]
