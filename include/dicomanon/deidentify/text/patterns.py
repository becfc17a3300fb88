"""What identifies by its form: ways to reach somebody, numbers of persons and records, addresses, ages."""
# Texts have these characters, and so do the patterns that search them.
# ruff: noqa: RUF001

import csv
import re
from collections.abc import Callable, Iterator
from functools import cache
from importlib.resources import files

from dicomanon.deidentify.text.contexts import words_of
from dicomanon.deidentify.text.folding import fold
from dicomanon.deidentify.text.spans import Span
from dicomanon.standard.dictionary import is_registered_uid

_IGNORE = re.IGNORECASE
_SCHEME = re.compile(
    r"(?<![^\W_])(?:CPT|HCPCS|ICD(?:-?(?:9|10|O|11))?|LOINC|LN|RPID|RID|RADLEX|SNOMED|SCT|IEC|ISO|EN|DIN|"
    r"RFC|IHE|FDA|NDC|UCUM)[-: ]{1,2}$",
    _IGNORE,
)
_SCHEME_NUMBER = re.compile(r"(?:CPT|RID|RPID|IEC|ISO|EN|DIN|RFC)\d{2,6}(?!\w)", _IGNORE)
_LONGEST_SCHEME = 12
_DIGIT = re.compile(r"\d")

_UNIT = (
    r"(?:mm|cm|m|km|um|µm|μm|nm|ml|mL|l|cc|dl|mg|kg|g|mcg|µg|ug|ng|lb|lbs|oz|gy|cgy|mgy|sv|msv|usv|bq|kbq|"
    r"mbq|gbq|ci|mci|"
    r"uci|hz|khz|mhz|ghz|ms|s|sec|secs|seconds|sek|min|mins|minutes|h|hr|hrs|hours|d|day|days|wk|wks|"
    r"weeks|mo|mos|months|"
    r"y|yr|yrs|years|hu|he|kv|kvp|ma|mas|kev|mev|mv|ev|t|tesla|ppm|px|pixels?|frames?|images?|slices?|"
    r"views?|iu|ie|u|%|‰|°|"
    r"deg|degrees?|bpm|mmhg|mmol|meq|kpa|counts?|cts|kcounts|cps|kcts|steps?|pages?|lines?|points?|"
    r"voxels?|samples?|bits?|"
    r"bytes?|kb|mb|gb|dpi|mu|beats?|tage[ns]?|wochen|monate|jahre|jours|mois|ans|dias|días|meses|años|giorni|mesi|anni)"
)
_NOT_A_UNIT = rf"(?!\s?{_UNIT}(?![^\W\d_]))"

_EMAIL = re.compile(r"[\w.+'%-]{1,64}\s?(?:@|\(at\)|\[at\])\s?[\w-]{1,63}(?:\.[\w-]{1,63}){0,6}", _IGNORE)
_TOP_LEVEL = (
    "com|org|net|edu|gov|mil|int|info|biz|health|hospital|care|ca|us|uk|de|fr|es|it|pt|nl|be|ch|at|eu|ie|"
    "au|nz|br|mx|ar|jp|cn|kr|in|ru|pl|gr|se|no|dk|fi|local|localdomain|lan|corp|internal"
)
_WEB = re.compile(
    rf"(?:https?|s?ftp|file|ldap)://\S{{1,2048}}|(?<![\w.])www\.\S{{1,2048}}|"
    rf"(?<![\w.@-])(?:[a-z][a-z0-9-]{{0,62}}\.){{1,5}}(?:{_TOP_LEVEL})(?![\w-]|\.\w)(?:/\S{{0,2048}})?",
    _IGNORE,
)
_PUBLIC_SOFTWARE = re.compile(
    r"(?:https?://)?(?:www\.)?(?:github|gitlab|bitbucket|sourceforge|pypi)\.(?:com|org|net)(?:/[\w./~-]*)?$", _IGNORE
)
_MAC = re.compile(r"(?<![\w:-])(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}(?![\w:-])", _IGNORE)
_IP_6 = re.compile(r"(?<![\w:])(?:[0-9a-f]{0,4}:){3,7}[0-9a-f]{1,4}(?![\w:])", _IGNORE)
_IP_4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w]|\.\d)(?::\d{2,5})?")
# Whose home it is; and machines of a network with what they share.
_PATH = re.compile(
    r"(?<=[/\\\\]home[/\\\\])[^/\\\\\s]{1,64}|(?<=[/\\\\]users[/\\\\])[^/\\\\\s]{1,64}|\\\\\\\\[\w.$-]{2,64}(?:\\\\[\w.$-]{1,255}){1,16}",
    _IGNORE,
)
_PRIVATE_NETWORK = ("10.", "192.168.", *(f"172.{number}." for number in range(16, 32)))
_UID = re.compile(r"(?<![\w.])[0-2](?:\.\d{1,40}){4,30}(?![\w])")
_DICOM_ROOT = "1.2.840.10008."
_SHORTEST_INSTANCE_UID = 20
_HASH = re.compile(
    r"(?<![\w])(?=[0-9a-f-]*\d)(?:[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|[0-9a-f]{24,128})(?!\w)", _IGNORE
)

