import { presences, showPresence } from "./presence.ts";
import type { RuntimeServices } from "./services.ts";

/** What a gateway takes in, as others see it: whoever paused the intake waits until nobody takes in any more. */
export interface Intake {
  /** @throws HebraError `CLOSED`, `retryable`, while nothing new is taken in */
  assertOpen(): void;
  /** Something is being taken in: the intake is not closed before it is over. */
  count(taking: Promise<unknown>): void;
  close(): Promise<void>;
}

export function startIntake({ phase, locks, clock, busIsLocal, member }: RuntimeServices): Intake {
  const taking = new Set<Promise<unknown>>();
  const show = () => (busIsLocal ? member?.showIntake() : showPresence(presences.intakes, locks, clock));
  let presence = show();
  const leave = async () => {
    while (taking.size > 0) await Promise.allSettled(taking);
    const left = presence;
    presence = undefined;
    await left?.close();
  };
  const stopWatching = phase.onChange((next) => {
    if (next === "open") presence ??= show();
    else void leave();
  });
  return {
    assertOpen: () => phase.assertOpen(),
    count(promise) {
      const counted: Promise<unknown> = promise.then(
        () => taking.delete(counted),
        () => taking.delete(counted),
      );
      taking.add(counted);
    },
    async close() {
      stopWatching();
      await leave();
    },
  };
}
