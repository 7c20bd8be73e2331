import { execFile } from "node:child_process";
import { createServer, type Server } from "node:http";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { eventually } from "@hebra/test-servers/eventually";
import { startRedis, withoutRedisServer, type TestRedis } from "@hebra/test-servers/redis";
import { bundle } from "@hebra/test-servers/bundle";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { tokens } from "../admin/admin.fixture.ts";
import { fileAudit } from "../admin/audit.ts";
import { fileFlagDocuments, type FlagDocumentStore } from "../admin/documents.ts";
import { createAdminHandler, type AdminHandler } from "../admin/handler.ts";
import { nodeListener } from "../admin/node-listener.ts";
import { createFlags, type Flags } from "../client/create-flags.ts";
import { fileIncidents } from "../incident/stores.ts";
import { fileProvider } from "../provider/file.ts";
import type { FlagProvider } from "../provider/provider.ts";
import { redisFlagWriter, redisProvider } from "../provider/redis/redis-provider.ts";
import { rolloutProvider } from "../rollout/provider.ts";
import { openPolicy } from "../rollout/rollout-world.fixture.ts";
import { createRolloutService } from "../rollout/service.ts";
import { fileRolloutStore } from "../rollout/store/file.ts";
import { redisRolloutStore } from "../rollout/store/redis.ts";
import type { RolloutStore } from "../rollout/store/store.ts";
import { wordsOf } from "./cli.fixture.ts";

/** What the admin writes and what processes read, in one kind of place. */
interface Backend {
  readonly documents: FlagDocumentStore;
  readonly store: RolloutStore;
  readonly provider: FlagProvider;
  close(): Promise<void>;
}

let directory: string;
let program: string;
let server: Server;
let handler: AdminHandler;
let backend: Backend;
let flags: Flags;
beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), "cli-main-"));
  program = (await bundle(folder, { main: join(import.meta.dirname, "main.ts") })).main;
});
afterAll(() => rm(dirname(program), { recursive: true }));
beforeEach(async () => void (directory = await mkdtemp(join(tmpdir(), "cli-"))));
afterEach(async () => {
  handler.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await flags.close();
  await backend.close();
  await rm(directory, { recursive: true });
});

async function serve(made: Backend): Promise<void> {
  backend = made;
  handler = createAdminHandler({
    tokens: [
      { token: tokens.ana, name: "ana", roles: ["operate"] },
      { token: tokens.bo, name: "bo", roles: ["approve"], approves: ["technical"] },
    ],
    documents: made.documents,
    service: createRolloutService({ store: made.store, policy: openPolicy }),
    incidents: fileIncidents(join(directory, "incidents.jsonl")),
    audit: fileAudit(join(directory, "audit.jsonl")),
  });
  server = createServer(nodeListener(handler));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  flags = createFlags({
    providers: [rolloutProvider({ store: made.store, pollMs: 100 }), made.provider],
    logger: { warn() {} },
  });
  flags.subscribe(() => {});
}

/** `hebra-flags` as a process of its own. */
function cli(line: string, who: keyof typeof tokens = "ana"): Promise<{ code: number; out: string; err: string }> {
  const env = {
    ...process.env,
    HEBRA_FLAGS_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    HEBRA_FLAGS_TOKEN: tokens[who],
  };
  return new Promise((resolve) => {
    execFile(process.execPath, [program, ...wordsOf(line)], { env, cwd: directory }, (error, out, err) =>
      resolve({ code: error === null ? 0 : Number(error.code), out, err }),
    );
  });
}

const served = (mode: string) =>
  eventually(
    () => flags.decide("engine-v2", { session: "s1", org: "acme" }).mode === mode,
    `this process serves ${mode}`,
  );
const ok = async (line: string, who: keyof typeof tokens = "ana") => {
  const { code, out, err } = await cli(line, who);
  expect([line, code, err]).toEqual([line, 0, ""]);
  return out;
};

/** The life of a rollout, every verb a process; another process' flags follow. */
async function wholeLife(): Promise<void> {
  await writeFile(join(directory, "entry.json"), JSON.stringify({ version: 0, allow: { org: ["acme"] } }));
  await writeFile(
    join(directory, "plan.json"),
    JSON.stringify({
      owner: "team",
      shadow: { evidence: [], leastMs: 0, minCompared: 0 },
      steps: [{ percent: 10 }],
      full: { evidence: [], approvals: ["technical"] },
      coolDownMs: 0,
    }),
  );
  await ok("set engine-v2 --file entry.json --reason begin");
  expect(await cli("list --json")).toMatchObject({ code: 0, out: expect.stringContaining('"engine-v2"') as string });
  await served("new");
  await ok("kill engine-v2 --reason drill");
  await served("legacy");
  expect(await ok("explain engine-v2 --org acme --session s1")).toContain("kill.flag");
  await ok("unkill engine-v2 --reason over");
  await served("new");
  await ok("rollout start engine-v2 --plan plan.json --reason go");
  await ok("rollout advance engine-v2 --reason go");
  await ok("rollout advance engine-v2 --reason go");
  await ok("rollout pause engine-v2 --reason look");
  await ok("rollout resume engine-v2 --reason fine");
  expect(await cli("rollout approve engine-v2 --role technical --reason me")).toMatchObject({ code: 3 });
  await ok("rollout approve engine-v2 --role technical --reason reviewed", "bo");
  expect(await cli("rollout advance engine-v2 --reason go")).toMatchObject({
    code: 2,
    err: expect.stringContaining("Nothing is known of the legacy engine") as string,
  });
  await ok("rollout rollback engine-v2 --reason errors");
  await served("legacy");
  await ok("rollout reset engine-v2 --to shadow --reason fixed");
  await served("new");
  expect(await ok("watch engine-v2 --once")).toMatch(/engine-v2 {3}shadow[\s\S]*postmortem engine-v2-\d+ due/);
  expect(await ok("audit engine-v2")).toMatch(/rollback[\s\S]*reset[\s\S]*intact/);
  expect(await ok("incidents list --code NO_SUCH")).toContain("There is no such incident");
}

describe("hebra-flags as processes of their own", () => {
  it(
    "moves a rollout from file to file, and the processes that watch the file follow",
    { timeout: 180_000 },
    async () => {
      const path = join(directory, "flags.json");
      const store = fileRolloutStore(join(directory, "rollouts"));
      await serve({
        documents: fileFlagDocuments(path),
        store,
        provider: fileProvider({ path, pollMs: 200 }),
        close: () => store.close(),
      });
      await wholeLife();
      expect(await cli("get engine-v2 --json")).toMatchObject({
        code: 0,
        out: expect.stringContaining('"version":3') as string,
      });
      expect(await cli("simulate --errors 50 --legacy-errors 1 --json")).toMatchObject({
        code: 2,
        out: expect.stringContaining("rolledBack") as string,
      });
    },
  );

  describe.skipIf(withoutRedisServer !== undefined)("over Redis", () => {
    let redis: TestRedis;
    beforeAll(async () => void (redis = await startRedis()));
    afterAll(() => redis.stop());

    it("moves a rollout, and the processes that listen follow", { timeout: 180_000 }, async () => {
      const documents = redisFlagWriter({ url: redis.url });
      const store = redisRolloutStore({ url: redis.url });
      await serve({
        documents,
        store,
        provider: redisProvider({ url: redis.url }),
        async close() {
          await documents.close();
          await store.close();
        },
      });
      await wholeLife();
    });
  });
});
