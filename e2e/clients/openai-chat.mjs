// OpenAI Chat Completions.
import OpenAI from "openai";
import { run } from "./driver.mjs";

await run(async (base, heard) => {
  const client = new OpenAI({ baseURL: `${base}/v1`, apiKey: "none", maxRetries: 0 });
  const stream = await client.chat.completions.create({
    model: "stand-in",
    messages: [{ role: "user", content: "Hi" }],
    stream: true,
  });
  for await (const chunk of stream) {
    const choice = chunk.choices[0];
    heard.text += choice?.delta.content ?? "";
    if (choice?.finish_reason === "tool_calls") {
      heard.saw = "paused";
      heard.detail = "tool_calls";
    }
  }
});
