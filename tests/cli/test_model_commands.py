"""What `atlas list`, `show`, `promote`, `reject`, `reopen` and `demote` print, and how they refuse."""

from __future__ import annotations

import json

import pytest

from atlas_models.lineage_command import tree_lines
from atlas_models.results import LineageStep
from commands import as_url
from factories import external_metadata, internal_metadata, register
from terminals import Terminal


def shown_json(result):
    return json.loads(result.stdout)


def lines(result):
    return result.stdout.splitlines()


def test_the_latest_version_of_each_name_is_listed_with_state_origin_and_what_is_in_service(run, shelf):
    result = run("list", DATABASE_URL=shelf)
    assert (result.exit_code, result.stderr) == (0, "")
    assert lines(result) == [
        "churn\t1\trejected\tinternal\t\tgradient boosting\txgboost\tchurn-a",
        "credit-risk\t3\tcandidate\tinternal\t2\tgradient boosting\txgboost\tcredit-risk-300",
        "vit-base\t1\tcandidate\texternal\t\tResNet\tpytorch\tvit-base-1",
    ]


def names(result):
    return [f"{line.split(chr(9))[0]}@{line.split(chr(9))[1]}" for line in lines(result)]


def test_a_list_can_be_narrowed_down_and_paged(run, shelf):
    of_one = run("list", "credit-risk", DATABASE_URL=shelf)
    assert names(of_one) == ["credit-risk@1", "credit-risk@2", "credit-risk@3"]
    assert names(run("list", "--state", "superseded", DATABASE_URL=shelf)) == ["credit-risk@1"]
    assert names(run("list", "--external", DATABASE_URL=shelf)) == ["vit-base@1"]
    first = run("list", "--all", "--limit", "2", DATABASE_URL=shelf)
    assert (names(first), first.stderr) == (
        ["churn@1", "credit-risk@1"],
        "and more: --after 'credit-risk@1', or --limit\n",
    )
    rest = run("list", "--all", "--after", "credit-risk@1", DATABASE_URL=shelf)
    assert names(rest) == ["credit-risk@2", "credit-risk@3", "vit-base@1"]
    none = run("list", "--external", "--state", "promoted", DATABASE_URL=shelf)
    assert (none.exit_code, none.stdout, none.stderr) == (0, "", "no model\n")


def test_a_list_as_json_is_one_object(run, shelf):
    found = shown_json(run("list", "--json", "--limit", "2", DATABASE_URL=shelf))
    assert found["next"] == "credit-risk@3"
    assert [model["artifact_id"] for model in found["models"]] == ["churn-a", "credit-risk-300"]
    assert set(found["models"][0]) == {
        *("artifact_id", "name", "version_number", "is_latest", "promotion_state", "is_external"),
        *("model_family", "framework", "title", "created_at", "promoted_version"),
    }
    assert shown_json(run("list", "--json", "--state", "promoted", "--external", DATABASE_URL=shelf)) == {
        "models": [],
        "next": None,
    }


def test_a_version_is_shown_by_name_number_id_and_the_beginning_of_an_id(run, shelf):
    for reference, number in (("credit-risk", 3), ("credit-risk@2", 2), ("credit-risk-100", 1), ("credit-risk-3", 3)):
        result = run("show", reference, "--json", DATABASE_URL=shelf)
        assert shown_json(result)["version_number"] == number
    shown = lines(run("show", "credit-risk@2", DATABASE_URL=shelf))
    assert shown[0] == "credit-risk 2: promoted, internal"
    assert "artifact id\tcredit-risk-200" in shown
    assert "in service\tversion 2" in shown


def test_what_is_not_there_is_said_with_the_nearest_names(run, shelf):
    for arguments, said in (
        (("show", "credit-rsik"), "there is no artifact credit-rsik\n  hint: Did you mean credit-risk?"),
        (("promote", "chrun@1"), "there is no artifact chrun@1\n  hint: Did you mean churn?"),
        (("list", "vit-bse"), "there is no artifact vit-bse\n  hint: Did you mean vit-base?"),
        (("history", "vit-bse"), "there is no artifact vit-bse\n  hint: Did you mean vit-base?"),
        (("lineage", "chrun"), "there is no artifact chrun\n  hint: Did you mean churn?"),
        (("show", "loans"), "loans-2026 is no model\n  hint: atlas lineage shows what was evaluated on it"),
        (("demote", "churn"), "no version of churn is promoted\n  hint: atlas list churn shows its versions"),
    ):
        result = run(*arguments, DATABASE_URL=shelf)
        assert (result.exit_code, result.stdout, result.stderr) == (1, "", f"atlas: {said}\n")


def test_the_beginning_of_several_ids_lists_the_candidates(run, shelf):
    result = run("reject", "credit-risk-", DATABASE_URL=shelf)
    assert (result.exit_code, result.stderr.splitlines()) == (
        1,
        [
            "atlas: credit-risk- is the beginning of more than one artifact id",
            "  credit-risk-100 (credit-risk@1)",
            "  credit-risk-200 (credit-risk@2)",
            "  credit-risk-300 (credit-risk@3)",
            "  hint: Give more of the id.",
        ],
    )