# Numbers of persons that countries give, by their groups (with what parts the groups).
_NATIONAL = re.compile(
    r"(?<![\w.,])(?:"
    r"\d{3}[- ]\d{2}[- ]\d{4}|"  # United States
    r"\d{3}\.\d{3}\.\d{3}-\d{2}|"  # Brazil
    r"[12]\s?\d{2}\s?(?:0[1-9]|1[0-2]|[2-9]\d)\s?(?:\d{2}|2[AB])\s?\d{3}\s?\d{3}(?:\s?\d{2})?|"  # France
    r"[A-Z]{6}\s?\d{2}[A-EHLMPR-T]\d{2}\s?[A-Z]\d{3}[A-Z]|"  # Italy
    r"\d{2}\.?\d{3}\.?\d{3}-?[A-Z]|[XYZ]-?\d{7}-?[A-Z]|"  # Spain
    r"[A-CEGHJ-PR-TW-Z]{2}\s?\d{2}\s?\d{2}\s?\d{2}\s?[A-D]|"  # United Kingdom
    r"(?:\d{2})?\d{6}[-+]\d{3}[\dA-Z]|"  # Nordic countries
    r"[A-Z]{4}\s?\d{4}\s?\d{4}|\d{4}[- ]\d{3}[- ]\d{3}(?:[- ]?[A-Z]{2})?|"  # Quebec, Ontario
    r"\d{2}\.\d{2}\.\d{2}[-.]\d{3}[-.]\d{2}|756\.\d{4}\.\d{4}\.\d{2}|"  # Belgium, Switzerland
    r"\d{6}(?:18|19|20)\d{9}[\dXx]|\d{6}-[1-4]\d{6}|\d{4}\s\d{4}\s\d{4}(?:\s\d{4})?"  # China, Korea, India and cards
    r")(?![\w]|[.,]\d)"
)
_PHONE = re.compile(
    r"(?<![\w.,])(?:"
    r"\+\s?\d{1,3}(?:[\s./-]{0,2}\(?\d{1,5}\)?){1,7}|"
    r"00\d{2}(?:[\s./-]{0,2}\(?\d{1,5}\)?){2,7}|"
    r"(?:1[-. ]?)?\(\d{2,5}\)\s?[-./]?\s?\d{2,5}(?:[\s./-]{1,2}\d{2,4}){0,3}|"
    r"(?:1[-. ])?\d{3}[-.\s/]\s?\d{3}[-.\s]\s?\d{4}|"
    r"0\d{1,5}(?:[\s/-]{1,3}\d{2,4}){2,5}|0\d{1,5}\s?[/-]\s?\d{4,9}|0\d(?:\.\d{2}){4}|"
    r"\d{3}[-.]\d{4}|\d{3}\s\d{3}\s\d{3}|\d{2}\s\d{4}\s\d{4}|\d{4,5}[\s-]\d{6}|\d{5}[- ]\d{3,5}|\d{2,4}-\d{3,4}-\d{3,4}"
    r")(?:\s?(?:x|ext\.?|extension)\s?\d{1,6})?(?![\w]|[.,]\d)",
    _IGNORE,
)
_FEWEST_PHONE_DIGITS = 7
_LONG_NUMBER = re.compile(rf"(?<![^\W_])(?<![.,])\d{{6,}}(?![^\W_]|[.,]\d|\s?[x×*]\s?\d){_NOT_A_UNIT}", _IGNORE)
_LONG_NUMBER_TECHNICAL = re.compile(
    rf"(?<![^\W_])(?<![.,-])\d{{7,}}(?![^\W_]|[.,]\d|\s?[x×*]\s?\d){_NOT_A_UNIT}", _IGNORE
)
_FIVE_DIGITS = re.compile(rf"(?<![^\W_])(?<![.,/×-])\d{{5}}(?![^\W_]|[/×-]|[.,]\d|\s?[x×*]\s?\d){_NOT_A_UNIT}", _IGNORE)
_PREFIXED = re.compile(rf"(?<![^\W_])[A-Za-z]{{1,5}}[-#]?\d{{5,}}(?![^\W_]|[.,]\d){_NOT_A_UNIT}(?:[-/]\d+)?", _IGNORE)
_SPLIT_NUMBER = re.compile(r"(?<![\w.,])(?:[A-Za-z]{1,5}[-#.]?)?\d{2,6}(?:[-.]\d{2,6}){2,4}(?![\w]|[.,]\d)")
_FEWEST_SPLIT_DIGITS = 8
_MIXED = re.compile(
    r"(?<![^\W_])(?!\d+x\d+)(?=[A-Z0-9]*[A-Z])(?=[A-Z]*\d(?:[A-Z]*\d){4})[A-Z0-9]{7,32}(?![^\W_])", _IGNORE
)

