// OpenAI Responses.
import OpenAI from "openai";
import { run } from "./driver.mjs";

await run(async (base, heard) => {
  const client = new OpenAI({ baseURL: `${base}/v1`, apiKey: "none", maxRetries: 0 });
  const stream = await client.responses.create({ model: "stand-in", input: "Hi", stream: true });
  for await (const event of stream) {
    switch (event.type) {
      case "response.output_text.delta":
        heard.text += event.delta;
        break;
      case "response.output_item.done":
        if (event.item.type === "function_call") Object.assign(heard, { saw: "paused", detail: "function_call" });
        break;
      case "response.failed":
        Object.assign(heard, { saw: "handed on", detail: event.response.error.code });
        break;
    }
  }
});
