import { HebraError } from "@hebra/core";
import { isDurable, type AnyEvent } from "./envelope.ts";

/** A place in a stream. */
export interface Cursor {
  /** The last durable event that the reader has. */
  seq: number;
  /** The reader has the live events before it too; else those of an open step come from its beginning. */
  live: boolean;
  /**
   * The last live event after the durable one; -1 stands for a reset before the run's first event. `lost`: the reader
   * knows that events of the run are lost.
   */
  at?: { fence: number; run: string; index: number; lost: boolean } | undefined;
}

const PATTERN = /^(\d{1,15})(~)?(?:(\d{1,17})\.([0-9a-z]{1,16})\.(-1|\d{1,9})(r)?)?$/;

/** The cursor behind an event: opaque to clients. */
export const cursorOf = (event: AnyEvent): string =>
  isDurable(event)
    ? `${event.seq}~`
    : `${event.afterSeq}~${event.fence}.${event.run}.${event.index}${event.data["lost"] === true ? "r" : ""}`;

/**
 * @param text - of {@link cursorOf}, or a sequence number: what a snapshot or a page of items ends with
 * @throws HebraError `INVALID_OPTIONS`
 */
export function parseCursor(text: string): Cursor {
  const [, seq, tilde, fence, run, index, lost] = PATTERN.exec(text) ?? [];
  if (seq === undefined || (run !== undefined && tilde === undefined))
    throw new HebraError("INVALID_OPTIONS", "The cursor is refused: it is no place of this stream.");
  return {
    seq: Number(seq),
    live: tilde !== undefined,
    at: run === undefined ? undefined : { fence: Number(fence), run, index: Number(index), lost: lost !== undefined },
  };
}
