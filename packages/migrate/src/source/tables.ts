import type { JsonObject } from "@hebra/core";
import type { SourceInventory } from "./source.ts";

/** Which tables a mapping reads, and how their rows hang together. */
export interface TableShape {
  conversations: { table: string; id: string };
  messages?: { table: string; id: string | undefined; conversation: string };
  toolCalls?: { table: string; message: string };
  /** Conversations without an id are rejected, or get one from their place. */
  onMissingId: "reject" | "derive";
}

/** A conversation with all that hangs on it. */
export interface TableGroup {
  /** As text, whatever its type; made of the row's place where ids are derived. */
  id: string;
  conversation: JsonObject;
  messages: JsonObject[];
  toolCalls: JsonObject[];
}

/** Tables that are read by one mapping. Reading changes nothing. */
export interface OpenTables {
  /** @throws HebraError `SOURCE_INVALID` */
  inventory(): Promise<SourceInventory>;
  /** Every conversation once. Memory does not grow with the size of the source's rows. */
  groups(): AsyncIterable<TableGroup>;
}

/** Where tables of your own come from. */
export interface TableSource {
  readonly name: string;
  open(shape: TableShape): OpenTables;
}
