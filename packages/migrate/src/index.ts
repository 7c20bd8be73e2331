export {
  defineMapping,
  type Derivation,
  type EntityMapping,
  type FieldRule,
  type LinkRule,
  type Mapping,
  type OnMissing,
  type ValueKind,
} from "./mapping/mapping.ts";
export type { Note } from "./mapping/clean-row.ts";
export type { Reject } from "./mapping/transform.ts";
export { planMigration, type MigrationPlan, type Planned, type PlanOptions } from "./plan/plan.ts";
export { applyPlan, catchUp, type Applied, type ApplyOptions } from "./run/apply.ts";
export { fileJournal, type RunJournal } from "./run/journal.ts";
export { jsonlSource } from "./source/jsonl-source.ts";
export type { SourceInventory, StoryGroup, StorySource } from "./source/source.ts";
export { buildDocument as storyBundle, type BuiltDocument as StoryBundle } from "./story-to-thread/build-document.ts";
export { storyToThread, type StoryEntity } from "./story-to-thread/mapping.ts";
export type { ContextDocument, TargetImported, ThreadTarget } from "./target/target.ts";
export type { Difference } from "./verify/compare.ts";
export { verifyMigration, type Verified, type VerifyOptions } from "./verify/verify.ts";
