import { errorCode } from "@hebra/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { executionIdOf } from "./rows/new-rows.ts";
import { memoryStore } from "../store/memory.ts";
import { sqliteStore } from "../store/sqlite.ts";
import type { ThreadStore } from "../store/store.ts";
import { verifyGraph } from "../store/contract/verify-graph.ts";
import { address, calmPlans, contextId, createWorld, plans, type Op, type Plan, type World } from "./faults.fixture.ts";

/** What a caller may be told when a store fails, processes end, and people answer late. */
const EXPECTED = new Set([
  "STORE_FAILED",
  "CLOSED",
  "VERSION_CONFLICT",
  "STALE_FENCE",
  "LOCK_LOST",
  "APPROVAL_DECIDED",
  "APPROVAL_EXPIRED",
  "THREAD_NOT_FOUND",
]);
const ownId = (triggerId: string) => executionIdOf("default", contextId, triggerId);
/** Of the fake clock, in steps of 200 ms: longer than anything takes. */
const PATIENCE = 400;

interface Played {
  world: World;
  /** Of each trigger that an engine said it has stored: the turn that it named. */
  accepted: Map<string, string>;
  last: Awaited<ReturnType<typeof finish>>;
}

/** Plays a plan, and then lets a last process, over a store that works again, end what there is to end. */
async function play({ ops, faults, sharedLocks }: Plan, data: ThreadStore): Promise<Played> {
  const world = createWorld(data);
  const { clock, wrong } = world;
  const processes = [world.start(sharedLocks, faults[0] ?? [])];
  const accepted: Played["accepted"] = new Map();
  const open: Promise<void>[] = [];
  let said = 0;

  async function take(id: string, policy: Extract<Op, { op: "say" }>["policy"], enqueue = false): Promise<void> {
    const { engine } = processes.at(-1)!;
    const trigger = { id, text: id };
    const turn = await (enqueue
      ? engine.enqueue("test", trigger, { address, whenBusy: policy })
      : engine.react("test", trigger, { address, whenBusy: policy }));
    const known = accepted.get(id);
    if (known === undefined) accepted.set(id, turn.executionId);
    // One that joined a turn has its own once that was cancelled.
    else if (turn.executionId !== known && turn.executionId !== ownId(id)) wrong.push(`${id} has two turns`);
  }

  async function perform(op: Op): Promise<void> {
    const { engine, store } = processes.at(-1)!;
    const [id, executionId] = [...accepted][("which" in op ? op.which : 0) % Math.max(1, accepted.size)] ?? [];
    switch (op.op) {
      case "say": {
        const next = `t${said++}`;
        world.teach(next, op.turn);
        return take(next, op.policy, op.enqueue);
      }
      case "again":
        return id === undefined ? undefined : take(id, op.policy);
      case "cancel":
        return executionId === undefined ? undefined : engine.cancel(executionId);
      case "decide": {
        const pending = ((await data.load("default", address))?.active?.approvals ?? []).filter(
          ({ status }) => status === "pending",
        );
        const approval = pending[op.which % Math.max(1, pending.length)];
        if (approval === undefined) return;
        if (op.how === "deny") return void (await engine.deny(approval.id));
        return void (await engine.approve(
          approval.id,
          op.how === "edit" ? { input: { name: approval.id, ms: 0, fails: false, asks: "nobody" } } : {},
        ));
      }
      case "recover":
        return void (await engine.recover({ olderThanMs: -1 }));
      case "release":
        return store.release();
      case "replace":
        // Started first, as what ends may hang on a write that stalls.
        processes.push(world.start(sharedLocks, faults[processes.length] ?? []));
        return op.ends ? engine.close() : undefined;
      case "pass":
    }
  }

  for (const op of ops) {
    open.push(
      perform(op).catch(
        (error: unknown) => void (EXPECTED.has(errorCode(error) ?? "") || wrong.push(`${op.op}: ${String(error)}`)),
      ),
    );
    await clock.advance(op.op === "pass" ? op.ms : 0);
  }
  for (const { store } of processes) store.release();
  await settle(world, Promise.all(open));
  await settle(world, Promise.all(processes.map(({ engine }) => engine.close())));
  return { world, accepted, last: await finish(world, data, sharedLocks) };
}

/** Lets time pass until something is done. */
async function settle({ clock }: World, work: Promise<unknown>): Promise<void> {
  let done = false;
  const over = work.finally(() => (done = true));
  over.catch(() => undefined);
  for (let i = 0; i < PATIENCE && !done; i++) await clock.advance(200);
  expect(done, "it comes to an end").toBe(true);
  await over;
}

