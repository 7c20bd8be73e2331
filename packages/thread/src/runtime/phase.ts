import { errorMessage, HebraError, sleep, type Clock, type JsonObject, type Logger } from "@hebra/core";
import type { ThreadStore } from "../store/store.ts";
import { ownThread } from "./own-thread.ts";

/**
 * What all processes of a shared store are asked to do: `open` is life as it is; `paused` takes in nothing new and
 * finishes
 * what there is; `stopped` does nothing more.
 */
export type Phase = "open" | "paused" | "stopped";

/** The key of the thread that holds the phase. A move leaves it behind. */
export const phaseKey = "runtime:phase";

/** Reads and writes the phase: a document in the store, so that it outlives whoever wrote it. */
export function phaseControl(
  store: ThreadStore,
  clock: Clock,
): {
  read(): Promise<{ phase: Phase; /** Since when, in milliseconds since the epoch. */ at: number }>;
  write(phase: Phase): Promise<void>;
} {
  const thread = ownThread(store, phaseKey, () => clock.now());
  return {
    async read() {
      const state = (await thread.read())?.state as JsonObject | undefined;
      const phase = state?.["phase"];
      return { phase: phase === "paused" || phase === "stopped" ? phase : "open", at: Number(state?.["at"] ?? 0) };
    },
    async write(phase) {
      const { fence } = await thread.open();
      await thread.write(fence, { phase, at: clock.now() });
    },
  };
}

/** Milliseconds between two looks at the phase. */
const LOOK_EVERY_MS = 1_000;

/** Keeps up with the phase. */
export interface PhaseWatch {
  /** Nothing before the first look has succeeded. */
  phase(): Phase | undefined;
  /** Looks now, and from then on again and again. */
  begin(): Promise<void>;
  /** Calls back with each new phase, and at once when it is not `open` already. @returns stops the calls */
  onChange(listener: (phase: Phase) => void): () => void;
  /** @throws HebraError `CLOSED`, `retryable`, while nothing new is taken in */
  assertOpen(): void;
  stop(): void;
}

/** @param options - `shared`: whether other processes could write the phase at all */
export function watchPhase(options: { store: ThreadStore; clock: Clock; logger: Logger; shared: boolean }): PhaseWatch {
  const { store, clock, logger, shared } = options;
  const listeners = new Set<(phase: Phase) => void>();
  const control = phaseControl(store, clock);
  const stopping = new AbortController();
  let phase: Phase | undefined = shared ? undefined : "open";
  let began: Promise<void> | undefined;

  async function look(): Promise<void> {
    try {
      const { phase: found } = await control.read();
      const before = phase;
      phase = found;
      if (found === before || (before === undefined && found === "open")) return;
      logger.warn("The runtime's phase has changed.", { phase: found });
      for (const listener of [...listeners]) listener(found);
    } catch (error) {
      // What was known last holds: a store that is away is no reason to refuse what the bus takes.
      logger.debug("The runtime's phase cannot be read.", { error: errorMessage(error) });
    }
  }
  async function keepLooking(): Promise<void> {
    while (!stopping.signal.aborted) {
      await sleep(clock, LOOK_EVERY_MS, stopping.signal).catch(() => undefined);
      if (!stopping.signal.aborted) await look();
    }
  }

  return {
    phase: () => phase,
    begin() {
      if (!shared || stopping.signal.aborted) return Promise.resolve();
      began ??= look().finally(() => void keepLooking());
      return began;
    },
    onChange(listener) {
      listeners.add(listener);
      if (phase !== undefined && phase !== "open") listener(phase);
      return () => void listeners.delete(listener);
    },
    assertOpen() {
      if (phase === "open") return;
      const why =
        phase === undefined
          ? "Whether it may take anything in cannot be told while the store is away."
          : "The intake is paused: the conversations move to another backend.";
      throw new HebraError("CLOSED", `${why} Try again later.`, { retryable: true });
    },
    stop: () => stopping.abort(),
  };
}
