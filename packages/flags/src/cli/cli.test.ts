import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { serveAdmin, type AdminServer } from "../admin/admin.fixture.ts";
import { memoryIncidents } from "../incident/stores.ts";
import { errorSignature } from "@hebra/core";
import { createIncidentRecorder } from "../incident/recorder.ts";
import { createDecisionTable } from "../incident/decision-table.ts";
import { rolloutPlan } from "../rollout/plan.ts";
import { bare, FLAG, passingReport } from "../rollout/rollout-world.fixture.ts";
import type { Io } from "@hebra/cli-kit";
import { runLine } from "./cli.fixture.ts";

const incidents = memoryIncidents();
let admin: AdminServer;
let directory: string;
beforeEach(async () => {
  admin = await serveAdmin({ incidents });
  directory = await mkdtemp(join(tmpdir(), "cli-"));
});
afterEach(async () => {
  await admin.close();
  await rm(directory, { recursive: true });
});

const run = (line: string, who: Parameters<typeof runLine>[2] = "ana", more: Partial<Io> = {}) =>
  runLine(admin.url, line, who, more);
const write = async (name: string, value: unknown) => {
  const path = join(directory, name);
  await writeFile(path, typeof value === "string" ? value : JSON.stringify(value));
  return path;
};

describe("flags", () => {
  it("are listed, read, written, killed, revived and explained", async () => {
    expect((await run("list")).out).toMatch(/engine-v2 +1 +0 % +0 % +no rollout/);
    const file = await write("rollout.json", { version: 0, canary: { percent: 25 } });
    expect(await run(`set ${FLAG} --file ${file} --reason "a quarter"`)).toMatchObject({
      code: 0,
      out: "engine-v2 is written, version 2.\n",
    });
    expect(await run(`set fresh --file ${file} --reason new`)).toMatchObject({ code: 0 });
    expect((await run(`get ${FLAG} --json`)).out).toContain('"percent":25');
    expect(await run(`set ${FLAG} --file ${file} --reason x --etag stale`)).toMatchObject({
      code: 4,
      err: expect.stringContaining("REVISION_CONFLICT") as string,
    });
    expect((await run(`kill ${FLAG} --reason smoke`)).out).toContain("legacy serves");
    expect((await run(`explain ${FLAG} --session s1`)).out).toMatch(/^legacy by kill\.flag[\s\S]*→ kill\.flag/);
    expect((await run("list")).out).toContain("KILLED by ana: smoke");
    await run(`unkill ${FLAG} --reason clear`);
    expect((await run(`audit ${FLAG}`)).out).toMatch(/set[\s\S]*kill[\s\S]*unkill[\s\S]*intact/);
    expect((await run("kill * --reason storm")).out).toContain("Every flag is killed");
    expect((await run("list")).out).toMatch(/^EVERYTHING is killed by ana: storm/);
    expect((await run(`explain ${FLAG} --session s1`)).out).toContain("by kill.global");
    expect(await run("unkill * --reason over")).toMatchObject({ code: 0 });
  });

  it("are not killed under a name that does not exist: the nearest one is suggested, and --ahead means it [FL-2]", async () => {
    const refused = await run("kill engine_v2 --reason storm");
    expect([refused.code, refused.out]).toEqual([2, ""]);
    expect(refused.err).toMatch(/^FLAG_NOT_FOUND: There is no flag `engine_v2`\. Did you mean `engine-v2`\?.*--ahead/);
    expect((await run("list")).out).not.toContain("KILLED");
    expect((await run("unkill engine_v2 --reason over")).err).toContain("Did you mean `engine-v2`?");
    expect(await run("kill engine_v3 --ahead --reason storm")).toMatchObject({ code: 0 });
    expect((await run("list")).out).toMatch(/engine_v3 .*KILLED by ana: storm/);
  });

  it("are killed also while the admin cannot list its flags [FL-2]", async () => {
    const noList: typeof fetch = (input, init) =>
      String(input as string).endsWith("/v1/flags")
        ? Promise.resolve(
            new Response('{"code":"INTERNAL"}', { status: 500, headers: { "content-type": "application/json" } }),
          )
        : fetch(input, init);
    expect(await run(`kill ${FLAG} --reason storm`, "ana", { fetch: noList })).toMatchObject({ code: 0 });
    expect((await run("list")).out).toContain("KILLED by ana: storm");
  });

  it("are shown with the controls of a name or a reason escaped, as text and as JSON [SE-7]", async () => {
    const evil = "x\u001b[2J\u001b]0;pwned\u0007\u202egnp\u009b1m\nEVERYTHING is alive";
    await run(`kill ${FLAG} --reason "${evil}"`);
    for (const line of [
      "list",
      `audit ${FLAG}`,
      "list --json",
      `get ${FLAG}`,
      `get ${FLAG} --json`,
      `audit ${FLAG} --json`,
    ]) {
      const { out } = await run(line, "ana", { terminal: true, colour: false });
      expect(out, line).toContain("pwned");
      expect(out.replaceAll("\n", ""), line).not.toMatch(/[\p{Cc}\p{Bidi_Control}]/u);
      expect(out, line).not.toMatch(/^EVERYTHING/m);
    }
  });

  it("have incidents that can be asked for by flag, code and match", async () => {
    const recorder = createIncidentRecorder({
      sink: incidents,
      table: createDecisionTable([{ id: "t", when: { code: "TIMEOUT" }, action: "retry", reason: "slow" }]),
      component: "x",
      retryMs: 0,
    });
    recorder.record({ code: "TIMEOUT" }, { flag: FLAG });
    recorder.record(new Error("odd"), { flag: FLAG });
    await recorder.close();
    expect((await run(`incidents list --flag ${FLAG}`)).out).toMatch(/TIMEOUT +retry/);
    expect((await run("incidents list --unmatched")).out).not.toContain("TIMEOUT");
    expect((await run("incidents list --code NO_SUCH")).out).toContain("There is no such incident");
  });

  it("have incidents that are shown with everything they know, and closed with a reason", async () => {
    await incidents.write([
      {
        id: "i-1",
        kind: "rollback",
        at: "2026-11-30T10:00:00.000Z",
        org: "acme",
        executionId: "e1",
        contextId: "c1",
        traceId: "t1",
        signature: errorSignature({ code: "GUARD_ERRORS", message: "\u001b]0;pwned\u0007" }, { component: FLAG }),
        decision: { action: "rollback", matched: true, reason: "E = 120", rule: "guard:errors" },
        versions: {},
        context: { evidence: 7 },
        runbook: null,
        postmortem: "# Postmortem i-1\n\n\u001b]0;pwned\u0007",
      },
    ]);
    const shown = await run("incidents show i-1", "reader");
    expect(shown.out).toMatch(/i-1 +rollback +open/);
    for (const fact of ["GUARD_ERRORS", "org acme", "execution e1", "context c1", "trace t1", "# Postmortem i-1"])
      expect(shown.out).toContain(fact);
    // eslint-disable-next-line no-control-regex -- what a terminal would obey
    expect(shown.out).not.toMatch(/[\u0000-\u0009\u001b]/);
    expect(await run("incidents show i-2", "reader")).toMatchObject({
      code: 2,
      err: expect.stringContaining("INCIDENT_NOT_FOUND") as string,
    });
    expect(await run("incidents close i-1 --reason fixed", "reader")).toMatchObject({ code: 3 });
    expect(await run("incidents close i-1")).toMatchObject({
      code: 2,
      err: expect.stringContaining("--reason") as string,
    });
    expect((await run("incidents close i-1 --reason fixed --link https://x.example/1")).out).toBe(
      "i-1 is closed by ana.\n",
    );
    expect((await run("incidents show i-1 --json", "reader")).out).toContain('"reason":"fixed"');
    expect((await run("incidents list --open", "reader")).out).not.toContain("i-1");
    expect((await run("incidents list --kind rollback", "reader")).out).toMatch(/i-1 .* closed/);
  });
});

