import type { StandardSchemaV1 } from "@standard-schema/spec";
import { parseOptions, type JsonValue } from "@hebra/core";
import * as z from "zod";

/**
 * What happens to a trigger that finds its thread busy: `queue` waits its turn; `reject` writes nothing and throws
 * `THREAD_BUSY`; `interrupt` cancels the running turn and goes next; `steer` is heard by the running turn before its
 * next
 * step; `merge` joins the turn that waits last in line.
 */
export type BusyPolicy = "queue" | "reject" | "interrupt" | "steer" | "merge";

/** How far a turn may go. A limit that is reached ends the turn as `incomplete`; it is never an exception. */
export interface LoopPolicy<Output = JsonValue> {
  /** Model answers in one turn. @defaultValue 20 */
  maxIterations?: number;
  /** Input and output tokens of one turn. @defaultValue unlimited */
  maxTokens?: number;
  /** United States dollars of one turn, as far as reactors report them. @defaultValue unlimited */
  maxCostUsd?: number;
  /** Milliseconds from the turn's start, waiting for approvals left out. @defaultValue unlimited */
  maxDurationMs?: number;
  /** How often the same action may be called with the same input in one turn. @defaultValue 3 */
  maxRepeatedCalls?: number;
  /** How many answers in a row may consist of failed calls alone. @defaultValue 5 */
  maxFailedSteps?: number;
  /** The turn is complete only once this action succeeded; an answer without it is asked for again. */
  requiredAction?: string;
  /**
   * The final answer must be JSON of this schema; it is validated, kept as the execution's `output`, and asked for
   * again when wrong.
   */
  output?: StandardSchemaV1<unknown, Output>;
  /** How often an answer is asked for again before the turn ends as `incomplete`. @defaultValue 2 */
  maxReasks?: number;
  /** What happens to a trigger that finds the thread busy. @defaultValue "queue" */
  whenBusy?: BusyPolicy;
  /**
   * When an answer is recorded whose calls are all of `effect: "read"`. `at-once`: before they run, in a commit of its
   * own. `with-results`: in one commit with their results, or after the engine's `settleWindowMs` where they take
   * longer, which saves a commit a step. The price: a process that dies in that time leaves no trace of the answer, so
   * that the model is asked and paid for once more, may answer otherwise, and the reads run again.
   *
   * @defaultValue "at-once"
   */
  recordReads?: "at-once" | "with-results";
}

/** A policy with its defaults filled in. */
export interface ResolvedPolicy {
  maxIterations: number;
  maxTokens: number;
  maxCostUsd: number;
  maxDurationMs: number;
  maxRepeatedCalls: number;
  maxFailedSteps: number;
  requiredAction: string | undefined;
  output: StandardSchemaV1 | undefined;
  maxReasks: number;
  whenBusy: BusyPolicy;
  recordReads: "at-once" | "with-results";
}

const positive = z.number().positive();
const schema = z.strictObject({
  maxIterations: positive.int().default(20),
  maxTokens: positive.default(Infinity).or(z.literal(Infinity)),
  maxCostUsd: positive.default(Infinity).or(z.literal(Infinity)),
  maxDurationMs: positive.default(Infinity).or(z.literal(Infinity)),
  maxRepeatedCalls: positive.int().default(3),
  maxFailedSteps: positive.int().default(5),
  requiredAction: z.string().optional(),
  output: z.custom<StandardSchemaV1>((value) => typeof value === "object" || typeof value === "function").optional(),
  maxReasks: z.number().int().nonnegative().default(2),
  whenBusy: z.enum(["queue", "reject", "interrupt", "steer", "merge"]).default("queue"),
  recordReads: z.enum(["at-once", "with-results"]).default("at-once"),
});

/** Fills in the defaults. @throws HebraError `INVALID_OPTIONS` */
export function resolvePolicy(policy: LoopPolicy<unknown>, where: string): ResolvedPolicy {
  const parsed = parseOptions(where, schema, policy);
  return { ...parsed, requiredAction: parsed.requiredAction, output: parsed.output };
}
