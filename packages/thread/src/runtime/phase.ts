import { errorMessage, HebraError, sleep, type Clock, type JsonObject, type JsonValue, type Logger } from "@hebra/core";
import type { ThreadStore } from "../store/store.ts";
import { ownThread } from "./own-thread.ts";

/**
 * What all processes of a shared store are asked to do: `open` is life as it is; `paused` takes in nothing new and
 * finishes
 * what there is; `stopped` does nothing more.
 */
export type Phase = "open" | "paused" | "stopped";

/** The phase as it is stored. */
export interface PhaseRecord {
  phase: Phase;
  /** Since when, in milliseconds since the epoch. */
  at: number;
  /** When it was last `open`, where it is not. */
  since: number;
  /** Ids of the moves from a local store that this store took part in. */
  moves: string[];
}

/** The key of the thread that holds the phase. A move leaves it behind. */
export const phaseKey = "runtime:phase";

/** Reads and writes the phase: a document in the store, so that it outlives whoever wrote it. */
export function phaseControl(
  store: ThreadStore,
  clock: Clock,
): {
  read(): Promise<PhaseRecord>;
  /** @param moved - the id of the move that this store took part in, which is kept from then on */
  write(phase: Phase, moved?: string): Promise<void>;
} {
  const thread = ownThread(store, phaseKey, () => clock.now());
  return {
    async read() {
      return recordOf((await thread.read())?.state);
    },
    async write(phase, moved) {
      const { fence, state } = await thread.open();
      const before = recordOf(state);
      const at = clock.now();
      const moves = moved === undefined || before.moves.includes(moved) ? before.moves : [...before.moves, moved];
      await thread.write(fence, { phase, at, since: before.phase === "open" ? at : before.since, moves });
    },
  };
}

function recordOf(state: JsonValue | undefined): PhaseRecord {
  const { phase, at, since, moves } = (state ?? {}) as JsonObject;
  return {
    phase: phase === "paused" || phase === "stopped" ? phase : "open",
    at: Number(at ?? 0),
    since: Number(since ?? at ?? 0),
    moves: Array.isArray(moves) ? moves.map(String) : [],
  };
}

/** Milliseconds between two looks at the phase. */
const LOOK_EVERY_MS = 1_000;
/** Milliseconds after which the last reading is too old to accept a message on: the process stood still. */
const STALE_AFTER_MS = 5_000;

/** Keeps up with the phase. */
export interface PhaseWatch {
  /** Nothing before the first look has succeeded. */
  phase(): Phase | undefined;
  /** Looks now, and from then on again and again. */
  begin(): Promise<void>;
  /** Calls back with each new phase, and at once when it is not `open` already. @returns stops the calls */
  onChange(listener: (phase: Phase) => void): () => void;
  /** Reads the phase again where the process has stood still, so that it knows of a move. Otherwise returns nothing. */
  refresh(): Promise<void> | undefined;
  /** @throws HebraError `CLOSED`, `retryable`, while nothing new is taken in */
  assertOpen(): void;
  stop(): void;
}

/**
 * @param options - `shared`: whether other processes could write the phase at all; `alone`: nothing else, neither a
 * lease nor a fence, keeps a process that stood still from taking in messages after its conversations were moved away
 */
export function watchPhase(options: {
  store: ThreadStore;
  clock: Clock;
  logger: Logger;
  shared: boolean;
  alone: boolean;
}): PhaseWatch {
  const { store, clock, logger, shared, alone } = options;
  const listeners = new Set<(phase: Phase) => void>();
  const control = phaseControl(store, clock);
  const stopping = new AbortController();
  let phase: Phase | undefined = shared ? undefined : "open";
  let began: Promise<void> | undefined;
  let lookedAt = -Infinity;

  async function look(): Promise<void> {
    try {
      const { phase: found } = await control.read();
      lookedAt = clock.monotonic();
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
    refresh() {
      const isFresh = !alone || began === undefined || clock.monotonic() - lookedAt <= STALE_AFTER_MS;
      return !shared || isFresh ? undefined : look();
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
