// MCP by streamable HTTP: the first request, which opens a session, answered with events.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { run } from "./driver.mjs";

await run(async (base, heard) => {
  const client = new Client({ name: "test", version: "1" });
  await client.connect(new StreamableHTTPClientTransport(new URL(base)));
  heard.text = client.getServerVersion().name;
});
