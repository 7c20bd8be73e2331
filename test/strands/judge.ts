import assert from "node:assert/strict";
import { errorCode } from "@hebra/core";
import type { Address, ContextBundle, ThreadStore } from "@hebra/thread";
import { verifyGraph } from "@hebra/thread/testing";
import type { Played } from "./play.ts";
import type { World } from "./world.ts";

/** Rounds of a person's answers and a second of time each, within which all must have come to its end. */
const ROUNDS = 90;
const ROUND_MS = 1_000;
/** Within which the next message must have run: longer than a lease that was left behind. */
const NEXT_MS = 6_000;

/** Lets the weather clear and a person answer what is asked. Nobody calls `recover` or `resume`. */
export async function comeToRest(world: World, { promised, addresses }: Played): Promise<void> {
  world.weather.clear();
  await world.pass(0);
  for (let round = 0; round < ROUNDS; round++) {
    const open = await answerAll(world, addresses, round);
    if (open === 0 && promised.every(({ settled }) => settled) && (await isWell(world))) return;
    await world.pass(ROUND_MS);
  }
}

/** @returns how many turns were open */
async function answerAll(
  { engine, definition, weather }: World,
  addresses: readonly Address[],
  round: number,
): Promise<number> {
  let open = 0;
  for (const address of addresses) {
    const snapshot = await weather.store.load("default", address);
    if (snapshot === undefined) continue;
    open += snapshot.queued.length + (snapshot.active === undefined ? 0 : 1);
    for (const { id } of await engine(round % 2)
      .thread(definition, address)
      .approvals()) {
      const decision = round % 3 === 0 ? engine(0).deny(id) : engine(1).approve(id);
      await decision.catch((error: unknown) =>
        assert.ok(
          ["APPROVAL_EXPIRED", "APPROVAL_DECIDED", "ACTION_OUTPUT_INVALID"].includes(errorCode(error) ?? ""),
          String(error),
        ),
      );
    }
  }
  return open;
}

async function isWell({ engine }: World): Promise<boolean> {
  for (const slot of [0, 1]) if ((await engine(slot).health()).status !== "ok") return false;
  return true;
}

/** Everything that must hold, whatever has happened. @throws AssertionError */
export async function judge(world: World, { promised, accepted, addresses }: Played, data: ThreadStore): Promise<void> {
  assert.deepEqual(world.wrong, []);
  assert.deepEqual(
    promised.filter(({ settled }) => !settled).map(({ what }) => what),
    [],
    "everything that was promised has come",
  );
  for (const slot of [0, 1]) {
    const { status, stuck, lastSweep, store } = await world.engine(slot).health();
    assert.deepEqual(
      { status, stuck, error: lastSweep.error, store },
      { status: "ok", stuck: [], error: null, store: null },
    );
  }
  const bundles: ContextBundle[] = [];
  for (const address of addresses) {
    await nextMessageRuns(world, address);
    const { context } = (await data.load("default", address))!;
    const bundle = (await data.export("default", context.id))!;
    judgeRows(bundle);
    bundles.push(bundle);
  }
  const triggers = new Map(
    bundles.flatMap((bundle) => bundle.triggers!.map((row) => [row.triggerId, row.executionId])),
  );
  const turns = new Map(bundles.flatMap(({ executions }) => executions.map((row) => [row.id, row])));
  for (const { id, executionId, later } of accepted) {
    const turn = turns.get(triggers.get(id) ?? "");
    assert.ok(turn !== undefined, `${id} was accepted and is in the store`);
    if (later !== undefined) assert.equal(turn.id, later, "a second delivery is told of the turn that there is");
    else if (turn.id !== executionId) assert.equal(turn.triggerId, id, "it goes on as a turn of its own or not at all");
  }
}

async function nextMessageRuns(world: World, address: Address): Promise<void> {
  const text = world.teach({ steps: [], thinksMs: 0, last: "answers", odd: 1 });
  const turn = await world.engine(0).thread(world.definition, address).send(text);
  let outcome: unknown;
  turn.result.then(
    ({ status }) => (outcome = status),
    (error: unknown) => (outcome = error),
  );
  for (let ms = 0; ms < NEXT_MS && outcome === undefined; ms += 100) await world.pass(100);
  assert.equal(outcome, "completed", "the next message runs");
}

function judgeRows(bundle: ContextBundle): void {
  assert.deepEqual(verifyGraph(bundle, { settled: true }), []);
  const ended = (bundle.journal ?? []).filter(({ type }) => type === "execution-ended");
  for (const { id, contextId } of bundle.executions)
    if (contextId === bundle.context.id)
      assert.equal(ended.filter(({ executionId }) => executionId === id).length, 1, "a turn ends once");
}
