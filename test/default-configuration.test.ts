import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";

const here = fileURLToPath(new URL(".", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "hebra-default-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Refuses what talks to a server, whoever loads it and whenever. */
const hooks = `
export function resolve(specifier, context, next) {
  if (/^(ioredis|iovalkey|redis|pg)(\\/|$)/.test(specifier)) throw new Error("A client was loaded: " + specifier);
  return next(specifier, context);
}`;

/** A gateway and its worker over a configuration: one message in, one reply out. */
const program = (config: object) => `
import { register } from "node:module";
register(${JSON.stringify(`data:text/javascript,${encodeURIComponent(hooks)}`)});
const { defineThread } = await import("@hebra/thread");
const { scriptedReactor } = await import("@hebra/thread/reactor");
const { openRuntime } = await import("@hebra/thread/runtime");
const desk = defineThread({ name: "desk", reactor: scriptedReactor({ steps: [{ text: "Hello." }], repeatLast: true }) });
const runtime = await openRuntime(${JSON.stringify(config)}, { threads: [desk] });
let reply;
const replied = new Promise((resolve) => (reply = resolve));
const channel = { name: "test", start: async () => {}, stop: async () => {}, send: async ({ text }) => reply(text) };
const gateway = await runtime.gateway({ channels: [channel] });
await gateway.publish("test", { id: "1", chat: "ana", text: "Hi" });
console.log(await replied);
await runtime.close();
`;

function run(config: object): Promise<{ ok: boolean; said: string }> {
  const args = ["--conditions=@hebra/source", "--import", "tsx", "--input-type=module", "--eval", program(config)];
  return new Promise((resolve) => {
    execFile(process.execPath, args, { cwd: here, timeout: 60_000 }, (error, out, complaint) =>
      resolve({ ok: error === null, said: out + complaint }),
    );
  });
}

describe("the default configuration", { timeout: 90_000 }, () => {
  it("takes a message and answers it, and never loads a client of a server", async () => {
    expect(await run({ store: { path: join(directory, "threads.sqlite") } })).toEqual({ ok: true, said: "Hello.\n" });
  });

  it("is told from one that needs a server", async () => {
    const { ok, said } = await run({ store: { backend: "postgres", url: "postgres://nobody@127.0.0.1:1/none" } });
    expect(ok).toBe(false);
    expect(said).toContain("A client was loaded: pg");
  });
});
