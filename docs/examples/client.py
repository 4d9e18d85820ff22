"""The running studio, called from Python; `pip install gradio_client` is all that this needs.

python docs/examples/client.py http://127.0.0.1:7860 drawing.png face.png
"""

import shutil
import sys

from gradio_client import Client, handle_file

url, drawing, face = sys.argv[1:]
studio = Client(url, verbose=False)

path = studio.predict(sketch=handle_file(drawing), manifold="female", refinement=0.3, api_name="/generate")
shutil.copy(path, face)
