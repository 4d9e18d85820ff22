"""The card's numbers are those of the files that it is made from, and a card without results says so."""

import json
import re
import shutil
from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from dfd.evaluate import evaluation_rows
from dfd.evaluation.tables import HEADLINE, TRUE
from dfd.files import folder_hash
from dfd.model_card import NOT_EVALUATED, code_block, is_undamaged, main, model_card, section

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
TRAINING = json.loads((ROOT / "docs" / "training.json").read_text())


def figure(value, n=7):
    return {"value": value, "n": n}


@pytest.fixture
def evaluation(checkpoint):
    """A small document as `dfd.evaluate` writes it."""

    def row(perceptual, f1):
        figures = {"perceptual": figure(perceptual), "f1/all": figure(f1), "frechet/pooled": figure(None)}
        return {"all": figures, "male": {**figures, "perceptual": figure(perceptual + 0.1, 3)}}

    rows = {TRUE: row(0.0, 0.8), HEADLINE: row(1.2345678, 0.5), "nearest training photo": row(1.6, 0.4)}
    return {
        "date": "2031-02-03 04:05 UTC",
        "hardware": "an abacus",
        "checkpoint": {"sha256": folder_hash(checkpoint)},
        "data": {"split": "test", "faces": 7, "left_out_of_bank": 0},
        "rows": {**rows, "60 % erased": row(1.4321, 0.3)},
    }


@pytest.fixture
def command(checkpoint, tmp_path):
    """A command line that works, on a copy of the tiny checkpoint; there is no evaluation yet."""
    folder = shutil.copytree(checkpoint, tmp_path / "pipeline")
    facts = ["--training", ROOT / "docs" / "training.json", "--readme", ROOT / "README.md"]
    return [str(a) for a in ["--checkpoint", folder, "--evaluation", tmp_path / "evaluation.json", *facts]]


def test_sizes_are_counted(checkpoint, pipe):
    text = model_card(checkpoint, None, TRAINING, README).text
    for name, model in pipe.components.items():
        (row,) = [line for line in text.splitlines() if line.startswith(f"| {name} |")]
        assert f"| {sum(p.numel() for p in model.parameters()):,} |" in row
        size = (checkpoint / name / "diffusion_pytorch_model.safetensors").stat().st_size
        assert f"| {size / 1e6:.1f} MB |" in row
    assert "holds 24 samples:\n8 female, 8 male, 8 without" in text
    assert "Stored as F32, I64, U8." in text


def test_results_are_those_of_the_evaluation(checkpoint, evaluation):
    card = model_card(checkpoint, evaluation, TRAINING, README)
    values = {result.metric_type: result.metric_value for result in ModelCard(card.content).data.eval_results}
    assert values == {"perceptual_distance": 1.2346, "line_f1": 0.5}
    assert all("test split, 7 faces" in result.dataset_name for result in card.data.eval_results)
    assert "7 faces of the test split, 2031-02-03 04:05 UTC, an abacus" in card.text
    whole, damaged, groups = re.findall(r"(?:^\|.*\n)+", card.text.split("## Evaluation")[1], re.MULTILINE)
    assert f"| {HEADLINE} | 7 | 1.235 |" in whole
    assert "| nearest training photo | 7 | 1.600 |" in whole
    assert "| 60 % erased | 7 | 1.432 |" in damaged and "erased" not in whole
    assert "| male | 3 | 1.335 |" in groups
    assert NOT_EVALUATED not in card.text


@pytest.mark.parametrize(("split", "warned"), [("test", False), ("validation", True)])
def test_a_split_that_is_not_the_test_split_is_named_as_such(checkpoint, evaluation, split, warned):
    evaluation["data"] |= {"split": split, "left_out_of_bank": 5 * warned}
    text = model_card(checkpoint, evaluation, TRAINING, README).text
    assert ("**This is the validation split, not the test split.**" in text) == warned
    assert ("5 of the faces were in the bank" in text) == warned


