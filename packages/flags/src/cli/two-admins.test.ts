import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { bundle } from "@hebra/test-servers/bundle";
import pg from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { fileFlagDocuments, type FlagDocumentStore } from "../admin/documents.ts";
import { createFlags } from "../client/create-flags.ts";
import { httpProvider } from "../provider/http/http-provider.ts";
import { postgresFlagWriter } from "../provider/postgres/postgres-writer.ts";
import { redisFlagWriter } from "../provider/redis/redis-provider.ts";

const TOKEN = "one-token-for-both-admins";
/** Of the 200 changes each half is kills and edits; a fifth of them in every run, all in the soak. */
const HALF = process.env["HEBRA_SOAK"] === "1" ? 100 : 20;
const { REDIS_URL, DATABASE_URL } = process.env;
const name = `two_admins_${process.pid}`;
let program: string;
let directory: string;
const running: ChildProcess[] = [];
const modules = join(import.meta.dirname, "../../node_modules");
beforeAll(async () => {
  const folder = await mkdtemp(join(modules, ".two-admins-"));
  program = (await bundle(folder, { main: join(import.meta.dirname, "main.ts") })).main;
  directory = await mkdtemp(join(tmpdir(), "two-admins-"));
});
afterAll(async () => {
  await rm(dirname(program), { recursive: true });
  await rm(directory, { recursive: true });
});
afterEach(async () => {
  for (const child of running.splice(0)) {
    child.kill("SIGTERM");
    if (child.exitCode === null) await once(child, "exit");
  }
});

/** One admin as a process of its own. @returns its address */
async function start(config: string): Promise<string> {
  const child = spawn(process.execPath, [program, "serve", "--port", "0", "--json", "--config", config], {
    cwd: directory,
    stdio: ["ignore", "pipe", "inherit"],
  });
  running.push(child);
  const [line] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
  return (JSON.parse(line) as { url: string }).url;
}

interface Place {
  readonly documents: object;
  readonly open: () => FlagDocumentStore & { close?(): Promise<void> };
  readonly clear: () => Promise<void>;
}

const backends: readonly (readonly [backend: string, usable: boolean, place: () => Place])[] = [
  [
    "a file",
    true,
    () => {
      const path = join(directory, "shared.json");
      return {
        documents: { backend: "file", path },
        open: () => fileFlagDocuments(path),
        clear: async () => undefined,
      };
    },
  ],
  [
    "Redis",
    REDIS_URL !== undefined,
    () => ({
      documents: { backend: "redis", url: REDIS_URL, namespace: name },
      open: () => redisFlagWriter({ url: REDIS_URL!, namespace: name }),
      clear: async () => undefined,
    }),
  ],
  [
    "PostgreSQL",
    DATABASE_URL !== undefined,
    () => ({
      documents: { backend: "postgres", url: DATABASE_URL, schema: name },
      open: () => postgresFlagWriter({ connectionString: DATABASE_URL!, schema: name }),
      async clear() {
        const pool = new pg.Pool({ connectionString: DATABASE_URL! });
        await pool.query(`drop schema if exists ${name} cascade`);
        await pool.end();
      },
    }),
  ],
];

describe.each(backends)("two admin processes on %s", (_, usable, place) => {
  it.runIf(usable)(
    "lose no kill and no edit of many at once, and a flag that is edited at the same time stays killed [FL-8]",
    { timeout: 180_000 },
    async () => {
      const { documents, open, clear } = place();
      const store = open();
      const keys = Array.from({ length: HALF }, (__, at) => at);
      const rollouts = Object.fromEntries(
        keys.flatMap((at) => [
          [`k${at}`, { version: 1 }],
          [`e${at}`, { version: 1 }],
        ]),
      );
      await store.write({ flags: {}, rollouts: { ...rollouts, hot: { version: 1 } } });
      const configs = await Promise.all(
        [0, 1].map(async (at) => {
          // Everything but the flags is each admin's own.
          const own = join(directory, `${documents === undefined ? "" : Object.values(documents)[0]}-${at}`);
          await mkdir(own, { recursive: true });
          const file = join(own, "admin.json");
          const tokens = [{ token: TOKEN, name: `admin-${at}`, roles: ["operate"] }];
          await writeFile(file, JSON.stringify({ directory: own, documents, tokens, controller: false }));
          return file;
        }),
      );
      const urls = await Promise.all(configs.map(start));
      const send = async (at: number, method: string, path: string, body: object) => {
        const response = await fetch(`${urls[at % 2]}${path}`, {
          method,
          headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json", "if-match": "*" },
          body: JSON.stringify({ reason: "at once", ...body }),
        });
        return [path, response.status, response.ok ? "" : await response.text()];
      };
      const kill = (at: number, key: string) => send(at, "POST", `/v1/flags/${key}/kill`, {});
      const edit = (at: number, key: string) =>
        send(at, "PUT", `/v1/flags/${key}`, { rollout: { version: 0, allow: { org: [`org-${at}`] } } });
      const answers = await Promise.all([
        ...keys.flatMap((at) => [kill(at, `k${at}`), edit(at + 1, `e${at}`)]),
        kill(0, "hot"),
        ...[0, 1, 2, 3].map((at) => edit(at, "hot")),
      ]);
      expect(answers.filter(([, status]) => status !== 200)).toEqual([]);

      const { document } = await store.read();
      const lost = keys.flatMap((at) => [
        ...(document.rollouts?.[`k${at}`]?.kill ? [] : [`the kill of k${at}`]),
        ...(document.rollouts?.[`e${at}`]?.allow?.org?.length === 1 ? [] : [`the edit of e${at}`]),
      ]);
      expect(lost).toEqual([]);
      expect(document.rollouts?.["hot"]?.kill).toMatchObject({ reason: "at once" });
      // Over HTTP both admins give out what both have written.
      for (const url of urls) {
        const flags = createFlags({
          provider: httpProvider({ url: `${url}/v1/document`, headers: { authorization: `Bearer ${TOKEN}` } }),
          logger: { warn() {} },
        });
        await flags.ready();
        expect(keys.filter((at) => flags.decide(`k${at}`, { session: "s" }).ruleId !== "kill.flag")).toEqual([]);
        expect(keys.filter((at) => flags.decide(`e${at}`, { org: `org-${at + 1}` }).mode !== "new")).toEqual([]);
        await flags.close();
      }
      await store.close?.();
      await clear();
    },
  );
});
