import { afterEach, expect, it } from "vitest";
import { createDeprecation, type DeprecationStage } from "../deprecation/deprecation.ts";
import { createFlags } from "../client/create-flags.ts";
import { httpProvider } from "../provider/http/http-provider.ts";
import { shadowEvidence } from "../rollout/plan.ts";
import { reportItems } from "../rollout/report.ts";
import { FLAG, passingReport } from "../rollout/rollout-world.fixture.ts";
import { perfBaseline } from "../shadow/perf-baseline.ts";
import { validateNoRegression } from "../shadow/validate-no-regression.ts";
import { serveAdmin, tokens } from "./admin.fixture.ts";

const DAY = 86_400_000;
let close: () => Promise<unknown> = async () => undefined;
afterEach(() => close());

it(
  "the four phases of a two-version migration, by its own verbs over HTTP, from 28 February to 28 March",
  { timeout: 120_000 },
  async () => {
    let stage: DeprecationStage = "current";
    let usage: () => { unpinned: number } = () => ({ unpinned: 0 });
    const admin = await serveAdmin({ usage: () => usage() });
    close = admin.close;
    const { world, call, url } = admin;
    const old = createDeprecation({
      stage: () => stage,
      deprecatedAt: "2026-03-13",
      sunsetAt: "2026-03-28",
      successor: "/api/v2",
      caller: (request) => request.headers.get("x-client") ?? "unknown",
      clock: world.clock,
    });
    usage = () => old.usage(world.clock.now() - DAY);
    const v1 = old.wrap(() => new Response('{"status":"ok"}'));
    const oldEndpoint = () =>
      v1(new Request("https://prod.example/api/v1/predict", { headers: { "x-client": "mobile" } }));
    const verb = (who: keyof typeof tokens | undefined, name: string, body?: unknown) =>
      call(who, "POST", `/api/v2/admin/${name}`, body);
    const flags = async () =>
      (await call("reader", "GET", "/api/v2/admin/flags")).body as { phase: string; flags: Record<string, boolean> };
    const rollout = (who: keyof typeof tokens, name: string, body: object = {}) =>
      call(who, "POST", `/v1/flags/${FLAG}/rollout/${name}`, { reason: "by the timetable", ...body });
    const missing = (answer: { body: unknown }) =>
      (answer.body as { details: { missing: { item: string }[] } }).details.missing.map((one) => one.item);
    // What production serves, as a process sees it over HTTP.
    const production = createFlags({
      provider: httpProvider({
        url: `${url}/v1/document`,
        headers: { authorization: `Bearer ${tokens.reader}` },
        pollMs: 50,
      }),
      logger: { warn: () => {} },
    });
    await production.ready();
    const stopWatching = production.subscribe(() => {});
    const served = async (expected: string, context: { session: string; org?: string } = { session: "s1" }) =>
      expect.poll(() => production.decide(FLAG, context).mode, { timeout: 60_000, interval: 20 }).toBe(expected);

    // Before: nobody gets in without a token, no order of phases can be skipped.
    expect((await verb(undefined, "migrate-to-v2")).status).toBe(401);
    expect((await call(undefined, "GET", "/api/v2/admin/flags")).status).toBe(401);
    expect((await verb("reader", "enable-shadow-mode")).status).toBe(403);
    expect((await verb("ana", "enable-shadow-mode")).status).toBe(409);
    expect((await verb("bo", "complete-v1-deprecation")).status).toBe(404);
    expect(await flags()).toMatchObject({ phase: "off", flags: { v2_enabled: false, v2_primary: false } });

    // 28 February, phase 1: beta. The new version answers its allow list, no traffic moves.
    expect((await verb("ana", "flags", { flag: "v2_enabled", enabled: true })).status).toBe(200);
    expect(await flags()).toMatchObject({ phase: "internal", flags: { v2_enabled: true, shadow_mode: false } });
    await served("new", { session: "s1", org: "beta" });
    await served("legacy");
    expect((await verb("ana", "migrate-to-v2")).status).toBe(409);
    expect((await verb("bo", "complete-v1-deprecation")).status).toBe(409);
    await world.clock.advance(6 * DAY);

    // 6 March, phase 2: shadow, not before the checklist and both validations are attested.
    const early = await verb("ana", "enable-shadow-mode");
    expect([early.status, missing(early)]).toEqual([409, shadowEvidence.map((item) => `evidence:${item}`)]);
    for (const item of shadowEvidence)
      expect((await rollout("ana", "attest", { item, link: `https://wiki.example/${item}` })).status).toBe(200);
    expect(missing(await verb("ana", "enable-shadow-mode"))).toEqual(
      reportItems.filter((item) => shadowEvidence.includes(item)).map((item) => `evidence:${item}`),
    );
    const regression = await validateNoRegression({
      cases: [{ id: "predict", input: 2 }],
      legacy: (n: number) => ({ price: n * 100 }),
      next: (n: number) => ({ price: n * 101 }),
    });
    const load = await perfBaseline({ operations: [{ name: "predict", run: () => 1 }], warmupMs: 0, durationMs: 100 });
    expect(
      (await rollout("ana", "attest", { item: "no-regression", report: { ...regression, ok: false } })).status,
    ).toBe(409);
    for (const report of [regression, load])
      expect((await rollout("ana", "attest", { item: report.kind, report })).status).toBe(200);
    expect((await verb("ana", "enable-shadow-mode")).body).toMatchObject({
      phase: "shadow",
      flags: { shadow_mode: true, v2_primary: false },
    });
    expect((await verb("ana", "enable-shadow-mode")).status).toBe(409);
    await world.traffic(12, 300);
    await world.compared(8_000, { onlyNewFailed: 3 });
    const tooSoon = await verb("ana", "migrate-to-v2");
    expect(tooSoon.status).toBe(409);
    expect(missing(tooSoon)).toEqual([
      "shadow-time",
      "evidence:customer-notice",
      "evidence:rollback-rehearsal",
      "approval:technical",
      "approval:operational",
    ]);
    await world.clock.advance(7 * DAY);

    // 13 March, phase 3: cutover, with the rollback rehearsed three times and two signatures.
    await rollout("ana", "attest", { item: "customer-notice" });
    // A person's word is no rehearsal, and one rehearsal handed in three times is one.
    const drill = (run: number) => passingReport("rollback-rehearsal", { run });
    for (const report of [undefined, drill(1), drill(1), drill(1)])
      await rollout("ana", "attest", { item: "rollback-rehearsal", ...(report === undefined ? {} : { report }) });
    expect(missing(await verb("ana", "migrate-to-v2"))).toContain("evidence:rollback-rehearsal");
    for (const run of [2, 3]) await rollout("ana", "attest", { item: "rollback-rehearsal", report: drill(run) });
    expect((await rollout("ana", "approve", { role: "technical" })).status).toBe(403);
    expect((await rollout("bo", "approve", { role: "operational" })).status).toBe(403);
    expect((await rollout("bo", "approve", { role: "technical" })).status).toBe(200);
    expect((await rollout("cy", "approve", { role: "operational" })).status).toBe(200);
    expect((await verb("ana", "migrate-to-v2")).body).toMatchObject({ phase: "full", flags: { v2_primary: true } });
    stage = "deprecated";
    expect((await oldEndpoint()).headers.get("sunset")).toBe("Sat, 28 Mar 2026 00:00:00 GMT");

    // Something goes wrong: errors over 1 %. The controller rolls back by itself; v1 is primary again well within a
    // minute.
    await world.traffic(3, 400, { new: { failing: 0.2 } });
    expect((await world.controller.tick())[0]).toMatchObject({ action: "rolled-back" });
    expect(await flags()).toMatchObject({ phase: "rolledBack(full)", flags: { v2_primary: false } });
    const began = performance.now();
    await served("legacy", { session: "s1", org: "beta" });
    expect(performance.now() - began).toBeLessThan(60_000);
    expect((await verb("ana", "migrate-to-v2")).status).toBe(409);
    const { state } = (await call("reader", "GET", `/v1/flags/${FLAG}/rollout`)).body as unknown as {
      state: { postmortems: { id: string }[] };
    };
    const postmortem = await call("reader", "GET", `/v1/flags/${FLAG}/postmortems/${state.postmortems[0]!.id}`);
    expect(String(postmortem.body)).toContain("| error");

    // Repaired; a second shadow under a named override, then the cutover again.
    await world.clock.advance(3_600_000);
    expect((await rollout("ana", "reset", { to: "shadow" })).status).toBe(200);
    await world.traffic(6, 300);
    await world.compared(8_000);
    expect((await rollout("ana", "attest", { item: "override:shadow-time" })).status).toBe(403);
    expect(
      (await rollout("bo", "attest", { item: "override:shadow-time", reason: "one fix, seven clean days before it" }))
        .status,
    ).toBe(200);
    await rollout("bo", "approve", { role: "technical" });
    await rollout("cy", "approve", { role: "operational" });
    expect((await verb("ana", "migrate-to-v2")).status).toBe(200);
    await world.traffic(24 * 12, 20);
    expect((await world.controller.tick())[0]).toMatchObject({ action: "none", phase: "full" });

    // A rollback by hand works too, at once and without evidence; not done here, as it would start the seven days
    // again.
    const edges = (
      (await call("reader", "GET", `/v1/flags/${FLAG}/rollout`)).body as unknown as {
        edges: { event: string; missing: unknown[] }[];
      }
    ).edges;
    expect(edges.find((edge) => edge.event === "rollback")).toMatchObject({ to: "rolledBack(full)", missing: [] });

    // 20 March, phase 4: not while somebody is held back or still calls, and not before seven clean days.
    const notYet = await verb("bo", "complete-v1-deprecation");
    expect([notYet.status, missing(notYet)]).toEqual([409, ["clean-time", "hold-back"]]);
    expect((await rollout("ana", "set-hold-back", { holdBack: 0 })).status).toBe(200);
    await world.clock.advance(7 * DAY);
    await world.traffic(24 * 12, 20);
    await oldEndpoint();
    expect(missing(await verb("bo", "complete-v1-deprecation"))).toEqual(["legacy-usage"]);
    await world.clock.advance(DAY + 3_600_000);
    await world.traffic(2, 50);
    expect((await verb("ana", "complete-v1-deprecation")).status).toBe(403);
    expect((await verb("bo", "complete-v1-deprecation")).body).toMatchObject({
      phase: "retired",
      flags: { v1_deprecated: true, v2_primary: true },
    });

    // Now the old endpoints are gone, and it can be taken back until the code is removed.
    stage = (await flags()).flags["v1_deprecated"] === true ? "gone" : "deprecated";
    const gone = await oldEndpoint();
    expect([gone.status, gone.headers.get("content-type")]).toEqual([410, "application/problem+json"]);
    await served("new");
    expect((await verb("ana", "rollback-to-v1")).status).toBe(409);
    const audit = (await call("reader", "GET", `/v1/flags/${FLAG}/audit`)).body as unknown as {
      intact: boolean;
      evidence: { event: string; cause: { by?: string } }[];
    };
    expect(audit.intact).toBe(true);
    expect(audit.evidence.filter(({ event }) => event === "cutover")).toHaveLength(2);
    expect(audit.evidence.at(-1)).toMatchObject({ event: "retire", cause: { by: "bo" } });
    stopWatching();
    await production.close();
  },
);
