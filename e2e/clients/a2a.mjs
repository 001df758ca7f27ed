// A2A, by the binding that is given as argument: JSONRPC or HTTP+JSON.
import { Role, TaskState } from "@a2a-js/sdk";
import { ClientFactory } from "@a2a-js/sdk/client";
import { run } from "./driver.mjs";

const protocolBinding = process.argv[2];

const request = {
  message: { messageId: "1", role: Role.ROLE_USER, parts: [{ content: { $case: "text", value: "Hi" } }] },
};

await run(async (base, heard) => {
  const client = await new ClientFactory().createFromAgentCard({
    name: "stand-in",
    capabilities: { streaming: true },
    supportedInterfaces: [{ url: base, protocolBinding, protocolVersion: "1.0" }],
  });
  for await (const { payload } of client.sendMessageStream(request)) {
    switch (payload.$case) {
      case "artifactUpdate":
        for (const part of payload.value.artifact.parts) heard.text += part.content.value;
        break;
      case "statusUpdate":
        setState(heard, payload.value.status.state);
        break;
    }
  }
});

function setState(heard, state) {
  switch (state) {
    case TaskState.TASK_STATE_INPUT_REQUIRED:
      Object.assign(heard, { saw: "paused", detail: "input required" });
      break;
    case TaskState.TASK_STATE_FAILED:
      Object.assign(heard, { saw: "handed on", detail: "failed" });
      break;
  }
}
