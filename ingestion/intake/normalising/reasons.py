"""Why a row stands aside, in words for the sender."""

from __future__ import annotations

from enum import Enum

import polars as pl


class Reason(Enum):
    """Why a row stands aside: words for the sender, and how to mend it. The list is closed."""

    MISSING = ("必填项为空", "required value is empty", "补填后重新报送")
    RAGGED = ("本行单元格数与表头不符", "cells do not fit the header", "检查多余的分隔符或缺失的引号")
    CONTROL = ("含有不可见的控制字符", "holds control characters", "从源系统重新导出，不要经过二次转换")
    NUMERIC_ID = (
        "号码存成了数值，末几位已丢失",
        "identifier stored as a number, digits are lost",
        "把该列设为文本格式，从源系统重新导出",
    )
    SCIENTIFIC_ID = (
        "号码成了科学计数，无法还原",
        "identifier in scientific notation",
        "把该列设为文本格式，从源系统重新导出",
    )
    BAD_CHECKSUM = ("证件号校验位不符", "check digit does not fit", "与原始证件核对后更正")
    BAD_BIRTH_DATE = (
        "证件号中的出生日期无效",
        "birth date within the number is invalid",
        "与原始证件核对后更正",
    )
    NOT_AN_ID = ("不是有效的证件号", "not an identity number", "与原始证件核对后更正")
    MASKED_KEY = ("必填的号码被遮掩", "a required number is masked", "按协议报送完整号码")
    BAD_CREDIT_CODE = ("统一社会信用代码校验不符", "credit code does not check", "与登记信息核对后更正")
    BAD_PHONE = ("电话号码无法识别", "telephone number not understood", "填写 11 位手机号或带区号的固定电话")
    BAD_DATE = (
        "日期无法识别或不完整",
        "date not understood or not complete",
        "写到日，如 2026-11-05；月份列写成 2026-11",
    )
    BAD_AMOUNT = ("金额无法识别", "amount not understood", "写成以元为单位的数字")
    BAD_NUMBER = ("数字无法识别", "number not understood", "写成阿拉伯数字")
    BAD_CODE = ("取值不在约定的代码表内", "value outside the agreed codes", "按模板下拉项填写")
    BAD_DIVISION = ("行政区划无法识别", "division not recognised", "填写六位区划代码或县市名称")
    OTHER_DOCUMENT = (
        "是护照、通行证等其他证件的号码",
        "number of a passport or another document",
        "有居民身份证的填写身份证号",
    )
    LEGACY_CODE = (
        "是旧注册号或组织机构代码",
        "former registration number or organisation code",
        "填写 18 位统一社会信用代码",
    )
    EITHER_NUMBER = (
        "15 位数字既可能是旧身份证号，也可能是旧注册号",
        "15 digits that may be an old citizen number or a former registration number",
        "填写 18 位身份证号或统一社会信用代码",
    )
    BAD_PLATE = ("号牌号码不符合 GA 36", "number plate does not fit GA 36", "与行驶证核对后更正，如 云E12345")
    BAD_PARCEL_UNIT = (
        "不动产单元号不是完整的 28 位",
        "real-estate unit number is not whole",
        "与不动产登记簿核对后更正",
    )
    BAD_PERMIT = (
        "排污许可证编号不是完整的 22 位",
        "discharge permit number is not whole",
        "与许可证副本核对后更正",
    )
    BAD_DEVICE = (
        "设备编码的位数或字符不符",
        "device number has a wrong length or character",
        "与设备备案表核对后更正",
    )
    BAD_FACTOR = ("监测因子无法识别", "factor not recognised", "填写 HJ 212 因子编码，如 w01018")
    BAD_COORDINATE = (
        "经纬度无法识别或不在国内",
        "coordinate not understood or outside the country",
        "写成十进制度，如 101.546000、25.032000",
    )
    OUT_OF_RANGE = ("数值超出可能的范围", "value cannot be true", "与原始记录核对后更正")
    DITTO = ("“同上”之前没有可取的行", "ditto mark without a row above", "填写实际内容")
    CONVERTED_ID = (
        "15 位旧证件号，已换算为 18 位",
        "old number of 15 digits, made into 18",
        "今后填写 18 位号码",
    )
    SEVERAL = ("一格填了多个值，只取第一个", "several values in a cell, the first was taken", "每格只填一个")
    SWAPPED = (
        "经度与纬度互换，已换回",
        "longitude and latitude were swapped and put right",
        "按列名填写经度、纬度",
    )
    BELOW_DETECTION = (
        "低于检出限，按检出限的一半计",
        "below detection, taken as half of the limit",
        "无须更正",
    )
    OUT_OF_ORDER = (
        "时间先后颠倒（可能是设备时钟偏差）",
        "times out of order, perhaps a clock is wrong",
        "核对设备时钟或填写的日期",
    )
    TRUNCATED = (
        "长文本恰在系统长度上限处中断",
        "long text ends at a system's limit",
        "导出完整文本后重新报送",
    )
    IDENTITY_CONFLICT = ("同一证件号下有不同姓名", "one number under different names", "与户籍信息核对后更正")

    @property
    def zh(self) -> str:
        return self.value[0]

    @property
    def en(self) -> str:
        return self.value[1]

    @property
    def cure(self) -> str:
        return self.value[2]

    @property
    def code(self) -> str:
        """As stored: ``bad_date``."""
        return self.name.lower()


_REASONS = tuple(Reason)
_FAULT_SCHEMA = {"row_no": pl.Int64, "column": pl.String, "reason": pl.String, "raw": pl.String}
