import { HebraError, sleep, type Clock } from "@hebra/core";
import type { ActionContext } from "../../definition/define-action.ts";
import type { ActionOutput, NormalAction } from "../../definition/normalize-action.ts";
import { storedError, storedMessage } from "../rows/stored-error.ts";
import type { CallResult } from "./call-result.ts";

/** What a finished call leaves behind. */
export interface FinishedCall {
  result: CallResult;
  /** Members of the state to replace. */
  state: Record<string, unknown> | undefined;
}

/** How a call is run. */
export interface RunCallOptions {
  action: NormalAction;
  input: unknown;
  context: ActionContext;
  clock: Clock;
  /** From 0 to 1. */
  random: () => number;
  /** Told before each further try. */
  retried?: () => void;
}

/**
 * Runs one call to its end: with its time limit, its retries and the form of its output. Never throws: a failure is a
 * result, for the model to read.
 */
export async function runCall(options: RunCallOptions): Promise<FinishedCall> {
  const { action, context, clock, random, retried } = options;
  if (action.runsElsewhere) return { result: awaited(action), state: undefined };
  for (let attempt = 1; ; attempt++) {
    let error: unknown;
    try {
      const tried = await runOnce(options);
      if (!("timeout" in tried)) return { result: succeeded(tried), state: tried.state };
      // It may still take effect: neither retried nor called a failure.
      if (action.effect === "write") return { result: unknownOutcome(action, tried.timeout), state: undefined };
      error = tried.timeout;
    } catch (thrown) {
      error = thrown;
    }
    if (attempt >= action.retry.attempts || context.signal.aborted)
      return { result: { status: "failed", error: storedError(error, "ACTION_FAILED") }, state: undefined };
    retried?.();
    // Full jitter: anything from nothing to the doubled delay.
    await sleep(clock, random() * action.retry.baseMs * 2 ** (attempt - 1), context.signal).catch(() => undefined);
  }
}

/** One try. An action that ignores its signal is left behind at the time limit. */
async function runOnce({
  action,
  input,
  context,
  clock,
}: RunCallOptions): Promise<ActionOutput | { timeout: HebraError }> {
  const stop = new AbortController();
  const passOn = () => stop.abort(context.signal.reason);
  if (context.signal.aborted) passOn();
  context.signal.addEventListener("abort", passOn, { once: true });
  let cancelTimer = () => {};
  const timeout = new Promise<{ timeout: HebraError }>((resolve) => {
    cancelTimer = clock.after(
      action.timeoutMs,
      () => {
        const error = new HebraError("ACTION_TIMEOUT", `${action.spec.name} took longer than ${action.timeoutMs} ms.`, {
          details: { action: action.spec.name, timeoutMs: action.timeoutMs },
        });
        resolve({ timeout: error });
        stop.abort(error);
      },
      { keepAlive: true },
    );
  });
  try {
    return await Promise.race([action.run(input, { ...context, signal: stop.signal }), timeout]);
  } finally {
    cancelTimer();
    context.signal.removeEventListener("abort", passOn);
  }
}

function succeeded({ output, modelOutput, note, notKept }: ActionOutput): CallResult {
  const shown = modelOutput === undefined ? {} : { modelOutput };
  if (note === undefined) return { status: "succeeded", output, ...shown };
  const message = storedMessage(notKept ? `It succeeded. Its output is not kept: ${note}.` : `${note}.`);
  const told = { code: "ACTION_OUTPUT_INVALID", message, retryable: false };
  return { status: "succeeded", output: notKept ? message : output, note: told, ...shown };
}

/** The turn waits until somebody gives the result: the same as for a call of which nobody knows what became of it. */
function awaited({ spec: { name } }: NormalAction): CallResult {
  const message = `The result of ${name} comes from elsewhere and is not there yet.`;
  return {
    status: "interrupted",
    error: { code: "ACTION_AWAITS_RESULT", message, retryable: false },
    asksPerson: true,
    question: `${name} runs elsewhere. What is its result?`,
  };
}

function unknownOutcome({ asksWhenInterrupted }: NormalAction, { message }: HebraError): CallResult {
  const told = `${message} Whether it took effect is unknown: check before doing it again.`;
  const error = { code: "ACTION_TIMEOUT", message: told, retryable: false };
  return { status: "interrupted", error, ...(asksWhenInterrupted ? { asksPerson: true as const } : {}) };
}
