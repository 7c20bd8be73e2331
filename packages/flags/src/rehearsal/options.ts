import { parseOptions, type Clock } from "@hebra/core";
import * as z from "zod";
import type { FlagContext } from "../evaluate/types.ts";
import type { IncidentSink } from "../incident/incident.ts";
import type { HandoverRequest, JudgeAnswer, RouteTurn } from "../route/router.ts";
import { rehearsalFaults, type RehearsalFault } from "./faults.ts";

/** Options of {@link rehearseRollback}. */
export interface RehearsalOptions {
  readonly flag: string;
  /** @defaultValue "provider-5xx" */
  readonly fault?: RehearsalFault;
  /** Of the deployment: `forced-error` is refused in production. */
  readonly environment: string;
  /** The engines of the deployment, as `route()` gets them. */
  readonly legacy: (turn: RouteTurn) => unknown;
  readonly next: (turn: RouteTurn) => unknown;
  readonly handover: (request: HandoverRequest) => void | Promise<void>;
  /** Needed where the engines' answers are no turns that the router understands. */
  readonly outcome?: JudgeAnswer<unknown>;
  /** Whether the old engine has a session's whole history after the hand-back. @defaultValue not asked */
  readonly whole?: (session: string) => boolean | Promise<boolean>;
  /** Puts a fault of your own in force, in the place of the built-in one; what it returns takes it away. */
  readonly inject?: (fault: RehearsalFault) => Promise<() => void | Promise<void>>;
  /** Put before the engines of each synthetic session. @defaultValue org `rehearsal` */
  readonly context?: FlagContext;
  /** Most synthetic sessions before and after the fault, each. @defaultValue 100 */
  readonly sessions?: number;
  /** Turns of each session. @defaultValue 2 */
  readonly turns?: number;
  /** Where the incident of the rehearsal goes. @defaultValue nowhere but into the report */
  readonly incidents?: IncidentSink;
  readonly clock?: Clock;
}

const callable = <T>() => z.custom<T>((value) => typeof value === "function", "must be a function");
const schema = z.strictObject({
  flag: z.string().min(1),
  fault: z.enum(rehearsalFaults).default("provider-5xx"),
  environment: z.string().min(1),
  legacy: callable<RehearsalOptions["legacy"]>(),
  next: callable<RehearsalOptions["next"]>(),
  handover: callable<RehearsalOptions["handover"]>(),
  outcome: callable<NonNullable<RehearsalOptions["outcome"]>>().optional(),
  whole: callable<NonNullable<RehearsalOptions["whole"]>>().optional(),
  inject: callable<NonNullable<RehearsalOptions["inject"]>>().optional(),
  context: z
    .custom<FlagContext>((value) => typeof value === "object" && value !== null, "must be a context")
    .default({ org: "rehearsal" }),
  sessions: z.int().min(20).default(100),
  turns: z.int().min(1).default(2),
  incidents: z
    .custom<IncidentSink>((value) => typeof (value as IncidentSink | null)?.write === "function", "must have write()")
    .optional(),
  clock: z.custom<Clock>((value) => typeof (value as Clock | null)?.now === "function", "must be a clock").optional(),
});

/** @throws HebraError `INVALID_OPTIONS` */
export const parseRehearsal = (options: RehearsalOptions) => parseOptions("rehearseRollback", schema, options);
