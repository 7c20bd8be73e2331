import {
  approvalRow,
  beginQueued,
  beginRunning,
  callRow,
  ending,
  events,
  executionRow,
  stepRow,
  T0,
  turnIds,
  type TurnIds,
} from "./rows.ts";
import { same, type Clause, type Scenario } from "./scenario.ts";

const ids = turnIds("award_42", "m1");

/**
 * A turn that waits for two people, as a holder leaves it that has heard everything. The first approval expires a
 * minute later.
 */
async function waiting(
  { store, tenant }: Pick<Scenario, "store" | "tenant">,
  turn: TurnIds,
  wakeAt: number | null = T0 + 60_000,
): Promise<void> {
  await store.begin(tenant, beginRunning(tenant, turn, { fence: 1, expectedSeq: 0 }));
  const { inboxSeq } = (await store.load(tenant, { key: turn.key }))!.context;
  await store.commit(
    tenant,
    turn.contextId,
    { fence: 1, expectedSeq: 2, expectedInboxSeq: inboxSeq },
    {
      context: { updatedAt: T0, status: "waiting" },
      executions: [executionRow(turn, { status: "waiting", wakeAt })],
      steps: [stepRow(turn, 0, { status: "waiting" })],
      calls: [callRow(turn, 0, { status: "awaiting_approval" }), callRow(turn, 1, { status: "awaiting_approval" })],
      approvals: [approvalRow(turn, 0), approvalRow(turn, 1, { expiresAt: null })],
      events: events(tenant, turn, 2, "approval-requested", "approval-requested"),
    },
  );
}

/** What is due in this tenant, by thread key. */
async function dueAt({ store, tenant }: Pick<Scenario, "store" | "tenant">, now: number): Promise<string[]> {
  return (await store.system().due({ now, limit: 1_000 }))
    .filter((one) => one.tenant === tenant)
    .map(({ threadKey }) => threadKey);
}

