// The running studio, called from Node (`npm install @gradio/client`) or, with nearly the same lines, from a web page.
//
// node docs/examples/client.mjs http://127.0.0.1:7860 drawing.png face.png
import { readFile, writeFile } from "node:fs/promises";
import { Client, handle_file } from "@gradio/client";

const [url, drawing, face] = process.argv.slice(2);
const studio = await Client.connect(url);

const result = await studio.predict("/generate", {
  sketch: handle_file(new Blob([await readFile(drawing)])), // in a page: what an <input type="file"> holds
  manifold: "female",
  refinement: 0.3,
});

const photo = await fetch(result.data[0].url);
await writeFile(face, Buffer.from(await photo.arrayBuffer()));
