"""The running studio as a tool for assistants, over the Model Context Protocol.

pip install -e ".[mcp]"
GRADIO_MCP_SERVER=True python app.py
python docs/examples/mcp_client.py http://127.0.0.1:7860 drawing.png face.png
"""

import asyncio
import base64
import sys
from pathlib import Path

from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

url, drawing, face = sys.argv[1:]


async def main():
    async with (
        streamable_http_client(f"{url}/gradio_api/mcp/") as (read, write, _),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        for tool in (await session.list_tools()).tools:
            print(f"{tool.name}: {tool.description}")
        sketch = "data:image/png;base64," + base64.b64encode(Path(drawing).read_bytes()).decode()
        arguments = {"sketch": sketch, "manifold": "female", "refinement": 0.3}
        result = await session.call_tool("sketch_to_face", arguments)
    if result.isError:
        sys.exit(result.content[0].text)
    Path(face).write_bytes(base64.b64decode(result.content[0].data))


asyncio.run(main())
