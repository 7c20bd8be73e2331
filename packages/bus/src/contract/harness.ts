import assert from "node:assert/strict";
import { errorCode } from "@hebra/core";
import type { Bus, ConsumeOptions, Delivery, InboundMessage } from "../bus.ts";
import type { BusEvent } from "../client/bus-events.ts";
import type { BusOptions } from "../bus-options.ts";

/** One process, as far as its bus goes. */
export interface BusParticipant {
  readonly bus: Bus;
  /** What it told. */
  readonly events: readonly BusEvent[];
  /** From now on its timers do not fire, as if the process was stopped. Its monotonic time goes on. */
  freeze(): void;
  /** Its timers fire again, late. */
  thaw(): void;
}

/** What a backend gives the contract. Each clause gets a fresh one. */
export interface BusContractHarness {
  /**
   * Another participant on the same backend. All participants of one clause pass the same options. The lease lasts
   * `leaseMs`, and `random` always gives 0.5.
   */
  connect(options?: ContractOptions): Promise<BusParticipant>;
  /**
   * Lets that many milliseconds of the backend's and of the participants' time pass, and what follows from it happen.
   */
  elapse(ms: number): Promise<void>;
  /** Puts a text that is no envelope of this version at the tail of a conversation's inbound mailbox. */
  inject(conversation: { tenant: string; session: string }, text: string): Promise<void>;
  /** How long a lease lasts, in milliseconds. */
  readonly leaseMs: number;
}

/** Options that a clause may ask for. */
export type ContractOptions = Omit<BusOptions, "clock" | "ids" | "random" | "onEvent" | "leaseMs">;

/** One promise of the port, as a test over a harness. */
export type BusClause = (harness: BusContractHarness) => Promise<void>;

/** A consumer whose next delivery can be awaited, or be seen not to come. */
export interface Inbox {
  /** The next delivery, without any time passing. */
  next(): Promise<Delivery>;
  /** Nothing is there, without any time passing. */
  expectNothing(): Promise<void>;
  /** The iteration ended. */
  expectEnd(): Promise<void>;
}

const ROUNDS = 40;

/** An inbox over an iterator of deliveries. */
export function inbox(harness: BusContractHarness, iterator: AsyncIterator<Delivery>): Inbox {
  let pending: Promise<void> | undefined;
  let result: IteratorResult<Delivery> | undefined;
  const look = async (rounds: number) => {
    pending ??= iterator.next().then((value) => void (result = value));
    for (let i = 0; i < rounds && result === undefined; i++) await harness.elapse(0);
    const seen = result;
    if (seen !== undefined) [pending, result] = [undefined, undefined];
    return seen;
  };
  return {
    async next() {
      const seen = await look(ROUNDS);
      assert.ok(seen !== undefined, "no delivery came");
      assert.equal(seen.done ?? false, false, "the iteration ended");
      return seen.value as Delivery;
    },
    async expectNothing() {
      const seen = await look(4);
      assert.equal(
        seen,
        undefined,
        `a delivery came: ${JSON.stringify(seen?.value === undefined ? seen : (seen.value as Delivery).messages)}`,
      );
    },
    async expectEnd() {
      assert.equal((await look(ROUNDS))?.done, true, "the iteration did not end");
    },
  };
}

/** Consumes inbound. */
export function consume(harness: BusContractHarness, { bus }: BusParticipant, options: ConsumeOptions = {}): Inbox {
  return inbox(harness, bus.consumeInbound(options));
}

/** Consumes for a gateway. */
export function consumeFor(
  harness: BusContractHarness,
  { bus }: BusParticipant,
  gatewayId: string,
  options: ConsumeOptions = {},
): Inbox {
  return inbox(harness, bus.consumeOutbound({ gatewayId, ...options }));
}

/** Messages of one session, with their texts as payload. */
export function texts(session: string, ...payloads: string[]): InboundMessage[] {
  return payloads.map((payload) => ({ session, payload }));
}

/** What a delivery carries. */
export function payloads(delivery: { readonly messages: readonly { readonly payload: unknown }[] }): unknown[] {
  return delivery.messages.map((message) => message.payload);
}

/** Runs something to its end, letting what it waits for happen. */
export async function settle<T>(harness: BusContractHarness, promise: Promise<T>): Promise<T> {
  let over = false;
  promise.then(
    () => (over = true),
    () => (over = true),
  );
  for (let i = 0; i < ROUNDS && !over; i++) await harness.elapse(0);
  assert.ok(over, "the call did not come to an end");
  return promise;
}

/** Expects a HebraError of a code. */
export async function rejectsWith(code: string, promise: Promise<unknown>): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.equal(errorCode(error), code, `expected ${code}, got ${String(error)}`);
    return true;
  });
}
