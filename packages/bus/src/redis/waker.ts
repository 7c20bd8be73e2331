import { HebraError } from "@hebra/core";
import type { Space } from "../backend.ts";
import type { BlockingConnection } from "./commands.ts";
import { wrapRedisError } from "./run.ts";

/** Seconds that one blocking call waits at most. */
const BLOCK_S = 5;

/** Milliseconds beyond that after which a call is taken for dead, and its connection for lost. */
const WATCHDOG_MS = 3_000;

/** What a waker needs. */
export interface WakerOptions {
  /** What every key of the partition begins with. */
  readonly root: string;
  readonly holder: string;
  readonly connect: () => BlockingConnection;
  /** Work may be ready. @returns whether this process has room for it */
  readonly ready: (space: Space) => boolean;
  readonly notice: (space: Space, conversation: string, interrupt: boolean) => void;
  /** Puts a marker back. */
  readonly mark: (key: string) => Promise<unknown>;
  /** Puts something in that ends by itself: whoever was to take it out may be gone by then. */
  readonly poke: (key: string) => Promise<unknown>;
  readonly heard: (error?: HebraError) => void;
}

/** Waits on the server for work and notices of one partition. */
export interface Waker {
  /** Counts interest in a space; the empty name is interest in notices alone. */
  watch(space: Space, wanted: boolean): void;
  /** There is room again for a space for which there was none. */
  resume(space: Space): void;
  close(): void;
}

/** A waker that waits only while something is of interest. */
export function createWaker(options: WakerOptions): Waker {
  const interest = new Map<Space, number>();
  const paused = new Set<Space>();
  const notices = `${options.root}n:${options.holder}`;
  const wakeKey = (space: Space) => `${options.root}${space}:wake`;
  let connection: BlockingConnection | undefined;
  let running = false;
  let closed = false;

  /** Makes a pending call return, so that it is made again with other keys. */
  const poke = () => void options.poke(notices).catch(() => undefined);

  const block = (keys: string[]) =>
    new Promise<[string, string, string] | undefined>((resolve, reject) => {
      connection ??= options.connect();
      // A connection whose other end vanished never answers; the client would not notice.
      const watchdog = setTimeout(
        () => reject(new HebraError("UNREACHABLE", "Redis kept silent beyond the time of a blocking call.")),
        BLOCK_S * 1_000 + WATCHDOG_MS,
      );
      watchdog.unref();
      connection
        .popMin(keys, BLOCK_S)
        .then(resolve, reject)
        .finally(() => clearTimeout(watchdog));
    });

  const handle = async ([key, member, score]: [string, string, string]) => {
    if (key === notices) {
      const split = member.indexOf("\n");
      if (split > 0) options.notice(member.slice(0, split), member.slice(split + 1), Number(score) < 0);
      return;
    }
    const space = [...interest.keys()].find((name) => wakeKey(name) === key);
    if (space !== undefined && options.ready(space)) return;
    // No room here: let another process have the marker, and ask for it again when there is.
    if (space !== undefined) paused.add(space);
    await options.mark(key);
  };

  const run = async () => {
    if (running || closed) return;
    running = true;
    while (!closed && interest.size > 0) {
      const keys = [
        notices,
        ...[...interest.keys()].filter((space) => space !== "" && !paused.has(space)).map(wakeKey),
      ];
      try {
        const popped = await block(keys);
        options.heard();
        if (popped !== undefined) await handle(popped);
      } catch (error) {
        if (closed) break;
        connection?.close();
        connection = undefined;
        options.heard(wrapRedisError(error));
        await new Promise<void>((resolve) => setTimeout(resolve, 200).unref());
      }
    }
    running = false;
    connection?.close();
    connection = undefined;
  };

  return {
    watch(space, wanted) {
      const count = (interest.get(space) ?? 0) + (wanted ? 1 : -1);
      if (count > 0) interest.set(space, count);
      else interest.delete(space);
      paused.delete(space);
      if (!running) void run();
      else if ((wanted && count === 1) || count === 0) poke();
    },
    resume(space) {
      if (paused.delete(space)) poke();
    },
    close() {
      closed = true;
      connection?.close();
    },
  };
}
