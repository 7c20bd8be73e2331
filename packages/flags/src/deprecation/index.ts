export {
  createDeprecation,
  type CallerUsage,
  type Deprecation,
  type DeprecationOptions,
  type DeprecationStage,
  type UsageReport,
} from "./deprecation.ts";
