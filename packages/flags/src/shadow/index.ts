export {
  createComparator,
  type Comparator,
  type ComparatorOptions,
  type ComparisonResult,
  type FieldDifference,
  type FieldRule,
} from "./comparator.ts";
export {
  perfBaseline,
  type PerfBaselineOptions,
  type PerfFigures,
  type PerfOperation,
  type PerfReport,
} from "./perf-baseline.ts";
export { recordingPort, type PortBehaviour, type RecordedEffect, type RecordingPort } from "./ports.ts";
export {
  createShadowRunner,
  type ShadowMismatch,
  type ShadowRunner,
  type ShadowRunnerOptions,
  type ShadowTurn,
} from "./runner.ts";
export {
  validateNoRegression,
  type FieldVerdict,
  type NoRegressionReport,
  type ParityCase,
  type ParityException,
  type ValidateNoRegressionOptions,
} from "./validate-no-regression.ts";