def test_search_finds_by_words_facts_and_metrics(run, shelf):
    assert names(run("search", "leaves", DATABASE_URL=shelf)) == ["churn@1"]
    assert names(run("search", "cred*", "--latest", DATABASE_URL=shelf)) == ["credit-risk@3"]
    assert names(run("search", "--external", "--family", "ResNet", DATABASE_URL=shelf)) == ["vit-base@1"]
    found = run("search", "--metric", "auroc >= 0.9", "--metric", "auroc<1", "--state", "candidate", DATABASE_URL=shelf)
    assert lines(found) == ["credit-risk\t3\tcandidate\tinternal\t0.91\tgradient boosting\txgboost\tcredit-risk-300"]
    page = shown_json(run("search", "--json", "--limit", "3", DATABASE_URL=shelf))
    rest = shown_json(run("search", "--json", "--limit", "3", "--after", page["next"], DATABASE_URL=shelf))
    assert len({model["artifact_id"] for model in page["models"] + rest["models"]}) == 5
    assert names(run("search", "--filter", '{"any": [{"name": "churn"}]}', DATABASE_URL=shelf)) == ["churn@1"]
    nothing = run("search", "--before", "2001-01-01", DATABASE_URL=shelf)
    assert (nothing.exit_code, nothing.stdout, nothing.stderr) == (0, "", "nothing found\n")


def test_a_search_that_is_not_understood_is_one_line(run, shelf):
    unknown = run("search", "--metric", "aurok>0.5", DATABASE_URL=shelf)
    assert (unknown.exit_code, unknown.stderr.splitlines()[-1]) == (1, "  hint: Did you mean auroc?")
    assert "/filter/all/0/metric: no model has a metric of this name" in unknown.stderr
    for option, value, said in (
        ("--metric", "auroc", "is not NAME, one of >= > <= < =, and a number"),
        ("--filter", '{"any": [}', "--filter is not valid JSON: line 1, column 10: Expecting value."),
    ):
        refused = run("search", option, value, DATABASE_URL=shelf)
        assert (refused.exit_code, said in refused.stderr) == (2, True)


def test_lineage_is_a_tree_or_a_flowchart(run, conn, database_url):
    url = as_url(database_url)
    conn.execute("select register_artifact('dataset', 'Loans \"2026\"', artifact_id => 'loans')")
    register(conn, "base", external_metadata(), artifact_id="base-1")
    register(
        conn, "risk", internal_metadata(base_model_id="base-1"), artifact_id="r1", eval_dataset_artifact_id="loans"
    )
    register(conn, "risk", artifact_id="r2", parent_version_id="r1")
    register(conn, "risk", artifact_id="r3", parent_version_id="r2")
    assert lines(run("lineage", "risk@2", DATABASE_URL=url)) == [
        "risk@2 (candidate)",
        "",
        "made from:",
        "└── version before: risk@1 (candidate)",
        "    ├── base model: base@1 (candidate)",
        '    └── evaluated on: loans (dataset) Loans "2026"',
        "",
        "came of it:",
        "└── next version: risk@3 (candidate)",
    ]
    assert lines(run("lineage", "loans", "--max-depth", "1", DATABASE_URL=url)) == [
        'loans (dataset) Loans "2026"',
        "",
        "came of it:",
        "└── evaluated on it: risk@1 (candidate)",
    ]
    assert lines(run("lineage", "risk@1", "--direction", "ancestors", "--mermaid", DATABASE_URL=url)) == [
        "flowchart LR",
        '    n0["risk@1 (candidate)"]',
        '    n1["base@1 (candidate)"]',
        '    n2["loans (dataset) Loans #34;2026#34;"]',
        "    n1 -->|base model| n0",
        "    n2 -->|evaluation dataset| n0",
    ]
    assert shown_json(run("lineage", "r1", "--json", DATABASE_URL=url))["artifact_id"] == "r1"


def test_a_deep_and_a_wide_lineage_are_cut_where_they_stop_being_readable():
    def step(number: int, via: int, depth: int) -> LineageStep:
        side = "self" if depth == 0 else "descendant"
        relation = None if depth == 0 else "parent"
        given = (f"m{number}", "model", "m", number, None, "candidate", None)
        return LineageStep(side, depth, relation, None if depth == 0 else f"m{via}", *given)

    deep = list(tree_lines([step(number, number - 1, number) for number in range(10_000)], 20))
    assert len(deep) == 1 + 2 + 20 + 1
    assert deep[-1].strip() == "└── …"
    wide = list(tree_lines([step(0, 0, 0)] + [step(number, 0, 1) for number in range(1, 100_001)], 20))
    assert (len(wide), wide[-1]) == (1 + 2 + 26, "└── … and 99,975 more")


