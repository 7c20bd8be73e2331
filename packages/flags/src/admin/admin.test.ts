import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { memoryIncidents } from "../incident/stores.ts";
import { createDecisionTable } from "../incident/decision-table.ts";
import { createIncidentRecorder } from "../incident/recorder.ts";
import { ofrepClient } from "../provider/http/ofrep.ts";
import { bare, FLAG } from "../rollout/rollout-world.fixture.ts";
import { rolloutPlan } from "../rollout/plan.ts";
import { fileAudit, verifyAudit, type AuditEntry } from "./audit.ts";
import { fileFlagDocuments } from "./documents.ts";
import { createAdminHandler } from "./handler.ts";
import { serveAdmin, tokens, type AdminServer } from "./admin.fixture.ts";

let admin: AdminServer;
const incidents = memoryIncidents();
beforeEach(async () => void (admin = await serveAdmin({ incidents })));
afterEach(() => admin.close());
const reason = { reason: "a test" };

describe("who may", () => {
  it("needs a token everywhere but for the health of the process, and the right role", async () => {
    expect((await admin.call(undefined, "GET", "/healthz")).body).toEqual({ ok: true });
    const paths = [
      ["GET", "/v1/flags"],
      ["GET", `/v1/flags/${FLAG}`],
      ["GET", "/v1/document"],
      ["GET", "/v1/incidents"],
      ["GET", "/v1/events"],
      ["POST", "/v1/explain"],
      ["POST", `/ofrep/v1/evaluate/flags/${FLAG}`],
      ["GET", "/nowhere"],
    ] as const;
    for (const [method, path] of paths) {
      const answer = await admin.call(undefined, method, path);
      expect([path, answer.status, answer.headers.get("www-authenticate")]).toEqual([
        path,
        401,
        'Bearer realm="hebra-flags"',
      ]);
    }
    const writes = [
      ["PUT", `/v1/flags/${FLAG}`],
      ["POST", `/v1/flags/${FLAG}/kill`],
      ["POST", `/v1/flags/${FLAG}/rollout/start`],
      ["POST", "/api/v2/admin/rollback-to-v1"],
    ] as const;
    for (const [method, path] of writes)
      expect([path, (await admin.call("reader", method, path, reason)).status]).toEqual([path, 403]);
    expect((await admin.call("ana", "POST", `/v1/flags/${FLAG}/rollout/retire`, reason)).status).toBe(403);
    expect((await fetch(`${admin.url}/v1/flags`, { headers: { authorization: `Bearer ${tokens.ana}x` } })).status).toBe(
      401,
    );
  });

  it("has no default credentials and refuses short or shared tokens", () => {
    const make = (list: object[]) => () =>
      createAdminHandler({
        tokens: list as never,
        documents: { read: () => 0, write: () => 0 } as never,
        service: admin.world.service,
      });
    expect(make([])).toThrow(/no default credentials/);
    expect(make([{ token: "short", name: "x", roles: ["read"] }])).toThrow(/at least 16/);
    expect(
      make([
        { token: "a".repeat(16), name: "x", roles: ["read"] },
        { token: "a".repeat(16), name: "y", roles: ["operate"] },
      ]),
    ).toThrow(/share a token/);
  });
});