_STATES = (
    "AL|AK|AZ|AR|CA|CO|CT|DE|DC|FL|GA|HI|ID|IL|IN|IA|KS|KY|LA|ME|MD|MA|MI|MN|MS|MO|MT|NE|NV|NH|NJ|NM|NY|NC|ND|OH|OK|OR|"
    "PA|RI|SC|SD|TN|TX|UT|VT|VA|WA|WV|WI|WY|ON|QC|BC|AB|MB|SK|NS|NB|NL|PE|YT|NT|NU"
)
_WORD = r"[^\W\d_][\w'’.-]{0,30}"
_CAPITAL = r"[A-ZÀ-ÖØ-ÞĀ-ŽΑ-ΩА-Я][\w'’.-]{0,30}"
# States whose letters are something else in a description stand after a comma.
_SURE_STATES = "AK|AZ|FL|GA|IL|KS|KY|NC|NH|NJ|NV|NY|OH|SD|TN|TX|UT|VT|WI|WV|WY"
_PROPER = r"[A-ZÀ-ÖØ-Þ][a-zß-öø-ÿ'’.-][\w'’.-]{1,30}"
_US_POSTCODE = re.compile(
    rf"(?:,\s{{0,2}}(?:{_STATES})|(?<![^\W\d_])(?:{_SURE_STATES}))[,.]?\s{{1,2}}\d{{5}}(?:-\d{{4}})?(?!\w)"
)
_CITY_STATE = re.compile(
    rf"(?:(?<=,\s)|(?<=\sin\s)|(?<=\sof\s)|(?<=\sfrom\s)|"
    rf"^){_PROPER}(?:\s{_PROPER}){{0,2}},\s?(?:{_STATES})(?!\w)(?:\s\d{{5}}(?:-\d{{4}})?)?|"
    rf"(?<=,\s){_CAPITAL}(?:\s{_CAPITAL}){{0,2}},\s?(?:{_STATES})\s\d{{5}}(?:-\d{{4}})?(?!\w)"
)
_CA_POSTCODE = re.compile(r"(?<!\w)[ABCEGHJ-NPRSTVXY]\d[ABCEGHJ-NPRSTV-Z][ -]?\d[ABCEGHJ-NPRSTV-Z]\d(?!\w)", _IGNORE)
_UK_POSTCODE = re.compile(
    r"(?<!\w)(?:A[BL]|B[ABDHLNRST]?|C[ABFHMORVW]|D[ADEGHLNTY]|E[CHNX]?|F[KY]|GL|G[UY]?|H[ADGPRSUX]|I[GMPV]|JE|K[ATWY]|"
    r"L[ADELNSU]|M[EK]?|N[EGNPRW]?|O[LX]|P[AEHLOR]|R[GHM]|S[AEGKLMNOPRSTWY]|T[ADFNQRSW]|UB|W[ACDFNRSV]?|YO|ZE)"
    r"\d[A-Z\d]?\s\d[ABD-HJLNP-UW-Z]{2}(?!\w)"
)
_STREET_AFTER = (
    r"(?:St|Str|Street|Ave|Avenue|Rd|Road|Blvd|Boulevard|Lane|Ln|Drive|Court|Place|Pl|Way|Terrace|"
    r"Crescent|Cres|Highway|Hwy|Parkway|Pkwy|Square|Sq|Close|Gardens|Trail|Circle|Row|Quay|Mews)"
)
_NAMED_STREET = rf"(?:{_CAPITAL}|\d{{1,3}}(?:st|nd|rd|th)|of|the|de|la)"
_STREET = re.compile(
    rf"(?<![\w.])\d{{1,5}}[A-Za-z]?,?\s(?:"
    rf"(?:{_NAMED_STREET}\s){{1,4}}?(?:{_STREET_AFTER}|ST|AVE|RD|BLVD|STREET|AVENUE|ROAD|LANE|DRIVE|"
    rf"(?<=[a-z]\s)(?:Dr|Ct)(?=\W*(?:$|,|\.|\n|\sApt|\sSuite)))|"
    rf"(?:{_WORD}\s){{1,3}}?(?:street|avenue|boulevard|(?<=[nsew]\s)road))(?!\w)\.?"
    rf"(?:\s(?:N|S|E|W|NE|NW|SE|SW)(?!\w)\.?)?(?:,?\s(?:Apt|Apartment|Suite|Ste|Unit|Flat|#)\.?\s?\w{{1,6}})?"
    rf"(?:,?\s{_CAPITAL}(?:\s{_CAPITAL})?,?\s(?:{_STATES})(?!\w)(?:\s\d{{5}}(?:-\d{{4}})?)?|"
    rf",\s{_CAPITAL}(?:\s{_CAPITAL})?(?=\s?(?:[,.;)\n]|$)))?"
)
_NUMBER_CITY_CODE = re.compile(
    rf"(?<![\w.])\d{{1,6}}[A-Za-z]?(?:\s{_CAPITAL}){{1,4}}(?:,?\s(?:Apt|Apartment|Suite|Ste|Unit|Flat|"
    rf"#)\.?\s?\w{{1,6}})?"
    rf"(?:,\s{_CAPITAL}(?:\s{_CAPITAL}){{0,2}})?(?:,?\s(?:{_STATES}))?\s\d{{5}}(?:-\d{{4}})?(?!\w|[.,]\d)"
)
_APARTMENT = re.compile(
    rf"(?<![\w.])\d{{1,6}}[A-Za-z]?(?:\s{_CAPITAL}){{1,4}},?\s(?:Apt|Apartment|Suite|Ste|Unit|Flat|"
    rf"#)\.?\s?\w{{1,6}}(?!\w)"
)
_RESIDENCE = re.compile(
    rf"(?<=\b(?:ives at|ives in|ides at|ides in|ving at|ving in) )(?:\d|"
    rf"{_CAPITAL})[^.;\n]{{0,30}}(?:(?:\b(?:St|Apt|Ave|Rd|Blvd|Ste|Dr)\.)?[^.;\n(]{{0,60}})?"
)
_RUE = re.compile(
    rf"(?<![\w.])\d{{1,4}}\s?(?:bis|ter)?,?\s(?:rue|avenue|av\.|boulevard|bd|place|chemin|impasse|allée|"
    rf"allee|cours|quai|route)\s"
    rf"(?:(?:de|du|des|de la|de l['’]|"
    rf"d['’])\s?)?{_WORD}(?:[\s-]{_CAPITAL}){{0,3}}(?:,?\s\d{{5}}\s{_CAPITAL}(?:[\s-]{_CAPITAL})?)?",
    _IGNORE,
)
_VIA = re.compile(
    rf"(?<!\w)(?:via|viale|vicolo|piazza|piazzale|corso|largo|calle|c/|avda\.?|avenida|av\.|plaza|paseo|"
    rf"carretera|rua|r\.|travessa|praça|praca|estrada|alameda|rue|boulevard)\s"
    rf"(?:(?:de|del|della|delle|dei|di|da|do|das|dos|la|las|los|el|san|santa|são|d['’])\s?){{0,3}}"
    rf"(?-i:{_CAPITAL})(?:\s(?:(?:de|del|di|da|do|dos|y|"
    rf"e)\s)?(?-i:{_CAPITAL})){{0,3}},?\s(?:n[.ºo°]{{1,2}}\s?|nº\s?|num\.?\s)?\d{{1,5}}[A-Za-z]?(?!\w|"
    rf"[.,]\d|\s?(?:mm|cm|mg|ml)\b)"
    rf"(?:\s?[,/-]\s?\d{{1,3}}(?!\d)[ºª°]?\s?\w?(?!\w))?(?:,?\s\d{{4,5}}(?:-\d{{3}})?\s(?-i:{_CAPITAL})(?:\s(?-i:{_CAPITAL}))?)?",
    _IGNORE,
)
_STRASSE = re.compile(
    rf"(?<!\w)(?:[^\W\d_][\w.-]{{2,40}}(?:straße|strasse|str\.|gasse|allee|platz|weg|damm|ufer|straat|laan|"
    rf"gracht|kade|singel|plein|dreef|steeg|gatan|vägen|vej|gade)|"
    rf"{_CAPITAL}\s(?:Straße|Strasse|Str\.|Allee|Platz|Weg|Gasse|Ring|Damm|Ufer|Straat|Laan|"
    rf"Plein))\s\d{{1,4}}\s?[a-zA-Z]?(?![\w]|[.,]\d|\s?(?:mm|cm|ml|mg)\b)"
    rf"(?:,?\s(?:D-|A-|CH-|B-)?\d{{4,5}}\s?(?:[A-Z]{{2}}\s)?(?-i:{_CAPITAL})(?:[\s-](?-i:{_CAPITAL}))?)?",
    _IGNORE,
)
_PO_BOX = re.compile(
    r"(?<!\w)(?:P\.?\s?O\.?\s?Box|Postfach|Postbus|Apartado|Casella postale|Caixa postal)\s?:?\s?\d{1,7}", _IGNORE
)
_EAST_ASIAN_ADDRESS = re.compile(
    r"〒?\s?\d{3}-\d{4}\s?|[㐀-鿿]{2,6}[都道府県省市][㐀-鿿]{1,8}[市区區町村郡路街号號]?[㐀-鿿ぁ-ヿ\d０-９-]{0,20}|[가-힣]{2,7}(?:특별시|"
    r"광역시|도)\s?[가-힣]{1,6}[시군구](?:\s?[가-힣\d]{1,12}[동로길](?:\s?[\d-]{1,8})?)?"
)
_POSTCODE_CITY = re.compile(rf"(?<![\w.,/-])(?:[A-Z]{{1,2}}-)?\d{{4,5}}\s(?=(?P<city>{_CAPITAL}))")
_PLATE = re.compile(r"(?<![\w-])(?:[A-ZÄÖÜ]{1,3}-[A-ZÄÖÜ]{1,2}\s\d{1,4}[EH]?|[A-Z]{2}-\d{3}-[A-Z]{2})(?![\w-])")

