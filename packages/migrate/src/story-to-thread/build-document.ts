import { canonicalJson, deriveId, digest, type JsonObject, type JsonValue } from "@hebra/core";
import type { Note } from "../mapping/clean-row.ts";
import type { EntityMapping } from "../mapping/mapping.ts";
import { first, idOf, transformRow, type Reject } from "../mapping/transform.ts";
import type { StoryGroup } from "../source/source.ts";
import type { ContextDocument } from "../target/target.ts";
import { storyToThread, type StoryEntity } from "./mapping.ts";
import {
  contentParts,
  contentResults,
  isStepStart,
  mapPart,
  stepResults,
  type ContentPart,
  type MappedPart,
} from "./parts.ts";

/** The row version of the thread store that this mapping writes. */
const ROW_VERSION = 1;
const SOURCE = "story";

/** A context as it will be in the target, and the rows that found no place in it. */
export interface BuiltDocument {
  document: ContextDocument | undefined;
  rejects: Reject[];
  /** What was repaired in rows that are moved. */
  notes: Note[];
}

type Row = JsonObject & { id: string };

/**
 * Maps one context with all its rows. Pure: the same group always gives the same bytes, in whatever order its rows
 * come.
 */
export function buildDocument(group: StoryGroup): BuiltDocument {
  const rejects: Reject[] = [];
  const notes: Note[] = [];
  const map = (from: StoryEntity, to: string, rows: readonly JsonObject[]): Row[] => {
    const entity = storyToThread.entities.find(
      (candidate) => candidate.from === from && candidate.to === to,
    ) as EntityMapping;
    return rows.flatMap((row) => {
      const result = transformRow(storyToThread, entity, row);
      if (result.ok) {
        // A context becomes two rows, and is noted once.
        if (to !== "thread_threads") notes.push(...result.notes);
        return [result.row as Row];
      }
      rejects.push(result.reject);
      return [];
    });
  };
  /** Keeps the rows whose parent made it; the others are rejected with it. */
  const under = (entity: StoryEntity, rows: Row[], link: string, parents: ReadonlyMap<string, unknown>, what: string) =>
    rows.filter((row) => {
      const parent = row[link];
      if (typeof parent === "string" && parents.has(parent)) return true;
      rejects.push({
        entity,
        id: row.id,
        code: "ROW_ORPHANED",
        path: link,
        detail: `its ${what} ${String(parent)} is not there`,
      });
      return false;
    });

  const [thread] = map("context_contexts", "thread_threads", [group.main ?? group.context]);
  const [context] = thread === undefined ? [] : map("context_contexts", "thread_contexts", [group.context]);
  if (thread === undefined || context === undefined)
    return { document: undefined, rejects: [...rejects, ...orphans(group)], notes: [] };

  const mappedItems = map("context_events", "thread_items", group.events).sort(byTime);
  const itemsById = byId(mappedItems);
  const executions = under(
    "story_executions",
    under(
      "story_executions",
      map("story_executions", "thread_executions", group.executions).sort(byTime),
      "triggerItemId",
      itemsById,
      "trigger",
    ),
    "reactionItemId",
    itemsById,
    "reaction",
  );
  const executionsById = byId(executions);
  const steps = under(
    "story_steps",
    map("story_steps", "thread_steps", group.steps),
    "executionId",
    executionsById,
    "execution",
  ).sort(byIteration);
  const stepsById = byId(steps);
  const storyParts = under(
    "story_parts",
    map("story_parts", "thread_parts", group.parts),
    "stepId",
    stepsById,
    "step",
  ).sort(byIndex);
  const stepsOf = groupBy(steps, (row) => String(row["executionId"]));
  const storyPartsOf = groupBy(storyParts, (row) => String(row["stepId"]));
  const callsOf = new Map<string, number>();
  const executionOfItem = new Map(
    executions.flatMap((row) => [[row["triggerItemId"], row.id] as const, [row["reactionItemId"], row.id] as const]),
  );

  const shared = (id: string, at: Row) => ({
    v: ROW_VERSION,
    id,
    createdAt: at["createdAt"]!,
    updatedAt: at["updatedAt"]!,
    provenance: { source: SOURCE, id },
  });
  const parts: JsonObject[] = [];
  const calls: JsonObject[] = [];
  const items = mappedItems.map((item, i): JsonObject => {
    const own =
      executionOfItem.get(item.id) ??
      (typeof item["executionId"] === "string" && executionsById.has(item["executionId"]) ? item["executionId"] : null);
    const content = contentParts(item["content"]!);
    const execution = own === null ? undefined : executionsById.get(own);
    const fromSteps =
      execution !== undefined && execution["reactionItemId"] === item.id ? partsOf(execution, item, content) : [];
    return {
      ...shared(item.id, item),
      threadId: thread.id,
      contextId: context.id,
      executionId: own,
      seq: i + 1,
      kind: item["kind"]!,
      role: item["role"]!,
      channel: item["channel"]!,
      status: item["status"]!,
      // Where there are part rows they are the truth; a message without steps keeps its parts itself.
      content: fromSteps.length > 0 ? [] : content.map(({ part, step }) => mapPart(part, step, new Map()).content),
      metadata: {},
    };
  });

  /** The parts of a reaction: those of its steps with their results, then what only the message itself holds. */
  function partsOf(execution: Row, item: Row, content: readonly ContentPart[]): JsonObject[] {
    const made: JsonObject[] = [];
    const known = contentResults(content);
    const seen = new Map<string, number>();
    const add = (mapped: MappedPart, id: string, step: Row | undefined) => {
      const row = {
        ...shared(id, step ?? item),
        contextId: context!.id,
        executionId: execution.id,
        stepId: step?.id ?? null,
        itemId: item.id,
        index: made.length,
        kind: mapped.content["kind"]!,
        content: mapped.content,
      };
      made.push(row);
      if (mapped.call === undefined || step === undefined) return;
      const { callId, name, input, settled } = mapped.call;
      const callRowId = deriveId("story-call", step.id, callId, id);
      const index = callsOf.get(step.id) ?? 0;
      callsOf.set(step.id, index + 1);
      callsOf.set(execution.id, (callsOf.get(execution.id) ?? 0) + 1);
      calls.push({
        ...shared(callRowId, step),
        provenance: { source: SOURCE, id },
        contextId: context!.id,
        executionId: execution.id,
        stepId: step.id,
        callId,
        partId: id,
        index,
        name,
        input,
        effect: "write",
        status: settled?.status ?? "interrupted",
        output: settled?.status === "succeeded" ? settled.output : null,
        error:
          settled?.status === "failed" || settled?.status === "denied"
            ? {
                code: settled.status === "denied" ? "APPROVAL_DECIDED" : "ACTION_FAILED",
                message: settled.error,
                retryable: false,
              }
            : null,
        idempotencyKey: callRowId,
        attempt: 1,
      });
    };
    const executionSteps = stepsOf.get(execution.id) ?? [];
    const lastIteration = Number(executionSteps.at(-1)?.["iteration"] ?? 0);
    for (const step of executionSteps) {
      const results = new Map([...stepResults(step["results"]!), ...known]);
      for (const part of storyPartsOf.get(step.id) ?? []) {
        if (isStepStart(part["part"] as JsonObject)) continue;
        const mapped = mapPart(part["part"] as JsonObject, Number(step["iteration"]), results);
        seen.set(identity(mapped), (seen.get(identity(mapped)) ?? 0) + 1);
        add(mapped, part.id, step);
      }
    }
    if (made.length === 0) return [];
    for (const [i, { part }] of content.entries()) {
      const mapped = mapPart(part, lastIteration, new Map());
      const left = seen.get(identity(mapped)) ?? 0;
      if (left > 0) seen.set(identity(mapped), left - 1);
      else add(mapped, deriveId("story-content-part", item.id, i), undefined);
    }
    parts.push(...made);
    return made;
  }

  const mainContextId = group.main === undefined ? context.id : idOf(group.main["id"])!;
  return {
    rejects,
    notes,
    document: {
      thread: { ...shared(thread.id, thread), key: thread["key"], name: thread["name"], mainContextId },
      context: {
        ...shared(context.id, context),
        provenance: contextProvenance(group, context.id),
        threadId: thread.id,
        status: context["status"],
        state: context["state"],
        stateVersion: 1,
        seq: items.length,
        inboxSeq: 0,
        fence: 0,
        currentExecutionId: null,
        parentContextId: null,
        parentSeq: null,
        sessions: {},
        importing: false,
      },
      items,
      executions: executions.map((row) =>
        executionRow(
          row,
          thread.id,
          context.id,
          shared(row.id, row),
          stepsOf.get(row.id)?.length ?? 0,
          callsOf.get(row.id) ?? 0,
        ),
      ),
      steps: steps.map((row) => stepRow(row, context.id, shared(row.id, row))),
      parts,
      calls,
      triggers: executions.map((row) => triggerRow(row, itemsById.get(String(row["triggerItemId"]))!, context.id)),
    },
  };
}

