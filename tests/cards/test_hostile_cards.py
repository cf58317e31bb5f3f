"""Whatever a text of a card holds, it is shown: it makes no element, attribute or link that is not the card's own."""

from __future__ import annotations

import json

import psycopg
import pytest
import yaml

from cards_as_read import take_apart
from factories import external_metadata, internal_metadata, register

# What a card is made of by itself.
OUR_TAGS = {
    "h1",
    "h2",
    "ul",
    "li",
    "p",
    "strong",
    "br",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "pre",
    "code",
    "a",
}

HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<!-- --> <![CDATA[ x ]]> <?php x ?>",
    "[click](javascript:alert(1)) ![x](data:text/html,x)",
    "[click]: javascript:alert(1)",
    "<javascript:alert(1)>",
    "https://evil.example.org www.evil.example.org a@evil.example.org",
    "a | b | c\n|---|---|\n| d | e |",
    "a\n:-:\nb",
    "```\n~~~\n`code` ``more``",
    "# heading #\n## another\n===\n---\n***\n___",
    "- item\n+ item\n* item\n1. item\n2) item\n> quote",
    "    indented\n\ttabbed\n\n    after a paragraph",
    "*em* **strong** _em_ __strong__ ~~gone~~ a_b_c",
    "&lt;b&gt; &amp; &#60;b&#62; &copy;",
    "\\ \\* \\\\ ends with a backslash\\",
    "two spaces  \nand a break\\\nand another",
    "---\nlicense: mit\n---",
    "key: value # comment\n- [a, b]\n{c: d}\n'e' \"f\" %g @h `i !j &k *l ?m |n >o",
    "yes",
    "null",
    "1e3",
    "2026-01-01",
    "=1+1",
    "$E=mc^2$ :smile: @someone #1",
    "{% raw %} {{ x }} ${y}",
    "\x1b[31mred\x1b[0m \x07 \x7f \x85 \x9b",
    "\u202egnirts\u202c \u2066isolated\u2069 \u2028 \u2029 \ufeff",
)
RIGHT_TO_LEFT = "נבדק על נתונים חדשים — نموذج"
COMBINING = "Z̷̢͖͐a͈̤͋͗l̶g͊ö e\u0301 👩🏽‍🔬"


def spelt_out(text: str) -> str:
    """What is shown of a text: unseen controls by their numbers."""
    unseen = [
        *range(1, 9),
        11,
        12,
        *range(14, 32),
        *range(127, 160),
        *range(0x2028, 0x202F),
        *range(0x2066, 0x206A),
        0xFEFF,
    ]
    return text.translate({number: f"⟨U+{number:04X}⟩" for number in unseen})


def one_line(text: str) -> str:
    return " ".join(spelt_out(text).split())


@pytest.fixture(scope="module")
def hostile(shared: psycopg.Connection) -> dict[str, str]:
    """A version for each hostile text that holds it wherever it can: text → artifact id."""
    made = {}
    for number, text in enumerate((*HOSTILE, RIGHT_TO_LEFT, COMBINING)):
        said = dict.fromkeys(("model_family", "framework", "task", "license", "description", "benchmark_id"), text)
        artifact_id = f"hostile-{number}-" + "".join(c for c in text if c.isprintable() and not c.isspace())
        shared.execute("select register_artifact('dataset', %s, artifact_id => %s)", [text, f"dataset-{artifact_id}"])
        metadata = internal_metadata(
            **said,
            training_data=[text, text],
            evaluation_dataset=text,
            evaluation_metrics={text: 0.5},
            training_config={text: text},
            extra={text: [text]},
        )
        register(
            shared,
            f"hostile {number}",
            metadata,
            artifact_id=artifact_id,
            title=text,
            version_tag=text,
            changelog=text,
            origin_type=text,
            origin_url=text,
            created_by=text,
            code_entrypoint=text,
            trained_by=text,
            gpu_allocation_id=text,
            eval_dataset_artifact_id=f"dataset-{artifact_id}",
            promotion_notes=text,
            lifecycle_state=text,
        )
        made[text] = artifact_id
    return made


