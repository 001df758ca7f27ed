// A2A 0.3, by the binding that is given as argument: JSONRPC or HTTP+JSON. The package is the same as for 1.0, in its
// older line, under a name of its own.
import { ClientFactory } from "@a2a-js/sdk-0.3/client";
import { run } from "./driver.mjs";

const preferredTransport = process.argv[2];

const request = {
  message: { kind: "message", messageId: "1", role: "user", parts: [{ kind: "text", text: "Hi" }] },
};

await run(async (base, heard) => {
  const client = await new ClientFactory().createFromAgentCard({
    name: "stand-in",
    url: base,
    preferredTransport,
    protocolVersion: "0.3.0",
    capabilities: { streaming: true },
  });
  for await (const event of client.sendMessageStream(request)) {
    switch (event.kind) {
      case "artifact-update":
        for (const part of event.artifact.parts) heard.text += part.text;
        break;
      case "status-update":
        setState(heard, event.status.state);
        break;
    }
  }
});

function setState(heard, state) {
  switch (state) {
    case "input-required":
      Object.assign(heard, { saw: "paused", detail: "input required" });
      break;
    case "failed":
      Object.assign(heard, { saw: "handed on", detail: "failed" });
      break;
  }
}
