export type { Breakdown, BreakdownRow, TurnCounts } from "./breakdown.ts";
export type { Power } from "./power.ts";
export type { CheckVerdict, RolloutCheck } from "./check.ts";
export { createCollector, type Collector, type CollectorOptions, type SessionFacts } from "./collector.ts";
export type { Actor, CommandName, RolloutCommand } from "./commands.ts";
export {
  createRolloutController,
  type ControllerLocks,
  type RolloutController,
  type RolloutControllerOptions,
  type TickResult,
} from "./controller.ts";
export type { ArmRow, ArmSum, CounterRow, FrozenLimits, Gathered, SessionMarks, ShadowCounts } from "./counter-row.ts";
export type { ArmCounts, CounterBlock, OperationCounts, StepTotals } from "./counters.ts";
export {
  replayEvidence,
  verifyEvidence,
  type Cause,
  type EvidenceRecord,
  type Judgement,
  type ReplayResult,
} from "./evidence.ts";
export type { GuardReport } from "./guards/evaluate.ts";
export type {
  ArmPair,
  GuardAction,
  GuardAnswer,
  GuardInput,
  GuardLimits,
  GuardName,
  GuardVerdict,
} from "./guards/types.ts";
export type { Histogram } from "./histogram.ts";
export type { RolloutEvent } from "./machine.ts";
export { webhookNotifier, type Notice, type Notifier } from "./notifier.ts";
export type { ActivePhase, Phase, PhaseName } from "./phase.ts";
export {
  rolloutPlan,
  type ApprovalRole,
  type CanaryStep,
  type FullGate,
  type LowImpactWindow,
  type RolloutPlan,
  type RolloutPlanInput,
  type ShadowGate,
  type StepGate,
} from "./plan.ts";
export type { UnitRow } from "./unit-row.ts";
export type { FlagPolicy, RolloutPolicy } from "./policy.ts";
export { rolloutProvider, type RolloutProviderOptions } from "./provider.ts";
export type { Facts, Missing } from "./requirements.ts";
export {
  createRolloutService,
  type RolloutService,
  type RolloutServiceOptions,
  type RolloutStatus,
  type Signature,
} from "./service.ts";
export type { Approval, Attestation, Postmortem, RolloutState } from "./state.ts";
export { fileRolloutStore } from "./store/file.ts";
export { memoryRolloutStore } from "./store/memory.ts";
export type { RolloutCommit, RolloutStore } from "./store/store.ts";
export { simulateRollout, type SimulationOptions, type SimulationResult } from "./simulation.ts";
export type { ArmBehaviour } from "./workload.ts";
export {
  combineObservers,
  createFlagMetrics,
  flagMetrics,
  type FlagMetrics,
  type FlagMetricsOptions,
} from "./metrics.ts";
