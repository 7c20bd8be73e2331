import { HebraError } from "@hebra/core";
import type { ConsumeOptions, Delivery } from "../bus.ts";
import { assertOpen, nextRequester, settlerOf, type BusState } from "./bus-state.ts";
import { acceptLeases, createConsumer, type Consumer } from "./consumer.ts";
import { whenOpen } from "./startup.ts";

/** Iterates over the deliveries of a space. @throws HebraError `CLOSED`, `INVALID_OPTIONS` */
export function consume(state: BusState, space: string, options: ConsumeOptions): AsyncIterableIterator<Delivery> {
  assertOpen(state);
  const { concurrency = 10, maxBatch = 1, signal } = options;
  for (const [name, value] of Object.entries({ concurrency, maxBatch })) {
    if (!Number.isSafeInteger(value) || value < 1)
      throw new HebraError("INVALID_OPTIONS", `consume: \`${name}\` must be a whole number of at least 1.`);
  }
  // The backend's partitions are known only once it has answered: until then the consumer is an empty one.
  let consumer: Consumer | undefined;
  let finished = state.draining;
  const begin = async () => {
    await state.started;
    if (finished || state.draining || state.closing.signal.aborted) return;
    const made = createConsumer({
      core: state.core,
      space,
      id: nextRequester(state),
      concurrency,
      maxBatch,
      signal,
      ended: () => forget(state, made),
    });
    consumer = made;
    if (signal?.aborted === true) return;
    state.consumers.add(made);
    const { backend } = state.parts;
    for (let partition = 0; partition < backend.partitions; partition++) {
      backend.watchSpace(space, partition, true);
      made.wake(partition);
    }
  };
  const begun = begin();
  begun.catch(() => undefined);
  return {
    async next() {
      if (consumer === undefined) await begun;
      return consumer === undefined ? { value: undefined, done: true } : consumer.iterator.next();
    },
    async return() {
      finished = true;
      await begun;
      await consumer?.iterator.return?.();
      return { value: undefined, done: true };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

/** A consumer has ended: its space is of no further interest to it. */
function forget(state: BusState, consumer: Consumer): void {
  if (!state.consumers.delete(consumer)) return;
  state.closers.push(consumer);
  unwatch(state, consumer);
}

/** The backend need not report readiness for this consumer any more. */
export function unwatch({ parts: { backend } }: BusState, { space }: Consumer): void {
  for (let partition = 0; partition < backend.partitions; partition++) backend.watchSpace(space, partition, false);
}

/** One delivery of a space if one is ready now. */
export async function tryConsume(state: BusState, space: string, maxBatch: number): Promise<Delivery | undefined> {
  await whenOpen(state);
  if (state.draining) return undefined;
  const { core, parts } = state;
  for (let partition = 0; partition < parts.backend.partitions; partition++) {
    const sentAt = core.clock.monotonic();
    const { leases } = await parts.backend.exchange(partition, {
      space,
      requester: nextRequester(state, "try."),
      requestId: core.ids(),
      holder: core.holder,
      settles: [],
      want: 1,
      perConversation: maxBatch,
      leaseMs: parts.settings.leaseMs,
    });
    const [delivery] = acceptLeases(core, settlerOf(state, space), space, leases, partition, sentAt, () => {});
    if (delivery !== undefined) return delivery;
  }
  return undefined;
}
