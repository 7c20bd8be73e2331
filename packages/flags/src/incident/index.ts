export {
  createIncidentAggregator,
  type IncidentAggregator,
  type IncidentRow,
  type IncidentWindow,
} from "./aggregate.ts";
export { createDecisionTable, type DecisionRule, type DecisionTable } from "./decision-table.ts";
export { createFaultSwitch } from "./fault-switch.ts";
export {
  type Incident,
  type IncidentClosing,
  type IncidentContext,
  type IncidentDecision,
  type IncidentKind,
  type IncidentQuery,
  type IncidentSink,
  type IncidentStore,
} from "./incident.ts";
export { postmortemDocument, type PostmortemSources } from "./postmortem.ts";
export { createIncidentRecorder, type IncidentRecorder, type IncidentRecorderOptions } from "./recorder.ts";
export { fileIncidentSpool, type IncidentSpool } from "./spool.ts";
export { fileIncidents, memoryIncidents } from "./stores.ts";
export {
  criticalTrigger,
  errorRateTrigger,
  unknownGrowthTrigger,
  type ErrorRateLimits,
  type GrowthLimits,
  type TriggerResult,
} from "./triggers.ts";
export { createIncidentWatch, type IncidentWatch, type IncidentWatchOptions } from "./watch.ts";
