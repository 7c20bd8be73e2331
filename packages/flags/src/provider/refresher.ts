import { HebraError, type Clock } from "@hebra/core";
import type { ProviderEvent, ProviderSnapshot } from "./provider.ts";

/** What one look at a source gave. */
export type Reading = { readonly revision: string; readonly snapshot: ProviderSnapshot } | "unchanged";

/** What {@link createRefresher} needs. */
export interface RefresherInput {
  readonly name: string;
  readonly clock: Clock;
  /** Milliseconds between two looks without a push. */
  readonly pollMs: number;
  /** Looks at the source. @param revision - what is in force; the source may answer "unchanged" to it */
  readonly read: (revision: string | undefined, signal: AbortSignal) => Promise<Reading>;
}

/** Looks at a source when told to and every `pollMs`, one look at a time, and turns what it sees into events. */
export interface Refresher {
  load(): Promise<ProviderSnapshot>;
  /** Looks again soon; many calls during one look make one more. */
  refresh(): void;
  /** Says that the source is out of reach, where a push connection knows first. */
  lost(error: HebraError): void;
  watch(listener: (event: ProviderEvent) => void): () => void;
  close(): void;
  readonly closed: () => boolean;
}

/** @internal */
export function createRefresher({ name, clock, pollMs, read }: RefresherInput): Refresher {
  const listeners = new Set<(event: ProviderEvent) => void>();
  const closing = new AbortController();
  let revision: string | undefined;
  let current: ProviderSnapshot | undefined;
  let looking: Promise<void> | undefined;
  let again = false;
  let isLost = false;
  let rejected: string | undefined;
  let cancelPoll = () => {};

  const emit = (event: ProviderEvent) => {
    for (const listener of listeners) listener(event);
  };

  /** One look, and what it means to those who watch. Throws what the source threw. */
  async function look(): Promise<ProviderSnapshot> {
    try {
      const reading = await read(current === undefined ? undefined : revision, closing.signal);
      if (closing.signal.aborted) throw closed();
      const wasTroubled = isLost || rejected !== undefined;
      isLost = false;
      rejected = undefined;
      if (reading !== "unchanged" && reading.revision !== revision) {
        ({ revision, snapshot: current } = reading);
        emit({ type: "snapshot-loaded", snapshot: current });
      } else if (wasTroubled) {
        emit({ type: "source-recovered" });
      }
      return current!;
    } catch (cause) {
      if (closing.signal.aborted) throw closed();
      const error = HebraError.isInstance(cause)
        ? cause
        : new HebraError(
            "UNREACHABLE",
            `The flags' source ${name} cannot be read; the last known good flags stay in force.`,
            { cause },
          );
      if (error.code === "FLAG_INVALID" || error.code === "PARSE_ERROR") reject(error);
      else lost(error);
      throw error;
    }
  }

  function reject(error: HebraError): void {
    // A bad document stays bad at every poll; it is said once.
    if (rejected === error.message) return;
    rejected = error.message;
    emit({ type: "snapshot-rejected", error });
  }

  function lost(error: HebraError): void {
    if (isLost) return;
    isLost = true;
    emit({ type: "source-lost", error });
  }

  function refresh(): void {
    if (closing.signal.aborted) return;
    if (looking !== undefined) return void (again = true);
    cancelPoll();
    looking = look()
      .then(
        () => {},
        () => {},
      )
      .then(() => {
        looking = undefined;
        if (again) {
          again = false;
          refresh();
        } else {
          poll();
        }
      });
  }

  function poll(): void {
    cancelPoll();
    cancelPoll = listeners.size === 0 || closing.signal.aborted ? () => {} : clock.after(pollMs, refresh);
  }

  const closed = () => new HebraError("CLOSED", `The flag provider ${name} is closed.`);
  return {
    load() {
      if (closing.signal.aborted) return Promise.reject(closed());
      return look();
    },
    refresh,
    lost,
    watch(listener) {
      listeners.add(listener);
      poll();
      return () => {
        listeners.delete(listener);
        if (listeners.size === 0) cancelPoll();
      };
    },
    close() {
      closing.abort();
      cancelPoll();
      listeners.clear();
    },
    closed: () => closing.signal.aborted,
  };
}