describe("flags", () => {
  it("are written with If-Match only, and audited", async () => {
    const read = await admin.call("reader", "GET", `/v1/flags/${FLAG}`);
    const etag = read.headers.get("etag")!;
    const body = { ...reason, rollout: { version: 0, canary: { percent: 5 } } };
    expect((await admin.call("ana", "PUT", `/v1/flags/${FLAG}`, body)).status).toBe(428);
    const written = await admin.call("ana", "PUT", `/v1/flags/${FLAG}`, body, { "if-match": etag });
    expect([written.status, written.body]).toMatchObject([200, { rollout: { version: 2, canary: { percent: 5 } } }]);
    expect((await admin.call("ana", "PUT", `/v1/flags/${FLAG}`, body, { "if-match": etag })).status).toBe(412);
    expect(
      (
        await admin.call(
          "ana",
          "PUT",
          "/v1/flags/fresh",
          { ...reason, rollout: { version: 0 } },
          { "if-none-match": "*" },
        )
      ).status,
    ).toBe(200);
    expect(
      (
        await admin.call(
          "ana",
          "PUT",
          "/v1/flags/fresh",
          { ...reason, rollout: { version: 0 } },
          { "if-none-match": "*" },
        )
      ).status,
    ).toBe(412);
    expect(
      (
        await admin.call(
          "ana",
          "PUT",
          `/v1/flags/${FLAG}`,
          { ...reason, rollout: { canary: { percent: 900 } } },
          { "if-match": written.headers.get("etag")! },
        )
      ).status,
    ).toBe(400);
    expect((await admin.call("ana", "PUT", `/v1/flags/${FLAG}`, { rollout: {} }, { "if-match": "*" })).status).toBe(
      400,
    );
    const { changes } = (await admin.call("reader", "GET", `/v1/flags/${FLAG}/audit`)).body as unknown as {
      changes: AuditEntry[];
    };
    expect(changes).toMatchObject([{ actor: "ana", action: "set", reason: "a test", revision: 1 }]);
    expect(changes[0]!.from).not.toBe(changes[0]!.to);
  });

  it("are killed and revived; a kill beats the allow list, is told to people and explained", async () => {
    const decide = async () =>
      (await admin.call("reader", "POST", "/v1/explain", { flag: FLAG, context: { session: "s1", org: "beta" } }))
        .body as unknown as { decision: { mode: string; ruleId: string }; trace: { rule: string; outcome: string }[] };
    expect((await decide()).decision).toMatchObject({ mode: "new", ruleId: "allow.org" });
    expect((await decide()).trace.map((one) => one.rule)).toContain("pin.session");
    expect((await decide()).trace.at(-1)).toEqual({ rule: "allow.org", outcome: "decided" });
    expect((await admin.call("ana", "POST", `/v1/flags/${FLAG}/kill`, {})).status).toBe(400);
    expect((await admin.call("ana", "POST", `/v1/flags/${FLAG}/kill`, { reason: "smoke" })).status).toBe(200);
    expect((await decide()).decision).toMatchObject({ mode: "legacy", ruleId: "kill.flag" });
    expect((await admin.call("ana", "POST", `/v1/flags/${FLAG}/unkill`, { reason: "clear" })).status).toBe(200);
    expect((await decide()).decision.mode).toBe("new");
    expect((await admin.call("ana", "POST", "/v1/flags/absent/unkill", reason)).status).toBe(404);
  });

  it("are killed all at once by the entry for all flags, which the list shows", async () => {
    const decide = async () =>
      (
        (await admin.call("reader", "POST", "/v1/explain", { flag: FLAG, context: { session: "s1", org: "beta" } }))
          .body as { decision: { mode: string; ruleId: string } }
      ).decision;
    const everything = async () =>
      ((await admin.call("reader", "GET", "/v1/flags")).body as { everything: unknown }).everything;
    expect(await everything()).toBeNull();
    expect((await admin.call("ana", "POST", "/v1/flags/*/kill", { reason: "all of it" })).status).toBe(200);
    expect(await decide()).toMatchObject({ mode: "legacy", ruleId: "kill.global" });
    expect(await everything()).toMatchObject({ kill: { by: "ana", reason: "all of it" } });
    expect((await admin.call("ana", "POST", "/v1/flags/*/unkill", { reason: "clear" })).status).toBe(200);
    expect(await decide()).toMatchObject({ mode: "new" });
    expect((await admin.call("reader", "GET", "/v1/flags/*/audit")).body).toMatchObject({
      intact: true,
      changes: [{ action: "kill" }, { action: "unkill" }],
    });
  });

  it("are evaluated over OFREP, with an ETag for the lot", async () => {
    const remote = ofrepClient({ url: admin.url, headers: { authorization: `Bearer ${tokens.reader}` } });
    expect(await remote.target(FLAG, { session: "s1", org: "beta" })).toBe("new");
    expect(await remote.target(FLAG, { session: "s1" })).toBe("legacy");
    await expect(remote.target("absent", { session: "s1" })).rejects.toMatchObject({ code: "FLAG_NOT_FOUND" });
    const all = await remote.evaluateAll({ session: "s1", org: "beta" });
    expect(all).toMatchObject([{ key: FLAG, value: "new", variant: "new", reason: "TARGETING_MATCH" }]);
    expect(await remote.evaluateAll({ session: "s1", org: "beta" })).toBe(all);
    expect((await admin.call("reader", "POST", "/ofrep/v1/evaluate/flags", { context: 5 })).body).toMatchObject({
      errorCode: "PARSE_ERROR",
    });
  });

  it("tell listeners of changes by server-sent events", async () => {
    const stop = new AbortController();
    const response = await fetch(`${admin.url}/v1/events`, {
      headers: { authorization: `Bearer ${tokens.reader}` },
      signal: stop.signal,
    });
    const reader = response.body!.getReader();
    const read = async () => new TextDecoder().decode((await reader.read()).value);
    expect(await read()).toContain("retry:");
    await admin.call("ana", "POST", `/v1/flags/${FLAG}/kill`, reason);
    expect(await read()).toContain("event: change");
    stop.abort();
    await expect(read()).rejects.toThrow();
  });
});

