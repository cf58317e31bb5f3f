"""What single values can mean."""

from __future__ import annotations

import pytest

from atlas_models.backfill import code_links, numbers, readings
from atlas_models.backfill.code_links import Code
from legacy_rows import SHA

FRACTION = "is no whole number that can be read"


@pytest.mark.parametrize(
    ("value", "count"),
    [
        (12400, 12400),
        (0, 0),
        (3.0, 3),
        (8.66e7, 86600000),
        ("12400", 12400),
        ("12k", 12000),
        ("1.2M", 1200000),
        ("7B", 7000000000),
        ("1.6T", 1600000000000),
        ("86,567,656", 86567656),
        ("12,400", 12400),
        ("86_567_656", 86567656),
        ("86 567 656", 86567656),
        ("1.234.567", 1234567),
        ("86.6 M params", 86600000),
        ("25.557M", 25557000),
        ("1,2M", 1200000),
        ("1.2 Mio. parameters", 1200000),
        ("3 billion", 3000000000),
        ("1.2e6", 1200000),
    ],
)
def test_a_count_with_one_reading(value, count):
    assert numbers.read_count(value, {}) == ((count,), None)


@pytest.mark.parametrize(
    ("value", "counts", "why"),
    [
        ("~86M", (86000000,), "is no exact number"),
        ("about 15", (15,), "is no exact number"),
        (">7B", (7000000000,), "is no exact number"),
        ("7B+", (7000000000,), "is no exact number"),
        ("1-2M", (1000000, 2000000), "names a range, not a number"),
        ("14-16", (14, 16), "names a range, not a number"),
        ("14 to 16", (14, 16), "names a range, not a number"),
        ("14\u201316", (14, 16), "names a range, not a number"),
        ("1.234", (1234,), "may have a dot between thousands, or be a fraction"),
        ("1,234M", (1234000000, 1234000), "can be read as different numbers"),
        ("12.5", (), FRACTION),
        ("1.2345k", (), FRACTION),
        ("lots", (), FRACTION),
        ("5 GB", (), FRACTION),
        ("7B/13B", (), FRACTION),
        ("1.2M trainable parameters", (), FRACTION),
        ("-5", (), FRACTION),
        ("1e400", (), FRACTION),
        ("99999999999999999999", (), FRACTION),
        ("9" * 65, (), "is too long for a number"),
        (3.5, (), "is a fraction, and a count is a whole number"),
    ],
)
def test_a_count_that_is_in_doubt(value, counts, why):
    assert numbers.read_count(value, {}) == (counts, why)


@pytest.mark.parametrize("value", [True, None, [1], {"a": 1}])
def test_what_is_no_count_is_left_to_other_rules(value):
    assert numbers.read_count(value, {}) is None


def test_a_key_that_counts_millions():
    assert numbers.read_count(86.6, {"times": 1000000}) == ((86600000,), None)
    assert numbers.read_count("86.6", {"times": 1000000}) == ((86600000,), None)
    assert numbers.read_count("86.6M", {"times": 1000000}) == ((86600000,), None)
    assert numbers.read_count("12k", {"times": 1000000}) == ((12000, 12000000), "names a unit, and so does its key")


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (0.91, 0.91),
        (12, 12),
        ("0.91", 0.91),
        (".91", 0.91),
        ("12", 12),
        ("-0.5", -0.5),
        ("1e-3", 0.001),
        ("12.345", 12.345),
        ("0,91", 0.91),
        ("1,234.5", 1234.5),
        ("1.234,5", 1234.5),
        ("91.2%", 0.912),
        ("91.2 %", 0.912),
        ("91,2 percent", 0.912),
        ("100%", 1.0),
        ("0%", 0.0),
        ("120%", 1.2),
    ],
)
def test_a_metric_with_one_reading(value, number):
    assert numbers.read_metrics({"m": value}, {}) == (({"m": number},), None)


@pytest.mark.parametrize(
    ("value", "found", "why"),
    [
        ("1,234", [1234, 1.234], "'m' can be read as different numbers"),
        ("0.5%", [0.005, 0.5], "'m' is below one percent, or a fraction with a percent sign"),
        ("~0.9", [0.9], "'m' is no exact number"),
        ("0.91 ± 0.02", [0.91], "'m' says more than one number"),
        ("0.91 (0.89-0.93)", [0.91], "'m' says more than one number"),
        ("0.89-0.93", [0.89, 0.93], "'m' names a range, not a number"),
        ("NaN", [], "'m' is not a finite number"),
        ("-inf", [], "'m' is not a finite number"),
        ("1e999", [], "'m' is not a finite number"),
        ("n/a", [], "'m' is no number that can be read"),
        ("good", [], "'m' is no number that can be read"),
        (True, [], "'m' is no number"),
        ({"a": 1}, [], "'m' is no number"),
    ],
)
def test_a_metric_that_is_in_doubt(value, found, why):
    assert numbers.read_metrics({"m": value}, {}) == (tuple({"m": number} for number in found), why)