_YEARS = (
    r"(?:y\.?\s?/?\s?o\.?|yo[mf]?|yrs?\.?|years?|year[- ]olds?|jahre?n?|jährige[rns]?|j\.|ans?|años?|anni|"
    r"anos?|jaar|jarige|лет|года?|ετών|etwn|år|års|årig[et]?|éves|yaş(?:ında)?|vuotias|godin[ae]|let|lata|ani|岁|歲|歳|세|"
    r"(?-i:y|lat))"  # capitals are yttrium, and lateral
)
_AGE_AFTER = re.compile(
    rf"(?<![\w.,/-])(?P<n>\d{{2,3}})(?P<rest>[\s-]{{0,2}}{_YEARS}(?:[\s-]?old)?(?![^\W_]))", _IGNORE
)
_AGE_BEFORE = re.compile(
    rf"(?<!\w)(?:age[ds]?|turned|turning|alter|lebensalter|âgée?s?|age|edad|età|eta|idade|leeftijd|возраст|ηλικία|年龄|年齡|年齢|"
    rf"나이)\s?(?:of|de|di|von|van)?\s?[:=]?\s?(?P<n>\d{{2,3}})(?![\d]|[.,]\d|"
    rf"\s?{_UNIT}(?<!y)(?<!yr)(?<!yrs)(?<!years)(?<!ans)(?<!jahre)(?<!anni)(?![^\W\d_]))",
    _IGNORE,
)
_AGE_DICOM = re.compile(r"(?<![^\W_])(?P<n>\d{3})Y(?![^\W_])", _IGNORE)
# "92F", "92 M", "92/f": not "99m" of technetium, nor degrees Fahrenheit from 100 on, nor metres.
_AGE_SEX = re.compile(
    r"(?<![\w.,/^-])(?P<n>\d{2,3})(?:/\s?[MFmf]|[MF]|(?<!\d{3})\s[MF]|[\s-]{1,2}(?:year\s)?(?:fe)?male)(?![\w/^-])(?!\s[Tt][Cc])"
)
_AGE_OF_SEX = re.compile(
    rf"(?<![\w/])(?:[MF]\s?/\s?|(?:(?:fe)?male|(?:wo)?man|lady|gentleman|frau|mann|femme|homme|mujer|hombre|donna|uomo|"
    rf"mulher|homem|vrouw)[\s,(]{{1,3}})(?P<n>\d{{2,3}})(?![\w/^-]|[.,]\d){_NOT_A_UNIT}",
    _IGNORE,
)
_UNITS_IN_WORDS = r"(?:one|two|three|four|five|six|seven|eight|nine)"
_NINETY_AND_MORE = (
    rf"(?:ninety(?:[- ]?{_UNITS_IN_WORDS})?|(?:(?:one|a)[- ])?hundred(?:[- ](?:and[- ])?(?:{_UNITS_IN_WORDS}|ten))?)"
)
_AGE_WORDS = re.compile(
    rf"(?<!\w)(?:nineties|nonagenarian|centenarian|{_NINETY_AND_MORE}[- ]years?(?:[- ]old|\sof\sage)|"
    rf"(?<=age )(?:of )?{_NINETY_AND_MORE}|(?<=aged ){_NINETY_AND_MORE}|"
    r"(?:\w{3,9}und)?neunzig(?:jähr\w{1,4}|\sjahren?)|hundert(?:jähr\w{1,4}|\sjahren?)|"
    r"quatre-vingt-(?:dix(?:-(?:sept|huit|neuf))?|onze|douze|treize|quatorze|quinze|seize)\sans|nonagénaire|centenaire|"
    r"noventa(?:\s[ye]\s\w{2,6})?\sa[ñn]os|nonagenari[oa]|centenari[oa]|novant\w{1,8}\sanni|novantenne|centenne|"
    r"(?:\w{3,5}[eë]n)?negentig(?:jarige|\sjaar))(?!\w)",
    _IGNORE,
)


