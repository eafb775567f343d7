"""Reading crontabs, and what is found in them."""

from datetime import UTC, datetime

import pytest

from cronhook_core.domain.crontab import CrontabLine, Ignored, ZoneChange, read_crontab
from cronhook_core.domain.crontab_review import Finding, Review, Severity, review
from cronhook_core.errors import InvalidTimezone

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def schedules(text: str) -> list[CrontabLine]:
    return [entry for entry in read_crontab(text) if isinstance(entry, CrontabLine)]


def reviewed(text: str, timezone: str = "UTC") -> Review:
    return review(text, timezone=timezone, after=NOW, count=2)


def found(text: str, timezone: str = "UTC") -> list[tuple[str, int, int | None]]:
    return [(finding.code, finding.line, finding.column) for finding in reviewed(text, timezone).findings]


class TestReading:
    def test_schedules_with_and_without_commands(self) -> None:
        text = "# a comment\n\n30 2 * * *\n\t0\t9  * * MON#1   /bin/report --all\n@daily backup\n@hourly\n"
        assert [(line.line, line.expression, line.command) for line in schedules(text)] == [
            (3, "30 2 * * *", None),
            (4, "0 9 * * MON#1", "/bin/report --all"),
            (5, "@daily", "backup"),
            (6, "@hourly", None),
        ]

    def test_columns_count_from_one(self) -> None:
        (line,) = schedules("\t0\t9  * * MON x")
        assert line.columns == (2, 4, 7, 9, 11)

    @pytest.mark.parametrize("text", ["0 0 * * * *", "0 0 * * * ? 2030", "0 0 12 * * MON-FRI"])
    def test_a_sixth_field_is_not_taken_for_a_command(self, text: str) -> None:
        (line,) = schedules(text)
        assert (line.expression, line.command) == (text, None)

    @pytest.mark.parametrize(
        ("text", "command"),
        [
            ("*/5 * * * * w", "w"),
            ("*/5 * * * * w > who.log", "w > who.log"),
            ("0 3 * * * jan /usr/local/bin/backup", "jan /usr/local/bin/backup"),
            ("0 5 * * * # paused", "# paused"),
            ("0 5 * * * -", "-"),
        ],
    )
    def test_commands_and_users_that_look_like_a_field(self, text: str, command: str) -> None:
        (line,) = schedules(text)
        assert (len(line.expression.split()), line.command) == (5, command)

    @pytest.mark.parametrize("end", ["\u2028", "\x85", "\x0c", "\x0b", "\x1c"])
    def test_nothing_else_ends_a_line(self, end: str) -> None:
        assert schedules(f"# a comment{end}* * * * * rm -rf /\r\n@daily x") == schedules("\n@daily x")

    @pytest.mark.parametrize("sixth", ["MON-FRI", "MON,WED", "*", "5"])
    def test_a_sixth_field_before_a_command(self, sixth: str) -> None:
        (line,) = schedules(f"0 0 9 1 JAN {sixth} /usr/bin/report")
        assert (line.expression, line.command) == (f"0 0 9 1 JAN {sixth}", "/usr/bin/report")

    def test_settings_are_passed_over_but_for_zones(self) -> None:
        text = "MAILTO=\"me@example.com\"\nTZ=Asia/Tokyo\nCRON_TZ = 'Europe/Berlin'\nPATH=/bin:/usr/bin"
        assert list(read_crontab(text)) == [
            Ignored(line=2, column=1, name="TZ"),
            ZoneChange(line=3, column=11, timezone="Europe/Berlin"),
        ]

    def test_a_zone_before_a_schedule_is_that_lines_own(self) -> None:
        first, second = schedules("CRON_TZ=Asia/Tokyo 0 9 * * * x\nTZ=Europe/Rome @daily")
        assert (first.timezone, first.timezone_column, first.expression) == ("Asia/Tokyo", 9, "0 9 * * *")
        assert (second.timezone, second.expression) == ("Europe/Rome", "@daily")

    def test_a_percent_sign_is_found_unless_escaped(self) -> None:
        escaped, bare = schedules(r"@daily date +\%F" + "\n@daily mail%hello")
        assert escaped.percent_column is None
        assert bare.percent_column == 12

    def test_other_line_ends_and_a_byte_order_mark(self) -> None:
        assert [line.line for line in schedules("\ufeff@daily\r\n@hourly\r\n")] == [1, 2]


