import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { eventually } from "@hebra/test-servers/eventually";
import { startRedis, withoutRedisServer, type TestRedis } from "@hebra/test-servers/redis";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { redisStore } from "../store/redis.ts";
import type { ThreadStore } from "../store/store.ts";

const TIME = 120_000;
const EVERY_MS = 1_000;
const program = fileURLToPath(new URL("scheduler.program.fixture.ts", import.meta.url));
const root = fileURLToPath(new URL("../../../../", import.meta.url));

describe.skipIf(withoutRedisServer !== undefined)("a schedule whose leader is killed", () => {
  let redis: TestRedis;
  let count = 0;
  const children = new Set<ChildProcess>();
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(() => redis.stop());
  afterEach(() => {
    for (const child of children) child.kill("SIGKILL");
    children.clear();
  });

  function start(namespace: string, missed: string, dies?: "before" | "after") {
    const child = spawn(
      process.execPath,
      [
        "--conditions=@hebra/source",
        "--import",
        "tsx",
        program,
        JSON.stringify({ url: redis.url, namespace, everyMs: EVERY_MS, missed, dies }),
      ],
      { cwd: root, stdio: ["ignore", "pipe", "inherit"] },
    );
    children.add(child);
    let out = "";
    child.stdout.on("data", (chunk) => (out += String(chunk)));
    const said = <T extends object>(name: string) =>
      out
        .split("\n")
        .slice(0, -1)
        .map((line) => JSON.parse(line) as T)
        .find((line) => name in line);
    return { child, said, exit: once(child, "exit") as Promise<[number | null, NodeJS.Signals | null]> };
  }

  /** The times of the runs that became turns, in their order, each as often as it did. */
  async function ran(store: ThreadStore): Promise<number[]> {
    const snapshot = await store.load("default", { key: "beats" });
    if (snapshot === undefined) return [];
    const history = await store.history("default", snapshot.context.id, { items: 1_000 });
    return history
      .filter(({ item }) => item.kind === "trigger")
      .map(({ item }) => Number(item.metadata["scheduledFor"]));
  }

  it.each([
    [
      "once it is published, before that is remembered: its successor's publication is a duplicate",
      "after",
      "all",
      true,
    ],
    ["before it is published: its successor makes up for it", "before", "all", true],
    ["before it is published: its successor leaves it out where the job says so", "before", "skip", false],
  ] as const)(
    "%s",
    async (_name, dies, missed, comes) => {
      const namespace = `schedule${process.pid}.${++count}`;
      const store = await redisStore({ url: redis.url, namespace: `${namespace}:thread` });
      try {
        const first = start(namespace, missed, dies);
        await eventually(() => first.said("leads") !== undefined, "the first leads", TIME);
        const second = start(namespace, missed);
        expect(await first.exit).toEqual([null, "SIGKILL"]);
        const fatal = Number(first.said<{ dies: string }>("dies")!.dies.split(":").at(-1));
        await eventually(() => second.said("leads") !== undefined, "the second leads", TIME);
        await eventually(async () => (await ran(store)).filter((at) => at > fatal).length >= 3, "it goes on", TIME);
        second.child.kill("SIGTERM");
        expect(await second.exit).toEqual([0, null]);

        const times = await ran(store);
        expect(times).toEqual([...new Set(times)].sort((a, b) => a - b));
        expect(times.includes(fatal)).toBe(comes);
        const expected = Array.from(
          { length: (times.at(-1)! - times[0]!) / EVERY_MS + 1 },
          (_, n) => times[0]! + n * EVERY_MS,
        );
        if (missed === "all") expect(times).toEqual(expected);
        else expect(expected.filter((at) => !times.includes(at))).toContain(fatal);
      } finally {
        await store.close();
      }
    },
    TIME,
  );
});