class Patterns:
    """Searches texts for what identifies by its form.

    Parameters
    ----------
    maximum_age
        Ages above it are written as it; ``None``: ages stay.
    """

    def __init__(self, maximum_age: int | None) -> None:
        self._maximum_age = maximum_age

    def harmless(self, text: str, technical: bool) -> list[Span]:
        """Return what names a kind of thing or a program, whatever else it looks like.

        UIDs that the standard registers, and where programs are published, in texts of equipment.
        """
        if "." not in text:
            return []
        found = [
            Span(*match.span())
            for match in _UID.finditer(text)
            if match[0].startswith(_DICOM_ROOT) or is_registered_uid(match[0])
        ]
        if technical:
            found += [span for span in _all(_WEB, text) if _PUBLIC_SOFTWARE.match(text, span.start, span.end)]
        return found

    def find(self, text: str, technical: bool, dates: list[Span]) -> list[Span]:
        """Return what to remove, or to replace; spans may overlap.

        A number that is nothing but one of ``dates`` is no other number.
        """
        spans: list[Span] = []
        if "@" in text or "at)" in text.lower() or "at]" in text.lower():
            spans += _all(_EMAIL, text)
        if "." in text or "//" in text:
            spans += _all(_WEB, text)
        has_digit = _DIGIT.search(text) is not None
        if ":" in text or "-" in text:
            spans += _all(_MAC, text)
            if text.count(":") > 2:  # noqa: PLR2004
                spans += [span for span in _all(_IP_6, text) if _is_address(text[span.start : span.end])]
        if "/" in text or "\\" in text:
            spans += _all(_PATH, text)
        spans += _labelled(text)
        if self._maximum_age is not None:
            spans += _all(_AGE_WORDS, text)
        if has_digit:
            spans += [
                span
                for span in self._numbers(text, technical)
                if not any(day.start <= span.start and span.end <= day.end for day in dates)
            ]
            spans += self._ages(text)
            spans += _addresses(text, technical)
        return spans

    def _numbers(self, text: str, technical: bool) -> Iterator[Span]:
        for match in _UID.finditer(text):
            if len(match[0]) >= _SHORTEST_INSTANCE_UID:
                yield Span(*match.span())
        for match in _IP_4.finditer(text):
            octets = match[0].partition(":")[0].split(".")
            if all(int(octet) < 256 for octet in octets) and (  # noqa: PLR2004
                not technical or match[0].startswith(_PRIVATE_NETWORK)
            ):
                yield Span(*match.span())
        yield from _all(_HASH, text)
        yield from _all(_NATIONAL, text)
        for match in _PHONE.finditer(text):
            digits = sum(character.isdigit() for character in match[0])
            if digits >= _FEWEST_PHONE_DIGITS and not _is_range_of_years(match[0]):
                yield Span(*match.span())
        if technical:
            yield from _all(_LONG_NUMBER_TECHNICAL, text)
            return
        for pattern in (_LONG_NUMBER, _FIVE_DIGITS, _PREFIXED, _MIXED, _PLATE):
            yield from _numbers_of_nobody(text, _all(pattern, text))
        for match in _SPLIT_NUMBER.finditer(text):
            if sum(character.isdigit() for character in match[0]) >= _FEWEST_SPLIT_DIGITS:
                yield Span(*match.span())

    def _ages(self, text: str) -> Iterator[Span]:
        if self._maximum_age is None:
            return
        for pattern in (_AGE_AFTER, _AGE_BEFORE, _AGE_DICOM, _AGE_SEX, _AGE_OF_SEX):
            for match in pattern.finditer(text):
                number = match["n"]
                if self._maximum_age < int(number) <= 130:  # noqa: PLR2004
                    yield Span(*match.span("n"), f"{self._maximum_age:0{len(number)}}"[: len(number)])