def test_a_percentage_under_a_name_that_says_percent_may_be_meant_either_way():
    assert numbers.read_metrics({"accuracy_pct": "91%"}, {}) == (
        ({"accuracy_pct": 0.91}, {"accuracy_pct": 91}),
        "'accuracy_pct' is a percentage under a name that already says percent",
    )


def test_metrics_as_a_list_and_as_text():
    entries = [{"name": "auc", "value": "0.9"}, {"metric": "f1", "value": 0.8}]
    assert numbers.read_metrics(entries, {}) == (({"auc": 0.9, "f1": 0.8},), None)
    assert numbers.read_metrics('{"auc": "90%"}', {}) == (({"auc": 0.9},), None)


def test_a_list_that_says_more_than_names_and_values_is_in_doubt():
    entries = [{"name": "auc", "value": 90, "unit": "%"}]
    assert numbers.read_metrics(entries, {}) == (({"auc": 90},), "says more of a metric than its name and value")
    assert numbers.read_metrics([{"auc": 0.9}], {}) == ((), "is a list of something else than names with values")


def test_a_metric_that_is_listed_twice_has_two_readings():
    entries = [{"name": "auc", "value": 0.9}, {"name": "auc", "value": 0.8}]
    assert numbers.read_metrics(entries, {}) == (
        ({"auc": 0.9}, {"auc": 0.8}),
        "'auc' occurs twice with different values",
    )


def test_metrics_that_are_not_there_count_as_absent():
    assert numbers.read_metrics({"auc": 0.9, "f1": None, "r2": " "}, {}) == (({"auc": 0.9},), None)
    assert numbers.read_metrics({}, {}) == ((), "names no metric")
    assert numbers.read_metrics({"auc": None}, {}) == ((), "names no metric")


def test_not_more_combinations_are_offered_than_a_person_can_look_at():
    values, _ = numbers.read_metrics({f"m{number}": "1,234" for number in range(10)}, {})
    assert len(values) == 8


# --- texts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "reading"),
    [
        ("ResNet", (("ResNet",), None)),
        ("  ResNet\n", (("ResNet",), None)),
        (["ResNet"], (("ResNet",), None)),
        ("unknown", ((), "is a placeholder, not a fact")),
        ("TBD", ((), "is a placeholder, not a fact")),
        (7, None),
        (["a", "b"], None),
        ({"name": "ResNet"}, None),
    ],
)
def test_texts(value, reading):
    assert readings.read_text(value, {}) == reading


def test_whole_numbers_are_texts_where_the_rule_says_so():
    assert readings.read_text(48213, {"integers": True}) == (("48213",), None)
    assert readings.read_text(1.5, {"integers": True}) is None


@pytest.mark.parametrize(
    ("value", "reading"),
    [
        ("A", (("A",), None)),
        (["A", "B"], ((["A", "B"],), None)),
        (["A", " ", None, " B "], ((["A", "B"],), None)),
        ([], ((), "is an empty list")),
        ([" "], ((), "is an empty list")),
        (["A", 7], ((), "is a list that holds more than texts")),
        (["A", "unknown"], ((), "lists a placeholder, not a fact")),
        ({"name": "A"}, None),
    ],
)
def test_lists_of_texts(value, reading):
    assert readings.read_texts(value, {}) == reading


@pytest.mark.parametrize("value", [True, 1, "true", "Yes", " Y ", "t", "1"])
def test_words_for_true(value):
    assert readings.read_boolean(value, {}) == ((True,), None)


@pytest.mark.parametrize("value", [False, 0, "FALSE", "no", "n", "F", "0"])
def test_words_for_false(value):
    assert readings.read_boolean(value, {}) == ((False,), None)


def test_what_is_no_word_for_yes_or_no():
    assert readings.read_boolean("maybe", {}) == ((), "is no word for yes or no")
    assert readings.read_boolean(2, {}) == ((), "is no word for yes or no")
    assert readings.read_boolean(1.0, {}) is None


def test_objects_and_the_json_of_objects():
    assert readings.read_object({"lr": 0.1}, {}) == (({"lr": 0.1},), None)
    assert readings.read_object('{"lr": 0.1}', {}) == (({"lr": 0.1},), None)
    assert readings.read_object('{"lr": NaN}', {}) is None
    assert readings.read_object("see the paper", {}) is None