def test_gates_are_set_checked_overridden_and_remembered(run, conn, database_url):
    url = as_url(database_url)
    register(conn, "churn", artifact_id="churn-1")
    said = [
        (run(*arguments, DATABASE_URL=url).exit_code, run)[0]
        for arguments in (
            ("gates", "check", "churn"),
            ("gates", "set", "auroc", ">=", "0.95", "--model", "churn", "--reason", "the board"),
            ("gates", "set", "loss", "<", "-1.5"),
            ("gates", "check", "churn"),
            ("promote", "churn"),
            ("promote", "churn", "--override-reason", "a trial", "--on-behalf-of", "ada"),
            ("gates", "remove", "99"),
        )
    ]
    assert said == [0, 0, 0, 1, 1, 0, 1]
    found = shown_json(run("gates", "list", "--json", DATABASE_URL=url))["gates"]
    assert [(gate["model_name"], gate["metric"], gate["threshold"]) for gate in found] == [
        (None, "loss", -1.5),
        ("churn", "auroc", 0.95),
    ]
    checked = lines(run("gates", "check", "churn@1", DATABASE_URL=url))
    assert "gate\tauroc\t>= 0.95\t\tNOT MET" in checked
    removed = run("gates", "remove", str(found[0]["gate_id"]), DATABASE_URL=url)
    assert removed.stdout == f"gate {found[0]['gate_id']} is removed\n"
    told = run("history", "churn", DATABASE_URL=url).stdout
    assert "postgres set the gate auroc >= 0.95: the board" in told
    assert "postgres (for ada) promoted version 1, candidate → promoted, gates overridden: a trial" in told
    assert "churn 1 (churn-1), since " in run("history", "churn", "--at", "2999-01-01", DATABASE_URL=url).stdout
    event = shown_json(run("history", "churn", "--json", DATABASE_URL=url))["events"][-1]
    assert (event["action"], event["on_behalf_of"], event["gates"]) == ("promoted", "ada", "overridden")


def test_a_policy_keeps_what_is_not_given(run, database_url):
    url = as_url(database_url)
    assert run("gates", "policy", DATABASE_URL=url).exit_code == 2
    run("gates", "policy", "--model", "churn", "--second-person", "yes", DATABASE_URL=url)
    changed = run("gates", "policy", "--model", "churn", "--code-pin", "no", "--json", DATABASE_URL=url)
    policy = shown_json(changed)["policy"]
    asked = [policy[f"require_{rule}"] for rule in ("code_pin", "evaluation", "second_person")]
    assert (policy["model_name"], asked) == ("churn", [False, None, True])


def test_a_version_goes_through_its_states(run, conn, database_url):
    url = as_url(database_url)
    for number in (1, 2):
        register(conn, "churn", artifact_id=f"churn-{number}")
    said = [
        run(*arguments, DATABASE_URL=url).output
        for arguments in (
            ("promote", "churn@1", "--notes", "first one"),
            ("promote", "churn"),
            ("demote", "churn"),
            ("reject", "churn@2"),
            ("reopen", "churn@2"),
        )
    ]
    assert said == [
        "churn 1 (churn-1) is promoted\n",
        "churn 2 (churn-2) is promoted; churn-1 is superseded\n",
        "churn 2 (churn-2) is out of service, and a candidate again; no version of it is promoted now\n",
        "churn 2 (churn-2) is rejected; it was candidate\n",
        "churn 2 (churn-2) is a candidate again\n",
    ]
    assert shown_json(run("promote", "churn@1", "--json", "--on-behalf-of", "ada", DATABASE_URL=url)) == {
        "artifact_id": "churn-1",
        "name": "churn",
        "version_number": 1,
        "superseded": None,
    }
    refused = run("reopen", "churn@1", "--expected-state", "rejected", DATABASE_URL=url)
    assert refused.exit_code == 1
    assert refused.stderr.startswith("atlas: ")
    assert "Traceback" not in refused.stderr


def test_on_a_terminal_it_is_a_table_that_fits(shelf):
    with Terminal("list", DATABASE_URL=shelf) as terminal:
        assert terminal.end() == 0
    shown = [line.rstrip() for line in terminal.shown().splitlines()]
    assert shown[1].split()[:6] == ["model", "version", "state", "origin", "in", "service"]
    assert "credit-risk" in shown[4]
    assert max(map(len, shown)) <= 100


def test_names_and_ids_are_completed_from_the_database(run, shelf):
    def completed(words: str) -> set[str]:
        result = run(DATABASE_URL=shelf, _ATLAS_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD="2")
        return {line.split(",")[1] for line in result.stdout.splitlines()}

    assert completed("atlas list c") == {"churn", "credit-risk"}
    assert completed("atlas show credit-risk@") == {"credit-risk@1", "credit-risk@2", "credit-risk@3"}
    assert completed("atlas promote churn") == {"churn", "churn-a"}


def test_completion_says_nothing_when_there_is_no_database(run):
    url = "postgresql://nobody@127.0.0.1:1/none"
    result = run(DATABASE_URL=url, _ATLAS_COMPLETE="bash_complete", COMP_WORDS="atlas show c", COMP_CWORD="2")
    assert (result.stdout.strip(), result.stderr) == ("", "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_script(run, shell):
    result = run("completion", shell)
    assert result.exit_code == 0
    assert f"_ATLAS_COMPLETE={shell}_complete" in result.stdout
