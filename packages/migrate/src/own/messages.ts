import { deriveId, type JsonObject, type JsonValue } from "@hebra/core";
import { cleanRow, idProblem, repairNotes, type Note } from "../mapping/clean-row.ts";
import { first, type Reject } from "../mapping/transform.ts";
import { idText } from "../source/index-tables.ts";
import { callParts, resultPart } from "./calls.ts";
import { partsOf } from "./content.ts";
import type { MappedRole, ThreadMapping } from "./mapping.ts";
import { timeOf } from "./values.ts";

/** A message as it was found: a row of a table, an entry of a list, a node of a tree. */
export interface FoundMessage {
  row: JsonObject;
  /** Before paths in rejects: empty for a table. */
  at: string;
  place: number;
}

/** A message that maps. */
export interface MappedMessage {
  id: string;
  /** The source's id, when it has one. */
  sourceId: string | undefined;
  role: MappedRole;
  content: JsonObject[];
  createdAt: number;
  order: JsonValue | undefined;
  place: number;
  /** For a tool's result: the call that it settles. */
  settles: { callId: string; output: JsonValue } | undefined;
  /** Where it was found, for rejects. */
  path: string;
}

/** Gathers what does not map, and what was repaired. */
export interface Findings {
  rejects: Reject[];
  notes: Note[];
}

export interface MessageScope {
  mapping: ThreadMapping;
  conversationId: string;
  /** The name of the messages' table, or of the list. */
  entity: string;
  callsOf: (messageId: string) => readonly JsonObject[];
}

/** Maps messages one by one, in the order in which they were found. */
export function mapMessages(
  scope: MessageScope,
  found: readonly FoundMessage[],
  start: number | undefined,
  findings: Findings,
): MappedMessage[] {
  const seen = new Set<string>();
  let before = start;
  return found.flatMap((message) => {
    const mapped = mapMessage(scope, message, before, findings);
    if (mapped === undefined) return [];
    if (seen.has(mapped.id)) {
      const detail = "a message with this id came before in its conversation";
      findings.rejects.push({
        entity: scope.entity,
        id: mapped.sourceId ?? null,
        code: "ROW_DUPLICATE",
        path: `${message.at}${scope.mapping.messages.id}`,
        detail,
      });
      return [];
    }
    seen.add(mapped.id);
    before = mapped.createdAt;
    return [mapped];
  });
}

function mapMessage(
  { mapping, conversationId, entity, callsOf }: MessageScope,
  { row: given, at, place }: FoundMessage,
  before: number | undefined,
  { rejects, notes }: Findings,
): MappedMessage | undefined {
  const { messages: columns, onMissing = {}, time } = mapping;
  const sourceId = columns.id === undefined ? undefined : idText(first(given, [columns.id])?.value);
  const refuse = (path: string, detail: string): undefined => {
    const id = sourceId?.toWellFormed() ?? null;
    rejects.push({ entity, id, code: "ROW_INVALID", path: `${at}${path}`, detail });
  };
  if (sourceId === undefined && onMissing.id !== "derive") return refuse(columns.id ?? "id", "it has no usable id");
  const problem = sourceId === undefined ? undefined : idProblem(sourceId);
  if (problem !== undefined) return refuse(columns.id!, problem);
  const cleaned = cleanRow(given);
  if (!cleaned.ok) return refuse(cleaned.path, cleaned.detail);
  const row = cleaned.row;
  const value = (column: string | undefined) => (column === undefined ? undefined : first(row, [column])?.value);

  const role = roleOf(value(columns.role), columns.roles, onMissing.role);
  if (role === undefined)
    return refuse(columns.role, `${JSON.stringify(value(columns.role) ?? null)} is no role that the mapping names`);
  const time_ = value(columns.createdAt);
  const createdAt = time_ === undefined ? missingTime(mapping, before) : timeOf(time_, time);
  if (createdAt === undefined)
    return refuse(
      columns.createdAt ?? "createdAt",
      time_ === undefined ? "it is missing" : "it is not a time with a zone: see `time` of the mapping",
    );
  const text = partsOf(value(columns.content));
  if (text === undefined) return refuse(columns.content, "it is neither text nor a list of parts");
  const calls = callParts(mapping, row, sourceId === undefined ? [] : callsOf(sourceId));
  if (typeof calls === "string") return refuse(calls, "it is not a list of calls with a name each");

  notes.push(
    ...repairNotes(
      entity,
      sourceId ?? null,
      cleaned.repaired.map((path) => `${at}${path}`),
    ),
  );
  const id =
    sourceId !== undefined && !/^\d+$/.test(sourceId) ? sourceId : derived(mapping, conversationId, sourceId, place);
  const callId = role === "tool" ? idText(value(columns.callId)) : undefined;
  const settles = callId === undefined ? undefined : { callId, output: value(columns.content) ?? null };
  const content =
    role === "tool" && settles === undefined
      ? [resultPart(id, value(columns.content) ?? null)]
      : [...calls.before, ...text.map((part) => shifted(part, calls.before.length)), ...calls.after];
  return { id, sourceId, role, content, createdAt, order: value(columns.order), place, settles, path: at };
}

/** What is said after calls with results belongs to the model's next answer. */
const shifted = (part: JsonObject, callsBefore: number): JsonObject =>
  callsBefore === 0 ? part : { ...part, step: Number(part["step"]) + 1 };

const derived = (
  { from }: ThreadMapping,
  conversationId: string,
  sourceId: string | undefined,
  place: number,
): string =>
  sourceId === undefined
    ? deriveId("thread-message-place", from, conversationId, place)
    : deriveId("thread-message", from, conversationId, sourceId);

const usual: Readonly<Record<string, MappedRole>> = {
  user: "user",
  human: "user",
  assistant: "assistant",
  ai: "assistant",
  system: "system",
  developer: "system",
  tool: "tool",
  function: "tool",
};

function roleOf(
  value: JsonValue | undefined,
  roles: Readonly<Record<string, MappedRole>> = {},
  missing: "reject" | { default: MappedRole } = "reject",
): MappedRole | undefined {
  if (value === undefined) return missing === "reject" ? undefined : missing.default;
  const name = String(value);
  if (Object.hasOwn(roles, name)) return roles[name];
  return Object.hasOwn(usual, name) ? usual[name] : undefined;
}

function missingTime({ onMissing, time }: ThreadMapping, before: number | undefined): number | undefined {
  const rule = onMissing?.createdAt ?? "reject";
  if (rule === "reject") return undefined;
  return rule === "derive" ? (before ?? 0) : timeOf(rule.default, time);
}
