import { HebraError } from "@hebra/core";
import { afterEach, describe, expect, it } from "vitest";
import { rolloutPlan, type RolloutPlanInput } from "../rollout/plan.ts";
import { createWorld, FLAG } from "../rollout/rollout-world.fixture.ts";
import { serveAdmin as serve, type AdminServer } from "./admin.fixture.ts";
import type { AdminHandlerOptions } from "./handler.ts";
import { memoryFlagDocuments } from "./documents.ts";

/** Without a policy of the host's: the strict defaults are in force. */
const serveAdmin = (more: Partial<AdminHandlerOptions> = {}) => serve(more, createWorld());
let admin: AdminServer;
afterEach(() => admin.close());

const rollout = (who: "ana" | "bo" | "cy", verb: string, body: object = {}) =>
  admin.call(who, "POST", `/v1/flags/${FLAG}/rollout/${verb}`, { reason: "test", ...body });
const put = async (rolloutEntry: object, who: "ana" | "bo" = "ana", more: object = {}) => {
  const { headers } = await admin.call("ana", "GET", `/v1/flags/${FLAG}`);
  const etag = headers.get("etag")!;
  return admin.call(
    who,
    "PUT",
    `/v1/flags/${FLAG}`,
    { reason: "test", rollout: rolloutEntry, ...more },
    { "if-match": etag },
  );
};
const decided = async () => {
  const { body } = await admin.call("ana", "POST", "/v1/explain", {
    flag: FLAG,
    context: { session: "s", org: "beta" },
  });
  return (body as { decision: { ruleId: string } }).decision.ruleId;
};
const problems = (body: unknown) => (body as { code: string; details: { problems: string[] } }).details.problems;

describe("the policy on the server", () => {
  it.each<[string, Partial<RolloutPlanInput>, string]>([
    ["no signature", { full: { approvals: [] } }, "`full.approvals` lacks technical"],
    ["a guard switched off", { limits: { disabled: ["errors"] } }, "the guard errors is disabled"],
    ["no required guard", { limits: { required: [] } }, "`limits.required` lacks errors"],
    ["a line that is never reached", { limits: { rollbackAt: 1e9 } }, "`limits.rollbackAt` is over 100"],
  ])("refuses a caller's plan with %s [FL-7]", async (_, plan, problem) => {
    admin = await serveAdmin();
    const { status, body } = await rollout("ana", "start", { plan: { owner: "t", ...plan } });
    expect([status, (body as { code: string }).code]).toEqual([403, "POLICY_REFUSED"]);
    expect(problems(body)).toContain(problem);
    expect((await rollout("ana", "start", { plan: { owner: "t" } })).status).toBe(200);
  });

  it("takes no plan of a caller's after a retreat to off, and leaves commands to those it names [FL-7]", async () => {
    admin = await serveAdmin();
    await rollout("ana", "start", { plan: { owner: "t" } });
    await rollout("ana", "retreat");
    expect((await rollout("ana", "start", { plan: { owner: "t", full: { approvals: [] } } })).status).toBe(403);
    await admin.close();
    const policy = { version: 3, flags: { "*": { may: { start: ["release-team"] }, leastShadowMs: 86_400_000 } } };
    const { createRolloutService } = await import("../rollout/service.ts");
    const { memoryRolloutStore } = await import("../rollout/store/memory.ts");
    const service = createRolloutService({ store: memoryRolloutStore(), policy });
    admin = await serveAdmin({ service });
    expect((await admin.call("reader", "GET", "/v1/policy")).body).toEqual(policy);
    expect((await rollout("ana", "start", { plan: { owner: "t" } })).status).toBe(403);
    const start = { event: "start", reason: "r", plan: rolloutPlan({ owner: "t" }) } as const;
    const { head } = await service.act(FLAG, { ...start, by: "release-team" });
    const [record] = await service.store.evidence(FLAG);
    expect([record!.hash, record!.detail]).toEqual([head, { policy: 3 }]);
    const lax = rolloutPlan({ owner: "t", shadow: { leastMs: 0 } });
    await expect(service.act("other", { ...start, by: "release-team", plan: lax })).rejects.toMatchObject({
      code: "POLICY_REFUSED",
    });
  });

  it("holds edges forward in a freeze, and lets a kill through", async () => {
    admin = await serveAdmin();
    const { createRolloutService } = await import("../rollout/service.ts");
    const { store } = admin.world;
    const clock = admin.world.clock;
    await admin.close();
    const freeze = [{ from: "00:00", to: "23:59" }];
    const service = createRolloutService({ store, clock, policy: { version: 1, flags: { [FLAG]: { freeze } } } });
    admin = await serveAdmin({ service });
    expect(await rollout("ana", "start", { plan: { owner: "t" } })).toMatchObject({
      status: 403,
      body: { code: "POLICY_REFUSED" },
    });
    expect((await admin.call("ana", "POST", `/v1/flags/${FLAG}/kill`, { reason: "r" })).status).toBe(200);
  });

  it.each<[string, object, object]>([
    ["a percentage", { version: 2, canary: { percent: 100 } }, {}],
    [
      "a percentage of one environment's process",
      { version: 2, canary: { percent: 100 }, environments: { staging: { active: true } } },
      {},
    ],
    ["another unit", { version: 2, canary: { percent: 90 }, bucketing: { unit: "org" } }, {}],
  ])("refuses 100 %% by %s where no rollout runs [FL-7]", async (_, entry, more) => {
    admin = await serveAdmin();
    expect(await put(entry, "ana", more)).toMatchObject({ status: 403, body: { code: "POLICY_REFUSED" } });
    expect((await put({ version: 2, allow: { org: ["beta", "gamma"] }, canary: { percent: 10 } })).status).toBe(200);
  });

  it("refuses a flagd flag that gives everybody the new engine, and rules written by one operator [FL-7]", async () => {
    admin = await serveAdmin({ documents: memoryFlagDocuments({ flags: {} }) });
    const variants = { legacy: "legacy", new: "new" };
    const create = (flag: object) =>
      admin.call("ana", "PUT", "/v1/flags/other", { reason: "r", flag }, { "if-none-match": "*" });
    expect(await create({ state: "ENABLED", variants, defaultVariant: "new" })).toMatchObject({ status: 403 });
    const targeting = { if: [{ ends_with: [{ var: "email" }, "@acme.com"] }, "new", "legacy"] };
    expect(await create({ state: "ENABLED", variants, defaultVariant: "legacy", targeting })).toMatchObject({
      body: { code: "FORBIDDEN" },
    });
    expect(await create({ state: "ENABLED", variants, defaultVariant: "legacy" })).toMatchObject({ status: 200 });
  });
});