export const recoveryClauses = {
  "a waiting execution is due once somebody has decided, until a holder has heard it": async (scenario) => {
    const { store, tenant } = scenario;
    for (const decision of ["approved", "denied"] as const) {
      const turn = turnIds(decision, "m1");
      await waiting(scenario, turn);
      same(await dueAt(scenario, T0), []);
      await store.decideApproval(tenant, approvalRow(turn, 0).id, { decision, at: T0 + 10_000 });
      // Whoever looks may have a clock that is behind the decider's.
      same(await dueAt(scenario, T0), [turn.key]);
      same(
        (await store.system().due({ now: T0, limit: 1_000 })).find((one) => one.tenant === tenant),
        {
          tenant,
          threadId: executionRow(turn).threadId,
          threadKey: turn.key,
          contextId: turn.contextId,
          executionId: turn.executionId,
          status: "waiting",
          definition: "desk",
          updatedAt: T0,
        },
      );
      same(
        (await store.system().sweep({ before: T0 + 100_000, limit: 1_000 })).filter((one) => one.tenant === tenant),
        [],
      );
      await store.takeOver(tenant, turn.contextId, 2);
      same(await dueAt(scenario, T0), [turn.key]);
      await store.commit(
        tenant,
        turn.contextId,
        { fence: 2, expectedSeq: 4 },
        { context: { updatedAt: T0, status: "running" }, executions: [executionRow(turn)], events: [] },
      );
      same(await dueAt(scenario, T0 + 100_000), []);
      // It waits for the other approval, which never expires.
      const { inboxSeq } = (await store.load(tenant, { key: turn.key }))!.context;
      await store.commit(
        tenant,
        turn.contextId,
        { fence: 2, expectedSeq: 4, expectedInboxSeq: inboxSeq },
        {
          context: { updatedAt: T0, status: "waiting" },
          executions: [executionRow(turn, { status: "waiting" })],
          events: [],
        },
      );
      same(await dueAt(scenario, Number.MAX_SAFE_INTEGER), []);
      await store.decideApproval(tenant, approvalRow(turn, 1).id, { decision, at: T0 });
      same(await dueAt(scenario, T0), [turn.key]);
      await store.commit(tenant, turn.contextId, { fence: 2, expectedSeq: 4 }, ending(tenant, turn, 4, 2));
      same(await dueAt(scenario, Number.MAX_SAFE_INTEGER), []);
    }
  },
  "a waiting execution is due when somebody cancels it, and when its time has come": async (scenario) => {
    const { store, tenant } = scenario;
    const [cancelled, expiring, never] = ["cancelled", "expiring", "never"].map((key) => turnIds(key, "m1")) as [
      TurnIds,
      TurnIds,
      TurnIds,
    ];
    await waiting(scenario, cancelled);
    await waiting(scenario, expiring, T0 + 5_000);
    await waiting(scenario, never, null);
    same(await dueAt(scenario, T0 + 4_999), []);
    same(await dueAt(scenario, T0 + 5_000), ["expiring"]);
    await store.requestCancel(tenant, cancelled.executionId, { at: T0 + 90_000 });
    same(await dueAt(scenario, T0), ["cancelled"]);
    same(await dueAt(scenario, T0 + 5_000), ["cancelled", "expiring"]);
    same(
      (await store.system().due({ now: T0 + 5_000, definitions: ["other"], limit: 1_000 })).filter(
        (one) => one.tenant === tenant,
      ),
      [],
    );
    await store.setClosed(tenant, cancelled.contextId, true, T0);
    same(await dueAt(scenario, T0 + 5_000), ["expiring"]);
    await store.setClosed(tenant, cancelled.contextId, false, T0);
    same(await dueAt(scenario, T0 + 5_000), ["cancelled", "expiring"]);
  },
  "no decision is missed, whether a holder leaves a turn waiting before it, after it, or without having heard it":
    async (scenario) => {
      const { store, tenant } = scenario;
      await waiting(scenario, ids);
      await store.decideApproval(tenant, approvalRow(ids, 0).id, { decision: "approved", at: T0 });
      // A holder that does not say what it has heard.
      await store.commit(
        tenant,
        ids.contextId,
        { fence: 1, expectedSeq: 4 },
        {
          context: { updatedAt: T0 },
          executions: [executionRow(ids, { status: "waiting", wakeAt: T0 + 60_000 })],
          events: [],
        },
      );
      same(await dueAt(scenario, T0), ["award_42"]);
      // And what comes while it still runs moves the inbox, so that the write that leaves it waiting is refused.
      const other = turnIds("other", "m1");
      await store.begin(tenant, beginRunning(tenant, other, { fence: 1, expectedSeq: 0 }));
      await store.commit(
        tenant,
        other.contextId,
        { fence: 1, expectedSeq: 2 },
        {
          context: { updatedAt: T0 },
          calls: [callRow(other, 0, { status: "awaiting_approval" })],
          approvals: [approvalRow(other, 0)],
          events: [],
        },
      );
      await store.decideApproval(tenant, approvalRow(other, 0).id, { decision: "denied", at: T0 });
      same((await store.execution(tenant, other.executionId))!.execution.wakeAt, null);
      const late = store.commit(
        tenant,
        other.contextId,
        { fence: 1, expectedSeq: 2, expectedInboxSeq: 0 },
        {
          context: { updatedAt: T0, status: "waiting" },
          executions: [executionRow(other, { status: "waiting" })],
          events: [],
        },
      );
      same(
        await late.then(
          () => "landed",
          (error: { code: string; details: object }) => [error.code, "inbox" in error.details],
        ),
        ["VERSION_CONFLICT", true],
      );
    },
  "what cannot go on hides nothing that can": async (scenario) => {
    const { store, tenant } = scenario;
    // As many as three pages and more, all older than the one that lost its worker.
    const blocked = Array.from({ length: 7 }, (_, i) => turnIds(`blocked-${i}`, "m1"));
    for (const turn of blocked) {
      await waiting(scenario, turn);
      for (let n = 0; n < 100; n++) await store.begin(tenant, beginQueued(turnIds(turn.key, `later-${n}`)));
    }
    const free = turnIds("free", "m1");
    await store.begin(tenant, {
      ...beginQueued(free),
      execution: executionRow(free, { status: "queued", updatedAt: T0 + 1 }),
    });
    const orphan = turnIds("orphan", "m1");
    await store.begin(tenant, {
      ...beginRunning(tenant, orphan, { fence: 1, expectedSeq: 0 }),
      execution: executionRow(orphan, { definition: "other", updatedAt: T0 + 2 }),
    });
    const closed = turnIds("closed", "m1");
    await store.begin(tenant, beginQueued(closed));
    await store.setClosed(tenant, closed.contextId, true, T0);
    const found = async (definitions?: string[]) =>
      (await store.system().sweep({ before: T0 + 10, limit: 1_000, ...(definitions && { definitions }) }))
        .filter((one) => one.tenant === tenant)
        .map(({ threadKey }) => threadKey);
    same(await found(), ["free", "orphan"]);
    same(await found(["other"]), ["orphan"]);
    same((await store.system().sweep({ before: T0 + 10, limit: 1, definitions: ["other"] })).length, 1);
  },
} satisfies Record<string, Clause>;
