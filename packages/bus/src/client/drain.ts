import { sleep } from "@hebra/core";
import { healthOf } from "./bus-health.ts";
import type { DrainReport } from "./bus-reports.ts";
import type { BusState } from "./bus-state.ts";
import { unwatch } from "./consume.ts";

/** Milliseconds that a drain waits beyond its deadline for answers that are under way. */
const LAST_ANSWERS_MS = 1_000;

/** Stops consuming, waits for what is held, and releases the rest at the deadline. */
export async function drain(state: BusState, deadlineMs: number): Promise<DrainReport> {
  const { core, consumers, closers } = state;
  const { clock } = core;
  state.draining = true;
  core.emit?.({ type: "health-changed", health: healthOf(state) });
  const all = [...consumers];
  consumers.clear();
  const before = core.held.size;
  const unseen = (await Promise.all(all.map((consumer) => consumer.stop()))).reduce((sum, n) => sum + n, 0);
  for (const consumer of all) unwatch(state, consumer);
  const giveUpAt = clock.monotonic() + deadlineMs;
  closers.push(...all);
  while (core.held.size > 0 && clock.monotonic() < giveUpAt)
    await sleep(clock, Math.min(20, giveUpAt - clock.monotonic()));
  const rest = [...core.held];
  for (const delivery of rest) delivery.evict().catch(() => undefined);
  // An ack that is on its way counts: it gets a moment more, unless nobody answers.
  // Real time, whatever the clock: it bounds a socket.
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, LAST_ANSWERS_MS)));
  await Promise.race([Promise.all([...closers, ...state.settlers.values()].map((one) => one.answered())), late]);
  clearTimeout(timer);
  return { settled: Math.max(0, before - unseen - rest.length), released: unseen + rest.length };
}

/** Drains at once and closes the timers and connections that the bus created. Closing twice does nothing. */
export async function close(state: BusState): Promise<void> {
  if (state.closing.signal.aborted) return;
  await drain(state, 0);
  state.closing.abort();
  for (const consumer of state.closers) consumer.close();
  for (const settler of state.settlers.values()) settler.close();
  state.core.keeper.close();
  await state.parts.backend.close();
}
