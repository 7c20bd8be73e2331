import { canonicalJson, HebraError, type JsonValue } from "@hebra/core";
import { scriptedReactor, type ScriptedStep } from "@hebra/reactor";
import type { AnyThreadDefinition, ActionMap, ToolLike } from "../definition/define-thread.ts";
import * as z from "zod";
import { defineAction, type AnyAction, type ModelOutput } from "../definition/define-action.ts";
import { memoryStore } from "../store/memory.ts";
import type { ContextBundle, ExecutionGraph, StateDocument, ThreadStore } from "../store/store.ts";
import { createEngine } from "./engine.ts";
import { READ_MORE } from "./prompt/references.ts";

/** How a replayed turn compares with the recorded one. */
export interface Replayed {
  /** Whether the rows are the same, times left out. */
  same: boolean;
  /** The first row that differs. */
  difference:
    | { table: "execution" | "steps" | "parts" | "calls"; id: string; recorded: JsonValue; replayed: JsonValue }
    | undefined;
  /** The rows of the replay. */
  graph: ExecutionGraph;
}

/**
 * Plays a recorded turn again, in memory: the model says what it said, each action gives what it gave, and the engine,
 * with
 * today's definition, makes rows of it. A definition that has changed shows as a difference. Nothing outside is
 * touched, and
 * no action runs; nothing of it is told to OpenTelemetry, since nothing of it happens.
 *
 * @throws HebraError `EXECUTION_NOT_FOUND`, `UNSUPPORTED` for a turn that has not ended or was imported.
 */
export async function replay(options: {
  store: ThreadStore;
  executionId: string;
  definition: AnyThreadDefinition;
  tenant?: string;
}): Promise<Replayed> {
  const { store, executionId, definition, tenant = "default" } = options;
  const recorded = await store.execution(tenant, executionId);
  if (recorded === undefined)
    throw new HebraError("EXECUTION_NOT_FOUND", `There is no execution ${executionId}.`, {
      details: { tenant, executionId },
    });
  const { execution } = recorded;
  if (execution.endedAt === null || execution.provenance !== null) {
    throw new HebraError(
      "UNSUPPORTED",
      `The turn ${executionId} ${execution.endedAt === null ? "has not ended" : "was imported"}: only a turn that this engine has finished can be played again.`,
    );
  }
  const scratch = memoryStore();
  const bundle = await store.export(tenant, execution.contextId);
  const document = await store.stateAt(tenant, execution.contextId, execution.triggerItemId);
  await scratch.import(tenant, before(bundle!, recorded, document));
  const engine = createEngine({
    store: scratch,
    threads: [played(definition, recorded)],
    random: () => 0,
    telemetry: { enabled: false },
  });
  try {
    const trigger = recorded.items.find(({ id }) => id === execution.triggerItemId)!;
    const turn = await engine.react(
      definition.name,
      {
        id: execution.triggerId,
        parts: trigger.content as never,
        role: trigger.role === "system" ? "system" : "user",
        channel: trigger.channel,
        metadata: trigger.metadata,
        correlation: execution.correlation,
      },
      { address: { contextId: execution.contextId } },
    );
    await turn.result;
    await engine.idle();
    const graph = (await scratch.execution(tenant, turn.executionId))!;
    const difference = firstDifference(recorded, graph);
    return { same: difference === undefined, difference, graph };
  } finally {
    await engine.close();
    await scratch.close();
  }
}

/** The context as it was before the turn. Its rows are marked as brought in, since another store wrote them. */
function before(bundle: ContextBundle, { execution, items }: ExecutionGraph, document: StateDocument): ContextBundle {
  const seq = items.find(({ id }) => id === execution.triggerItemId)!.seq! - 1;
  const provenance = { source: "replay" };
  const kept = bundle.items.filter((item) => item.seq !== null && item.seq <= seq);
  const earlier = new Set(
    bundle.executions
      .filter((row) => row.endedAt !== null && kept.some(({ id }) => id === row.reactionItemId))
      .map(({ id }) => id),
  );
  const mine = <T extends { executionId: string | null }>(rows: readonly T[]) =>
    rows
      .filter((row) => row.executionId !== null && earlier.has(row.executionId))
      .map((row) => ({ ...row, provenance }));
  return {
    thread: { ...bundle.thread, provenance },
    context: {
      ...bundle.context,
      ...document,
      seq,
      status: "open",
      currentExecutionId: null,
      parentContextId: null,
      parentSeq: null,
      provenance,
    },
    items: kept.map((item) => ({ ...item, provenance })),
    executions: bundle.executions.filter(({ id }) => earlier.has(id)).map((row) => ({ ...row, provenance })),
    steps: mine(bundle.steps),
    parts: mine(bundle.parts),
    calls: mine(bundle.calls),
  };
}

