"""What the command line says of options that it cannot use."""

import pytest

from dfd.train import main


@pytest.mark.parametrize(
    ("windows", "message"),
    [
        (None, "No such file"),
        ("{", "Expecting property name"),
        ("[1]", "windows must be given by part, got [1]"),
        ('{"chin": [0, 0, 64]}', "unknown component 'chin'"),
        ('{"nose": [0, null, 64]}', "window of nose must be three whole numbers"),
    ],
)
def test_windows_that_cannot_be_used_are_one_sentence(windows, message, tmp_path, capsys):
    path = tmp_path / "windows.json"
    if windows is not None:
        path.write_text(windows)
    with pytest.raises(SystemExit):
        main(["autoencoders", "--data", "faces", "--output", "run", "--windows", str(path)])
    last = capsys.readouterr().err.splitlines()[-1]
    assert f"argument --windows: {path}: " in last and message in last


@pytest.mark.parametrize(("option", "value"), [("--batch-size", "0"), ("--images", "0"), ("--hours", "-1")])
def test_options_that_make_no_run_are_one_sentence(option, value, tmp_path):
    name = option.strip("-").replace("-", "_")
    with pytest.raises(SystemExit, match=f"error: {name} must be"):
        main(["pix2pix", "--data", "faces", "--output", str(tmp_path / "run"), option, value])
    assert not (tmp_path / "run").exists()