def test_results_of_other_weights_are_not_shown(checkpoint, evaluation):
    evaluation["checkpoint"]["sha256"] = "0" * 64
    card = model_card(checkpoint, evaluation, TRAINING, README)
    assert NOT_EVALUATED in card.text
    assert "1.235" not in card.text
    assert "model-index" not in card.content


def test_rows_are_told_apart_as_the_evaluation_makes_them(pipe, faces):
    for row in evaluation_rows(pipe, faces, object()):
        assert is_undamaged(row.name) == (row.damage is None)


def test_the_command_writes_the_card_whole(command, evaluation, capsys):
    folder, document = Path(command[1]), Path(command[3])
    main(command)
    assert NOT_EVALUATED in (folder / "README.md").read_text()
    assert "evaluation.json does not exist" in capsys.readouterr().out
    document.write_text(json.dumps(evaluation))
    main(command)
    assert "| 1.235 |" in (folder / "README.md").read_text()
    main(command)  # the card itself does not make other weights of them
    assert "| 1.235 |" in (folder / "README.md").read_text()
    assert not list(folder.glob("*.partial"))


@pytest.mark.parametrize("text", ["{", "[]", '{"rows": {}}'])
def test_a_file_that_is_no_evaluation_changes_nothing(command, text):
    Path(command[3]).write_text(text)
    with pytest.raises(SystemExit, match=r"^error: "):
        main(command)
    assert not (Path(command[1]) / "README.md").exists()


def test_missing_facts_are_named(checkpoint):
    with pytest.raises(ValueError, match="lack hardware, limits"):
        facts = {key: value for key, value in TRAINING.items() if key not in ("hardware", "limits")}
        model_card(checkpoint, None, facts, README)


def test_the_readme_shows_rows_of_the_shipped_card():
    card = (ROOT / "checkpoints" / "README.md").read_text().splitlines()
    shown = [line for line in section(README, "Measure it").splitlines() if line.startswith("|")]
    assert len(shown) > 4 and set(shown) <= set(card)


def test_the_shipped_card_is_up_to_date():
    """After a change of weights, results, README or facts: python -m dfd.model_card"""
    document = ROOT / "docs" / "evaluation.json"
    evaluation = json.loads(document.read_text()) if document.exists() else None
    card = model_card(ROOT / "checkpoints", evaluation, TRAINING, README)
    assert (ROOT / "checkpoints" / "README.md").read_text() == f"{card.content.rstrip()}\n"


def test_the_shipped_card_has_what_the_hub_reads():
    card = ModelCard((ROOT / "checkpoints" / "README.md").read_text())
    assert card.data.library_name == "diffusers"
    assert card.data.pipeline_tag == "image-to-image"
    assert card.data.license == "other" and card.data.license_name
    assert (ROOT / "checkpoints" / card.data.license_link).is_file()
    assert "research and demonstration only" in card.text


def test_the_readme_is_repeated_word_for_word():
    assert code_block("a\n```python\nx = 1\ny = 2\n```\n```python\nz = 3\n```\n", "python") == "x = 1\ny = 2"
    assert section("## A\n\none\n\n## B\n\ntwo\n", "A") == "one"
    assert section("## A\n\none\n\n## B\n\ntwo\n", "B") == "two"
    with pytest.raises(ValueError, match="no block of bibtex"):
        code_block("", "bibtex")
    with pytest.raises(ValueError, match="no section 'C'"):
        section("## A\n", "C")


def test_facts_agree_with_the_shipped_bank():
    bank = json.loads((ROOT / "checkpoints" / "manifold" / "config.json").read_text())
    assert sum(source["train"] for source in TRAINING["sources"]) == bank["num_samples"]
    everybody = sum(source["train"] + source["test"] for source in TRAINING["sources"])
    assert sum(TRAINING["gender_labels"].values()) == everybody
