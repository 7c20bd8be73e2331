import assert from "node:assert/strict";
import { describe, test } from "vitest";
import { memoryIncidents } from "../incident/stores.ts";
import { checkReport } from "../rollout/report.ts";
import type { HandoverRequest, RouteTurn } from "../route/router.ts";
import { rehearsalFaults } from "./faults.ts";
import type { RehearsalOptions } from "./options.ts";
import { rehearseRollback } from "./rehearse.ts";

/** Two engines with a history each, and a way back. */
function engines() {
  const [old, fresh] = [new Map<string, number>(), new Map<string, number>()];
  const count = (turns: Map<string, number>, { context }: RouteTurn) => {
    const session = context.session!;
    turns.set(session, (turns.get(session) ?? 0) + 1);
    return "answer";
  };
  const handover = ({ session }: HandoverRequest) => {
    old.set(session, (old.get(session) ?? 0) + (fresh.get(session) ?? 0));
    fresh.delete(session);
  };
  const options = {
    flag: "engine-v2",
    environment: "staging",
    legacy: (turn) => count(old, turn),
    next: (turn) => count(fresh, turn),
    outcome: () => "ok",
    handover,
    whole: (session) => !fresh.has(session),
  } satisfies RehearsalOptions;
  return { options, old, fresh };
}

const codes: Readonly<Record<string, RegExp>> = {
  dns: /^(ENOTFOUND|EAI_AGAIN)$/,
  "provider-5xx": /^HTTP_503$/,
  "store-down": /^ECONNREFUSED$/,
  "forced-error": /^TEST_FAULT$/,
  "tool-error": /^ACTION_FAILED$/,
};

describe("a rehearsal", { timeout: 60_000 }, () => {
  test.each(rehearsalFaults)("with %s rolls back, hands every session back, and leaves an incident", async (fault) => {
    const { options, fresh } = engines();
    const incidents = memoryIncidents();
    const report = await rehearseRollback({ ...options, fault, incidents });
    assert.deepEqual(report.problems, []);
    assert.equal(report.ok, true);
    assert.ok(
      report.sessions.new >= 10 && report.sessions.back === report.sessions.new,
      JSON.stringify(report.sessions),
    );
    assert.ok(report.sessions.struck >= 3);
    assert.equal(fresh.size, 0);
    for (const ms of Object.values(report.timings)) assert.ok(ms >= 0 && ms < 60_000);
    assert.ok(report.timings.rollbackMs > 0);
    const [incident, ...others] = await incidents.list();
    assert.deepEqual(others, []);
    assert.deepEqual(incident, report.incident);
    assert.match(incident!.signature.code, codes[fault]!);
    assert.match(incident!.signature.fingerprint, /^[0-9a-f]{64}$/);
    assert.deepEqual([incident!.kind, incident!.decision.action], ["rehearsal", "rollback"]);
    // It is evidence as it stands.
    assert.deepEqual(checkReport("rollback-rehearsal", JSON.parse(JSON.stringify(report))), {
      kind: "rollback-rehearsal",
      digest: report.digest,
      at: report.at,
    });
  });

  test.each(["prod", "production", "PRODUCTION"])(
    "with a forced error is refused in %s, before any turn",
    async (environment) => {
      const { options, old, fresh } = engines();
      await assert.rejects(rehearseRollback({ ...options, environment, fault: "forced-error" }), {
        code: "UNSUPPORTED",
      });
      assert.equal(old.size + fresh.size, 0);
    },
  );

  test("says no when a session is not whole after the hand-back", async () => {
    const { options } = engines();
    const report = await rehearseRollback({ ...options, handover: () => undefined });
    assert.equal(report.ok, false);
    assert.match(report.problems[0]!, /lacks turns of rehearsal-/);
    assert.throws(() => checkReport("rollback-rehearsal", report), { code: "EVIDENCE_MISSING" });
  });

  test("says no when nobody can judge the engines' answers, or when they fail without a fault", async () => {
    const { options } = engines();
    const { outcome: _, ...blind } = options;
    const unseen = await rehearseRollback({ ...blind, sessions: 20 });
    assert.equal(unseen.ok, false);
    assert.match(unseen.problems[0]!, /unknown without a fault/);
    const broken = await rehearseRollback({
      ...options,
      legacy: () => Promise.reject(new Error("down")),
      sessions: 20,
    });
    assert.match(broken.problems[0]!, /legacy engine is failed without a fault/);
  });

  test("takes a fault of the host's own, and takes it away again", async () => {
    const { options } = engines();
    let down = false;
    const report = await rehearseRollback({
      ...options,
      next: (turn) => (down ? Promise.reject(new Error("the store is stopped")) : options.next(turn)),
      fault: "store-down",
      inject: async () => {
        down = true;
        return () => void (down = false);
      },
    });
    assert.deepEqual(report.problems, []);
    assert.equal(down, false);
    assert.match(report.incident!.signature.message, /the store is stopped/);
  });
});
