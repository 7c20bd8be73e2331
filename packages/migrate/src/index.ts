export type {
  Derivation,
  EntityMapping,
  FieldRule,
  LinkRule,
  Mapping,
  OnMissing,
  ValueKind,
} from "./mapping/mapping.ts";
export {
  defineMapping,
  type ConversationColumns,
  type MappedRole,
  type MessageColumns,
  type MessageList,
  type MessageTable,
  type Missing,
  type ThreadMapping,
  type ToolCallColumns,
} from "./own/mapping.ts";
export { chatGptExport, openAiMessages, uiMessages } from "./own/presets.ts";
export type { MoveSource } from "./plan/moved.ts";
export { memorySource } from "./source/memory-source.ts";
export type { OpenTables, TableGroup, TableShape, TableSource } from "./source/tables.ts";
export type { Note } from "./mapping/clean-row.ts";
export type { Reject } from "./mapping/transform.ts";
export { planMigration, type MigrationPlan, type Planned, type PlanOptions, type PlanSettings } from "./plan/plan.ts";
export { applyPlan, catchUp, type Applied, type ApplyOptions, type ApplySettings } from "./run/apply.ts";
export { fileJournal, type RunJournal } from "./run/journal.ts";
export { jsonlSource } from "./source/jsonl-source.ts";
export type { SourceInventory, StoryGroup, StorySource } from "./source/source.ts";
export { buildDocument as storyBundle, type BuiltDocument as StoryBundle } from "./story-to-thread/build-document.ts";
export { storyToThread, type StoryEntity } from "./story-to-thread/mapping.ts";
export type { ContextDocument, TargetImported, ThreadTarget } from "./target/target.ts";
export type { Difference } from "./verify/compare.ts";
export { verifyMigration, type Verified, type VerifyOptions, type VerifySettings } from "./verify/verify.ts";