def _all(pattern: re.Pattern[str], text: str) -> list[Span]:
    return [Span(*match.span()) for match in pattern.finditer(text)]


def _numbers_of_nobody(text: str, spans: list[Span]) -> Iterator[Span]:
    """Return spans but those of codes: "CPT 71260"."""
    return (
        span
        for span in spans
        if not _SCHEME.search(text, max(0, span.start - _LONGEST_SCHEME), span.start)
        and not _SCHEME_NUMBER.match(text, span.start, span.end)
    )


def _is_address(text: str) -> bool:
    return any(character in "abcdefABCDEF" for character in text) or "::" in text or text.count(":") == 7  # noqa: PLR2004


def _is_range_of_years(text: str) -> bool:
    return all(re.fullmatch(r"(?:19|20)\d\d", part) for part in re.split(r"\D+", text) if part)


def _addresses(text: str, technical: bool) -> Iterator[Span]:
    for pattern in (
        _STREET,
        _NUMBER_CITY_CODE,
        _APARTMENT,
        _RESIDENCE,
        _RUE,
        _VIA,
        _STRASSE,
        _PO_BOX,
        _US_POSTCODE,
        _CITY_STATE,
        _EAST_ASIAN_ADDRESS,
    ):
        if pattern is _EAST_ASIAN_ADDRESS and text.isascii():
            continue
        yield from _all(pattern, text)
    if not technical:
        yield from _all(_CA_POSTCODE, text)
        yield from _all(_UK_POSTCODE, text)


