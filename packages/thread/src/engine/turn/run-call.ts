import { errorCode, errorMessage, HebraError, sleep, type Clock } from "@hebra/core";
import type { ActionContext } from "../../definition/define-action.ts";
import type { ActionOutput, NormalAction } from "../../definition/normalize-action.ts";
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
 * Runs one call to its end: with its time limit, its retries and its output check. Never throws: a failure is a result,
 * for the model to read.
 */
export async function runCall(options: RunCallOptions): Promise<FinishedCall> {
  const { action, context, clock, random, retried } = options;
  for (let attempt = 1; ; attempt++) {
    try {
      const { output, state } = await runOnce(options);
      return { result: { status: "succeeded", output }, state };
    } catch (error) {
      if (attempt >= action.retry.attempts || context.signal.aborted)
        return { result: failure(error), state: undefined };
      retried?.();
      // Full jitter: anything from nothing to the doubled delay.
      await sleep(clock, random() * action.retry.baseMs * 2 ** (attempt - 1), context.signal).catch(() => undefined);
    }
  }
}

/** One try. An action that ignores its signal is left behind at the time limit. */
async function runOnce({ action, input, context, clock }: RunCallOptions): Promise<ActionOutput> {
  const stop = new AbortController();
  const passOn = () => stop.abort(context.signal.reason);
  if (context.signal.aborted) passOn();
  context.signal.addEventListener("abort", passOn, { once: true });
  let cancelTimer = () => {};
  const timeout = new Promise<never>((_, reject) => {
    cancelTimer = clock.after(
      action.timeoutMs,
      () => {
        const error = new HebraError("ACTION_TIMEOUT", `${action.spec.name} took longer than ${action.timeoutMs} ms.`, {
          details: { action: action.spec.name, timeoutMs: action.timeoutMs },
        });
        stop.abort(error);
        reject(error);
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

function failure(error: unknown): CallResult {
  const code = errorCode(error) ?? "ACTION_FAILED";
  return {
    status: "failed",
    error: { code, message: errorMessage(error), retryable: HebraError.isInstance(error) && error.retryable },
  };
}
