import { HebraError } from "@hebra/core";
import {
  defineAction,
  defineThread,
  type ActionMap,
  type AnyAction,
  type AnyThreadDefinition,
  type PartRow,
} from "@hebra/thread";
import { toUiPart } from "@hebra/thread/legacy";
import { toUnsettledPart } from "../ui-parts.ts";
import { inEnv } from "./env.ts";
import type { ThreadHooks } from "./hooks.ts";
import { legacyReactor } from "./loop.ts";
import { plainJson } from "./plain-json.ts";
import { reactionItem, type Scopes, type TurnScope } from "./scope.ts";
import type { Loose, ThreadTool } from "./types.ts";
import { unsupported } from "./unsupported.ts";

/** The old engine knew no limits but that of iterations, which the reactor counts. */
const NO_LIMIT = Number.MAX_SAFE_INTEGER;
/** The longest that a timer can wait, in milliseconds: 24 days. Tools had no time limit. */
const NO_TIMEOUT_MS = 2 ** 31 - 1;

/** A thread of the old kind as a definition of the new engine. */
export function definitionOf(hooks: ThreadHooks, scopes: Scopes, historyItems: number): AnyThreadDefinition {
  return defineThread<Loose, TurnScope>({
    name: hooks.definitionName,
    policy: { maxIterations: NO_LIMIT, maxRepeatedCalls: NO_LIMIT, maxFailedSteps: NO_LIMIT },
    reactor: legacyReactor(hooks, scopes, historyItems),
    async services({ tenant, contextId, executionId }) {
      if (executionId === undefined)
        throw new HebraError("INTERNAL", "A thread of the old kind has services for a turn alone.");
      const scope = await scopes.open({ tenant, contextId, executionId });
      // A turn that is resumed in the middle runs calls before any step of it is prepared here.
      await inEnv(scope.env, async () => setTools(scope, await hooks.buildTools(scope.context, scope.env)));
      return scope;
    },
    async prepareStep({ state, iteration, services: scope, answered }) {
      return inEnv(scope.env, () => prepare(hooks, scope, state, iteration, answered)).catch((error: unknown) => {
        scope.error = error;
        throw error;
      });
    },
    instructions: ({ services }) => services.systemPrompt,
    actions: ({ services }) => services.actions,
  }) as AnyThreadDefinition;
}

/**
 * What the old loop did between two answers, in its order. @returns the context's next content; nothing when the turn
 * is to end
 */
async function prepare(
  hooks: ThreadHooks,
  scope: TurnScope,
  state: unknown,
  iteration: number,
  answered: readonly PartRow["content"][],
): Promise<unknown> {
  const { env } = scope;
  const { opts } = hooks;
  scope.context = { ...scope.context, content: isEmpty(state) ? null : state };
  if (iteration === 0) {
    if (opts.onContextCreated !== undefined && (await scope.isNew()))
      await opts.onContextCreated({ env, context: scope.context });
  } else if (scope.ended || !(await goesOn(hooks, scope, iteration - 1, answered))) {
    scope.stopped = true;
    return undefined;
  }
  scope.stopped = false;
  const content = plainJson(await hooks.initialize(scope.context, env)) ?? {};
  scope.context = { ...scope.context, content };
  await opts.onContextUpdated?.({ env, context: scope.context });
  scope.systemPrompt = await hooks.buildSystemPrompt(scope.context, env);
  setTools(scope, await hooks.buildTools(scope.context, env));
  return content;
}

/** Reports the calls of the last answer, and asks whether the loop goes on. */
async function goesOn(
  hooks: ThreadHooks,
  scope: TurnScope,
  step: number,
  answered: readonly PartRow["content"][],
): Promise<boolean> {
  const last = answered.filter((part) => (part.step ?? 0) === step);
  const results = last.flatMap((part) => {
    if (part.kind !== "action") return [];
    const tc = {
      toolCallId: part.callId,
      toolName: part.name,
      args: part.input,
      auto: scope.tools[part.name]?.auto !== false,
    };
    return [
      part.status === "succeeded"
        ? { tc, success: true, output: part.output ?? null }
        : { tc, success: false, output: null, errorText: part.error ?? "not settled" },
    ];
  });
  for (const { tc, ...outcome } of results) {
    await hooks.opts.onToolCallExecuted?.({
      toolCall: tc,
      ...outcome,
      eventId: scope.reactionEventId,
      executionId: scope.executionId,
    });
  }
  const more = await hooks.shouldContinue({
    env: scope.env,
    context: scope.context,
    reactionEvent: reactionItem(scope, answered.map(toUiPart)),
    assistantEvent: reactionItem(scope, last.map(toUnsettledPart)),
    toolCalls: results.map(({ tc }) => tc),
    toolExecutionResults: results,
  });
  return more !== false;
}

function setTools(scope: TurnScope, tools: Record<string, ThreadTool>): void {
  scope.tools = tools;
  scope.actions = Object.fromEntries(
    Object.entries(tools).map(([name, tool]) => [name, toAction(name, tool, scope)]),
  ) satisfies ActionMap;
}

/** A tool as an action, with what its `execute` was always given. */
function toAction(name: string, tool: ThreadTool, scope: TurnScope): AnyAction {
  const { needsApproval } = tool;
  const approval: AnyAction["approval"] = tool.auto === false || needsApproval === true;
  if (typeof needsApproval === "function")
    throw unsupported(`A function as \`needsApproval\` of the tool ${name}`, "Use `approval` of `defineAction`.");
  return defineAction<Loose, Loose, Loose, Loose>({
    description: tool.description ?? "",
    input: tool.inputSchema as never,
    ...(tool.outputSchema === undefined ? {} : { output: tool.outputSchema as never }),
    timeoutMs: NO_TIMEOUT_MS,
    approval,
    async execute(input, { ids, signal, idempotencyKey }) {
      if (typeof tool.execute !== "function")
        throw new HebraError("ACTION_FAILED", `The tool ${name} has no execute().`);
      const options = {
        toolCallId: ids.callId,
        messages: scope.messages,
        eventId: scope.reactionEventId,
        executionId: scope.executionId,
        triggerEventId: scope.trigger.id,
        contextId: scope.contextId,
        abortSignal: signal,
        idempotencyKey,
      };
      return plainJson(await inEnv(scope.env, () => lastOf(tool.execute!(input, options))));
    },
  });
}

/** A tool may yield progress before its result: the last value is the result. */
async function lastOf(returned: unknown): Promise<unknown> {
  if (typeof returned !== "object" || returned === null || !(Symbol.asyncIterator in returned)) return returned;
  let last: unknown;
  for await (const value of returned as AsyncIterable<unknown>) last = value;
  return last;
}

const isEmpty = (state: unknown) =>
  typeof state === "object" && state !== null && !Array.isArray(state) && Object.keys(state).length === 0;
