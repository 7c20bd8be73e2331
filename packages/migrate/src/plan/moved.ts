import { HebraError } from "@hebra/core";
import type { Reject } from "../mapping/transform.ts";
import { mappingHash } from "../mapping/mapping.ts";
import { buildThreads, orphans } from "../own/build.ts";
import { threadMappingHash, type ThreadMapping } from "../own/mapping.ts";
import type { SourceInventory, StorySource } from "../source/source.ts";
import type { TableGroup, TableShape, TableSource } from "../source/tables.ts";
import { buildDocument, type BuiltDocument } from "../story-to-thread/build-document.ts";
import { storyToThread } from "../story-to-thread/mapping.ts";

/** Rows of the old engine, or with a mapping those of your own tables. */
export type MoveSource = { source: StorySource; mapping?: undefined } | { source: TableSource; mapping: ThreadMapping };

/** A source with its mapping: what plan, apply and verify see of both. */
export interface Moved {
  mapping: { name: string; version: number; hash: string };
  inventory(): Promise<SourceInventory>;
  /** A conversation at a time, with one document for each line of its thread. */
  built(): AsyncIterable<BuiltDocument[]>;
}

/** Opens a source with a mapping, or the old engine's rows without one. */
export function openMove({ source, mapping }: MoveSource): Moved {
  if (mapping === undefined) {
    if (!("groups" in source))
      throw new HebraError(
        "MAPPING_INVALID",
        `The source ${(source as TableSource).name} needs a \`mapping\`: see defineMapping.`,
      );
    return {
      mapping: { name: storyToThread.name, version: storyToThread.version, hash: mappingHash(storyToThread) },
      inventory: () => source.inventory(),
      async *built() {
        for await (const group of source.groups()) yield [buildDocument(group)];
      },
    };
  }
  const tables = source.open(shapeOf(mapping));
  return {
    mapping: { name: mapping.from, version: mapping.version ?? 1, hash: threadMappingHash(mapping) },
    inventory: () => tables.inventory(),
    async *built() {
      const keys = new Map<string, string>();
      for await (const group of tables.groups()) yield uniqueKey(buildThreads(mapping, group), group, mapping, keys);
    },
  };
}

function shapeOf({ conversation, messages, toolCalls, onMissing }: ThreadMapping): TableShape {
  return {
    conversations: { table: conversation.from, id: conversation.id },
    ...("from" in messages && {
      messages: { table: messages.from, id: messages.id, conversation: messages.conversation },
    }),
    ...(toolCalls?.from !== undefined && { toolCalls: { table: toolCalls.from, message: toolCalls.message! } }),
    onMissingId: onMissing?.id ?? "reject",
  };
}

/** The later of two conversations with one key is rejected. Ids are unique already. */
function uniqueKey(
  built: BuiltDocument[],
  group: TableGroup,
  mapping: ThreadMapping,
  keys: Map<string, string>,
): BuiltDocument[] {
  const column = mapping.conversation.key;
  const document = built[0]?.document;
  if (column === undefined || document === undefined) return built;
  const { key } = document.thread as { key: string };
  const holder = keys.get(key);
  if (holder === undefined) keys.set(key, group.id);
  if (holder === undefined) return built;
  const detail = `the conversation ${holder} has this key already`;
  const entity = mapping.conversation.from;
  const rejects: Reject[] = [
    { entity, id: group.id, code: "ROW_DUPLICATE", path: column, detail },
    ...orphans(mapping, group),
  ];
  return [{ document: undefined, rejects, notes: [] }];
}
