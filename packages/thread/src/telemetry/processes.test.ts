import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { redisBus } from "@hebra/bus/redis";
import { redisLocks } from "@hebra/lock/redis";
import { startRedis, withoutRedisServer } from "@hebra/test-servers/redis";
import { afterAll, afterEach, describe, expect, it, onTestFinished } from "vitest";
import { createEngine } from "../engine/engine.ts";
import { createRuntime } from "../runtime/runtime.ts";
import { memoryChannel } from "../runtime/runtime.fixture.ts";
import { sqliteStore } from "../store/sqlite.ts";
import { deskThread, writtenSpan, type Job, type WrittenSpan } from "./desk.fixture.ts";
import { recordTelemetry } from "./telemetry.fixture.ts";

/** Processes are started, on a machine that may be busy. In milliseconds. */
const PATIENCE = 120_000;
const directory = mkdtempSync(join(tmpdir(), "hebra-traces-"));
const told = recordTelemetry();
const children = new Set<ChildProcess>();
afterEach(() => {
  for (const child of children) child.kill("SIGKILL");
  told.reset();
});
afterAll(async () => {
  await told.close();
  rmSync(directory, { recursive: true, force: true });
});

function start(job: Job): ChildProcess {
  const child = fork(join(import.meta.dirname, "process.fixture.ts"), [JSON.stringify(job)], {
    execArgv: ["--conditions=@hebra/source", "--import", "tsx"],
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  children.add(child);
  return child;
}
/** Waits until a process has been killed in its turn. */
async function killed(child: ChildProcess): Promise<void> {
  const [code, signal] = (await once(child, "exit")) as [number | null, string | null];
  expect({ code, signal }).toEqual({ code: null, signal: "SIGKILL" });
}
const writtenIn = (file: string): WrittenSpan[] =>
  existsSync(file)
    ? readFileSync(file, "utf8")
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as WrittenSpan)
    : [];
const seenHere = (): WrittenSpan[] => told.spans().map(writtenSpan);
const named = (spans: readonly WrittenSpan[], name: string) => spans.filter((span) => span.name === name);

describe("a turn whose process was killed", () => {
  it(
    "goes on in the same trace, in the process that takes it up",
    async () => {
      const path = join(directory, "cut-off.db");
      const file = join(directory, "cut-off.jsonl");
      await killed(start({ store: path, spans: file, send: "die" }));
      const before = writtenIn(file);
      // What had ended: the request, two answers, an action. The turn's own span died with the process.
      expect(before.map(({ name }) => name)).toEqual([
        "request",
        "chat scripted",
        "execute_tool look",
        "chat scripted",
      ]);

      const store = await sqliteStore({ path });
      const engine = createEngine({ store, threads: [deskThread(() => "sent")] });
      await engine.recover({ olderThanMs: -1 });
      await engine.idle();
      await engine.close();
      await store.close();
      const after = seenHere();
      expect(after.map(({ name }) => name)).toEqual(["execute_tool send", "chat scripted", "invoke_agent desk"]);
      expect(new Set([...before, ...after].map(({ traceId }) => traceId)).size).toBe(1);
      const [resumed] = named(after, "invoke_agent desk");
      // It hangs under the turn that died, as what that turn left behind does.
      expect(resumed!.parentSpanId).toBe(named(before, "execute_tool look")[0]!.parentSpanId);
      expect(resumed!.attributes).toMatchObject({
        "hebra.resumed": true,
        "hebra.attempt": 2,
        "hebra.outcome": "completed",
      });
      const ids = [...before.slice(1), ...after].map(({ attributes }) =>
        [attributes["hebra.execution.id"], attributes["hebra.context.id"], attributes["hebra.run.id"]].join(),
      );
      expect(new Set(ids).size).toBe(1);
    },
    PATIENCE,
  );
});

describe.skipIf(withoutRedisServer !== undefined)("a message over Redis", () => {
  it(
    "is one trace from the gateway's request to the reply, though a worker was killed on the way",
    async () => {
      const redis = await startRedis();
      onTestFinished(() => redis.stop());
      const connection = { url: redis.url, namespace: "traces" };
      const path = join(directory, "bus.db");
      const files = [join(directory, "first.jsonl"), join(directory, "second.jsonl")] as const;
      const store = await sqliteStore({ path });
      const bus = redisBus({ ...connection, leaseMs: 1_000 });
      const locks = redisLocks({ url: redis.url });
      const runtime = createRuntime({
        threads: [deskThread(() => "sent")],
        store,
        bus,
        locks,
        workers: 2,
        oneHost: true,
      });
      const channel = memoryChannel("memory", async () => told.tracer.startSpan("POST chat.example").end());
      await runtime.gateway({ channels: [channel], embeddedWorker: false });
      await told.tracer.startActiveSpan("request", async (span) => {
        await channel.publish({ id: "1", chat: "ana", text: "Where is A-1?" });
        span.end();
      });
      await killed(start({ store: path, spans: files[0], send: "die", redis: connection }));
      const second = start({ store: path, spans: files[1], send: "go on", redis: connection });
      await channel.received(1);
      second.kill("SIGKILL");
      await runtime.close();
      await Promise.all([bus.close(), locks.close(), store.close()]);

      const [here, first, then] = [seenHere(), writtenIn(files[0]), writtenIn(files[1])];
      expect(first.map(({ name }) => name)).toEqual(["chat scripted", "execute_tool look", "chat scripted"]);
      expect(then.map(({ name }) => name)).toEqual(["execute_tool send", "chat scripted", "invoke_agent desk"]);
      expect(new Set([...here, ...first, ...then].map(({ traceId }) => traceId)).size).toBe(1);
      const turn = named(first, "execute_tool look")[0]!.parentSpanId;
      expect(named(then, "invoke_agent desk")[0]!.parentSpanId).toBe(turn);
      expect(named(here, "POST chat.example")[0]!.parentSpanId).toBe(turn);
      expect(new Set([...first, ...then].map(({ attributes }) => attributes["hebra.execution.id"])).size).toBe(1);
    },
    PATIENCE,
  );
});
