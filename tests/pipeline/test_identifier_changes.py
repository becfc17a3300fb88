"""Changes of Patient IDs, as tables and as HL7 messages."""

import pytest

from dicomanon.crosswalk.decisions.rows import KeyChange
from dicomanon.errors import Fatal
from dicomanon.pipeline.identifier_changes import read_changes

HEADER = r"MSH|^~\&|ADT|HOSPITAL|RIS|HOSPITAL|20260301120000||ADT^A40^ADT_A39|17|P|2.5.1"
CHANGE = KeyChange(("GENERAL", "MRN-1"), ("GENERAL", "MRN-2"))


def message(pid: str, mrg: str, header: str = HEADER, end: str = "\r") -> str:
    return end.join([header, "EVN|A40|20260301", f"PID|1||{pid}||DOE^JOHN||19700131|M", f"MRG|{mrg}", ""])


class TestTable:
    def test_rows_with_and_without_a_head(self) -> None:
        row = "GENERAL,MRN-1,GENERAL,MRN-2\n"
        assert read_changes(row) == [CHANGE]
        assert read_changes("\ufeffOld issuer, old id, new issuer, new id\n" + row + "\n") == [CHANGE]

    def test_an_issuer_that_is_not_named_is_the_sites(self) -> None:
        assert read_changes(",MRN-1,,MRN-2", "GENERAL") == [CHANGE]

    @pytest.mark.parametrize(
        "text",
        [
            *("", "old issuer,old id,new issuer,new id", "MRN-1,MRN-2", "A,MRN-1,A,MRN-1", "A,,A,MRN-2", "A,MRN-1,A,"),
            'A,"MRN-1,A,MRN-2',
        ],
    )
    def test_refused_without_repeating_it(self, text: str) -> None:
        with pytest.raises(Fatal) as refused:
            read_changes(text)
        assert "MRN" not in str(refused.value)

    def test_all_or_nothing(self) -> None:
        with pytest.raises(Fatal, match="row 2"):
            read_changes("A,MRN-1,A,MRN-2\nA,MRN-3\n")


class TestMessage:
    @pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
    def test_one_message(self, end: str) -> None:
        text = message("MRN-2^^^GENERAL&1.2.3&ISO^MR", "MRN-1^^^GENERAL&1.2.3&ISO^MR", end=end)
        assert read_changes(text) == [CHANGE]
        assert read_changes("\x0b" + text + "\x1c\r") == [CHANGE], "framed as by MLLP"

    def test_several_messages(self) -> None:
        one, other = message("MRN-2^^^GENERAL", "MRN-1^^^GENERAL"), message("B^^^X", "A^^^X")
        assert read_changes(one + other) == [CHANGE, KeyChange(("X", "A"), ("X", "B"))]

    def test_several_pairs_in_a_message(self) -> None:
        text = message("MRN-2^^^GENERAL", "MRN-1^^^GENERAL") + "PID|2||B^^^X\rMRG|A^^^X\r"
        assert read_changes(text) == [CHANGE, KeyChange(("X", "A"), ("X", "B"))]

    def test_of_several_identifiers_those_of_one_issuer(self) -> None:
        text = message("123^^^SSA^SS~MRN-2^^^GENERAL^MR~X^^^ELSEWHERE^MR", "MRN-1^^^GENERAL^MR")
        assert read_changes(text) == [CHANGE]

    def test_without_an_issuer(self) -> None:
        assert read_changes(message("MRN-2", "MRN-1"), "GENERAL") == [CHANGE]

    def test_other_separators_and_escapes(self) -> None:
        header = "MSH#*!?%#ADT#H#RIS#H#2026##ADT*A40#1#P#2.3"
        text = "\r".join([header, "PID#1##M?F?2***GENERAL", "MRG#M?S?1***GENERAL"])
        assert read_changes(text) == [KeyChange(("GENERAL", "M*1"), ("GENERAL", "M#2"))]

    @pytest.mark.parametrize(
        "text",
        [
            message("MRN-2^^^GENERAL", "MRN-1^^^GENERAL", header=HEADER.replace("A40", "A08")),
            message("MRN-2^^^GENERAL", ""),
            message("", "MRN-1^^^GENERAL"),
            message("MRN-2^^^GENERAL", "MRN-1^^^ELSEWHERE~MRN-9^^^THERE"),
            message("MRN-2^^^GENERAL~MRN-3^^^GENERAL", "MRN-1^^^GENERAL"),
            message("MRN-1^^^GENERAL", "MRN-1^^^GENERAL"),
            message(r"MRN-2\X0D\^^^GENERAL", "MRN-1^^^GENERAL"),
            HEADER + "\rPID|1||MRN-2^^^GENERAL",
            HEADER + "\rMRG|MRN-1^^^GENERAL",
            HEADER + "\rPID|1||MRN-2\rPID|2||MRN-3\rMRG|MRN-1",
            "MSH|^^^^|ADT",
            "MSH|",
        ],
    )
    def test_refused_without_repeating_it(self, text: str) -> None:
        with pytest.raises(Fatal) as refused:
            read_changes(text)
        assert "MRN" not in str(refused.value)


def test_one_pair_with_different_issuers_is_what_it_says() -> None:
    assert read_changes(message("B^^^NEW", "A^^^OLD")) == [KeyChange(("OLD", "A"), ("NEW", "B"))]