/** The definition with a model that says what was said, and actions that give what was given. */
function played(definition: AnyThreadDefinition, recorded: ExecutionGraph): AnyThreadDefinition {
  const steps = recorded.steps.map((step) => script(recorded, step.id));
  const readMore = given(
    READ_MORE,
    defineAction({
      description: "Gives what was read.",
      input: z.record(z.string(), z.unknown()),
      execute: () => null,
    }),
    recorded,
  );
  return {
    ...definition,
    compaction: undefined,
    reactor: scriptedReactor({ steps: steps.length > 0 ? steps : [{ text: "" }] }),
    actions: (context) => ({
      ...(recorded.calls.some(({ name }) => name === READ_MORE) ? { [READ_MORE]: readMore } : {}),
      ...Object.fromEntries(
        Object.entries(definition.actions(context) as ActionMap).map(([name, action]) => [
          name,
          given(name, action, recorded),
        ]),
      ),
    }),
  };
}

/** The action, giving what it gave. */
function given(name: string, action: AnyAction | ToolLike, recorded: ExecutionGraph): AnyAction | ToolLike {
  const { resultOf, shownOf } = recordedResults(name, recorded);
  if (!("input" in action)) {
    const { needsApproval: _needsApproval, outputSchema: _outputSchema, ...rest } = action;
    return {
      ...rest,
      execute: (_input: unknown, { toolCallId }: { toolCallId: string }) => resultOf(toolCallId),
      toModelOutput: ({ output, input }: { output: JsonValue; input: JsonValue }) => shownOf(output, input),
    };
  }
  const { approval: _approval, output: _output, retry: _retry, ...rest } = action;
  return {
    ...rest,
    execute: (_input: unknown, { ids }: { ids: { callId: string } }) => resultOf(ids.callId),
    toModelOutput: shownOf,
  };
}

function recordedResults(name: string, { calls, parts }: ExecutionGraph) {
  const mine = calls.filter((call) => call.name === name);
  const shown = new Map(
    parts.flatMap(({ content }) => (content.kind === "action" ? [[content.callId, content.modelOutput] as const] : [])),
  );
  return {
    resultOf(callId: string): JsonValue {
      const call = mine.find((one) => one.callId === callId);
      if (call?.status === "succeeded") return call.output;
      throw new HebraError("ACTION_FAILED", call?.error?.message ?? "It was not called in the recorded turn.");
    },
    shownOf(output: JsonValue, input: JsonValue): ModelOutput {
      const call = mine.find(
        (one) =>
          canonicalJson(one.input) === canonicalJson(input) && canonicalJson(one.output) === canonicalJson(output),
      );
      return (call && shown.get(call.callId)) ?? [];
    },
  };
}

function script(recorded: ExecutionGraph, stepId: string): ScriptedStep {
  const step = recorded.steps.find(({ id }) => id === stepId)!;
  const parts = recorded.parts.filter((part) => part.stepId === stepId).map((part) => part.content);
  const texts = (kind: "text" | "reasoning") => parts.flatMap((part) => (part.kind === kind ? [part.text] : []));
  const actions = parts.flatMap((part) =>
    part.kind === "action" ? [{ name: part.name, input: part.input, callId: part.callId }] : [],
  );
  if (step.error !== null) return { error: new HebraError("REACTOR_FAILED", step.error.message, { retryable: false }) };
  return {
    ...(texts("reasoning").length > 0 ? { reasoning: texts("reasoning").join("") } : {}),
    ...(texts("text").length > 0 ? { text: texts("text").join("") } : {}),
    ...(actions.length > 0 ? { actions } : {}),
    ...(step.usage === null ? {} : { usage: step.usage }),
  };
}

/** What must be the same: everything but times, fences and how often a process tried. */
function firstDifference(recorded: ExecutionGraph, replayed: ExecutionGraph): Replayed["difference"] {
  const { status, outcome, definition, output, triggerItemId, reactionItemId } = recorded.execution;
  const own = { status, outcome, definition, output, triggerItemId, reactionItemId };
  const other = Object.fromEntries(Object.keys(own).map((key) => [key, replayed.execution[key as keyof typeof own]]));
  if (canonicalJson(own) !== canonicalJson(other))
    return { table: "execution", id: recorded.execution.id, recorded: own as JsonValue, replayed: other as JsonValue };
  const views = {
    steps: (graph: ExecutionGraph) =>
      graph.steps.map(({ id, iteration, status, usage }) => ({ id, iteration, status, usage })),
    parts: (graph: ExecutionGraph) => graph.parts.map(({ id, index, content }) => ({ id, index, content })),
    calls: (graph: ExecutionGraph) =>
      graph.calls.map(({ id, callId, name, input, output, status }) => ({
        id,
        callId,
        name,
        input,
        output,
        settled: status === "succeeded",
      })),
  };
  for (const [table, view] of Object.entries(views) as [
    keyof typeof views,
    (graph: ExecutionGraph) => { id: string }[],
  ][]) {
    const want = view(recorded);
    const have = view(replayed);
    for (let i = 0; i < Math.max(want.length, have.length); i++) {
      if (canonicalJson(want[i] ?? null) === canonicalJson(have[i] ?? null)) continue;
      return {
        table,
        id: (want[i] ?? have[i])!.id,
        recorded: (want[i] ?? null) as JsonValue,
        replayed: (have[i] ?? null) as JsonValue,
      };
    }
  }
  return undefined;
}