/** Another line of a thread is reached by its context id; the key that the old engine had for it is kept beside it. */
function contextProvenance({ context, main }: StoryGroup, id: string): JsonObject {
  const key = first(context, ["key"])?.value;
  return { source: SOURCE, id, ...(main === undefined || typeof key !== "string" ? {} : { key: key.toWellFormed() }) };
}

function executionRow(
  row: Row,
  threadId: string,
  contextId: string,
  shared: JsonObject,
  steps: number,
  calls: number,
): JsonObject {
  const outcomes: Record<string, string> = {
    completed: "stop",
    failed: "error",
    cancelled: "cancelled",
    incomplete: "imported-unfinished",
  };
  return {
    ...shared,
    threadId,
    contextId,
    triggerId: row["triggerItemId"]!,
    triggerItemId: row["triggerItemId"]!,
    reactionItemId: row["reactionItemId"]!,
    definition: SOURCE,
    definitionVersion: 1,
    status: row["status"]!,
    outcome: outcomes[String(row["status"])] ?? null,
    error: null,
    usage: { steps, calls },
    output: null,
    attempt: 1,
    inboxSeq: null,
    correlation: row["workflowRunId"] === null ? {} : { workflowRunId: row["workflowRunId"]! },
    startedAt: row["createdAt"]!,
    endedAt: row["updatedAt"]!,
  };
}