@cache
def _labels() -> tuple[re.Pattern[str], dict[str, str]]:
    text = files("dicomanon.deidentify.text").joinpath("data", "labels.csv").read_text(encoding="utf-8")
    kinds = {row["label"]: row["value"] for row in csv.DictReader(text.splitlines())}
    kinds |= {fold(label): kind for label, kind in kinds.items()}
    labels = sorted(kinds, key=len, reverse=True)
    by_letter: dict[str, list[str]] = {}
    for label in labels:
        by_letter.setdefault(label[0], []).append(re.escape(label[1:]).replace(r"\ ", r"[\s._-]{1,2}"))
    alternatives = "|".join(f"{re.escape(letter)}(?:{'|'.join(rest)})" for letter, rest in by_letter.items())
    pattern = re.compile(
        rf"(?<![^\W\d_])(?P<label>{alternatives})(?![^\W\d_])(?P<link>\s?(?:no|nr|num|number|nummer|is|"
        rf"at)?[.:=#№º°\s]{{0,4}})",
        re.IGNORECASE,
    )
    return pattern, kinds


_SEPARATED = re.compile(r"[:=#№]")
_CODE_VALUE = re.compile(r"[\w|]+(?:[-/.][\w|]+)*")
_PLATE_VALUE = re.compile(r"[A-ZÄÖÜ\d]{1,4}[ -][A-ZÄÖÜ\d]{1,5}(?:[ -]\d{1,4})?(?!\w)")
_MORE_DIGITS = re.compile(r"\s(\d{2,}(?!\w|[.,]\d|\s?[x×]))")
_ORDINARY_LABELS = frozenset({"case", "record", "order", "visit", "extension", "exam no", "licence", "license", "ext"})
_PHONE_VALUE = re.compile(r"[+(]?\d[\d\s()./-]{2,22}\d(?:\s?(?:x|ext\.?)\s?\d{1,6})?", re.IGNORECASE)
_DATE_VALUE = re.compile(r"[\w.,/-]*\d[\w.,/-]*(?:[\s.][\w.,/-]{1,12}){0,2}")
_YEAR_VALUE = re.compile(r"\d{4}|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}")
_NAME_VALUE = re.compile(r"[^\W\d_][^\d;:|=\n()\[\]]{0,60}")
_ADDRESS_VALUE = re.compile(r"[^;|\n()\[\]]{1,120}")
_FIRST_LABEL = re.compile(r"[\s,]*[^\W_]+\s?[:=#]")
_FEWEST_ID_DIGITS = 2
_SHORT_LABEL = 3
_MISREAD = re.compile(r"[0-9OoIlSBZ|-]{4,}")
_MEASURE = re.compile(rf"\d+(?:[.,]\d+)?\s?{_UNIT}(?![^\W\d_])", _IGNORE)


