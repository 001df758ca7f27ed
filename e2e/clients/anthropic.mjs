// Anthropic Messages.
import Anthropic from "@anthropic-ai/sdk";
import { run } from "./driver.mjs";

await run(async (base, heard) => {
  const client = new Anthropic({ baseURL: base, apiKey: "none", maxRetries: 0 });
  const stream = await client.messages.create({
    model: "stand-in",
    max_tokens: 100,
    messages: [{ role: "user", content: "Hi" }],
    stream: true,
  });
  for await (const event of stream) {
    if (event.type === "content_block_delta") heard.text += event.delta.text ?? "";
    if (event.type === "message_delta" && event.delta.stop_reason === "tool_use") {
      Object.assign(heard, { saw: "paused", detail: "tool_use" });
    }
  }
});