function stepRow(row: Row, contextId: string, shared: JsonObject): JsonObject {
  return {
    ...shared,
    contextId,
    executionId: row["executionId"]!,
    iteration: row["iteration"]!,
    status: row["status"]!,
    attempt: 1,
    usage: null,
    finishReason: null,
    error: row["errorText"] === null ? null : { code: "REACTOR_FAILED", message: row["errorText"]!, retryable: false },
  };
}

/** A trigger that is delivered once more after the move is known, not run again. */
function triggerRow(execution: Row, item: Row, contextId: string): JsonObject {
  const content = contentParts(item["content"]!).map(({ part }) => mapPart(part, 0, new Map()).content);
  for (const part of content) delete part["step"];
  const payload = { content, role: item["role"]!, channel: item["channel"]!, metadata: {} };
  return {
    v: ROW_VERSION,
    contextId,
    triggerId: item.id,
    digest: digest(payload),
    executionId: execution.id,
    createdAt: execution["createdAt"]!,
  };
}

/** What makes two parts the same: a call's id, or all that another holds. */
function identity({ content, call }: MappedPart): string {
  if (call !== undefined) return `call ${call.callId}`;
  const { step: _step, ...rest } = content;
  return canonicalJson(rest);
}

function orphans(group: StoryGroup): Reject[] {
  const children: [StoryEntity, JsonObject[]][] = [
    ["context_events", group.events],
    ["story_executions", group.executions],
    ["story_steps", group.steps],
    ["story_parts", group.parts],
  ];
  return children.flatMap(([entity, rows]) =>
    rows.map((row): Reject => ({
      entity,
      id: typeof row["id"] === "string" ? row["id"].toWellFormed() : null,
      code: "ROW_ORPHANED",
      path: "context",
      detail: "its context was rejected",
    })),
  );
}

function groupBy(rows: readonly Row[], keyOf: (row: Row) => string): Map<string, Row[]> {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const group = groups.get(keyOf(row));
    if (group === undefined) groups.set(keyOf(row), [row]);
    else group.push(row);
  }
  return groups;
}

const byId = (rows: readonly Row[]) => new Map(rows.map((row) => [row.id, row]));
const compare = (a: JsonValue | undefined, b: JsonValue | undefined) =>
  a === b ? 0 : (a as number | string) < (b as number | string) ? -1 : 1;
const byTime = (a: Row, b: Row) => compare(a["createdAt"], b["createdAt"]) || compare(a.id, b.id);
const byIteration = (a: Row, b: Row) => compare(a["iteration"], b["iteration"]) || byTime(a, b);
const byIndex = (a: Row, b: Row) => compare(a["index"], b["index"]) || compare(a.id, b.id);