def test_words_that_a_rule_maps():
    argument = {"values": {"in_production": True, "false": False}}
    assert readings.read_mapped("In production", argument) == ((True,), None)
    assert readings.read_mapped("in-production ", argument) == ((True,), None)
    assert readings.read_mapped(False, argument) == ((False,), None)
    assert readings.read_mapped("elsewhere", argument) is None


def test_phrases_are_found_as_whole_words():
    argument = {
        "values": {" logistic regression ": "logistic regression", " torch ": "pytorch", " pytorch ": "pytorch"}
    }
    assert readings.read_contained("AD risk (Logistic-Regression)", argument) == (("logistic regression",), None)
    assert readings.read_contained("PyTorch, i.e. torch", argument) == (("pytorch",), None)
    assert readings.read_contained("torchvision", argument) is None
    assert readings.read_contained("logistic regression in torch", argument) == (
        ("logistic regression", "pytorch"),
        "holds phrases that mean different things",
    )


def test_a_fact_that_is_there_implies_a_value():
    assert readings.read_implied("2.1.0", {"value": "pytorch"}) == (("pytorch",), None)
    for absent in (False, {}, [], "n/a"):
        assert readings.read_implied(absent, {"value": "pytorch"}) is None


# --- times ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-05-01T10:00:00Z", "2024-05-01T10:00:00+00:00"),
        ("2024-05-01 10:00:00", "2024-05-01T10:00:00+00:00"),
        ("2024-05-01T10:00", "2024-05-01T10:00:00+00:00"),
        ("2024-05-01 10:00:00 UTC", "2024-05-01T10:00:00+00:00"),
        ("2024-05-01T10:00:00.5+02:00", "2024-05-01T10:00:00.500000+02:00"),
        ("2024-05-01T10:00:00.123456789+0200", "2024-05-01T10:00:00.123456+02:00"),
    ],
)
def test_a_whole_date_time_is_a_moment(text, moment):
    assert readings.read_timestamp(text, {"zone": "UTC"}) == ((moment,), None)


def test_a_date_time_without_an_offset_is_of_the_rules_zone_or_no_moment():
    text = "2024-05-01 10:00:00"
    assert readings.read_timestamp(text, {"zone": "+02:00"}) == (("2024-05-01T10:00:00+02:00",), None)
    assert readings.read_timestamp(text, {}) == ((), "is no date and time in ISO 8601")


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("01/05/2024", ("2024-05-01", "2024-01-05")),
        ("01.05.2024", ("2024-05-01", "2024-01-05")),
        ("01/05/2024 10:00:00", ("2024-05-01", "2024-01-05")),
        ("01-05-24", ("2024-05-01", "2024-01-05", "2001-05-24")),
    ],
)
def test_a_day_in_numbers_has_several_readings(text, days):
    assert readings.read_timestamp(text, {"zone": "UTC"}) == (days, "can be read as different days")


@pytest.mark.parametrize(
    "text",
    [
        "2024-05-01",
        "13/05/2024",
        "05/05/2024",
        "5 Jan 2024",
        "2024/05/01 10:00:00",
        "1714557600",
        "May 2024",
        "2024-13-01T00:00:00Z",
        "2024-05-01T25:00:00Z",
        "2024-05-01T10:00:00+25:00",
        "0000-01-01T00:00:00Z",
    ],
)
def test_what_is_one_day_or_none_is_no_moment(text):
    assert readings.read_timestamp(text, {"zone": "UTC"}) == ((), "is no date and time in ISO 8601")


def test_a_number_is_no_moment():
    assert readings.read_timestamp(1714557600, {"zone": "UTC"}) == (
        (),
        "is a number, whose unit and start nothing tells",
    )


