import type { Clock, Logger } from "@hebra/core";
import { silentLogger, systemClock } from "@hebra/core";
import * as z from "zod";
import type { Engine } from "../engine/api.ts";
import type { BlobStore } from "../engine/blobs/blob-store.ts";
import type { ThreadStore } from "../store/store.ts";
import type { ThreadCaller } from "./caller.ts";

/** What requests may ask for at most. */
export interface ThreadHandlerLimits {
  /** Bytes of a body. @defaultValue 262 144 */
  bodyBytes?: number;
  /** Bytes of a body of `POST /chat`, which carries a whole conversation. @defaultValue 4 194 304 */
  chatBytes?: number;
  /** Milliseconds of `?wait=`. @defaultValue 60 000 */
  waitMs?: number;
  /** Parts of a message. @defaultValue 100 */
  parts?: number;
  /** Rows of a page. @defaultValue 200 */
  pageRows?: number;
  /** Open event streams of one user, or of a tenant's callers without a `user`. @defaultValue 16 */
  streamsPerCaller?: number;
  /** Open event streams. @defaultValue 1 000 */
  streams?: number;
}

/** How {@link createThreadHandler} is made. */
export interface ThreadHandlerOptions {
  /** Runs the turns. */
  engine: Pick<Engine, "react" | "follow" | "cancel" | "approve" | "deny" | "provideResult" | "fork">;
  /** The engine's store. */
  store: ThreadStore;
  /** The engine's blob store: a deleted conversation's long results go with it. @defaultValue none */
  blobs?: BlobStore;
  /** Names of the definitions that a message may start. The first answers when a message names none. */
  threads: readonly [string, ...string[]];
  /**
   * Says who is behind a request; nothing means 401. `"everybody"` asks nobody, answers on loopback hosts only, and is
   * for a developer's machine.
   */
  authorize: ((request: Request) => Promise<ThreadCaller | undefined> | ThreadCaller | undefined) | "everybody";
  limits?: ThreadHandlerLimits;
  /**
   * What becomes of a turn whose `POST /chat` the client leaves: `stop()` of `useChat` looks the same as a page that is
   * closed. With `"cancel"` the turn is cancelled. @defaultValue "continue"
   */
  onChatLeft?: "continue" | "cancel";
  /** What stands before every path, without a trailing slash: `/api`. @defaultValue "" */
  basePath?: string;
  /** Milliseconds between two comments that keep an idle event stream open. @defaultValue 15 000 */
  heartbeatMs?: number;
  /** @defaultValue one that says nothing */
  logger?: Logger;
  clock?: Clock;
}

const having = <T>(...methods: (keyof T & string)[]) =>
  z.custom<T>(
    (value) => methods.every((name) => typeof (value as Record<string, unknown> | null)?.[name] === "function"),
    `must have ${methods.map((name) => `${name}()`).join(", ")}`,
  );
const count = (usual: number) => z.number().int().min(1).default(usual);

export const optionsSchema = z.strictObject({
  engine: having<ThreadHandlerOptions["engine"]>(
    "react",
    "follow",
    "cancel",
    "approve",
    "deny",
    "provideResult",
    "fork",
  ),
  store: having<ThreadStore>("load", "history", "list", "deleteThread"),
  blobs: having<BlobStore>("deleteContext").optional(),
  threads: z.array(z.string().min(1)).min(1).readonly(),
  authorize: z.union(
    [
      z.literal("everybody"),
      z.custom<Exclude<ThreadHandlerOptions["authorize"], string>>((value) => typeof value === "function"),
    ],
    'is required: a function that says who is behind a request, or "everybody" for a server on loopback',
  ),
  limits: z
    .strictObject({
      bodyBytes: count(262_144),
      chatBytes: count(4_194_304),
      waitMs: z.number().int().min(0).default(60_000),
      parts: count(100),
      pageRows: count(200),
      streamsPerCaller: count(16),
      streams: count(1_000),
    })
    .prefault({}),
  onChatLeft: z.enum(["continue", "cancel"]).default("continue"),
  basePath: z
    .string()
    .regex(/^(\/[^/?#]+)*$/, "must begin with a slash and not end with one")
    .default(""),
  heartbeatMs: count(15_000),
  logger: having<Logger>("error").default(() => silentLogger),
  clock: having<Clock>("now", "after").default(() => systemClock),
});

/** The options with their defaults. */
export type ParsedOptions = z.output<typeof optionsSchema>;
