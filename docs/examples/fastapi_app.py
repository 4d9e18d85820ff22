"""A web service: a drawing is posted, a photo comes back. http://127.0.0.1:8000/docs describes it.

The extra `demo` brings what it needs. Uploads are not limited here: that is a proxy's work, in front of it.

uvicorn --app-dir docs/examples fastapi_app:app
curl -F sketch=@drawing.png "http://127.0.0.1:8000/face?refinement=0.3" -o face.png
"""

import io
from threading import Lock
from typing import Annotated, Literal

from fastapi import FastAPI, File, HTTPException, Query, Response
from PIL import Image

from dfd import DeepFaceDrawingPipeline

pipe = DeepFaceDrawingPipeline.from_pretrained("checkpoints")
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP")  # Pillow knows others, of which EPS is a program
one_at_a_time = Lock()  # two at once would only slow each other down
app = FastAPI(title="Drawings become faces")


@app.post("/face", response_class=Response, responses={200: {"content": {"image/png": {}}}})
def face(
    sketch: Annotated[bytes, File(description="a picture of the drawing: PNG, JPEG, WebP, GIF, TIFF or BMP")],
    manifold: Literal["all", "female", "male"] = "all",
    refinement: Annotated[float, Query(ge=0, le=1)] = 0.5,
):
    try:
        drawing = Image.open(io.BytesIO(sketch), formats=FORMATS)
    except Exception as error:  # PIL's readers let through whatever a broken file makes them raise
        raise HTTPException(400, "The file is not a picture that can be read.") from error
    try:
        with one_at_a_time:
            photo = pipe(drawing, manifold, refinement).images[0]
    except ValueError as error:  # such as an empty drawing
        raise HTTPException(400, str(error)) from error
    file = io.BytesIO()
    photo.save(file, "PNG")
    return Response(file.getvalue(), media_type="image/png")
