import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { bundle } from "@hebra/test-servers/bundle";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { wordsOf } from "./cli.fixture.ts";

const TOKEN = "one-token-for-the-test";
const { REDIS_URL, DATABASE_URL } = process.env;
let program: string;
let directory: string;
let running: ChildProcess | undefined;
// Below the package, so that the clients of Redis, PostgreSQL and SQLite are found.
const modules = join(import.meta.dirname, "../../node_modules");
beforeAll(async () => {
  const folder = await mkdtemp(join(modules, ".serve-"));
  program = (await bundle(folder, { main: join(import.meta.dirname, "main.ts") })).main;
});
afterAll(() => rm(dirname(program), { recursive: true }));
beforeEach(async () => void (directory = await mkdtemp(join(tmpdir(), "serve-"))));
afterEach(async () => {
  if (running !== undefined && running.exitCode === null) {
    running.kill("SIGKILL");
    await once(running, "exit");
  }
  running = undefined;
  await rm(directory, { recursive: true });
});

/** The admin as a process of its own. @returns its address */
async function start(line: string, env: Record<string, string> = {}): Promise<string> {
  const { HEBRA_FLAGS_TOKEN: _, ...rest } = process.env;
  running = spawn(process.execPath, [program, "serve", "--port", "0", "--json", ...wordsOf(line)], {
    cwd: directory,
    env: { ...rest, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let err = "";
  running.stderr!.on("data", (data: Buffer) => (err += data.toString()));
  const [first] = (await Promise.race([
    once(createInterface({ input: running.stdout! }), "line"),
    once(running, "exit").then(() => [`{"failed":${JSON.stringify(err)}}`]),
  ])) as [string];
  const { url, ...more } = JSON.parse(first) as { url?: string };
  if (url === undefined) throw new Error(`${JSON.stringify(more)} ${err}`);
  return url;
}

const cli = (url: string, line: string, token = TOKEN): Promise<{ code: number; out: string; err: string }> =>
  new Promise((settle) => {
    const env = { ...process.env, HEBRA_FLAGS_URL: url, HEBRA_FLAGS_TOKEN: token };
    execFile(process.execPath, [program, ...wordsOf(line)], { cwd: directory, env }, (error, out, err) =>
      settle({ code: error === null ? 0 : Number(error.code), out, err }),
    );
  });

describe("hebra-flags serve", { timeout: 60_000 }, () => {
  it("serves everything from files without a configuration, and ends with 0", async () => {
    const url = await start("", { HEBRA_FLAGS_TOKEN: TOKEN });
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    expect((await fetch(`${url}/`)).status).toBe(401);
    const index = await fetch(url, { headers: { authorization: `Bearer ${TOKEN}` } });
    expect(await index.json()).toMatchObject({ openapi: "/v1/openapi.json" });
    await writeFile(join(directory, "entry.json"), JSON.stringify({ version: 0, allow: { org: ["acme"] } }));
    expect(await cli(url, "set engine-v2 --file entry.json --reason begin")).toMatchObject({ code: 0, err: "" });
    expect(await cli(url, "kill engine-v2 --reason drill")).toMatchObject({ code: 0 });
    const stored = JSON.parse(await readFile(join(directory, ".hebra/flags/flags.json"), "utf8")) as object;
    expect(stored).toMatchObject({ rollouts: { "engine-v2": { kill: { by: "operator" } } } });
    expect((await cli(url, "audit engine-v2")).out).toContain("intact");
    running!.kill("SIGTERM");
    expect(await once(running!, "exit")).toEqual([0, null]);
  });

  it.each([
    ["no token at all", "", {}, /no default credentials/],
    ["a configuration with a member that it does not know", "--config admin.json", {}, /tokenz/],
    ["a variable that is not set", "--config unset.json", {}, /HEBRA_NOT_THERE/],
    ["a port that is none", "--port x", { HEBRA_FLAGS_TOKEN: TOKEN }, /--port/],
  ])("refuses %s", async (_, line, env, message) => {
    await writeFile(join(directory, "admin.json"), JSON.stringify({ tokenz: [] }));
    const unset = { tokens: [{ token: "${HEBRA_NOT_THERE}", name: "ana", roles: ["read"] }] };
    await writeFile(join(directory, "unset.json"), JSON.stringify(unset));
    await expect(start(line, env)).rejects.toThrow(message);
    if (running!.exitCode === null) await once(running!, "exit");
    expect(running!.exitCode).toBe(2);
  });

  it.skipIf(REDIS_URL === undefined || DATABASE_URL === undefined)(
    "serves stores in Redis, PostgreSQL and SQLite, people with roles, a module that says who calls, and the controller",
    async () => {
      const schema = `serve_${process.pid}`;
      const config = {
        documents: { backend: "redis", url: "${TEST_REDIS}", namespace: schema },
        rollouts: { backend: "postgres", url: "${TEST_POSTGRES}", schema },
        incidents: { backend: "sqlite", path: join(directory, "incidents.sqlite") },
        tokens: [
          { token: "${ANA_TOKEN}", name: "ana", roles: ["operate"] },
          { token: "bo-bo-bo-bo-bo-bo-bo", name: "bo", roles: ["approve"], approves: ["technical"] },
        ],
        policy: { version: 3, flags: { "*": { approvals: ["technical"], requiredGuards: [], maxPercent: 100 } } },
        alias: { flag: "engine-v2", plan: { owner: "team" }, basePath: "/api/v2/admin" },
        engines: { new: "2.0.0" },
        controller: { tickMs: 50 },
      };
      await writeFile(join(directory, "admin.json"), JSON.stringify(config));
      await writeFile(join(directory, "ana.token"), `${TOKEN}\n`);
      await writeFile(
        join(directory, "host.mjs"),
        `export const authenticate = (request) => request.headers.get("x-user") === "eve" ? { name: "eve", roles: ["read"], approves: [] } : undefined;`,
      );
      const plan = {
        owner: "team",
        shadow: { evidence: [], leastMs: 0, minCompared: 0, automatic: true },
        steps: [{ percent: 10 }],
        full: { evidence: [], approvals: ["technical"] },
        limits: { required: [] },
      };
      await writeFile(join(directory, "plan.json"), JSON.stringify(plan));
      const url = await start("--config admin.json --app host.mjs", {
        TEST_REDIS: REDIS_URL!,
        TEST_POSTGRES: DATABASE_URL!,
        ANA_TOKEN_FILE: join(directory, "ana.token"),
      });
      expect((await fetch(`${url}/v1/policy`, { headers: { "x-user": "eve" } })).status).toBe(200);
      expect((await fetch(`${url}/v1/policy`, { headers: { "x-user": "mallory" } })).status).toBe(401);
      const alias = await fetch(`${url}/api/v2/admin/flags`, { headers: { authorization: `Bearer ${TOKEN}` } });
      expect(await alias.json()).toMatchObject({ phase: "off" });
      expect(await cli(url, "rollout start engine-v2 --plan plan.json --reason go")).toMatchObject({
        code: 0,
        err: "",
      });
      expect(await cli(url, "rollout advance engine-v2 --reason go")).toMatchObject({ code: 0, err: "" });
      // From shadow on the plan says `automatic`: the controller may lead on by itself.
      await expect
        .poll(async () => (await cli(url, "rollout status engine-v2 --json")).out, { timeout: 20_000, interval: 100 })
        .toMatch(/"phase":"(shadow|canary\(0\))"/);
      expect(await cli(url, "rollout rollback engine-v2 --reason errors")).toMatchObject({ code: 0, err: "" });
      const { out } = await cli(url, "incidents list --kind rollback --json");
      const { id } = (JSON.parse(out) as { incidents: { id: string }[] }).incidents[0]!;
      expect((await cli(url, `incidents show ${id}`)).out).toMatch(/ROLLED_BACK[\s\S]*2\.0\.0[\s\S]*# Postmortem/);
      expect(await cli(url, `incidents close ${id} --reason fixed`)).toMatchObject({ code: 0 });
      running!.kill("SIGTERM");
      await once(running!, "exit");
    },
  );
});
