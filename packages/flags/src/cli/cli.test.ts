import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { serveAdmin, tokens, type AdminServer } from "../admin/admin.fixture.ts";
import { bare, FLAG } from "../rollout/rollout-world.fixture.ts";
import { help } from "./help.ts";
import { connectionFromEnvironment, type CliIo } from "./io.ts";
import { runCli } from "./run.ts";

let admin: AdminServer;
let directory: string;
beforeEach(async () => {
  admin = await serveAdmin();
  directory = await mkdtemp(join(tmpdir(), "cli-"));
});
afterEach(async () => {
  await admin.close();
  await rm(directory, { recursive: true });
});

async function run(argv: string, who: keyof typeof tokens | "nobody" = "ana", more: Partial<CliIo> = {}) {
  let [out, err] = ["", ""];
  const io: CliIo = {
    out: (text) => void (out += text), err: (text) => void (err += text), fetch, url: admin.url, token: who === "nobody" ? undefined : tokens[who], terminal: false, columns: 200,
    signal: new AbortController().signal, sleep: async () => {}, ...more,
  };
  // Words, or "quoted words".
  const code = await runCli([...argv.matchAll(/"([^"]*)"|(\S+)/g)].map((match) => match[1] ?? match[2]!), io);
  return { code, out, err };
}

describe("hebra-flags", () => {
  it("has a help for everything and says what it did not understand", async () => {
    const all = await run("--help");
    for (const name of Object.keys(help)) expect(all.out).toContain(name);
    expect((await run("rollout --help")).out).toContain("hebra-flags rollout <start|");
    expect(await run("")).toMatchObject({ code: 2 });
    expect(await run("wach x")).toMatchObject({ code: 2, err: expect.stringContaining("Did you mean `watch`?") as string });
    expect(await run("kill x --raeson y")).toMatchObject({ code: 2 });
    expect(await run("kill x")).toMatchObject({ code: 2, err: expect.stringContaining("--reason") as string });
    expect(await run("get")).toMatchObject({ code: 2 });
    expect(connectionFromEnvironment({ HEBRA_FLAGS_URL: "u", HEBRA_FLAGS_TOKEN: "t" })).toEqual({ url: "u", token: "t" });
  });

  it("tells not being reached or let in from being refused", async () => {
    expect(await run("list", "nobody")).toMatchObject({ code: 3, err: expect.stringContaining("UNAUTHENTICATED") as string });
    expect(await run(`kill ${FLAG} --reason x`, "reader")).toMatchObject({ code: 3 });
    expect(await run("list --url http://127.0.0.1:1")).toMatchObject({ code: 3, err: expect.stringContaining("did not answer") as string });
    expect(await run("list", "ana", { url: undefined })).toMatchObject({ code: 2, err: expect.stringContaining("HEBRA_FLAGS_URL") as string });
    expect(await run("get absent --json")).toMatchObject({ code: 1, err: expect.stringContaining('"status":404') as string });
  });

  it("lists, reads, writes, kills, revives and explains flags", async () => {
    expect((await run("list")).out).toMatch(/engine-v2 +1 +0 % +0 % +no rollout/);
    await writeFile(join(directory, "rollout.json"), JSON.stringify({ version: 0, canary: { percent: 25 } }));
    expect(await run(`set ${FLAG} --file ${join(directory, "rollout.json")} --reason "a quarter"`)).toMatchObject({ code: 0 });
    expect(await run(`set fresh --file ${join(directory, "rollout.json")} --reason new`)).toMatchObject({ code: 0 });
    expect((await run(`get ${FLAG} --json`)).out).toContain('"percent":25');
    expect(await run(`set ${FLAG} --file ${join(directory, "rollout.json")} --reason x --etag "stale"`)).toMatchObject({ code: 1 });
    expect((await run(`kill ${FLAG} --reason smoke`)).out).toContain("legacy serves");
    expect((await run(`explain ${FLAG} --session s1`)).out).toMatch(/^legacy by kill\.flag[\s\S]*→ kill\.flag/);
    expect((await run("list")).out).toContain("KILLED");
    await run(`unkill ${FLAG} --reason clear`);
    expect((await run(`audit ${FLAG}`)).out).toMatch(/set[\s\S]*kill[\s\S]*unkill[\s\S]*intact/);
  });

  it("moves a rollout, shows what an edge lacks, and watches it live", async () => {
    await writeFile(join(directory, "plan.json"), JSON.stringify({ owner: "team", ...bare, steps: [{ percent: 10, observeMs: 600_000, minSessions: 20 }], full: { evidence: ["customer-notice"], approvals: ["technical"] } }));
    expect(await run(`rollout start ${FLAG} --plan ${join(directory, "plan.json")} --reason go`)).toMatchObject({ code: 0 });
    await run(`rollout advance ${FLAG} --reason go --key once`);
    expect((await run(`rollout advance ${FLAG} --reason go --key once`)).out).toContain('"shadow"');
    await admin.world.traffic(2, 300);
    await run(`rollout advance ${FLAG} --reason go`);
    await admin.world.traffic(4, 300);
    const refused = await run(`rollout advance ${FLAG} --reason go`);
    expect([refused.code, refused.err.match(/✗ .*/g)]).toEqual([1, ["✗ 0 of 1 records of `customer-notice`.", "✗ The technical approval is missing."]]);
    await run(`rollout attest ${FLAG} --item customer-notice --link https://x.example --reason sent`);
    expect(await run(`rollout approve ${FLAG} --role technical --reason fine`, "bo")).toMatchObject({ code: 0 });

    const stop = new AbortController();
    let redraws = 0;
    const watched = await run(`watch ${FLAG} --every 1`, "reader", { terminal: true, signal: stop.signal, sleep: async () => void (++redraws === 2 ? stop.abort() : await admin.world.traffic(1, 300, { new: { failing: 0.5 } })) });
    expect(watched.code).toBe(0);
    const screens = watched.out.split("\u001b[H\u001b[2J").slice(1);
    expect(screens).toHaveLength(2);
    expect(screens[0]).toMatch(/engine-v2 {3}canary\(0\)/);
    expect(screens[0]).toMatch(/✓ advance +→ full/);
    expect(screens[0]).toMatch(/· errors +quiet +E \S+ \(pause 20, roll back 100\)/);
    expect(screens[1]).toMatch(/✗ errors +rollback/);
    expect(screens[1]).toMatch(/✗ advance +→ full\n +The guard errors says rollback/);
    expect(screens[1]).toMatch(/new +\d+ +\d+ \(\d/);

    expect((await run(`rollout rollback ${FLAG} --reason "errors in the log"`)).code).toBe(0);
    expect((await run(`watch ${FLAG} --once --json`)).out).toContain('"rolledBack');
    expect((await run(`rollout status ${FLAG}`)).out).toMatch(/postmortem engine-v2-\d+ /);
    expect((await run("list")).out).toContain("legacy by rollout");
    expect((await run(`incidents --flag ${FLAG} --unmatched`)).code).toBe(0);
    expect((await run(`audit ${FLAG}`)).out).toContain("errors in the log");
  });

  it("simulates a plan with the real controller: a good engine reaches full, a bad one is rolled back", { timeout: 60_000 }, async () => {
    const good = await run("simulate --json --seed 3");
    expect(good.code).toBe(0);
    expect(JSON.parse(good.out)).toMatchObject({ phase: "full" });
    const bad = await run("simulate --errors 10 --legacy-errors 1");
    expect(bad.code).toBe(1);
    expect(bad.out).toMatch(/rolledBack\(canary\(\d\)\) +guard (errors|error-ceiling)/);
  });

  it("runs regression and performance verdicts out of a module, with a report and an honest exit code", async () => {
    const parity = join(directory, "parity.mjs");
    const out = join(directory, "report.json");
    const source = (factor: number) => `export default { cases: [{ id: "a", input: 1 }, { id: "b", input: 2 }], legacy: (n) => ({ price: n * 100 }), next: (n) => ({ price: n * ${factor} }) };`;
    await writeFile(parity, source(101));
    expect(await run(`validate-no-regression ${parity} --out ${out}`)).toMatchObject({ code: 0 });
    expect(JSON.parse(await readFile(out, "utf8"))).toMatchObject({ kind: "no-regression", ok: true });
    const worse = join(directory, "worse.mjs");
    await writeFile(worse, source(120));
    expect(await run(`validate-no-regression ${worse}`)).toMatchObject({ code: 1, out: expect.stringContaining("✗ price") as string });
    const perf = join(directory, "perf.mjs");
    await writeFile(perf, `export default { operations: [{ name: "noop", run: () => 1, ratePerSecond: 100, targetP95Ms: 5000 }], warmupMs: 0, durationMs: 100 };`);
    expect(await run(`perf-baseline ${perf} --json --out ${out}`)).toMatchObject({ code: 0 });
    const baseline = JSON.parse(await readFile(out, "utf8")) as { at: string };
    await writeFile(out, JSON.stringify({ ...baseline, at: "changed" }));
    expect(await run(`perf-baseline ${perf} --baseline ${out}`)).toMatchObject({ code: 1, out: expect.stringContaining("was changed") as string });
    expect((await run(`validate-no-regression ${join(directory, "absent.mjs")}`)).code).not.toBe(0);
  });

  it("runs as a process of its own", { timeout: 60_000 }, async () => {
    const tsx = createRequire(import.meta.url).resolve("tsx");
    const start = (...args: string[]) =>
      promisify(execFile)(process.execPath, ["--conditions=@hebra/source", "--import", tsx, join(import.meta.dirname, "main.ts"), ...args], { env: { ...process.env, HEBRA_FLAGS_URL: admin.url, HEBRA_FLAGS_TOKEN: tokens.reader } });
    expect((await start("list")).stdout).toContain(FLAG);
    await expect(start("kill", FLAG, "--reason", "x")).rejects.toMatchObject({ code: 3 });
  });
});
