import type { JsonObject } from "@hebra/core";
import type { ItemRow } from "../store/rows.ts";
import type { TurnResult } from "./rows/turn-result.ts";

/** A turn at the moment of its last write. */
export interface EndedTurn {
  tenant: string;
  threadKey: string;
  contextId: string;
  result: TurnResult;
  /** The definition's name. */
  definition: string;
  trigger: ItemRow;
  /** As the trigger gave it, with the turn's `trace` where there is one. */
  correlation: JsonObject;
}
