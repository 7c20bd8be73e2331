import { deriveId, type JsonObject } from "@hebra/core";
import type { DurableEvent } from "../../stream/envelope.ts";
import { beginRunning, contextRow, ending, events, playTurn, T0, turnIds, type TurnIds } from "./rows.ts";
import { rejects, same, type Clause, type Scenario } from "./scenario.ts";

type Place = Pick<Scenario, "store" | "tenant">;

const contextId = deriveId("context", "award_42");
const turn = (n: number, context = contextId) => turnIds("award_42", `m${n}`, context);

/** One event that tells of a document. */
function telling(
  tenant: string,
  ids: TurnIds,
  seq: number,
  type: "context-created" | "context-changed",
  data: JsonObject,
): DurableEvent {
  return { ...events(tenant, ids, seq, type)[0]!, data };
}

/** A turn of five sequence numbers, one write each but the first: two items, a change of state, and its end. */
async function changingTurn({ store, tenant }: Place, ids: TurnIds, seq: number, data: JsonObject): Promise<void> {
  const guard = (expectedSeq: number) => ({ fence: 1, expectedSeq });
  await store.begin(tenant, beginRunning(tenant, ids, guard(seq)));
  await store.commit(tenant, ids.contextId, guard(seq + 2), {
    context: { updatedAt: T0, state: data["state"]! },
    events: [telling(tenant, ids, seq + 2, "context-changed", data)],
  });
  await store.commit(tenant, ids.contextId, guard(seq + 3), ending(tenant, ids, seq + 3, seq + 2));
}

export const stateAtClauses = {
  "the state at an item is what it was then: before its turn at a trigger, after it at a reaction": async (
    scenario,
  ) => {
    const { store, tenant } = scenario;
    let seq = 0;
    for (let n = 0; n < 4; n++) {
      await changingTurn(scenario, turn(n), seq, { state: { turn: n }, stateVersion: n + 1 });
      seq = (await store.load(tenant, { key: "award_42" }))!.context.seq;
    }
    const at = (itemId: string) => store.stateAt(tenant, contextId, itemId);
    for (let n = 0; n < 4; n++) {
      if (n > 0) same(await at(turn(n).triggerItemId), { state: { turn: n - 1 }, stateVersion: n });
      same(await at(turn(n).reactionItemId), { state: { turn: n }, stateVersion: n + 1 });
    }
  },
  "a state that nothing changed is the state at every item": async ({ store, tenant }) => {
    await playTurn(store, tenant, turn(0), 0);
    await playTurn(store, tenant, turn(1), 4);
    for (const ids of [turn(0), turn(1)])
      for (const id of [ids.triggerItemId, ids.reactionItemId])
        same(await store.stateAt(tenant, contextId, id), { state: { note: "award_42" }, stateVersion: 1 });
  },
  "what a journal does not go back to is what its first change found": async (scenario) => {
    await playTurn(scenario.store, scenario.tenant, turn(0), 0);
    await changingTurn(scenario, turn(1), 4, { state: { now: true }, stateVersion: 1, before: { now: false } });
    const at = (itemId: string) => scenario.store.stateAt(scenario.tenant, contextId, itemId);
    same(await at(turn(0).reactionItemId), { state: { now: false }, stateVersion: 1 });
    same(await at(turn(1).triggerItemId), { state: { now: false }, stateVersion: 1 });
    same(await at(turn(1).reactionItemId), { state: { now: true }, stateVersion: 1 });
  },
  "the state is found behind many writes that do not tell of it": async (scenario) => {
    const { store, tenant } = scenario;
    await changingTurn(scenario, turn(0), 0, { state: { turn: 0 }, stateVersion: 1 });
    let { seq } = (await store.load(tenant, { key: "award_42" }))!.context;
    for (; seq < 320; seq++)
      await store.commit(
        tenant,
        contextId,
        { fence: 1, expectedSeq: seq },
        { context: { updatedAt: T0 }, events: events(tenant, turn(0), seq, "item-changed") },
      );
    await changingTurn(scenario, turn(1), seq, { state: { turn: 1 }, stateVersion: 1 });
    same(await store.stateAt(tenant, contextId, turn(1).triggerItemId), { state: { turn: 0 }, stateVersion: 1 });
    same(await store.stateAt(tenant, contextId, turn(0).reactionItemId), { state: { turn: 0 }, stateVersion: 1 });
  },
  "a fork tells the state of what it shares, and of its own": async (scenario) => {
    const { store, tenant } = scenario;
    await changingTurn(scenario, turn(0), 0, { state: { turn: 0 }, stateVersion: 1 });
    const { seq } = (await store.load(tenant, { key: "award_42" }))!.context;
    await changingTurn(scenario, turn(1), seq, { state: { turn: 1 }, stateVersion: 1 });
    const fork = await store.fork(tenant, {
      from: contextId,
      atItemId: turn(0).reactionItemId,
      context: contextRow("award_42", { id: "fork-1", state: { turn: 0 } }),
    });
    const mine = turnIds("award_42", "f1", fork.id);
    await changingTurn(scenario, mine, fork.seq, { state: { forked: true }, stateVersion: 1 });
    same(await store.stateAt(tenant, fork.id, turn(0).reactionItemId), { state: { turn: 0 }, stateVersion: 1 });
    same(await store.stateAt(tenant, fork.id, mine.reactionItemId), { state: { forked: true }, stateVersion: 1 });
    // What it does not share, it does not tell.
    await rejects(store.stateAt(tenant, fork.id, turn(1).triggerItemId), "ITEM_NOT_FOUND");
    await rejects(store.stateAt(tenant, contextId, mine.reactionItemId), "ITEM_NOT_FOUND");
    await rejects(store.stateAt(tenant, "nothing", turn(0).triggerItemId), "CONTEXT_NOT_FOUND");
  },
} satisfies Record<string, Clause>;
