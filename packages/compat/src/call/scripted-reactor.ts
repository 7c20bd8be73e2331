import { HebraError } from "@hebra/core";
import { OUTPUT_TEXT_ITEM_TYPE } from "./items.ts";
import type {
  Loose,
  ThreadEnvironment,
  ThreadItem,
  ThreadReactionLLM,
  ThreadReactionResult,
  ThreadReactionToolCall,
  ThreadReactor,
  ThreadReactorParams,
} from "./types.ts";

/** @deprecated Use `ScriptedStep`. */
export interface ScriptedReactionPayload {
  assistantEvent?: Partial<ThreadItem>;
  toolCalls?: ThreadReactionToolCall[];
  actionRequests?: { actionRef: string; actionName: string; input: Loose }[];
  messagesForModel?: Loose[];
  llm?: ThreadReactionLLM;
}

/** @deprecated Use `ScriptedStepSource`. */
export type ScriptedReactorStep<Context = Loose, Env extends ThreadEnvironment = ThreadEnvironment> =
  | ScriptedReactionPayload
  | ((params: ThreadReactorParams<Context, Env>) => ScriptedReactionPayload | Promise<ScriptedReactionPayload>);

/** @deprecated Use `ScriptedReactorOptions`. */
export interface CreateScriptedReactorOptions<Context = Loose, Env extends ThreadEnvironment = ThreadEnvironment> {
  /** One for each answer, over all turns that this reactor serves. */
  steps: ScriptedReactorStep<Context, Env>[];
  /** Plays the last step again for every answer after it. @defaultValue false */
  repeatLast?: boolean;
}

/** Answers that a reactor remembers its place for, in case they are asked again. */
const MAX_PLACES = 10_000;

/**
 * A reactor that plays a script. Its place is the reactor's own, over all turns, as it always was; the same answer
 * asked for
 * again gets the same step.
 *
 * @deprecated Use `scriptedReactor` of `@hebra/thread/reactor`: its script is each turn's own, also after a crash.
 * @throws HebraError `INVALID_OPTIONS` for an empty script; the turn fails with `SCRIPT_EXHAUSTED` after the last step.
 */
export function createScriptedReactor<Context = Loose, Env extends ThreadEnvironment = ThreadEnvironment>(
  options: CreateScriptedReactorOptions<Context, Env>,
): ThreadReactor<Context, Env> {
  const { steps, repeatLast = false } = options;
  if (!Array.isArray(steps) || steps.length === 0)
    throw new HebraError("INVALID_OPTIONS", "createScriptedReactor: `steps` must hold at least one step.");
  const places = new Map<string, number>();
  let next = 0;
  return async (params): Promise<ThreadReactionResult> => {
    const asked = `${params.executionId} ${params.iteration}`;
    const place = places.get(asked) ?? next++;
    if (places.size >= MAX_PLACES) places.clear();
    places.set(asked, place);
    const step = steps[place] ?? (repeatLast ? steps.at(-1) : undefined);
    if (step === undefined) {
      throw new HebraError(
        "SCRIPT_EXHAUSTED",
        `createScriptedReactor: the script has ${steps.length} steps and was asked for one more. Add steps, or set \`repeatLast\`.`,
        { details: { steps: steps.length } },
      );
    }
    const { assistantEvent, ...rest } = typeof step === "function" ? await step(params) : step;
    return {
      ...rest,
      assistantEvent: {
        id: params.eventId,
        type: OUTPUT_TEXT_ITEM_TYPE,
        channel: params.triggerEvent.channel,
        createdAt: new Date().toISOString(),
        ...assistantEvent,
        content: { parts: [], ...(assistantEvent?.content as object | undefined) },
      },
    };
  };
}