# --- addresses ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (f"https://github.com/o/r/blob/{SHA}/a/b.py", Code("https://github.com/o/r", SHA, "a/b.py")),
        (f"https://github.com/o/r/blob/{SHA.upper()}/a.py?raw=1#L3", Code("https://github.com/o/r", SHA, "a.py")),
        (f"https://github.com/o/r/tree/{SHA}", Code("https://github.com/o/r", SHA)),
        (f"https://github.com/o/r/commit/{SHA}", Code("https://github.com/o/r", SHA)),
        (f"https://raw.githubusercontent.com/o/r/{SHA}/a.py", Code("https://github.com/o/r", SHA, "a.py")),
        (f"https://gitlab.com/g/s/r/-/blob/{SHA}/a.py", Code("https://gitlab.com/g/s/r", SHA, "a.py")),
        (f"https://bitbucket.org/o/r/src/{SHA}/a.py", Code("https://bitbucket.org/o/r", SHA, "a.py")),
        (f"https://git.example.org/o/r/src/commit/{SHA}/a.py", Code("https://git.example.org/o/r", SHA, "a.py")),
        (f"git+https://github.com/o/r.git@{SHA}#egg=r", Code("https://github.com/o/r.git", SHA)),
        ("https://github.com/o/r", Code("https://github.com/o/r")),
        ("git@github.com:o/r.git", Code("git@github.com:o/r.git")),
        ("ssh://git@github.com/o/r", Code("ssh://git@github.com/o/r")),
        (
            "https://github.com/o/r/tree/main/src",
            Code("https://github.com/o/r", ref="https://github.com/o/r/tree/main/src"),
        ),
        (
            "https://github.com/o/r/releases/tag/v1",
            Code("https://github.com/o/r", ref="https://github.com/o/r/releases/tag/v1"),
        ),
    ],
)
def test_links_to_code(text, code):
    assert code_links.read_code_link(text, {}) == ((code,), None)


@pytest.mark.parametrize(
    "text", ["https://joe:s3cret@github.com/o/r", "https://ghp_token@github.com/o/r", "https://x.org/o/r?token=s3cret"]
)
def test_a_link_with_credentials_is_not_taken_over(text):
    assert code_links.read_code_link(text, {}) == ((), "is a URL with credentials, which are not taken over")


@pytest.mark.parametrize(
    "text", ["o/r", "/home/me/train.py", "https://github.com/o", "see https://github.com/o/r", "n/a"]
)
def test_what_is_no_link_to_code(text):
    assert code_links.read_code_link(text, {}) == ((), "is no URL of a repository")


def test_a_whole_hash_is_a_commit_and_anything_else_a_ref():
    assert code_links.read_commit(SHA.upper(), {}) == ((Code(commit_sha=SHA),), None)
    for ref in ("v1.0", "main", "0123456"):
        assert code_links.read_commit(ref, {}) == ((Code(ref=ref),), None)
    assert code_links.read_commit("unknown", {}) == ((), "is a placeholder, not a fact")


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/o/r",
        "git@github.com:o/r",
        "ssh://git@host:22/r",
        "ssh://host/r",
        "http://h/x y",
        "ftp://h/r",
        "https://a@h/r",
        "git@h:",
        "https://h",
        "https://h/",
        "git://h/r",
        "x" * 3000,
        "https://h/" + "x" * 2100,
        "",
    ],
)
def test_the_database_answers_the_same_about_a_repository(server, url):
    assert server.execute("select atlas.is_repository_url(%s)", [url]).fetchone() == (
        code_links.is_repository_url(url),
    )


@pytest.mark.parametrize("sha", [SHA, SHA.upper(), SHA * 2, SHA[:7], SHA + SHA[:24], "", SHA + "\n"])
def test_the_database_answers_the_same_about_a_commit(server, sha):
    assert server.execute("select atlas.is_commit_sha(%s)", [sha]).fetchone() == (code_links.is_commit_sha(sha),)


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("https://huggingface.co/a/b", "huggingface.co"),
        ("huggingface.co/a/b", "huggingface.co"),
        ("https://joe@hub.example.org:80/x", "hub.example.org"),
        ("hf://a/b", "a"),
        ("https://git.corp.example/x", None),
        ("s3://bucket/x", None),
        ("http://localhost/x", None),
        ("/mnt/models/x.pkl", None),
        ("C:\\models\\x.pkl", None),
        ("model.pkl", None),
    ],
)
def test_addresses_that_lead_outside(address, host):
    assert readings.outside_host(address, {"schemes": ["s3"], "hosts": ["corp.example"]}) == host


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("see https://joe:s3cret@h.org/x and http://t0ken@h.org", "see https://***@h.org/x and http://***@h.org"),
        ("https://h.org/x?token=s3cret&page=2", "https://h.org/x?token=***&page=2"),
        ("https://h.org/x?page=2&X-Amz-Signature=s3cret", "https://h.org/x?page=2&X-Amz-Signature=***"),
        ("ssh://git@h.org/x", "ssh://git@h.org/x"),
        ("mail joe@h.org", "mail joe@h.org"),
        ("https://h.org/@scope/x", "https://h.org/@scope/x"),
    ],
)
def test_credentials_are_masked(text, shown):
    assert readings.masked(text) == shown