describe("rollouts", () => {
  it("are moved with a reason, once for an idempotency key, and only at the revision that was read", async () => {
    const act = (verb: string, body: object, headers = {}) =>
      admin.call("ana", "POST", `/v1/flags/${FLAG}/rollout/${verb}`, body, headers);
    const plan = { owner: "team", ...bare };
    expect((await act("start", { plan })).status).toBe(400);
    expect((await act("start", { ...reason, plan: { owner: "" } })).status).toBe(400);
    expect((await act("start", { ...reason, plan })).status).toBe(200);
    const key = { "idempotency-key": "k1" };
    const first = await act("advance", reason, key);
    expect(first.body).toMatchObject({ state: { phase: { name: "shadow" }, revision: 2 } });
    expect((await act("advance", reason, key)).body).toEqual(first.body);
    expect((await act("advance", reason, { "if-match": '"1"' })).status).toBe(409);
    expect((await act("fly", reason)).status).toBe(400);
    expect((await act("advnace", reason)).body).toMatchObject({
      code: "INVALID_OPTIONS",
      detail: expect.stringContaining("did you mean `advance`?") as string,
    });
    expect((await act("reset", { ...reason, to: "canary" })).body).toMatchObject({
      code: "INVALID_OPTIONS",
      detail: expect.stringContaining("internal or shadow") as string,
    });
    expect((await act("attest", { ...reason, item: "monitoring", lnik: "https://x.example" })).body).toMatchObject({
      code: "INVALID_OPTIONS",
      detail: expect.stringContaining("did you mean `link`?") as string,
    });
    expect((await act("resume", reason)).body).toMatchObject({
      code: "ILLEGAL_TRANSITION",
      details: { phase: "shadow" },
    });
    expect((await admin.call("ana", "DELETE", `/v1/flags/${FLAG}`)).status).toBe(405);
    const status = await admin.call("reader", "GET", `/v1/flags/${FLAG}/rollout`);
    expect(status.headers.get("etag")).toBe('"2"');
    expect(status.body).toMatchObject({ phase: "shadow", share: 0 });
    expect((await admin.call("reader", "GET", "/v1/flags/absent/rollout")).status).toBe(404);
  });

  it("refuse a cutover over a cap in the document", async () => {
    await admin.close();
    admin = await serveAdmin({ alias: { flag: FLAG, plan: rolloutPlan({ owner: "t", ...bare }), basePath: "/admin" } });
    const { etag } = { etag: (await admin.call("reader", "GET", `/v1/flags/${FLAG}`)).headers.get("etag")! };
    await admin.call(
      "ana",
      "PUT",
      `/v1/flags/${FLAG}`,
      { ...reason, rollout: { maxPercent: 50 } },
      { "if-match": etag },
    );
    await admin.call("ana", "POST", "/admin/flags", { flag: "v2_enabled", enabled: true });
    await admin.call("ana", "POST", "/admin/flags", { flag: "shadow_mode", enabled: true });
    await admin.world.traffic(2, 200);
    const refused = await admin.call("ana", "POST", "/admin/migrate-to-v2");
    expect([refused.status, (refused.body as unknown as { detail: string }).detail]).toEqual([
      409,
      "The flag is capped at 50 %; lift `maxPercent` before a cutover.",
    ]);
    expect((await admin.call("ana", "POST", "/admin/flags", { flag: "v3", enabled: true })).status).toBe(400);
    expect(
      (await admin.call("ana", "POST", "/admin/flags", { flag: "v2_enabled", enabled: false })).body,
    ).toMatchObject({ phase: "rolledBack(shadow)" });
  });

  it("show incidents by flag, code and match", async () => {
    const recorder = createIncidentRecorder({
      sink: incidents,
      table: createDecisionTable([{ id: "t", when: { code: "TIMEOUT" }, action: "retry", reason: "slow" }]),
      component: "x",
      retryMs: 0,
    });
    recorder.record({ code: "TIMEOUT" }, { flag: FLAG });
    recorder.record(new Error("odd"), { flag: FLAG });
    await recorder.close();
    const ask = async (query: string) =>
      (
        (await admin.call("reader", "GET", `/v1/incidents?${query}`)).body as unknown as {
          incidents: { signature: { code: string } }[];
        }
      ).incidents.map((one) => one.signature.code);
    expect((await ask(`flag=${FLAG}`)).sort()).toEqual(["TIMEOUT", "UNKNOWN"]);
    expect(await ask("matched=false")).toEqual(["UNKNOWN"]);
    expect(await ask("code=TIMEOUT&limit=1")).toEqual(["TIMEOUT"]);
    expect((await admin.call("reader", "GET", "/v1/incidents?limit=many")).status).toBe(400);
  });
});

