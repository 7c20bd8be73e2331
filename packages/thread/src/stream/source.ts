import { errorCode } from "@hebra/core";
import type { AnyEvent } from "./envelope.ts";
import type { LiveTail, TailRecord, TailTurn } from "./live-tail.ts";
import type { Ring } from "./ring.ts";

/** Where a reader gets what was published: from this process while the turn runs in it, else from the tail. */
export interface Source {
  /** The next page; nothing when there is no more for now. */
  read(): Promise<readonly (AnyEvent | TailRecord)[]>;
}

export function createSource(
  turn: TailTurn,
  ring: () => Ring | undefined,
  isHere: () => boolean,
  tail: LiveTail | undefined,
): Source {
  let current: Ring | undefined;
  let at = 0;
  let position: string | undefined;

  async function read(): Promise<readonly (AnyEvent | TailRecord)[]> {
    if (current !== undefined) {
      const page = current.read(at);
      at = page.position;
      if (page.events.length > 0) return page.events;
    }
    const now = ring();
    if (now !== undefined && now !== current) {
      current = now;
      at = 0;
      return read();
    }
    if (isHere() || tail === undefined) return [];
    try {
      const page = await tail.read(turn, position);
      position = page.position;
      return page.records;
    } catch (error) {
      // What a tail loses is in the journal. A store that is closed says so itself.
      if (errorCode(error) === "PEER_MISSING") throw error;
      return [];
    }
  }
  return { read };
}