class TestReview:
    def test_a_line_without_surprises(self) -> None:
        (line,) = reviewed("30 2 * * 1-5 x", "Asia/Tokyo").lines
        assert line.words == "at 02:30 on Monday to Friday"
        assert line.instants == (datetime(2026, 11, 24, 17, 30, tzinfo=UTC), datetime(2026, 11, 25, 17, 30, tzinfo=UTC))
        assert line.findings == ()

    @pytest.mark.parametrize(
        ("text", "findings"),
        [
            ("61 * * * *", [("invalid_cron", 1, 1)]),
            ("0 25 * * *", [("invalid_cron", 1, 3)]),
            ("0 0 * * MONDAY", [("invalid_cron", 1, 9)]),
            ("\n @reboot start", [("invalid_cron", 2, 2)]),
            ("0 0 * * * *", [("invalid_cron", 1, 1)]),
            ("hello", [("invalid_cron", 1, 1)]),
            ("0 0 30 2 *", [("never_fires", 1, 5)]),
            ("0 0 29 2 *", [("rare", 1, 1)]),
            ("0 0 13 * FRI", [("day_fields_or", 1, 1)]),
            ("*/7 * * * *", [("uneven_step", 1, 1)]),
            ("@daily mail%hello", [("percent_sign", 1, 12)]),
            ("CRON_TZ=Mars/Olympus", [("invalid_timezone", 1, 9)]),
            ("CRON_TZ=Mars/Olympus @daily", [("invalid_timezone", 1, 9)]),
            ("TZ=UTC", [("tz_ignored", 1, 1)]),
            ("", []),
        ],
    )
    def test_findings(self, text: str, findings: list[tuple[str, int, int | None]]) -> None:
        assert found(text) == findings

    def test_the_clock_of_the_zone_in_the_next_year(self) -> None:
        text = "CRON_TZ=Europe/Berlin\n30 2 * * *\nCRON_TZ=Asia/Tokyo\n30 2 * * *"
        assert found(text) == [("falls_into_gap", 2, 1), ("repeated_hour", 2, 1)]

    def test_a_wrong_zone_does_not_hide_the_lines_below(self) -> None:
        seen = reviewed("CRON_TZ=Mars/Olympus\n61 * * * *\n30 2 * * *", "Europe/Berlin")
        assert [line.timezone for line in seen.lines] == ["Europe/Berlin"] * 2
        assert [finding.line for finding in seen.findings] == [1, 2, 3, 3]

    def test_a_herd_at_minute_0_is_told_once(self) -> None:
        text = "0 3 * * * a\n0 3 * * * b\n7 3 * * * c\n0 3 * * MON d"
        (herd,) = reviewed(text).findings
        assert (herd.code, herd.line) == ("herd", 1)
        assert "3 lines run together at 2026-11-30 03:00 UTC (lines 1, 2, 4)" in herd.detail
        assert found("0 3 * * * a\n0 3 * * * b\n7 3 * * * c\n0,30 3 * * * d") == []

    def test_a_line_that_is_not_accepted_has_no_words(self) -> None:
        (line,) = reviewed("0 0 29 2 */7").lines
        assert [finding.code for finding in line.findings] == ["never_fires"]
        assert (line.words, line.schedule, line.instants) == (None, None, ())

    def test_what_is_ignored_is_not_found(self) -> None:
        seen = reviewed("TZ=UTC\n*/7 * * * *\n61 * * * *").without(["uneven_step", "tz_ignored"])
        assert [finding.code for finding in seen.findings] == ["invalid_cron"]

    def test_severities_and_sentences(self) -> None:
        findings = reviewed("61 * * * *\n*/7 * * * *\nTZ=UTC\n@reboot\n0 0 29 2 *\n@daily a%b").findings
        assert {f.severity for f in findings if f.code == "invalid_cron"} == {Severity.ERROR}
        assert {f.severity for f in findings if f.code != "invalid_cron"} == {Severity.WARNING}
        assert [f for f in findings if not is_sentence(f)] == []

    def test_the_zone_to_begin_with_must_exist(self) -> None:
        with pytest.raises(InvalidTimezone):
            reviewed("@daily", "Mars/Olympus")


def is_sentence(finding: Finding) -> bool:
    return finding.detail.endswith(".") and not finding.detail[:1].islower()
