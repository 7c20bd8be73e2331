import { parseOptions, sleep, systemClock, type Clock } from "@hebra/core";
import { abortedError } from "./aborted.ts";
import type { ReactorEvent } from "./events.ts";
import type { Reactor, ReactorInput } from "./reactor.ts";
import { parseStep, pickStep, scriptedOptions } from "./scripted-options.ts";
import { eventsOfStep, type ScriptedStep } from "./scripted-step.ts";
import type { ScriptedStepSource } from "./scripted-step-source.ts";

export type { ScriptedAction, ScriptedStep } from "./scripted-step.ts";
export type { ScriptedStepSource } from "./scripted-step-source.ts";

/** Options of {@link scriptedReactor}. */
export interface ScriptedReactorOptions {
  /**
   * The answers of one execution: the first for iteration 0, and so on. Every execution plays them from the start. A
   * function
   * picks the script of an execution from its input, e.g. from the trigger; it must give the same script for the same
   * input.
   */
  steps: readonly ScriptedStepSource[] | ((input: ReactorInput) => readonly ScriptedStepSource[]);
  /** Plays the last step again for every iteration after it. @defaultValue false */
  repeatLast?: boolean;
  /** Milliseconds before every event. Zero uses no timer at all. @defaultValue 0 */
  delayMs?: number;
  /** Where `delayMs` is waited. @defaultValue the system's clock */
  clock?: Clock;
  /** The reactor's name in telemetry. @defaultValue "scripted" */
  name?: string;
  /** Whether the script has actions with a `result` or an `approval`. @defaultValue what the steps given as data say */
  runsActions?: boolean;
}

/**
 * A reactor that plays a script, for tests, demonstrations and benchmarks. The answer depends on the iteration and,
 * where a
 * step is a function, on its input: nothing is kept between calls, so the same call after a crash or in another process
 * gives
 * the same events with the same ids.
 *
 * @throws HebraError `INVALID_OPTIONS` for an empty script or an unknown key; `react` throws `SCRIPT_EXHAUSTED` after
 * the last
 * step.
 *
 * @example
 * ```ts
 * import { scriptedReactor } from "@hebra/reactor/scripted";
 *
 * const reactor = scriptedReactor({
 *   steps: [
 *     { actions: [{ name: "findOrder", input: { id: "A-17" } }] },
 *     { text: ["Your order ", "is on its way."], usage: { inputTokens: 40, outputTokens: 9 } },
 *   ],
 * });
 * console.log(reactor.contract); // reactor-v1
 * ```
 */
export function scriptedReactor(options: ScriptedReactorOptions): Reactor {
  const {
    steps,
    repeatLast = false,
    delayMs = 0,
    clock = systemClock,
    name = "scripted",
    runsActions,
  } = parseOptions("scriptedReactor", scriptedOptions, options);
  const asData = typeof steps === "function" ? [] : steps.filter((step) => typeof step !== "function");
  if (typeof steps !== "function")
    steps.forEach((step, i) => typeof step !== "function" && parseStep(step, `steps[${i}]`));

  async function* react(input: ReactorInput): AsyncGenerator<ReactorEvent, void, undefined> {
    const source = pickStep(steps, repeatLast, input);
    const step = typeof source === "function" ? parseStep(await source(input), `step ${input.ids.iteration}`) : source;
    const { events, error } = eventsOfStep(step, input.ids);
    for (const event of events) {
      if (input.signal.aborted) throw abortedError(input.signal);
      if (delayMs > 0) await sleep(clock, delayMs, input.signal);
      yield event;
    }
    if (error !== undefined) throw error;
  }
  return {
    contract: "reactor-v1",
    name,
    react,
    ...((runsActions ?? asData.some(ownsActions)) ? { runsActions: true } : {}),
  };
}

function ownsActions(step: ScriptedStep): boolean {
  return step.actions?.some((action) => action.result !== undefined || action.approval !== undefined) ?? false;
}
