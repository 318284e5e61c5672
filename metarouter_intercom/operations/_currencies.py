"""Knows the currencies: ISO 4217's codes and digits, and which of them a symbol can mean (rule E4); reads no amount."""

from __future__ import annotations

_WITHOUT_FRACTION = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_WITH_THREE_DIGITS = "BHD IQD JOD KWD LYD OMR TND"
# How many digits ISO 4217 gives a currency after the point, where they are not two.
DIGITS = dict.fromkeys(_WITHOUT_FRACTION.split(), 0) | dict.fromkeys(_WITH_THREE_DIGITS.split(), 3)
DIGITS["CLF"] = DIGITS["UYW"] = 4

# ISO 4217's list, with the codes that left it since 2016, because old events still carry them.
_CODE_LIST = """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLF CLP CNY COP CRC
    CUC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HRK HTG HUF IDR ILS INR IQD IRR ISK
    JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRO MRU MUR MVR MWK MXN MYR MZN
    NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SLL SOS SRD SSP STD STN
    SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYI UYU UYW UZS VED VEF VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW
    ZWG ZWL
"""
_CODES = frozenset(_CODE_LIST.split())
# Codes that are also words or units when they are not in capitals: "5 kgs", "2 pen".
_WORD_LIST = "all bob cop cup gel kgs lak mad mop pen ron sos top try"
_WORDS = frozenset(_WORD_LIST.split())

# Currencies whose sign is "$": first the dollars, then the pesos.
_DOLLAR_LIST = """
    USD AUD BBD BMD BND BSD BZD CAD FJD GYD HKD JMD KYD LRD NAD NZD SBD SGD SRD TTD TWD XCD ZWL
    ARS CLP COP CUP DOP MXN UYU
"""
DOLLARS = tuple(_DOLLAR_LIST.split())
# Currency: its symbols and abbreviations, in small letters where the letter case means nothing.
_OWN_SYMBOLS = """
    AED: د.إ dhs
    AFN: ؋
    AMD: ֏
    ARS: ar$
    AUD: a$ au$
    AZN: ₼
    BBD: bds$
    BDT: ৳
    BGN: лв
    BHD: د.ب
    BRL: r$
    BZD: bz$
    CAD: c$ ca$ can$ cdn$
    CHF: sfr
    CLP: clp$
    CNY: rmb cn¥ 人民币
    COP: col$
    CRC: ₡
    CZK: kč kc
    DKK: dkr
    DOP: rd$
    EGP: ج.م e£
    EUR: €
    FJD: fj$
    GBP: £
    GEL: ₾
    GHS: ₵ gh₵
    GYD: gy$
    HKD: hk$
    HUF: Ft
    IDR: rp
    ILS: ₪
    INR: ₹
    ISK: íkr ikr
    JMD: j$
    JOD: د.ا
    JPY: jp¥ 円
    KES: ksh
    KGS: ⃀ сом
    KHR: ៛
    KRW: ₩ 원
    KWD: د.ك
    KZT: ₸ тг
    LAK: ₭
    MKD: ден
    MNT: ₮
    MXN: mx$ mex$
    MYR: RM
    NAD: n$
    NGN: ₦
    NOK: nkr
    NZD: nz$
    OMR: ر.ع
    PAB: b/.
    PEN: s/ s/.
    PHP: ₱
    PLN: zł zl
    PYG: ₲
    QAR: ر.ق
    RSD: дин
    RUB: ₽ р руб
    SAR: ر.س
    SEK: skr
    SGD: s$ sg$
    THB: ฿
    TRY: ₺ tl
    TTD: tt$
    TWD: nt$
    TZS: tsh
    UAH: ₴ грн
    UGX: ush
    USD: us$ u$s
    UYU: $u
    UZS: сум
    VND: ₫ đ
    XCD: ec$
    ZAR: R
"""
# Symbol -> the currencies that it can mean.
_SYMBOLS: dict[str, tuple[str, ...]] = {
    symbol: (line.split(":")[0],)
    for line in _OWN_SYMBOLS.split("\n    ")[1:]
    for symbol in line.split(":")[1].split()
} | {
    "$": DOLLARS,
    "¥": ("JPY", "CNY"),
    "元": ("CNY", "TWD", "HKD"),
    "圓": ("TWD", "HKD"),
    "kr": ("SEK", "NOK", "DKK", "ISK"),
    "fr": ("CHF", "BIF", "CDF", "DJF", "GNF", "KMF", "RWF", "XAF", "XOF", "XPF"),
    "₣": ("CHF", "BIF", "CDF", "DJF", "GNF", "KMF", "RWF", "XAF", "XOF", "XPF"),
    "rs": ("INR", "LKR", "MUR", "NPR", "PKR", "SCR"),
    "₤": ("GBP", "EGP", "FKP", "GIP", "LBP", "SDG", "SHP", "SSP", "SYP", "TRY"),
    "lei": ("RON", "MDL"),
    "br": ("BYN", "ETB"),
    "bs": ("BOB", "VES"),
    "ریال": ("IRR", "OMR", "QAR", "SAR", "YER"),
}


def currencies_of(sign: str) -> tuple[str, ...]:
    """
    Return the codes of the currencies that *sign* can mean; none when it is not the sign or code of a currency.

    Args:
        sign: A symbol, a code or an abbreviation, also with a point at its end: ``€``, ``EUR``, ``US$``, ``kr.``.
    """
    code = sign.upper()
    if code in _CODES and sign.isascii():
        return () if sign != code and sign.lower() in _WORDS else (code,)
    # "R" and "Ft" are currencies; "r" and "ft" are not.
    named = _SYMBOLS.get(sign) or _SYMBOLS.get(sign.casefold())
    if named is None and is_abbreviation(sign):
        named = _SYMBOLS.get(sign[:-1].casefold())
    return named or ()


def is_abbreviation(sign: str) -> bool:
    """Tell whether *sign* is the short name of a currency with the point that belongs to it: ``kr.``, ``Rs.``, ``S/.``."""
    name = sign[:-1]
    if sign[-1:] != "." or name.upper() in _CODES:
        return False
    return sign.casefold() in _SYMBOLS or (name.isalpha() and name.casefold() in _SYMBOLS)