describe("a rollout", () => {
  const plan = {
    owner: "team",
    ...bare,
    steps: [{ percent: 10, observeMs: 600_000, minSessions: 20 }],
    full: { evidence: ["customer-notice"], approvals: ["technical"] },
  };

  it("is moved, and told what an edge lacks, down to its postmortem", async () => {
    expect(await run(`rollout start ${FLAG} --plan ${await write("plan.json", plan)} --reason go`)).toMatchObject({
      code: 0,
      out: "Done: engine-v2 is internal, revision 1.\n",
    });
    const smoke = passingReport("smoke");
    expect(
      await run(`rollout smoke ${FLAG} --report ${await write("smoke.json", { ...smoke, ok: false })} --reason r`),
    ).toMatchObject({ code: 0 });
    expect((await admin.world.store.read(FLAG))?.smoke?.ok).toBe(false);
    expect(
      await run(`rollout smoke ${FLAG} --report ${await write("smoke.json", { ...smoke, at: "x" })} --reason r`),
    ).toMatchObject({ err: expect.stringContaining("EVIDENCE_TAMPERED") as string });
    await run(`rollout smoke ${FLAG} --report ${await write("smoke.json", smoke)} --reason r`);
    expect((await admin.world.store.read(FLAG))?.smoke).toMatchObject({
      ok: true,
      digest: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
    });
    await run(`rollout advance ${FLAG} --reason go --key once`);
    expect((await run(`rollout advance ${FLAG} --reason go --key once`)).out).toContain("is shadow");
    await admin.world.traffic(2, 300);
    await run(`rollout advance ${FLAG} --reason go`);
    await admin.world.traffic(4, 300);
    const refused = await run(`rollout advance ${FLAG} --reason go`);
    expect([refused.code, refused.err.split("\n")]).toEqual([
      2,
      [
        "EVIDENCE_MISSING: canary(0) cannot `advance` yet",
        "  ✗ 0 of 1 records of `customer-notice`.",
        "  ✗ The technical approval is missing.",
        "",
      ],
    ]);
    await run(`rollout attest ${FLAG} --item customer-notice --link https://x.example --reason sent`);
    expect(await run(`rollout approve ${FLAG} --role technical --reason fine`, "bo")).toMatchObject({ code: 0 });
    expect((await run(`rollout status ${FLAG}`)).out).toMatch(/✓ advance +→ full +when a person says so/);
    expect((await run(`rollout rollback ${FLAG} --reason "errors in the log"`)).code).toBe(0);
    const id = /postmortem (engine-v2-\d+) due/.exec((await run(`rollout status ${FLAG}`)).out)![1]!;
    expect((await run(`rollout postmortem ${FLAG} --id ${id}`)).out).toContain("errors in the log");
    expect(
      (await run(`rollout close-postmortem ${FLAG} --id ${id} --link https://x.example/p --reason done`)).code,
    ).toBe(0);
    expect((await run(`rollout status ${FLAG}`)).out).not.toContain("postmortem");
    expect((await run("list")).out).toContain("legacy by rollout");
    expect((await run(`explain ${FLAG} --session s1`)).out).toContain("the rollout stands at legacy");
    expect((await run(`audit ${FLAG}`)).out).toContain("errors in the log");
  });

  it("is unlocked by the very reports that the verdicts wrote", async () => {
    const parity = await write(
      "parity.mjs",
      "export default { cases: [{ id: 'a', input: 1 }], legacy: (n) => ({ n }), next: (n) => ({ n }) };",
    );
    const load = await write(
      "load.mjs",
      "export default () => ({ operations: [{ name: 'noop', run: () => 1 }], warmupMs: 0, durationMs: 100 });",
    );
    const [regression, performance_] = [join(directory, "parity.json"), join(directory, "load.json")];
    expect(await run(`validate-no-regression ${parity} --out ${regression}`)).toMatchObject({ code: 0 });
    expect(await run(`perf-baseline ${load} --out ${performance_}`)).toMatchObject({ code: 0 });
    await run(
      `rollout start ${FLAG} --plan ${await write("plan.json", { ...plan, shadow: { evidence: ["no-regression", "performance-baseline"] } })} --reason go`,
    );
    expect((await run(`rollout advance ${FLAG} --reason go`)).err).toContain("Hand in the report itself");
    const attest = (item: string, file: string) =>
      run(`rollout attest ${FLAG} --item ${item} --report ${file} --reason measured`);
    expect(
      await attest(
        "no-regression",
        await write("edited.json", (await readFile(regression, "utf8")).replace('"n"', '"m"')),
      ),
    ).toMatchObject({ code: 5, err: expect.stringContaining("EVIDENCE_TAMPERED") as string });
    expect(await attest("no-regression", regression)).toMatchObject({ code: 0 });
    expect(await attest("performance-baseline", performance_)).toMatchObject({ code: 0 });
    expect(await run(`rollout advance ${FLAG} --reason go`)).toMatchObject({ code: 0 });
  });
});