describe("a kill", () => {
  it("is lifted by `unkill` alone: setting the flag keeps it, of the flag and of an environment [FL-9]", async () => {
    admin = await serveAdmin({ environment: "production" });
    const kill = (body: object = {}) =>
      admin.call("ana", "POST", `/v1/flags/${FLAG}/kill`, { reason: "errors", ...body });
    await kill({ environment: "production" });
    await put({ version: 9, allow: { org: ["beta"] }, environments: { production: { active: true } } });
    expect(await decided()).toBe("kill.environment");
    await kill();
    for (const entry of [
      { version: 9, allow: { org: ["beta"] } },
      { version: 9, allow: { org: ["beta"] }, kill: null },
    ]) {
      expect((await put(entry)).status).toBe(200);
      expect(await decided()).toBe("kill.flag");
    }
    const lift = (body: object) => admin.call("ana", "POST", `/v1/flags/${FLAG}/unkill`, { reason: "fixed", ...body });
    await lift({});
    expect(await decided()).toBe("kill.environment");
    await lift({ environment: "production" });
    expect((await put({ version: 9, allow: { org: ["beta"] } })).status).toBe(200);
    expect(await decided()).toBe("allow.org");
  });

  it("of a misspelt flag is refused with a suggestion, and meant with `ahead` [FL-2]", async () => {
    admin = await serveAdmin();
    const kill = (key: string, body: object = {}) =>
      admin.call("ana", "POST", `/v1/flags/${key}/kill`, { reason: "r", ...body });
    const refused = await kill("engine_v2");
    expect(refused.status).toBe(404);
    expect(refused.body).toMatchObject({ code: "FLAG_NOT_FOUND", details: { suggestion: FLAG } });
    expect(await decided()).toBe("allow.org");
    expect((await kill("engine-v3", { ahead: true })).status).toBe(200);
    expect((await kill("*")).status).toBe(200);
    expect(await decided()).toBe("kill.global");
  });

  it("with the flags out of reach rolls the running rollout back, and says how it took effect [FL-2]", async () => {
    const away = () => Promise.reject(new HebraError("UNREACHABLE", "The flags are away."));
    admin = await serveAdmin({ documents: { read: away, write: away } });
    const kill = () => admin.call("ana", "POST", `/v1/flags/${FLAG}/kill`, { reason: "errors" });
    expect((await kill()).status).toBe(503);
    await rollout("ana", "start", { plan: { owner: "t" } });
    expect(await kill()).toMatchObject({ status: 200, body: { killed: true, by: "rollback" } });
    expect((await admin.world.store.read(FLAG))!.phase.name).toBe("rolledBack");
  });
});

describe("a plan that must change while it runs", () => {
  it("is amended under signatures given for the new plan, with the amendment in the evidence [FL-19]", async () => {
    admin = await serveAdmin();
    const plan = { owner: "t", limits: { errorCeiling: 0.03 } };
    await rollout("ana", "start", { plan: { owner: "t" } });
    expect((await rollout("ana", "amend", { plan })).status).toBe(409);
    // A signature under the next edge is none under an amendment.
    await rollout("bo", "approve", { role: "technical" });
    await rollout("cy", "approve", { role: "operational" });
    expect((await rollout("ana", "amend", { plan })).status).toBe(409);
    await rollout("bo", "approve", { role: "technical", plan });
    await rollout("cy", "approve", { role: "operational", plan });
    expect((await rollout("ana", "amend", { plan: { owner: "t", limits: { errorCeiling: 0.5 } } })).status).toBe(409);
    expect((await rollout("ana", "amend", { plan: { ...plan, full: { approvals: [] } } })).status).toBe(403);
    expect((await rollout("ana", "amend", { plan })).status).toBe(200);
    const state = (await admin.world.store.read(FLAG))!;
    expect([state.plan.limits.errorCeiling, state.phase.name]).toEqual([0.03, "internal"]);
    const [before, amended] = (await admin.world.store.evidence(FLAG)).slice(-2);
    expect(amended!.event).toBe("amend");
    expect(amended!.plan).not.toBe(before!.plan);
  });
});
