// Vercel AI SDK's UI messages, by the class that its hooks for React, Vue and Svelte are made of.
import { AbstractChat, DefaultChatTransport } from "ai";
import { run } from "./driver.mjs";

// Chat keeps its state in plain fields, where the hooks have their framework's.
class Chat extends AbstractChat {
  constructor(init) {
    const messages = [];
    const state = {
      status: "ready",
      error: undefined,
      messages,
      pushMessage: (message) => messages.push(message),
      popMessage: () => messages.pop(),
      replaceMessage: (index, message) => (messages[index] = message),
      snapshot: structuredClone,
    };
    super({ ...init, state });
  }
}

await run(async (base, heard) => {
  const chat = new Chat({ transport: new DefaultChatTransport({ api: `${base}/api/chat` }) });
  await chat.sendMessage({ text: "Hi" });
  if (chat.status === "error") throw chat.error;
  const parts = chat.lastMessage.parts;
  heard.text = parts.map((part) => part.text ?? "").join("");
  if (parts.some((part) => part.state === "input-available")) Object.assign(heard, { saw: "paused", detail: "tool call" });
});