describe("files behind the admin", () => {
  it("keep document and audit over a restart; a changed audit entry is found", async () => {
    const directory = await mkdtemp(join(tmpdir(), "admin-"));
    const open = () => ({
      documents: fileFlagDocuments(join(directory, "flags.json")),
      audit: fileAudit(join(directory, "audit.jsonl")),
    });
    await admin.close();
    admin = await serveAdmin(open());
    await admin.call("ana", "POST", `/v1/flags/${FLAG}/kill`, { ...reason, ahead: true });
    await admin.close();
    admin = await serveAdmin(open());
    expect((await admin.call("reader", "GET", `/v1/flags/${FLAG}`)).body).toMatchObject({
      rollout: { kill: { by: "ana", reason: "a test" } },
    });
    await admin.call("ana", "POST", `/v1/flags/${FLAG}/unkill`, reason);
    const entries = await open().audit.list();
    expect(entries.map((entry) => [entry.sequence, entry.action, entry.revision])).toEqual([
      [1, "kill", 1],
      [2, "unkill", 2],
    ]);
    verifyAudit(entries);
    expect(() => verifyAudit([{ ...entries[0]!, actor: "eve" }, entries[1]!])).toThrow(/entry 1/);
    const read = async () => (await admin.call("reader", "GET", `/v1/flags/${FLAG}/audit`)).body;
    expect(await read()).toMatchObject({ intact: true, problems: [] });
    const file = join(directory, "audit.jsonl");
    await writeFile(file, (await readFile(file, "utf8")).replace('"actor":"ana"', '"actor":"eve"'));
    expect(await read()).toMatchObject({ intact: false, problems: [expect.stringContaining("Audit entry 1")] });
    await rm(directory, { recursive: true });
  });
});
