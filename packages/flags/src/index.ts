export { createFlags, type Flags } from "./client/create-flags.ts";
export type { FlagsEvent, FlagsStatus } from "./client/flags-status.ts";
export type { LayerStatus } from "./client/flags-status.ts";
export type { FlagsLogger, FlagsOptions } from "./client/options.ts";
export { exportFlagd } from "./evaluate/export-flagd.ts";
export { parseFlagDocument, parseFlagText } from "./evaluate/document.ts";
export type {
  Arm,
  Assigned,
  Bucketing,
  Decision,
  EnvironmentConfig,
  FlagContext,
  FlagdFlag,
  FlagDocument,
  FlagOverride,
  GlobalRollout,
  Kill,
  Mode,
  Pin,
  Prerequisite,
  Reason,
  RolloutConfig,
  RuleId,
  ShadowConfig,
  Unit,
  UnitLists,
} from "./evaluate/types.ts";
export { envProvider, type EnvProviderOptions } from "./provider/env.ts";
export { fileProvider, type FileProviderOptions } from "./provider/file.ts";
export type { FlagProvider, ProviderEvent, ProviderSnapshot } from "./provider/provider.ts";
export { staticProvider, type StaticProvider } from "./provider/static.ts";
export type { Assignment, AssignmentStore } from "./route/assignment.ts";
export { createRouter } from "./route/create-router.ts";
export { memoryAssignments } from "./route/memory-assignments.ts";
export { threadAssignments, type ThreadAssignmentsOptions, type ThreadStoreLike } from "./route/thread-assignments.ts";
export type { BreakerOptions, OnKill, RouterOptions } from "./route/options.ts";
export type { ActionCallOutcome, EngineResult, EngineTurn, TurnOutcome, TurnStatus } from "./route/outcome.ts";
export type { RemoteTarget } from "./route/remote-target.ts";
export type {
  EngineHandlers,
  Exposure,
  JudgeAnswer,
  JudgedAnswer,
  HandoverRequest,
  Outcome,
  RouteHandlers,
  RouteObserver,
  Router,
  RouteTurn,
  Verification,
} from "./route/router.ts";
