import { errorCode } from "@hebra/core";
import type { Address, Conversation, TurnHandle } from "@hebra/thread";
import type { Op, Plan } from "./plan.ts";
import { oddTexts, oddValues, pick } from "./odd.ts";
import type { World } from "./world.ts";

/** Something that was promised, and whether it has come. */
export interface Promised {
  what: string;
  settled: boolean;
  /** The code with which it was refused. */
  code: string | undefined;
}

/** A message of which a caller was told that it is stored. */
export interface Accepted {
  conversation: number;
  id: string;
  text: string;
  executionId: string;
  /** Of its own, when the turn that it joined was cancelled. */
  later?: string | undefined;
  address: Address;
}

/** What came of a plan. */
export interface Played {
  promised: Promised[];
  accepted: Accepted[];
  addresses: Address[];
}

/** What a caller may be told. */
const CALLER = new Set([
  "UNREACHABLE",
  "STORE_BUSY",
  "STORE_FAILED",
  "TIMEOUT",
  "CLOSED",
  "THREAD_BUSY",
  "VERSION_CONFLICT",
  "STALE_FENCE",
  "LOCK_LOST",
  "THREAD_NOT_FOUND",
  "ITEM_NOT_FOUND",
  "EXECUTION_NOT_FOUND",
  "APPROVAL_NOT_FOUND",
  "APPROVAL_DECIDED",
  "APPROVAL_EXPIRED",
  "INVALID_OPTIONS",
  "ACTION_INPUT_INVALID",
  "ACTION_OUTPUT_INVALID",
  "NOT_SERIALIZABLE",
]);
/** What a turn's `result` may reject with, where the engine holds its own leases: see `TurnHandle.result`. */
const RESULT = new Set(["CLOSED", "STALE_FENCE", "VERSION_CONFLICT"]);

/** @param prefix - of the keys: the conversations of one plan */
export async function play({ ops }: Plan, world: World, prefix: string): Promise<Played> {
  const played: Played = { promised: [], accepted: [], addresses: [] };
  for (let i = 0; i < 2; i++) played.addresses.push({ key: `${prefix}-${i}` });
  const acting = createActing(world, played, prefix);
  for (const op of ops) {
    acting.perform(op);
    await world.pass(op.op === "pass" ? op.ms : 0);
  }
  return played;
}

function createActing(world: World, played: Played, prefix: string): { perform(op: Op): void } {
  const { promised, accepted, addresses } = played;
  let said = 0;

  function watch(what: string, work: PromiseLike<unknown>, allowed: ReadonlySet<string>): void {
    const entry: Promised = { what, settled: false, code: undefined };
    promised.push(entry);
    void work.then(
      () => void (entry.settled = true),
      (error: unknown) => {
        entry.settled = true;
        entry.code = errorCode(error) ?? "none";
        if (!allowed.has(entry.code)) world.wrong.push(`${what} was refused with ${entry.code}: ${String(error)}`);
      },
    );
  }

  function heed(what: string, turn: TurnHandle): void {
    watch(`the result of ${what}`, turn.result, RESULT);
    watch(`the words of ${what}`, drain(turn.textStream), CALLER);
    watch(`the events of ${what}`, drain(turn.stream), CALLER);
  }

  const at = (index: number): Address => addresses[index % addresses.length]!;
  const talk = (op: { conversation: number; engine: number }): Conversation<unknown> =>
    world.engine(op.engine).thread(world.definition, at(op.conversation));
  const some = <T>(from: readonly T[], index: number): T | undefined => from[index % Math.max(1, from.length)];

  async function send(op: Extract<Op, { op: "send" }>): Promise<void> {
    const id = `${prefix}-m${said++}`;
    const text = world.teach(op.turn);
    const address = at(op.conversation);
    const engine = world.engine(op.engine);
    const turn =
      op.how === "enqueue"
        ? await engine.enqueue(world.definition, { id, text }, { address, whenBusy: op.policy })
        : await talk(op).send({ id, text }, { whenBusy: op.policy });
    accepted.push({ conversation: op.conversation, id, text, executionId: turn.executionId, address });
    heed(id, turn);
  }

  async function decide(op: Extract<Op, { op: "decide" }>): Promise<void> {
    const engine = world.engine(op.engine);
    const approval = some(await talk({ conversation: op.which, engine: op.engine }).approvals(), op.which);
    if (approval === undefined) return;
    if (op.how === "deny") await engine.deny(approval.id, { comment: pick(oddTexts, op.which) });
    else if (op.how === "approve") await engine.approve(approval.id, { by: pick(oddTexts, op.which) });
    else if (op.how === "edit") await engine.approve(approval.id, { input: { ms: 0, how: "returns", odd: op.which } });
    else await engine.provideResult(approval.callRowId, pick(oddValues, op.which)() as never);
  }

  async function again(op: { which: number; engine: number }): Promise<void> {
    const first = some(accepted, op.which);
    if (first === undefined) return;
    const { id, text, address } = first;
    const turn = await world.engine(op.engine).react(world.definition, { id, text }, { address });
    // One that joined a turn has its own once that was cancelled.
    first.later ??= turn.executionId === first.executionId ? undefined : turn.executionId;
    if (turn.executionId !== first.executionId && turn.executionId !== first.later)
      world.wrong.push(`${id} has more than two turns`);
    heed(`${id}, sent again`, turn);
  }

  async function fork(op: Extract<Op, { op: "fork" }>): Promise<void> {
    const entry = some(await talk(op).history(), op.which);
    if (entry === undefined || addresses.length > 3) return;
    addresses.push((await talk(op).fork({ atItemId: entry.item.id })).address);
  }

  async function act(op: Op): Promise<void> {
    switch (op.op) {
      case "send":
        return send(op);
      case "send again":
        return again(op);
      case "follow": {
        const first = some(accepted, op.which);
        if (first !== undefined) heed(`${first.id}, followed`, await world.engine(op.engine).follow(first.executionId));
        return;
      }
      case "cancel": {
        const first = some(accepted, op.which);
        if (first !== undefined)
          await world.engine(op.engine).cancel(first.executionId, { reason: pick(oddTexts, op.which) });
        return;
      }
      case "cancel conversation":
        return void (await talk(op).cancel());
      case "decide":
        return decide(op);
      case "fork":
        return fork(op);
      case "read":
        return void (await Promise.all([
          talk(op).history({ limit: 3 }),
          talk(op).state(),
          world.engine(op.engine).health(),
        ]));
      case "replace engine":
        return world.replace(op.engine);
      case "pass":
      case "store away":
      case "locks away":
      case "calls fail":
      case "slow answers":
      case "lose leases":
    }
  }

  function happen(op: Op): boolean {
    const { weather } = world;
    if (op.op === "store away") weather.storeAway(op.ms);
    else if (op.op === "locks away") weather.locksAway(op.ms);
    else if (op.op === "calls fail") weather.fail(op.verb, op);
    else if (op.op === "slow answers") weather.slow(op.verb, op);
    else if (op.op === "lose leases") weather.loseLeases();
    else return op.op === "pass";
    return true;
  }

  return { perform: (op) => void (happen(op) || watch(op.op, act(op), CALLER)) };
}

async function drain(events: AsyncIterable<unknown>): Promise<void> {
  for await (const event of events) void event;
}