describe("the policy and an amendment", () => {
  it("are read and made by commands: a plan is amended once both have approved that plan", async () => {
    expect((await run("policy", "reader")).out).toMatch(
      /version 1[\s\S]*every other flag[\s\S]*without a rollout +100 %/,
    );
    const plan = { owner: "team", ...bare, full: { evidence: [], approvals: ["technical", "operational"] } };
    const file = await write("plan.json", plan);
    const amended = await write("amended.json", { ...plan, limits: { errorCeiling: 0.02 } });
    await run(`rollout start ${FLAG} --plan ${file} --reason go`);
    const amend = () => run(`rollout amend ${FLAG} --plan ${amended} --reason "legacy fails 1 %"`);
    expect(await amend()).toMatchObject({
      code: 3,
      err: expect.stringContaining("technical approval of this plan") as string,
    });
    await run(`rollout approve ${FLAG} --role technical --plan ${amended} --reason fine`, "bo");
    await run(`rollout approve ${FLAG} --role operational --plan ${amended} --reason fine`, "cy");
    expect(await amend()).toMatchObject({ code: 0, err: "" });
    expect((await admin.world.store.read(FLAG))?.plan.limits.errorCeiling).toBe(0.02);
  });

  it("status says what each guard answers, and what this traffic can show", async () => {
    const plan = { owner: "team", ...bare };
    await run(`rollout start ${FLAG} --plan ${await write("plan.json", plan)} --reason go`);
    for (const times of [1, 2]) await run(`rollout advance ${FLAG} --reason ${times}`);
    await admin.world.traffic(4, 300);
    const { out } = await run(`rollout status ${FLAG}`, "reader");
    expect(out).toMatch(/· errors +ok /);
    expect(out).toMatch(/· persistence +no-data /);
    expect(out).toMatch(/power +\d+ new and \d+ legacy an hour, base [\d.]+ %; this step's window finds /);
    expect(out).toMatch(/× 2 in about .*, × 3 in about .*, × 5 in about .*, × 10 in about /);
  });
});

it("list names owners, and the flags to tidy up: expired, retired and still referenced", async () => {
  const put = async (key: string, rollout: object) =>
    run(`set ${key} --file ${await write(`${key}.json`, { version: 0, ...rollout })} --reason r`);
  await put("old", { owner: "team-a", expires: "2026-01-01" });
  await put("child", { owner: "team-b", expires: "2027-01-01", prerequisites: [{ flag: FLAG }] });
  expect((await run("list", "reader")).out).toMatch(/old: It expired on 2026-01-01; its owner is team-a/);
  expect((await run("list", "reader")).out).not.toMatch(/retired|child:/);
  const state = (await admin.world.service.act(FLAG, {
    event: "start",
    by: "ana",
    reason: "go",
    plan: rolloutPlan({ owner: "team" }),
  }))!;
  const after = { ...state, phase: { name: "retired" as const }, revision: state.revision + 1 };
  await admin.world.store.commit({ state: after, evidence: [] });
  const { out } = await run("list", "reader");
  expect(out).toMatch(/child +1 .*team-b/);
  expect(out).toMatch(/engine-v2: It is retired and still in the document/);
  expect(out).toMatch(/engine-v2: It is retired, and child depend on it/);
});

describe("a rehearsal", { timeout: 60_000 }, () => {
  const engines = `
    const turns = { old: new Map(), fresh: new Map() };
    const count = (map) => ({ context }) => (map.set(context.session, (map.get(context.session) ?? 0) + 1), "answer");
    export default {
      legacy: count(turns.old),
      next: count(turns.fresh),
      outcome: () => "ok",
      handover: ({ session }) => void turns.fresh.delete(session),
      whole: (session) => !turns.fresh.has(session),
    };`;

  it("is performed, written down, and handed in as evidence that a plan asks for, with its incident", async () => {
    const app = await write("engines.mjs", engines);
    const out = join(directory, "drill.json");
    const plan = { owner: "team", ...bare, full: { evidence: ["rollback-rehearsal×2"], approvals: [] } };
    await run(`rollout start ${FLAG} --plan ${await write("plan.json", plan)} --reason go`);
    const alone = await run(`rollout rehearse ${FLAG} --app ${app} --fault dns --out ${out}`);
    expect(alone).toMatchObject({ code: 0, err: "" });
    expect(alone.out).toMatch(
      /rollback +\d+\.\d\d s +dns in staging; by \S+[\s\S]*(ENOTFOUND|EAI_AGAIN)[\s\S]*not handed in/,
    );
    const digestOf = async () => (JSON.parse(await readFile(out, "utf8")) as { digest: string }).digest;
    expect(await digestOf()).toMatch(/^[0-9a-f]{64}$/);
    const drill = `rollout rehearse ${FLAG} --app ${app} --out ${out} --reason "drill 1" --environment staging`;
    const handedIn = await run(`${drill} --fault forced-error`);
    expect(handedIn.out).toMatch(/Incident rehearsal-\w+ is recorded[\s\S]*Evidence of rollback-rehearsal is recorded/);
    const state = (await admin.world.store.read(FLAG))!;
    expect(state.attestations).toMatchObject([
      { item: "rollback-rehearsal", verified: true, digest: await digestOf() },
    ]);
    const [incident] = await incidents.list({ kind: "rehearsal" });
    expect(incident).toMatchObject({ flag: FLAG, signature: { code: "TEST_FAULT" }, decision: { action: "rollback" } });
    expect(incident?.signature.fingerprint).toMatch(/^[0-9a-f]{64}$/);
  });

  it("refuses a forced error in production, whatever the option says, and a fault that it does not know", async () => {
    const app = await write("engines.mjs", engines);
    const forced = `rollout rehearse ${FLAG} --app ${app} --fault forced-error --environment staging`;
    for (const name of ["ENVIRONMENT", "NODE_ENV"])
      expect(await run(forced, "ana", { env: { [name]: "production" } })).toMatchObject({
        code: 2,
        err: expect.stringContaining("UNSUPPORTED") as string,
      });
    expect((await run(`rollout rehearse ${FLAG} --app ${app} --fault flood`)).err).toContain("There are: dns");
  });
});

describe("without an admin", () => {
  it(
    "a plan is simulated with the real controller: a good engine reaches full, a bad one is rolled back",
    { timeout: 60_000 },
    async () => {
      const good = await run("simulate --json --seed 3");
      expect(good.code).toBe(0);
      expect(JSON.parse(good.out)).toMatchObject({ phase: "full" });
      const bad = await run("simulate --errors 10 --legacy-errors 1");
      expect(bad.code).toBe(2);
      expect(bad.out).toMatch(/rolledBack\(canary\(\d\)\) +guard (errors|error-ceiling)/);
    },
  );

  it("verdicts come out of a module, with a report and an honest exit code", async () => {
    const out = join(directory, "report.json");
    const source = (factor: number) =>
      `export default { cases: [{ id: "a", input: 1 }, { id: "b", input: 2 }], legacy: (n) => ({ price: n * 100 }), next: (n) => ({ price: n * ${factor} }) };`;
    expect(await run(`validate-no-regression ${await write("parity.mjs", source(101))} --out ${out}`)).toMatchObject({
      code: 0,
    });
    expect(JSON.parse(await readFile(out, "utf8"))).toMatchObject({ kind: "no-regression", ok: true });
    expect(await run(`validate-no-regression ${await write("worse.mjs", source(120))}`)).toMatchObject({
      code: 2,
      out: expect.stringContaining("✗ price") as string,
    });
    const perf = await write(
      "perf.mjs",
      `export default { operations: [{ name: "noop", run: () => 1, ratePerSecond: 100, targetP95Ms: 5000 }], warmupMs: 0, durationMs: 100 };`,
    );
    expect(await run(`perf-baseline ${perf} --json --out ${out}`)).toMatchObject({ code: 0 });
    const baseline = JSON.parse(await readFile(out, "utf8")) as { at: string };
    await writeFile(out, JSON.stringify({ ...baseline, at: "changed" }));
    expect(await run(`perf-baseline ${perf} --baseline ${out}`)).toMatchObject({
      code: 2,
      out: expect.stringContaining("was changed") as string,
    });
    expect(await run(`validate-no-regression ${join(directory, "absent.mjs")}`)).toMatchObject({
      code: 2,
      err: expect.stringContaining("cannot be loaded") as string,
    });
    expect(await run(`validate-no-regression ${await write("empty.mjs", "export const x = 1;")}`)).toMatchObject({
      code: 2,
      err: expect.stringContaining("no default export") as string,
    });
  });
});
