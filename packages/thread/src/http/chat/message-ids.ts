import type { ItemRow } from "../../store/rows.ts";

/** The member of a trigger's metadata that keeps the id that the client gave its message. */
export const MESSAGE_ID = "messageId";

/** The id under which a client knows an item: a message of its own keeps the id that the client gave it. */
export function shownId({ id, kind, metadata }: Pick<ItemRow, "id" | "kind" | "metadata">): string {
  const own = metadata[MESSAGE_ID];
  return kind === "trigger" && typeof own === "string" ? own : id;
}
