import { HebraError } from "@hebra/core";
import {
  INPUT_TEXT_ITEM_TYPE,
  OUTPUT_TEXT_ITEM_TYPE,
  roleOfType,
  SYSTEM_TEXT_ITEM_TYPE,
  uiPartsOf,
  WEB_CHANNEL,
} from "./items.ts";
import type { Loose, ThreadItem } from "./types.ts";

/** A message of a model's response. */
export interface ResponseMessage {
  id: string;
  timestamp: Date;
  modelId: string;
  headers?: Record<string, string>;
  message: { role: string; content: Loose };
}

/** @deprecated Give `engine.react` a trigger `{ id, parts }`. @throws HebraError `INVALID_OPTIONS` without a message */
export function createUserItemFromUIMessages(messages: readonly Loose[]): ThreadItem {
  const { id, parts } = lastOf(messages);
  return itemOf(id, INPUT_TEXT_ITEM_TYPE, parts);
}

/** @deprecated The engine writes answers itself. @throws HebraError `INVALID_OPTIONS` without a message */
export function createAssistantItemFromUIMessages(itemId: string, messages: readonly Loose[]): ThreadItem {
  return itemOf(itemId, OUTPUT_TEXT_ITEM_TYPE, lastOf(messages).parts);
}

/** @deprecated Read items and parts with `engine.history`. */
export function convertToUIMessage(item: ThreadItem): Loose {
  const { id, type, channel, createdAt } = item;
  return { id, role: roleOfType(type), parts: uiPartsOf(item), metadata: { channel, type, createdAt } };
}

/** @deprecated Reactors are given a transcript. @throws HebraError `PEER_MISSING` without `ai` */
export async function convertItemToModelMessages(item: ThreadItem): Promise<Loose[]> {
  // Whoever never calls this needs no `ai`.
  const { toModelMessages } = await import("./ai-sdk/model-messages.ts");
  return toModelMessages(convertToUIMessage(item));
}

/** @deprecated Reactors are given a transcript. @throws HebraError `PEER_MISSING` without `ai` */
export async function convertItemsToModelMessages(items: readonly ThreadItem[]): Promise<Loose[]> {
  return (await Promise.all(items.map(convertItemToModelMessages))).flat();
}

/** @deprecated The engine writes answers itself. */
export function convertModelMessageToItem(itemId: string, { message, timestamp }: ResponseMessage): ThreadItem {
  const type =
    message.role === "user"
      ? INPUT_TEXT_ITEM_TYPE
      : message.role === "system"
        ? SYSTEM_TEXT_ITEM_TYPE
        : OUTPUT_TEXT_ITEM_TYPE;
  return { ...itemOf(itemId, type, message.content), createdAt: timestamp.toISOString() };
}

function lastOf(messages: readonly Loose[]): { id: string; parts: Loose } {
  const last = Array.isArray(messages) ? (messages.at(-1) as { id: string; parts: Loose } | undefined) : undefined;
  if (last === undefined) throw new HebraError("INVALID_OPTIONS", "There is no message to make an item of.");
  return last;
}

function itemOf(id: string, type: string, parts: Loose): ThreadItem {
  return { id, type, channel: WEB_CHANNEL, createdAt: new Date().toISOString(), content: { parts } };
}
