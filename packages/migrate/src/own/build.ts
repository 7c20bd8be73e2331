import { deriveId, type JsonObject, type JsonValue } from "@hebra/core";
import { cleanRow, idProblem, repairNotes } from "../mapping/clean-row.ts";
import { first, type Reject } from "../mapping/transform.ts";
import { idText } from "../source/index-tables.ts";
import type { TableGroup } from "../source/tables.ts";
import type { BuiltDocument } from "../story-to-thread/build-document.ts";
import type { ThreadMapping } from "./mapping.ts";
import { mapMessages, type Findings, type FoundMessage, type MappedMessage, type MessageScope } from "./messages.ts";
import { contextDocument, type LineSpec } from "./document.ts";
import { treeLines, type TreeLine } from "./tree.ts";
import { parsed, timeOf } from "./values.ts";

const isObject = (value: JsonValue | undefined): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * Maps one conversation: one document, and one more for each branch of a tree, parents first. Pure: the same group
 * always gives the same bytes.
 */
export function buildThreads(mapping: ThreadMapping, group: TableGroup): BuiltDocument[] {
  const findings: Findings = { rejects: [], notes: [] };
  const documents = build(mapping, group, findings);
  const [main, ...forks] = documents;
  return [{ document: main, ...findings }, ...forks.map((document) => ({ document, rejects: [], notes: [] }))];
}

function build(mapping: ThreadMapping, group: TableGroup, findings: Findings) {
  const { conversation: columns, from } = mapping;
  const refuse = (path: string, detail: string): [] => {
    findings.rejects.push({ entity: columns.from, id: group.id, code: "ROW_INVALID", path, detail });
    findings.rejects.push(...orphans(mapping, group));
    return [];
  };
  const cleaned = cleanRow(group.conversation);
  if (!cleaned.ok) return refuse(cleaned.path, cleaned.detail);
  const row = cleaned.row;
  const value = (column: string | undefined) => (column === undefined ? undefined : first(row, [column])?.value);
  const key = columns.key === undefined ? group.id : idText(value(columns.key));
  if (key === undefined) return refuse(columns.key!, "it has no usable key");
  const problem = idProblem(key);
  if (problem !== undefined) return refuse(columns.key ?? columns.id, problem);
  const given = value(columns.createdAt);
  const start = given === undefined ? undefined : timeOf(given, mapping.time);
  if (given !== undefined && start === undefined)
    return refuse(columns.createdAt!, "it is not a time with a zone: see `time` of the mapping");
  const state = value(columns.state) ?? {};
  if (!isObject(state)) return refuse(columns.state!, "it is not an object");
  const title = value(columns.title);
  const paths = cleaned.repaired.filter((path) => !("in" in mapping.messages) || !under(path, mapping.messages.in));
  findings.notes.push(...repairNotes(columns.from, group.id, paths));

  const found = findLines(mapping, { ...group, conversation: row }, findings);
  if (found === undefined) return refuse((mapping.messages as { in: string }).in, "it holds no list of messages");
  const messages = new Map(
    mapMessages(scopeOf(mapping, group), found.messages, start, findings).map((message) => [message.place, message]),
  );
  const ids = { thread: deriveId("thread", from, group.id), context: deriveId("thread-context", from, group.id) };
  const all = [...messages.values()];
  findings.rejects.push(...orphanedCalls(mapping, group, new Set(all.map(({ sourceId }) => sourceId))));
  const createdAt = start ?? least(all) ?? 0;
  const shared = { mapping, key, name: typeof title === "string" ? title : null, state, ids, sourceId: group.id };
  const specs: LineSpec[] = [];
  for (const line of found.lines) {
    const own = line.places.flatMap((place) => messages.get(place) ?? []);
    specs.push(lineSpec(mapping, group, line, sorted(own, line.ordered), specs, ids.context));
  }
  return specs.map((spec) =>
    contextDocument({ ...shared, createdAt, updatedAt: most(all) ?? createdAt }, spec, findings),
  );
}

/** A line of messages by their places. */
interface FoundLine {
  places: number[];
  /** A tree has its order; rows of a table have none. */
  ordered: boolean;
  tip?: string;
  parent?: { line: number; place: number | undefined };
}

function findLines(
  mapping: ThreadMapping,
  group: TableGroup,
  findings: Findings,
): { messages: FoundMessage[]; lines: FoundLine[] } | undefined {
  const { messages } = mapping;
  if (!("in" in messages)) {
    const found = group.messages.map((row, place) => ({ row, at: "", place }));
    return { messages: found, lines: [{ places: found.map(({ place }) => place), ordered: false }] };
  }
  const list = parsed(first(group.conversation, [messages.in])?.value);
  if (messages.tree !== undefined) return isObject(list) ? findTree(mapping, group, list, findings) : undefined;
  if (!Array.isArray(list)) return undefined;
  const found = list.flatMap((entry, place) => {
    if (isObject(entry)) return [{ row: entry, at: `${messages.in}.${place}.`, place }];
    const detail = "it is not a JSON object";
    findings.rejects.push({
      entity: entityOf(mapping),
      id: group.id,
      code: "ROW_INVALID",
      path: `${messages.in}.${place}`,
      detail,
    });
    return [];
  });
  return {
    messages: found,
    lines: [{ places: found.map(({ place }) => place), ordered: messages.order === undefined }],
  };
}