def _labelled(text: str) -> Iterator[Span]:
    """Find values that stand behind a label."""
    pattern, kinds = _labels()
    for match in pattern.finditer(text):
        label = re.sub(r"[\s._-]+", " ", match["label"].lower())
        kind = kinds.get(label) or kinds.get(fold(label), "id")
        find = _VALUES[kind]
        span = find(text, match.end(), _SEPARATED.search(match["link"]) is not None, label)
        if span is not None:
            yield span


def _labelled_id(text: str, at: int, separated: bool, label: str) -> Span | None:
    if label.endswith("plate") or label == "kennzeichen":
        plate = _PLATE_VALUE.match(text, at)
        if plate:
            return Span(*plate.span())
    match = _CODE_VALUE.match(text, at)
    if match is None:
        return None
    end = match.end()
    # Groups with spaces between them, as "12 345 678".
    while (more := _MORE_DIGITS.match(text, end)) and text[end - 1].isdigit():
        end = more.end()
    value = text[at:end]
    digits = sum(character.isdigit() for character in value)
    looks_misread = _MISREAD.fullmatch(value) is not None and digits > 0
    if separated and digits:
        return Span(at, end)
    fewest = 4 if label in _ORDINARY_LABELS else _FEWEST_ID_DIGITS
    if digits >= fewest + (len(label) <= _SHORT_LABEL) and not _MEASURE.match(text, at, end + 10):
        return Span(at, end)
    return Span(at, end) if looks_misread else None


def _labelled_phone(text: str, at: int, separated: bool, label: str) -> Span | None:
    match = _PHONE_VALUE.match(text, at)
    if match is None:
        return None
    digits = sum(character.isdigit() for character in match[0])
    return (
        Span(*match.span())
        if digits >= (4 if label not in {"call", "contact", "portable", "mobile", "mobil", "ph"} else 6)
        else None
    )


def _labelled_date(text: str, at: int, separated: bool, label: str) -> Span | None:
    match = (_DATE_VALUE if separated else _YEAR_VALUE).match(text, at)
    if match is None:
        return None
    exact = _YEAR_VALUE.match(text, at)
    return Span(at, exact.end() if exact else match.end())


def _labelled_name(text: str, at: int, separated: bool, label: str) -> Span | None:
    if not separated:
        return None
    match = _NAME_VALUE.match(text, at)
    if match is None:
        return None
    value = match[0]
    # Up to the next label, or to the end of the clause.
    if match.end() < len(text) and text[match.end()] in ":=":
        value = value[: max(value.rstrip().rfind(" "), 0)]
    words = re.match(r"[^\W\d_][\w'’.-]*(?:(?:,\s?|\s|\^)[^\W\d_][\w'’.-]*){0,4}", value)
    if words is None:
        return None
    pieces = re.split(r"(?<=[\s^])", words[0])
    kept = pieces[:1]
    for piece in pieces[1:]:
        word = fold(re.sub(r"\W", "", piece))
        if word in _labels()[1] or (piece[:1].islower() and kept[0][:1].isupper() and word not in words_of("particle")):
            break
        kept.append(piece)
    taken = "".join(kept).rstrip(" ,.^")
    return Span(at, at + len(taken)) if taken else None


def _labelled_address(text: str, at: int, separated: bool, label: str) -> Span | None:
    if not separated:
        return None
    match = _ADDRESS_VALUE.match(text, at)
    if match is None:
        return None
    value = match[0]
    further = re.search(r"[,.]?\s[^\W\d_]{2,15}\s?[:=]", value)
    if further:
        value = value[: further.start()]
    sentence = re.search(r"\.\s+[A-ZÀ-Þ][a-zà-ÿ]+\s[a-zà-ÿ]", value)
    if sentence:
        value = value[: sentence.start()]
    value = value.rstrip(" ,.")
    return Span(at, at + len(value)) if value else None


_VALUES: dict[str, Callable[[str, int, bool, str], Span | None]] = {
    "id": _labelled_id,
    "phone": _labelled_phone,
    "date": _labelled_date,
    "name": _labelled_name,
    "address": _labelled_address,
}
