import { consoleLogger, parseOptions, systemClock, type Clock } from "@hebra/core";
import * as z from "zod";
import type { Flags } from "../client/create-flags.ts";
import type { FlagsLogger } from "../client/options.ts";
import type { FlagContext } from "../evaluate/types.ts";
import type { AssignmentStore } from "./assignment.ts";
import { memoryAssignments } from "./memory-assignments.ts";
import type { RemoteTarget } from "./remote-target.ts";
import type { RouteObserver } from "./router.ts";

/** What happens to a turn in flight on the new engine when its session is cut. */
export type OnKill =
  /** It may end, for at most `deadlineMs`; then its signal aborts. */
  | { readonly policy: "finish"; readonly deadlineMs?: number }
  /** Its signal aborts at once. The next turn still waits for it, for at most `deadlineMs`. */
  | { readonly policy: "cancel"; readonly deadlineMs?: number };

/** When this process stops sending turns to a failing new engine, by itself. */
export interface BreakerOptions {
  /** Failures in a row. @defaultValue 5 */
  readonly consecutive?: number;
  /** Share of failures in the last `window` turns. @defaultValue 0.5 */
  readonly share?: number;
  /** @defaultValue 50 */
  readonly window?: number;
  /** Doubles with each trip in a row, up to 32 times. @defaultValue 30,000 */
  readonly openMs?: number;
}

/** Options of `createRouter`. */
export interface RouterOptions {
  readonly flags: Flags;
  /** Somebody else's flag system, which says how far a session may go; the local flags cap it. */
  readonly target?: RemoteTarget;
  /** @defaultValue in memory */
  readonly assignments?: AssignmentStore;
  /** A session that is quiet for longer starts anew. @defaultValue 1,800,000 (30 minutes) */
  readonly idleMs?: number;
  /** @defaultValue finish within 60,000 ms */
  readonly onKill?: OnKill;
  /** `false` for none. */
  readonly breaker?: BreakerOptions | false;
  /** How long to wait for the assignment store. @defaultValue 500 */
  readonly assignmentTimeoutMs?: number;
  /**
   * Whether a session's whole legacy history is in the new engine. With it, a running session may go over at a turn
   * boundary.
   */
  readonly migrated?: (session: string, context: FlagContext) => boolean | Promise<boolean>;
  /**
   * Whether the legacy engine knows the session. Without it every session that no assignment speaks of may have a
   * history.
   */
  readonly hasLegacyHistory?: (session: string, context: FlagContext) => boolean | Promise<boolean>;
  /** Whether the new engine has executions of the session: asked when assignments are lost or out of reach. */
  readonly servedByNew?: (session: string, context: FlagContext) => boolean | Promise<boolean>;
  /**
   * When the handover fails: `fail` the turn, or `continue` on legacy and try again before the next one. @defaultValue
   * "fail"
   */
  readonly onHandoverFailure?: "fail" | "continue";
  readonly observer?: RouteObserver;
  readonly clock?: Clock;
  readonly logger?: FlagsLogger;
}

const callable = <T>() => z.custom<T>((value) => typeof value === "function", { message: "not a function" }).optional();
const object = <T>(method: keyof T) =>
  z.custom<T>((value) => typeof (value as T | null)?.[method] === "function", {
    message: `has no ${String(method)}()`,
  });
const milliseconds = (fallback: number) => z.number().positive().default(fallback);
const schema = z.strictObject({
  flags: object<Flags>("decide"),
  target: callable<RemoteTarget>(),
  assignments: object<AssignmentStore>("read").optional(),
  idleMs: milliseconds(30 * 60_000),
  onKill: z
    .strictObject({ policy: z.enum(["finish", "cancel"]), deadlineMs: milliseconds(60_000) })
    .default({ policy: "finish", deadlineMs: 60_000 }),
  breaker: z
    .union([
      z.literal(false),
      z.strictObject({
        consecutive: z.int().positive().default(5),
        share: z.number().positive().max(1).default(0.5),
        window: z.int().positive().default(50),
        openMs: milliseconds(30_000),
      }),
    ])
    .default({ consecutive: 5, share: 0.5, window: 50, openMs: 30_000 }),
  assignmentTimeoutMs: milliseconds(500),
  migrated: callable<NonNullable<RouterOptions["migrated"]>>(),
  hasLegacyHistory: callable<NonNullable<RouterOptions["hasLegacyHistory"]>>(),
  servedByNew: callable<NonNullable<RouterOptions["servedByNew"]>>(),
  onHandoverFailure: z.enum(["fail", "continue"]).default("fail"),
  observer: z.custom<RouteObserver>((value) => typeof value === "object" && value !== null).optional(),
  clock: object<Clock>("now").optional(),
  logger: object<FlagsLogger>("warn").optional(),
});

/** Options with every default filled in. */
export type ParsedRouterOptions = ReturnType<typeof parseRouterOptions>;

/** @throws HebraError `INVALID_OPTIONS` */
export function parseRouterOptions(input: RouterOptions) {
  const options = parseOptions("createRouter", schema, input);
  return {
    ...options,
    assignments: options.assignments ?? memoryAssignments(),
    observer: options.observer ?? {},
    clock: options.clock ?? systemClock,
    logger: options.logger ?? consoleLogger(),
  };
}
