export { bothWays, type BothWaysOptions } from "./both-ways.ts";
export { catchUp, type CatchUpOptions } from "./catch-up.ts";
export { handover, type LegacyRows } from "./handover.ts";
export { jsonLinesReader } from "./read-through/json-lines-reader.ts";
export { legacyStore, type LegacyStoreOptions, type MappedGroup } from "./read-through/legacy-store.ts";
export { memoryReader, type LegacyTables } from "./read-through/memory-reader.ts";
export type { LegacyGroup, LegacyPage, LegacyReader } from "./read-through/reader.ts";
export { toUiPart, type AnyPart } from "./ui-parts.ts";
