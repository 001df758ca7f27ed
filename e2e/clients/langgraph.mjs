// LangGraph Platform.
import { Client } from "@langchain/langgraph-sdk";
import { run } from "./driver.mjs";

await run(async (base, heard) => {
  const client = new Client({ apiUrl: base, apiKey: null, callerOptions: { maxRetries: 0 } });
  const stream = client.runs.stream("thread", "assistant", {
    input: { messages: [{ role: "human", content: "Hi" }] },
    streamMode: ["messages-tuple", "updates"],
  });
  for await (const { event, data } of stream) {
    if (event === "messages") heard.text += data[0].content;
    if (event === "updates" && data.__interrupt__) Object.assign(heard, { saw: "paused", detail: "interrupt" });
    if (event === "error") Object.assign(heard, { saw: "handed on", detail: data.error });
  }
});
