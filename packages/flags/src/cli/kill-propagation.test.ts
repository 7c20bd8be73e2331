import { bundle } from "@hebra/test-servers/bundle";
import { eventually } from "@hebra/test-servers/eventually";
import assert from "node:assert/strict";
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, afterEach, beforeAll, beforeEach, test } from "vitest";
import { wordsOf } from "./cli.fixture.ts";

const TOKEN = "one-token-for-the-test";
const PROCESSES = 4;
/** The tests begin where a rollout would end. */
const policy = { version: 1, flags: { "*": { maxPercent: 100 } } };
const { REDIS_URL, DATABASE_URL } = process.env;
let programs: Record<"cli" | "reader", string>;
let directory: string;
const children: ChildProcess[] = [];

// Below the package, so that the clients of Redis and PostgreSQL are found.
beforeAll(async () => {
  const folder = await mkdtemp(join(import.meta.dirname, "../../node_modules/.kill-"));
  programs = await bundle(folder, {
    cli: join(import.meta.dirname, "main.ts"),
    reader: join(import.meta.dirname, "../provider/kill-reader.fixture.ts"),
  });
}, 60_000);
afterAll(() => rm(dirname(programs.cli), { recursive: true }));
beforeEach(async () => void (directory = await mkdtemp(join(tmpdir(), "kill-"))));
afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill("SIGKILL");
    await once(child, "exit");
  }
  await rm(directory, { recursive: true });
});

async function serve(documents: object): Promise<string> {
  await writeFile(join(directory, "admin.json"), JSON.stringify({ documents, policy, controller: false }));
  const child = spawn(process.execPath, [programs.cli, "serve", "--port", "0", "--json", "--config", "admin.json"], {
    cwd: directory,
    env: { ...process.env, HEBRA_FLAGS_TOKEN: TOKEN },
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  const [line] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
  return (JSON.parse(line) as { url: string }).url;
}

const cli = (url: string, line: string): Promise<string> =>
  new Promise((settle, fail) => {
    const env = { ...process.env, HEBRA_FLAGS_URL: url, HEBRA_FLAGS_TOKEN: TOKEN };
    execFile(process.execPath, [programs.cli, ...wordsOf(line)], { cwd: directory, env }, (error, out, err) =>
      error === null ? settle(out) : fail(new Error(`${line}: ${err}${out}`)),
    );
  });

interface Line {
  readonly at?: number;
  readonly mode: string;
  readonly count?: number;
}

function read(kind: string, options: object): { readonly lines: Line[]; readonly ask: () => void } {
  const child = spawn(process.execPath, [programs.reader, kind, JSON.stringify(options)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  children.push(child);
  const lines: Line[] = [];
  createInterface({ input: child.stdout }).on("line", (line) => void lines.push(JSON.parse(line) as Line));
  return { lines, ask: () => void child.stdin.write("\n") };
}

/** Where the flags are, for the admin and for the processes that decide. */
interface Backend {
  readonly title: string;
  readonly url: string | undefined;
  readonly documents: (name: string) => object;
  readonly provider: (name: string, url: string) => readonly [kind: string, options: object];
}

const backends: readonly Backend[] = [
  {
    title: "a file that each watches",
    url: "none",
    documents: () => ({ backend: "file", path: join(directory, "flags.json") }),
    provider: () => ["file", { path: join(directory, "flags.json") }],
  },
  {
    title: "HTTP and its event stream",
    url: "none",
    documents: () => ({ backend: "file", path: join(directory, "flags.json") }),
    provider: (_, url) => [
      "http",
      { url: `${url}/v1/document`, eventsUrl: `${url}/v1/events`, headers: { authorization: `Bearer ${TOKEN}` } },
    ],
  },
  {
    title: "Redis",
    url: REDIS_URL,
    documents: (namespace) => ({ backend: "redis", url: REDIS_URL, namespace }),
    provider: (namespace) => ["redis", { url: REDIS_URL, namespace }],
  },
  {
    title: "PostgreSQL with NOTIFY",
    url: DATABASE_URL,
    documents: (schema) => ({ backend: "postgres", url: DATABASE_URL, schema }),
    // A look every minute: what is measured is the notification.
    provider: (schema) => ["postgres", { connectionString: DATABASE_URL, schema, pollMs: 60_000 }],
  },
  {
    title: "PostgreSQL behind a pooler, which passes no notifications on",
    url: DATABASE_URL,
    documents: (schema) => ({ backend: "postgres", url: DATABASE_URL, schema }),
    provider: (schema) => ["postgres", { connectionString: DATABASE_URL, schema, listen: false, pollMs: 500 }],
  },
];

for (const [index, { title, url, documents, provider }] of backends.entries())
  test.skipIf(url === undefined)(
    `a kill from the command line turns every decision of ${PROCESSES} processes to legacy within a second over ${title}`,
    { timeout: 240_000 },
    async () => {
      const name = `kill_${process.pid}_${index}`;
      const admin = await serve(documents(name));
      await writeFile(join(directory, "entry.json"), JSON.stringify({ version: 0, canary: { percent: 100 } }));
      await cli(admin, "set engine-v2 --file entry.json --reason begin");
      const readers = Array.from({ length: PROCESSES }, () => read(...provider(name, admin)));
      const all = (mode: string) =>
        eventually(() => readers.every(({ lines }) => lines.at(-1)?.mode === mode), `all four decide ${mode}`, 60_000);
      await all("new");
      const slowest: number[] = [];
      // The best of three: a busy machine delays every path, and a slow path is slow each time.
      for (let round = 0; round < 3; round++) {
        await cli(admin, "kill engine-v2 --reason drill");
        const answer = await fetch(`${admin}/v1/flags/engine-v2`, { headers: { authorization: `Bearer ${TOKEN}` } });
        const { rollout } = (await answer.json()) as { rollout: { kill: { at: string } } };
        const killedAt = Date.parse(rollout.kill.at);
        await all("legacy");
        slowest.push(Math.max(...readers.map(({ lines }) => lines.at(-1)!.at! - killedAt)));
        // Every decision since then was legacy: a change back would have been a line.
        for (const { ask } of readers) ask();
        await eventually(
          () => readers.every(({ lines }) => lines.at(-1)?.count !== undefined),
          "all four answer",
          60_000,
        );
        for (const { lines } of readers) assert.equal(lines.at(-1)!.mode, "legacy");
        await cli(admin, "unkill engine-v2 --reason over");
        await all("new");
      }
      console.info(`${title}: the slowest of ${PROCESSES} processes decided legacy after ${slowest.join(", ")} ms`);
      assert.ok(Math.min(...slowest) <= 1_000, slowest.join());
    },
  );