/** A process that finds what was left, and a person who answers everything. */
async function finish(world: World, data: ThreadStore, sharedLocks: boolean) {
  const { engine } = world.start(sharedLocks, []);
  const act = async (work: Promise<unknown>) => {
    await settle(world, work);
    await settle(world, engine.idle());
  };
  for (let round = 0; ; round++) {
    await act(engine.recover({ olderThanMs: -1 }));
    const found = await data.load("default", address);
    if (found?.active === undefined && (found?.queued.length ?? 0) === 0) break;
    expect(round, `there is a way out of ${found?.active?.execution.status ?? "the queue"}`).toBeLessThan(30);
    const pending = found?.active?.approvals.find(({ status }) => status === "pending");
    // One that has expired meanwhile is found by the next round.
    const late = (error: unknown) => expect(errorCode(error)).toBe("APPROVAL_EXPIRED");
    if (pending !== undefined)
      await act((round % 2 === 0 ? engine.approve(pending.id) : engine.deny(pending.id)).catch(late));
  }
  const before = await data.export("default", contextId);
  world.teach("last", { steps: [], last: "answers" });
  const turn = await engine.react("test", { id: "last", text: "last" }, { address });
  await settle(world, turn.result);
  await settle(world, engine.close());
  return { before, result: await turn.result, after: (await data.export("default", contextId))! };
}

/** Everything that must hold, whatever has happened. */
function judge({ world, accepted, last: { before, result, after } }: Played): void {
  expect(world.wrong).toEqual([]);
  expect(result).toMatchObject({ status: "completed", text: "Done." });
  if (before !== undefined) expect(verifyGraph(before, { settled: true })).toEqual([]);
  expect(verifyGraph(after, { settled: true })).toEqual([]);

  const journal = after.journal ?? [];
  expect(journal.map(({ seq }) => seq)).toEqual(Array.from({ length: after.context.seq }, (_, i) => i + 1));
  for (const { id } of after.executions)
    expect(journal.filter(({ type, executionId }) => type === "execution-ended" && executionId === id)).toHaveLength(1);

  const triggers = new Map(after.triggers!.map(({ triggerId, executionId }) => [triggerId, executionId]));
  for (const [id, executionId] of accepted) expect([executionId, ownId(id)], id).toContain(triggers.get(id));
  const spoken = after.items
    .filter(({ kind }) => kind === "trigger")
    .map((item) => ({ ...item, text: (item.content[0] as { text: string }).text }));
  expect(spoken.map(({ text }) => text).toSorted()).toEqual([...triggers.keys()].toSorted());
  const neverRan = new Set(after.executions.flatMap(({ id, startedAt }) => (startedAt === null ? [id] : [])));
  const heard = world
    .shown()
    .filter(({ role }) => role === "user")
    .flatMap(({ parts }) => parts.map((part) => (part as { text: string }).text));
  const placed = spoken.filter(({ executionId }) => !neverRan.has(executionId!)).sort((a, b) => a.seq! - b.seq!);
  expect(heard).toEqual(placed.map(({ text }) => text));

  const succeeded = after.calls.filter(({ status }) => status === "succeeded");
  expect(after.context.state).toEqual(Object.fromEntries(succeeded.map(({ output }) => [output, true])));
  for (const { callId, name, idempotencyKey } of succeeded)
    expect(world.ran.get(callId)).toMatchObject({ effect: name, key: idempotencyKey });
}

async function survives(
  open: () => ThreadStore | Promise<ThreadStore>,
  runs: fc.Parameters<[Plan]>,
  { of = plans, also = (_played: Played) => {} } = {},
): Promise<void> {
  await fc.assert(
    fc.asyncProperty(of, async (plan) => {
      const data = await open();
      try {
        const played = await play(plan, data);
        judge(played);
        also(played);
      } finally {
        await data.close();
      }
    }),
    runs,
  );
}

describe("whatever fails, and whenever a process ends", () => {
  it.each([
    ["the same plans each time", { numRuns: 300, seed: 20_261_128 }],
    ["other plans each time", { numRuns: 100 }],
  ])(
    "there is a way out: nothing stays pending, is lost or is done twice, and the thread goes on (memory, %s)",
    (_title, runs) => survives(memoryStore, runs),
    120_000,
  );

  it(
    "and no turn has to be resumed because one of its writes failed, or an answer was lost, once or twice",
    () =>
      survives(
        memoryStore,
        { numRuns: 100, seed: 20_261_128 },
        {
          of: calmPlans,
          also({ last: { after } }) {
            // One that waited in line begins with a write of whoever drives the thread, which leaves it to the next who
            // looks.
            expect(after.executions.filter(({ attempt, inboxSeq }) => attempt > 1 && inboxSeq === null)).toEqual([]);
            expect(after.calls.filter(({ status }) => status === "interrupted")).toEqual([]);
          },
        },
      ),
    120_000,
  );

  it(
    "and over SQLite",
    () => survives(() => sqliteStore({ path: ":memory:", synchronous: "NORMAL" }), { numRuns: 50, seed: 20_261_128 }),
    120_000,
  );
});
