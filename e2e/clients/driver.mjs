// What the programs beside this one share: each drives one protocol's published client.
//
// A program reads one base URL a line from standard input, talks to the agent that is there, and writes one line of
// JSON to standard output: what its user got to see.
//
//   saw     "success": an answer, as far as the client can tell; "error": the client raised one; "handed on": it passed
//           the agent's error on like any other event, for its caller to notice; "paused": its caller is to do
//           something; "silence": its caller waits on
//   text    what the agent said; not with an error or silence, when it is chance how much had been read
//   detail  the error, or what the caller is to do
import { createInterface } from "node:readline";

// patience is how long an answer may take, in milliseconds, before it counts as silence. node_test.go has the same.
const patience = 10000;

// run answers each line with what talk(base, heard) makes of it. Talk fills in what it heard, and throws what its
// client throws.
export async function run(talk) {
  for await (const base of createInterface({ input: process.stdin })) {
    process.stdout.write(JSON.stringify(await attempt(talk, base)) + "\n");
  }
  process.exit(0); // clients keep connections, which would hold the process
}

async function attempt(talk, base) {
  const heard = { saw: "success", text: "", detail: "" };
  const { promise: silence, resolve: giveUp } = deferred();
  const timer = setTimeout(() => giveUp("silence"), patience);
  try {
    const end = await Promise.race([talk(base, heard), silence]);
    return end === "silence" ? { saw: "silence", text: "", detail: "" } : heard;
  } catch (err) {
    return { saw: "error", text: "", detail: describe(err, base) };
  } finally {
    clearTimeout(timer);
  }
}

// deferred is a promise that is resolved from outside.
export function deferred() {
  const d = {};
  d.promise = new Promise((resolve, reject) => Object.assign(d, { resolve, reject }));
  return d;
}

// describe tells an error without the address, which is the only thing that may differ by the way to the agent.
function describe(err, base) {
  const text = `${err?.constructor?.name ?? typeof err}: ${err?.message ?? err}`;
  return text.replaceAll(new URL(base).host, "HOST");
}
