import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "@hebra/test-servers/eventually";
import { afterAll, test } from "vitest";
import { sqliteStore } from "../store/sqlite.ts";
import { createRuntime } from "./runtime.ts";
import { echoReactor, echoThread, memoryChannel } from "./runtime.fixture.ts";

const directory = mkdtempSync(join(tmpdir(), "hebra-replies-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

test("a reply goes out when its turn has ended, whatever is stored behind it [BU-9]", async () => {
  const store = await sqliteStore({ path: join(directory, "threads.sqlite") });
  let open = () => {};
  const gate = new Promise<void>((resolve) => (open = resolve));
  const begun: string[] = [];
  const reactor = echoReactor(async (said) => {
    begun.push(said);
    if (said === "2") await gate;
  });
  const runtime = createRuntime({ threads: [echoThread(reactor)], store });
  const channel = memoryChannel("memory");
  await runtime.gateway({ channels: [channel], embeddedWorker: false });
  for (const text of ["1", "2", "3"]) await channel.publish({ chat: "ana", id: text, text });
  const worker = runtime.worker({ concurrency: 4 });
  await eventually(() => begun.includes("2"), "the second turn has begun");
  await eventually(() => channel.replies.length > 0, "the first reply is there before the second turn has ended");
  assert.deepEqual(
    channel.replies.map(({ text }) => text),
    ["echo: 1"],
  );
  open();
  await eventually(() => channel.replies.length === 3, "all are answered");
  assert.deepEqual(begun, ["1", "2", "3"]);
  await worker.stop();
  await runtime.close();
  await store.close();
});
