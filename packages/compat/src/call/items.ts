import type { JsonObject } from "@hebra/core";
import type { Role, TranscriptMessage, TranscriptPart } from "@hebra/reactor";
import type { ContextRow, ItemRow, PartRow, ThreadRow, Trigger } from "@hebra/thread";
import { toUiPart } from "@hebra/thread/legacy";
import { fromUiPart, isObject, partsOf } from "../ui-parts.ts";
import { plainJson } from "./plain-json.ts";
import type { StoredContext, StoredThread, ThreadItem } from "./types.ts";

/** @deprecated The type of what a person wrote. Use the role `user`. */
export const INPUT_TEXT_ITEM_TYPE = "input_text";
/** @deprecated The type of what the model answered. Use the role `assistant`. */
export const OUTPUT_TEXT_ITEM_TYPE = "output_text";
/** @deprecated The type of a system message. Use the role `system`. */
export const SYSTEM_TEXT_ITEM_TYPE = "system";
/**
 * @alias
 * @deprecated Another name of {@link INPUT_TEXT_ITEM_TYPE}.
 */
export const INPUT_ITEM_TYPE = INPUT_TEXT_ITEM_TYPE;
/**
 * @alias
 * @deprecated Another name of {@link OUTPUT_TEXT_ITEM_TYPE}.
 */
export const OUTPUT_ITEM_TYPE = OUTPUT_TEXT_ITEM_TYPE;
/** @deprecated Write `"web"`. */
export const WEB_CHANNEL = "web";
/** @deprecated Write `"whatsapp"`. */
export const AGENT_CHANNEL = "whatsapp";
/** @deprecated Write `"email"`. */
export const EMAIL_CHANNEL = "email";

const typeOfRole: Record<Role, string> = {
  user: INPUT_TEXT_ITEM_TYPE,
  assistant: OUTPUT_TEXT_ITEM_TYPE,
  system: SYSTEM_TEXT_ITEM_TYPE,
};
const inputTypes = new Set([INPUT_TEXT_ITEM_TYPE, "input", "user", "user.message", "input_user"]);

/** The role of an item's type, over the generations of the old engine. */
export function roleOfType(type: string): Role {
  return inputTypes.has(type) ? "user" : type.endsWith("system") ? "system" : "assistant";
}

/**
 * A part that came out as a UI part and comes back untouched is the part that it was, with all that a UI part has no
 * place for.
 */
const originals = new WeakMap<object, TranscriptPart>();

/** What starts a turn. An old trigger of any type is the person's, unless it is the system's. */
export function toTrigger(item: ThreadItem): Trigger {
  const parts = partsOf(plainJson(item.content)).flatMap((part) => {
    const made = fromUiPart(part);
    if (made === undefined) return [];
    return [made.kind === "action" ? { kind: "data" as const, name: String(part["type"]), data: part } : made];
  });
  const role = item.type.endsWith("system") ? "system" : "user";
  const metadata: JsonObject = item.type === typeOfRole[role] ? {} : { legacyType: item.type };
  return {
    id: item.id,
    parts: parts.length === 0 ? [{ kind: "text", text: "" }] : parts,
    role,
    channel: item.channel,
    ...(Object.keys(metadata).length === 0 ? {} : { metadata }),
  };
}

/** An item with its parts, as the old engine gave it. */
export function toThreadItem(item: ItemRow, parts: readonly PartRow[], id = item.id): ThreadItem {
  const content = parts.length > 0 ? parts.map((part) => part.content) : item.content;
  const legacyType = item.metadata["legacyType"];
  return {
    id,
    type: typeof legacyType === "string" ? legacyType : typeOfRole[item.role],
    channel: item.channel,
    createdAt: new Date(item.createdAt).toISOString(),
    status: item.kind === "trigger" ? "stored" : item.status,
    content: { parts: content.map(toUiPart) },
  };
}

/** What the model is to be shown, as old items. */
export function toItems(transcript: readonly TranscriptMessage[], rows: ReadonlyMap<string, ItemRow>): ThreadItem[] {
  return transcript.map(({ id, role, parts }) => {
    const row = rows.get(id);
    const shown = parts.map((part) => {
      const made = { ...toUiPart(part) };
      originals.set(made, part);
      return made;
    });
    return {
      id,
      type: typeOfRole[role],
      channel: row?.channel ?? WEB_CHANNEL,
      createdAt: new Date(row?.createdAt ?? 0).toISOString(),
      content: { parts: shown },
    };
  });
}

/** Old items as what the model is shown. */
export function toTranscriptOf(items: readonly ThreadItem[]): TranscriptMessage[] {
  return items.flatMap((item) => {
    const parts = uiPartsOf(item).flatMap((part) => originals.get(part) ?? fromUiPart(part) ?? []);
    return parts.length === 0 ? [] : [{ id: item.id, role: roleOfType(item.type), parts }];
  });
}

/** The parts of an item. */
export function uiPartsOf(item: Pick<ThreadItem, "content">): JsonObject[] {
  const content: unknown = item.content;
  const parts: unknown = isObject(content) ? content["parts"] : undefined;
  return Array.isArray(parts) ? parts.filter(isObject) : partsOf(content);
}

const statuses: Record<ContextRow["status"], StoredContext["status"]> = {
  open: "open",
  running: "streaming",
  waiting: "streaming",
  closed: "closed",
};

/** A context as the old engine gave it. One without a state had no content. */
export function toStoredContext(thread: ThreadRow, context: ContextRow): StoredContext {
  return {
    id: context.id,
    threadId: thread.id,
    key: thread.key,
    status: statuses[context.status],
    createdAt: new Date(context.createdAt),
    updatedAt: new Date(context.updatedAt),
    content: isObject(context.state) && Object.keys(context.state).length === 0 ? null : context.state,
  };
}

export function toStoredThread(thread: ThreadRow, context: ContextRow): StoredThread {
  return {
    id: thread.id,
    key: thread.key,
    name: thread.name,
    status: statuses[context.status],
    createdAt: new Date(thread.createdAt),
    updatedAt: new Date(thread.updatedAt),
  };
}
