export { createFlags, type Flags, type FlagsEvent, type FlagsStatus } from "./client/create-flags.ts";
export type { LayerStatus } from "./client/layers.ts";
export type { FlagsLogger, FlagsOptions } from "./client/options.ts";
export { exportFlagd } from "./evaluate/export-flagd.ts";
export { parseFlagDocument, parseFlagText } from "./evaluate/document.ts";
export { bucketAfter, hashPrefix, murmur3, type HashState } from "./evaluate/murmur.ts";
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
export { environmentName, type FlagProvider, type ProviderEvent, type ProviderSnapshot } from "./provider/provider.ts";
export { staticProvider, type StaticProvider } from "./provider/static.ts";
export type { Assignment, AssignmentStore } from "./route/assignment.ts";
export { createRouter } from "./route/create-router.ts";
export { memoryAssignments } from "./route/memory-assignments.ts";
export { threadAssignments, type ThreadAssignmentsOptions, type ThreadStoreLike } from "./route/thread-assignments.ts";
export type { BreakerOptions, OnKill, RouterOptions } from "./route/options.ts";
export { decideWithTarget, type RemoteTarget } from "./route/remote-target.ts";
export type {
  Exposure,
  HandoverRequest,
  Outcome,
  RouteHandlers,
  RouteObserver,
  Router,
  RouteTurn,
} from "./route/router.ts";
export type { CheckVerdict, RolloutCheck } from "./rollout/check.ts";
export { createCollector, type Collector, type CollectorOptions, type SessionFacts } from "./rollout/collector.ts";
export type { Actor, CommandName, RolloutCommand } from "./rollout/commands.ts";
export {
  createRolloutController,
  type ControllerLocks,
  type RolloutController,
  type RolloutControllerOptions,
  type TickResult,
} from "./rollout/controller.ts";
export type {
  ArmRow,
  ArmSum,
  CounterRow,
  FrozenLimits,
  Gathered,
  SessionMarks,
  ShadowCounts,
} from "./rollout/counter-row.ts";
export {
  noCounts,
  type ArmCounts,
  type CounterBlock,
  type OperationCounts,
  type StepTotals,
} from "./rollout/counters.ts";
export {
  replayEvidence,
  verifyEvidence,
  type Cause,
  type EvidenceRecord,
  type Judgement,
  type ReplayResult,
} from "./rollout/evidence.ts";
export { evaluateGuards, type GuardReport } from "./rollout/guards/evaluate.ts";
export {
  defaultGuardLimits,
  type ArmPair,
  type GuardAction,
  type GuardInput,
  type GuardLimits,
  type GuardName,
  type GuardVerdict,
} from "./rollout/guards/types.ts";
export type { Histogram } from "./rollout/histogram.ts";
export { legalEvents, nextPhase, type RolloutEvent, type TransitionContext } from "./rollout/machine.ts";
export { webhookNotifier, type Notice, type Notifier } from "./rollout/notifier.ts";
export { phaseLabel, type ActivePhase, type Phase, type PhaseName } from "./rollout/phase.ts";
export {
  fullEvidence,
  rolloutPlan,
  shadowEvidence,
  type ApprovalRole,
  type CanaryStep,
  type FullGate,
  type LowImpactWindow,
  type RolloutPlan,
  type RolloutPlanInput,
  type ShadowGate,
  type StepGate,
} from "./rollout/plan.ts";
export { rolloutProvider, type RolloutProviderOptions } from "./rollout/provider.ts";
export type { Facts, Missing } from "./rollout/requirements.ts";
export { checkReport, reportItems, type CheckedReport } from "./rollout/report.ts";
export {
  createRolloutService,
  type RolloutService,
  type RolloutServiceOptions,
  type RolloutStatus,
  type Signature,
} from "./rollout/service.ts";
export { overrideOf, type Approval, type Attestation, type Postmortem, type RolloutState } from "./rollout/state.ts";
export { fileRolloutStore } from "./rollout/store/file.ts";
export { memoryRolloutStore } from "./rollout/store/memory.ts";
export type { RolloutCommit, RolloutStore } from "./rollout/store/store.ts";
export {
  createIncidentAggregator,
  type IncidentAggregator,
  type IncidentRow,
  type IncidentWindow,
} from "./incident/aggregate.ts";
export { createDecisionTable, type DecisionRule, type DecisionTable } from "./incident/decision-table.ts";
export { createFaultSwitch, FAULT_VARIABLE } from "./incident/fault-switch.ts";
export {
  UNMATCHED,
  type Incident,
  type IncidentContext,
  type IncidentDecision,
  type IncidentQuery,
  type IncidentSink,
  type IncidentStore,
} from "./incident/incident.ts";
export { postmortemDocument, type PostmortemSources } from "./incident/postmortem.ts";
export { createIncidentRecorder, type IncidentRecorder, type IncidentRecorderOptions } from "./incident/recorder.ts";
export { fileIncidentSpool, type IncidentSpool } from "./incident/spool.ts";
export { fileIncidents, memoryIncidents } from "./incident/stores.ts";
export {
  criticalTrigger,
  errorRateTrigger,
  unknownGrowthTrigger,
  wilsonLower,
  type ErrorRateLimits,
  type GrowthLimits,
  type TriggerResult,
} from "./incident/triggers.ts";
export {
  createComparator,
  type Comparator,
  type ComparatorOptions,
  type ComparisonResult,
  type FieldDifference,
  type FieldRule,
} from "./shadow/comparator.ts";
export { createNoiseModel, type FieldNoise, type NoiseModel } from "./shadow/noise.ts";
export {
  perfBaseline,
  type PerfBaselineOptions,
  type PerfFigures,
  type PerfOperation,
  type PerfReport,
} from "./shadow/perf-baseline.ts";
export { recordingPort, type PortBehaviour, type RecordedEffect, type RecordingPort } from "./shadow/ports.ts";
export {
  createShadowRunner,
  type ShadowMismatch,
  type ShadowRunner,
  type ShadowRunnerOptions,
  type ShadowTurn,
} from "./shadow/runner.ts";
export {
  validateNoRegression,
  type FieldVerdict,
  type NoRegressionReport,
  type ParityCase,
  type ParityException,
  type ValidateNoRegressionOptions,
} from "./shadow/validate-no-regression.ts";
export {
  createDeprecation,
  type CallerUsage,
  type Deprecation,
  type DeprecationOptions,
  type DeprecationStage,
  type UsageReport,
} from "./deprecation/deprecation.ts";
export { simulateRollout, type SimulationOptions, type SimulationResult } from "./rollout/simulation.ts";
export type { ArmBehaviour } from "./rollout/workload.ts";
export {
  combineObservers,
  createFlagMetrics,
  flagMetrics,
  type FlagMetrics,
  type FlagMetricsOptions,
} from "./rollout/metrics.ts";
