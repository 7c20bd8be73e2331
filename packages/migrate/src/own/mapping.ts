import { digest, HebraError, parseOptions, type JsonObject, type JsonValue } from "@hebra/core";
import * as z from "zod";

/** Who a message is from. */
export type MappedRole = "user" | "assistant" | "system" | "tool";

/** Where the conversations are. Columns may be paths, with dots between members. */
export interface ConversationColumns {
  /** The table, or the file without its ending. */
  from: string;
  id: string;
  /** The application's own name for the conversation. @defaultValue the id */
  key?: string;
  title?: string;
  /** @defaultValue the time of the first message */
  createdAt?: string;
  /** A JSON object that becomes the thread's state. */
  state?: string;
}

/** What a message holds, by column or by path. */
export interface MessageColumns {
  id?: string;
  role: string;
  /** Text, an AI SDK part list, or OpenAI content. */
  content: string;
  createdAt?: string;
  /** What orders messages of one conversation. @defaultValue `createdAt`, then the order of the rows */
  order?: string;
  /** OpenAI tool calls in the message: a column with a list of `{ id, function: { name, arguments } }`. */
  calls?: string;
  /** For messages with a tool's result: the column with the id of its call. */
  callId?: string;
  /** Own names of roles. */
  roles?: Readonly<Record<string, MappedRole>>;
}

/** Messages in a table of their own. */
export interface MessageTable extends MessageColumns {
  from: string;
  /** The column with the conversation's id. */
  conversation: string;
}

/** Messages inside the conversation's row. */
export interface MessageList extends MessageColumns {
  /** The column that holds the list. */
  in: string;
  /** The list is a tree: an object of nodes by id. */
  tree?: {
    /** The node's parent. */
    parent: string;
    /** The conversation's column with the node of the line that is current. */
    current: string;
  };
}

/** Calls of tools, each with its result. */
export interface ToolCallColumns {
  /** The table. Exactly one of `from` and `in`. */
  from?: string;
  /** The column with the message's id; needed with `from`. */
  message?: string;
  /** The message's column that holds a list of calls. */
  in?: string;
  id?: string;
  name: string;
  input: string;
  output?: string;
  error?: string;
}

/** What becomes of fields without a value. */
export interface Missing {
  /** A derived id is a UUIDv5 of the conversation's id and the message's place. @defaultValue "reject" */
  id?: "reject" | "derive";
  /** A derived time is that of the message before, or of the conversation. @defaultValue "reject" */
  createdAt?: "reject" | "derive" | { default: number | string };
  /** @defaultValue "reject" */
  role?: "reject" | { default: MappedRole };
}

/** How conversations of your own become threads: data, so that it can be hashed, printed and kept as JSON. */
export interface ThreadMapping {
  /** A name for the source: ids of threads are derived from it. */
  from: string;
  to: "thread";
  /** Raise it when you change the meaning of a source's column. @defaultValue 1 */
  version?: number;
  conversation: ConversationColumns;
  messages: MessageTable | MessageList;
  toolCalls?: ToolCallColumns;
  onMissing?: Missing;
  /** How times are kept. Without a zone they are rejected unless `zone` says UTC; numbers are milliseconds. */
  time?: { zone?: "UTC"; unit?: "ms" | "s" };
}

const column = z.string().min(1);
const role = z.enum(["user", "assistant", "system", "tool"]);
const messageColumns = {
  id: column.optional(),
  role: column,
  content: column,
  createdAt: column.optional(),
  order: column.optional(),
  calls: column.optional(),
  callId: column.optional(),
  roles: z.record(z.string(), role).optional(),
};

const schema = z.strictObject({
  from: z.string().min(1).max(100),
  to: z.literal("thread"),
  version: z.number().int().positive().optional(),
  conversation: z.strictObject({
    from: column,
    id: column,
    key: column.optional(),
    title: column.optional(),
    createdAt: column.optional(),
    state: column.optional(),
  }),
  messages: z.union([
    z.strictObject({ from: column, conversation: column, ...messageColumns }),
    z.strictObject({
      in: column,
      tree: z.strictObject({ parent: column, current: column }).optional(),
      ...messageColumns,
    }),
  ]),
  toolCalls: z
    .strictObject({
      from: column.optional(),
      message: column.optional(),
      in: column.optional(),
      id: column.optional(),
      name: column,
      input: column,
      output: column.optional(),
      error: column.optional(),
    })
    .optional(),
  onMissing: z
    .strictObject({
      id: z.enum(["reject", "derive"]).optional(),
      createdAt: z
        .union([z.enum(["reject", "derive"]), z.strictObject({ default: z.union([z.number(), z.string()]) })])
        .optional(),
      role: z.union([z.literal("reject"), z.strictObject({ default: role })]).optional(),
    })
    .optional(),
  time: z.strictObject({ zone: z.literal("UTC").optional(), unit: z.enum(["ms", "s"]).optional() }).optional(),
});

/**
 * Checks a mapping of your own conversations to threads. It is accepted by `planMigration`, `applyPlan` and
 * `verifyMigration`, and as a file by `--mapping`.
 *
 * @throws HebraError `MAPPING_INVALID` naming the member that is wrong
 *
 * @example
 * ```ts
 * import { defineMapping } from "@hebra/migrate";
 *
 * export const shop = defineMapping({
 *   from: "shop",
 *   to: "thread",
 *   conversation: { from: "conversations", id: "id", title: "subject", createdAt: "created_at" },
 *   messages: {
 *     from: "messages",
 *     conversation: "conversation_id",
 *     id: "id",
 *     role: "role",
 *     content: "content",
 *     createdAt: "created_at",
 *   },
 *   toolCalls: { in: "tool_calls", id: "id", name: "name", input: "arguments", output: "result" },
 *   onMissing: { createdAt: "derive" },
 * });
 * ```
 */
export function defineMapping(mapping: ThreadMapping): ThreadMapping {
  let checked: ThreadMapping;
  try {
    checked = parseOptions("defineMapping", schema, mapping) as ThreadMapping;
  } catch (error) {
    throw new HebraError("MAPPING_INVALID", error instanceof Error ? error.message : String(error), { cause: error });
  }
  const { toolCalls, messages } = checked;
  const invalid = (what: string) => new HebraError("MAPPING_INVALID", `The mapping from ${checked.from}: ${what}.`);
  if (toolCalls !== undefined && (toolCalls.from === undefined) === (toolCalls.in === undefined))
    throw invalid("`toolCalls` needs either `from`, a table, or `in`, a column of the message");
  if (toolCalls?.from !== undefined && toolCalls.message === undefined)
    throw invalid("`toolCalls.message` must name the column with the message's id");
  if (toolCalls?.from !== undefined && (!("from" in messages) || messages.id === undefined))
    throw invalid("a table of tool calls needs messages in a table with an `id`");
  return checked;
}

/** The digest that a plan pins. */
export const threadMappingHash = (mapping: ThreadMapping): string =>
  digest(JSON.parse(JSON.stringify(mapping)) as JsonObject as JsonValue);
