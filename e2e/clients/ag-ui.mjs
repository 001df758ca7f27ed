// AG-UI.
import { HttpAgent } from "@ag-ui/client";
import { deferred, run } from "./driver.mjs";

// When a connection breaks, the client rejects the run, and then once more a promise that it gives to nobody.
process.on("unhandledRejection", () => {});

await run(async (base, heard) => {
  const agent = new HttpAgent({ url: base, threadId: "thread" });
  agent.messages = [{ id: "1", role: "user", content: "Hi" }];
  const failed = deferred();
  const ended = agent.runAgent({ runId: "run" }, {
    onTextMessageContentEvent: ({ event }) => void (heard.text += event.delta),
    onRunErrorEvent: ({ event }) => failed.reject(new Error(`${event.code}: ${event.message}`)),
    onRunFinishedEvent: ({ outcome }) => {
      if (outcome === "interrupt") Object.assign(heard, { saw: "paused", detail: "interrupt" });
    },
  });
  await Promise.race([ended, failed.promise]);
});
