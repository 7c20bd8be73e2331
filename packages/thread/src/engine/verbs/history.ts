import { parseOptions } from "@hebra/core";
import * as z from "zod";
import type { HistoryEntry } from "../../store/store.ts";
import type { Address } from "../api.ts";
import type { HistoryOptions } from "../history-options.ts";
import { find, tenantOf, type EngineCore } from "../engine-core.ts";

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 1_000;
const seq = z.number().int().nonnegative();
const schema = z.strictObject({
  items: z.number().nonnegative().optional(),
  before: seq.optional(),
  after: seq.optional(),
  limit: z.number().int().positive().max(MAX_LIMIT).optional(),
});

/** See `Engine.history`. */
export async function history(
  core: EngineCore,
  address: Address,
  options: HistoryOptions = {},
): Promise<HistoryEntry[]> {
  const { items, before, after, limit } = parseOptions("history", schema, options);
  const { context } = await find(core, address);
  const tenant = tenantOf(address);
  if (before === undefined && after === undefined && limit === undefined)
    return core.store.history(tenant, context.id, { items: items ?? core.settings.historyItems });
  return core.store.history(tenant, context.id, { before, after, limit: limit ?? items ?? DEFAULT_LIMIT });
}
