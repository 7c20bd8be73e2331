import { errorMessage, type Clock, type Logger } from "@hebra/core";
import { isDurable, type AnyEvent } from "./envelope.ts";
import type { LiveTail, TailRecord, TailTurn } from "./live-tail.ts";

/** Sends what a turn publishes to readers of other processes, a frame at a time. */
export interface TailWriter {
  push(event: AnyEvent): void;
  /** Resolves when all of it was sent, or is given up: a turn never waits long for its readers. */
  flush(executionId: string): Promise<void>;
}

/** Records are sent when a frame is over, or when there are so many characters of them. */
const FRAME_MS = 16;
const FRAME_CHARACTERS = 4_096;
const MAX_WAIT_MS = 1_000;

interface Pending {
  turn: TailTurn;
  records: TailRecord[];
  characters: number;
  cancelFrame: (() => void) | undefined;
  sent: Promise<void>;
}

export function createTailWriter(tail: LiveTail, { clock, logger }: { clock: Clock; logger: Logger }): TailWriter {
  const turns = new Map<string, Pending>();
  let warned = false;

  function send(pending: Pending): void {
    const records = pending.records.splice(0);
    pending.characters = 0;
    if (records.length === 0) return;
    pending.sent = pending.sent
      .then(() => tail.append(pending.turn, records))
      .then(
        () => void (warned = false),
        (error: unknown) => {
          if (!warned)
            logger.warn("The live tail failed; readers elsewhere get whole parts.", { error: errorMessage(error) });
          warned = true;
        },
      );
  }

  /** The first record goes out at once, those of the frame after it together. */
  function frame(pending: Pending): void {
    if (pending.cancelFrame !== undefined) {
      if (pending.characters >= FRAME_CHARACTERS) send(pending);
      return;
    }
    send(pending);
    const over = () => {
      pending.cancelFrame = undefined;
      if (pending.records.length > 0) frame(pending);
    };
    pending.cancelFrame = clock.after(FRAME_MS, over, { keepAlive: true });
  }

  return {
    push(event) {
      const { executionId, tenant } = event;
      if (executionId === null) return;
      const pending = turns.get(executionId) ?? {
        turn: { tenant, executionId },
        records: [],
        characters: 0,
        cancelFrame: undefined,
        sent: Promise.resolve(),
      };
      turns.set(executionId, pending);
      pending.records.push(isDurable(event) ? { type: "committed", seq: event.seq } : event);
      pending.characters += isDurable(event) ? 0 : JSON.stringify(event.data).length;
      frame(pending);
      if (event.type !== "execution-ended" && event.type !== "execution-waiting") return;
      send(pending);
      pending.cancelFrame?.();
      turns.delete(executionId);
      if (event.type === "execution-ended") void pending.sent.then(() => tail.end(pending.turn)).catch(() => undefined);
    },
    async flush(executionId) {
      const pending = turns.get(executionId);
      if (pending === undefined) return;
      send(pending);
      await within(pending.sent, clock, MAX_WAIT_MS);
    },
  };
}

function within(work: Promise<void>, clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const stop = clock.after(ms, () => resolve(), { keepAlive: true });
    void work.finally(() => {
      stop();
      resolve();
    });
  });
}
