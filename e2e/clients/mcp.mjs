// MCP by streamable HTTP: the call of a tool. Opening a session takes two requests more, and a third that asks for
// what the server may have to say by itself.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { UrlElicitationRequiredError } from "@modelcontextprotocol/sdk/types.js";
import { deferred, run } from "./driver.mjs";

await run(async (base, heard) => {
  const client = new Client({ name: "test", version: "1" });
  await client.connect(new StreamableHTTPClientTransport(new URL(base)));
  const broken = deferred();
  client.onerror = broken.resolve; // what it says here the caller of a tool does not get to hear, and waits on
  const answered = call(client, heard);
  const err = await Promise.race([answered, broken.promise]);
  if (err) Object.assign(heard, { saw: "silence", detail: err.message });
});

// call calls the tool.
async function call(client, heard) {
  try {
    const result = await client.callTool({ name: "greet", arguments: {} });
    heard.text = result.content.map((part) => part.text).join("");
  } catch (err) {
    if (!(err instanceof UrlElicitationRequiredError)) throw err;
    Object.assign(heard, { saw: "paused", detail: err.elicitations[0].url });
  }
}