@pytest.mark.parametrize("text", [*HOSTILE, RIGHT_TO_LEFT, COMBINING])
def test_a_hostile_text_is_shown_and_does_nothing(shared, hostile, text):
    (written,) = shared.execute("select model_card(%s)", [hostile[text]]).fetchone()
    card = take_apart(written)
    assert card.page.tags <= OUR_TAGS - {"a"}
    assert card.page.attributes <= {("class", "language-json"), ("style", "text-align:right")}
    # Whole, and everywhere: title, lists, cells.
    shown = " ".join(card.page.text.split())
    assert shown.count(one_line(text)) >= 15
    assert f"Trained by: {one_line(text)} GPU allocation: {one_line(text)} Origin type" in shown
    # The front matter says the very same text.
    assert card.front_matter["datasets"] == [text, text]
    assert card.front_matter["metrics"] == [text]
    (result,) = card.front_matter["model-index"][0]["results"]
    assert (result["dataset"]["name"], result["metrics"]) == (text, [{"type": text, "value": 0.5}])
    unseen = set(spelt_out(written)) ^ set(written)
    assert unseen <= set(), "a control that nobody sees"


@pytest.mark.parametrize("text", HOSTILE)
def test_a_description_keeps_its_lines(shared, text):
    (written,) = shared.execute("select _markdown(%s, true)", [text]).fetchone()
    page = take_apart(f"# x\n\n{written}\n").page
    assert page.tags <= {"h1", "p", "br"}
    lines = [" ".join(line.split()) for line in spelt_out(text).splitlines() if line.strip()]
    assert [" ".join(line.split()) for line in page.text.splitlines()[1:] if line.strip()] == lines


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "javascript://example.org/%0aalert(1)",
        "JaVaScRiPt:alert(1)",
        "data:text/html;base64,PHNjcmlwdD4=",
        "https://example.org/a>b<script>",
        'https://example.org/"onmouseover="alert(1)',
        "https://user:secret@example.org/",
        "file:///etc/passwd",
    ],
)
def test_an_address_that_could_act_is_no_link(shared, card, address):
    registered = register(shared, "addressed", external_metadata(), origin_url=address)
    page = card(registered.artifact_id).page
    assert {value for name, value in page.attributes if name == "href"} == {"https://models.example.org/resnet50"}
    assert f"Origin URL: {address}\n" in page.text


def test_a_source_that_could_act_is_no_link(shared, card):
    metadata = external_metadata(external_source_url="javascript:alert(document.domain)")
    page = card(register(shared, "sourced", metadata).artifact_id).page
    assert page.tags <= OUR_TAGS - {"a"}
    assert "Source: javascript:alert(document.domain)\n" in page.text


def test_a_description_of_a_mebibyte_comes_through_whole(shared, card):
    words = "what most of a description is made of: words and words and words, "
    paragraph = f"| <b> *x* `y` \u05d0\u0301 1. \\ {words}" * 100 + "\n\n"
    text = (paragraph * 112).strip()
    assert 1_000_000 < len(json.dumps(text, ensure_ascii=False).encode()) < 1_048_000
    metadata = internal_metadata(description=text)
    registered = register(shared, "long", metadata)
    page = card(registered.artifact_id).page
    assert page.tags <= OUR_TAGS
    assert " ".join(text.split()) in " ".join(page.text.split())


def test_every_text_is_the_same_in_yaml(shared):
    """Whatever stands in it: also each character by itself, and what YAML would take for something else."""
    characters = [chr(number) for number in (*range(1, 0x300), *range(0x2000, 0x2070), 0xFEFF, 0xFFFE, 0xFFFF, 0x1F600)]
    words = [
        "~",
        "no",
        "Null",
        "TRUE",
        "0x10",
        "0o7",
        "1_000",
        "1:30",
        ".inf",
        ".nan",
        "- a",
        "a: b",
        "a #b",
        "<<",
        "=",
        "",
    ]
    texts = [*HOSTILE, RIGHT_TO_LEFT, COMBINING, *words, *characters, *(f"a{character}b" for character in characters)]
    scalars = [
        row[0]
        for row in shared.execute(
            "select _yaml(t) from unnest(%s::text[]) with ordinality as u (t, n) order by n", [texts]
        )
    ]
    assert [yaml.safe_load(f"- {scalar}") for scalar in scalars] == [[text] for text in texts]
    assert [scalar for scalar in scalars if "\n" in scalar] == []