function findTree(mapping: ThreadMapping, group: TableGroup, tree: JsonObject, findings: Findings) {
  const { messages } = mapping;
  if (!("in" in messages) || messages.tree === undefined) return undefined;
  const nodes = Object.fromEntries(
    Object.entries(tree).filter((node): node is [string, JsonObject] => isObject(node[1])),
  );
  const current = idText(first(group.conversation, [messages.tree.current])?.value);
  const { lines, unreached } = treeLines(nodes, messages.tree.parent, current);
  const detail = "its parents form a circle";
  for (const id of unreached)
    findings.rejects.push({
      entity: entityOf(mapping),
      id,
      code: "ROW_ORPHANED",
      path: `${messages.in}.${id}`,
      detail,
    });
  // A node without a message only holds the tree together.
  const member = messages.role.split(".")[0]!;
  const isMessage = (id: string) => nodes[id]![member] !== undefined && nodes[id]![member] !== null;
  const order = lines.flatMap((line) => line.nodes).filter(isMessage);
  const places = new Map(order.map((id, place) => [id, place]));
  const placeAt = (line: TreeLine, node: string | undefined): number | undefined => {
    const known = node === undefined ? undefined : lines[line.parent!.line]!.nodes;
    const upTo = known === undefined ? -1 : known.indexOf(node!);
    return known
      ?.slice(0, upTo + 1)
      .map((id) => places.get(id))
      .findLast((place) => place !== undefined);
  };
  return {
    messages: order.map((id, place) => ({ row: nodes[id]!, at: `${messages.in}.${id}.`, place })),
    lines: lines.map((line): FoundLine => ({
      places: line.nodes.flatMap((id) => places.get(id) ?? []),
      ordered: true,
      tip: line.tip,
      ...(line.parent && { parent: { line: line.parent.line, place: placeAt(line, line.parent.node) } }),
    })),
  };
}

function lineSpec(
  mapping: ThreadMapping,
  group: TableGroup,
  line: FoundLine,
  messages: MappedMessage[],
  specs: readonly LineSpec[],
  mainId: string,
): LineSpec {
  const parent = line.parent && specs[line.parent.line]!;
  if (parent === undefined) return { id: mainId, messages, before: [], parent: undefined };
  const at = line.parent!.place;
  const shared = at === undefined ? parent.before : [...parent.before, ...upTo(parent.messages, at)];
  return {
    id: deriveId("thread-fork", mapping.from, group.id, line.tip!),
    messages,
    before: shared,
    parent: { id: parent.id },
  };
}

function upTo(messages: readonly MappedMessage[], place: number): MappedMessage[] {
  return messages.slice(0, messages.findLastIndex((message) => message.place <= place) + 1);
}

const scopeOf = (mapping: ThreadMapping, group: TableGroup): MessageScope => {
  const calls = new Map<string, JsonObject[]>();
  for (const row of group.toolCalls) {
    const message = idText(first(row, [mapping.toolCalls!.message!])?.value) ?? "";
    calls.set(message, [...(calls.get(message) ?? []), row]);
  }
  return { mapping, conversationId: group.id, entity: entityOf(mapping), callsOf: (id) => calls.get(id) ?? [] };
};

const entityOf = ({ messages, conversation }: ThreadMapping): string =>
  "from" in messages ? messages.from : `${conversation.from}.${messages.in}`;

/** By the order column, else by time; rows of one moment stay as they came. */
function sorted(messages: MappedMessage[], ordered: boolean): MappedMessage[] {
  if (ordered) return messages;
  const compare = (a: JsonValue | undefined, b: JsonValue | undefined) =>
    typeof a === "number" && typeof b === "number" ? a - b : a === b ? 0 : String(a) < String(b) ? -1 : 1;
  return [...messages].sort(
    (a, b) =>
      compare(a.order, b.order) || a.createdAt - b.createdAt || compareIds(a.sourceId, b.sourceId) || a.place - b.place,
  );
}

/** Numbers as numbers: 9 comes before 10. */
const compareIds = (a: string | undefined, b: string | undefined): number =>
  a === undefined || b === undefined || !/^\d+$/.test(a) || !/^\d+$/.test(b)
    ? 0
    : a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);

const under = (path: string, column: string): boolean => path === column || path.startsWith(`${column}.`);
const least = (messages: readonly MappedMessage[]) =>
  messages.reduce<number | undefined>((at, { createdAt }) => Math.min(at ?? createdAt, createdAt), undefined);
const most = (messages: readonly MappedMessage[]) =>
  messages.reduce<number | undefined>((at, { createdAt }) => Math.max(at ?? createdAt, createdAt), undefined);

/** Calls in a table whose message stays behind. */
function orphanedCalls(mapping: ThreadMapping, group: TableGroup, kept: ReadonlySet<string | undefined>): Reject[] {
  const column = mapping.toolCalls?.message ?? "";
  const toolCalls = group.toolCalls.filter((row) => !kept.has(idText(first(row, [column])?.value)));
  const detail = "its message was rejected";
  return orphans(mapping, { ...group, messages: [], toolCalls }).map((reject) => ({ ...reject, detail }));
}

/** The rows of a conversation that stays behind. */
export function orphans(mapping: ThreadMapping, group: TableGroup): Reject[] {
  const { messages, toolCalls } = mapping;
  const rows: [string | undefined, readonly JsonObject[], string | undefined, string][] = [
    [
      "from" in messages ? messages.from : undefined,
      group.messages,
      messages.id,
      "conversation" in messages ? messages.conversation : "",
    ],
    [toolCalls?.from, group.toolCalls, toolCalls?.id, toolCalls?.message ?? ""],
  ];
  return rows.flatMap(([entity, list, id, path]) =>
    entity === undefined
      ? []
      : list.map((row): Reject => ({
          entity,
          id: (id === undefined ? undefined : idText(first(row, [id])?.value))?.toWellFormed() ?? null,
          code: "ROW_ORPHANED",
          path,
          detail: "its conversation was rejected",
        })),
  );
}
