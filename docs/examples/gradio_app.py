"""A Gradio app of one's own with the live pad in it: `python docs/examples/gradio_app.py`."""

import gradio as gr

from dfd import DeepFaceDrawingPipeline
from dfd.ui import Pad, picture

pipe = DeepFaceDrawingPipeline.from_pretrained("checkpoints")


def face(drawing, refinement):
    if drawing is None:  # nothing was drawn yet
        return None
    try:
        return pipe(picture(drawing), refinement=refinement).images[0]
    except ValueError as error:  # such as an empty drawing
        raise gr.Error(str(error), print_exception=False) from error


with gr.Blocks(title="My app") as demo:
    with gr.Row():
        pad = Pad(storage_key="my-app")
        photo = gr.Image(label="Face", format="png", interactive=False)
    slider = gr.Slider(0, 1, 0.5, label="Refinement")
    # Of strokes that come faster than faces are made, only the last is answered.
    gr.on([pad.input, slider.input], face, [pad, slider], photo, trigger_mode="always_last", api_name="face")

if __name__ == "__main__":
    demo.launch()
