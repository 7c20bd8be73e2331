export { assertJson, canonicalJson, digest } from "./canonical-json.ts";
export { createManualClock, sleep, systemClock, type Clock, type ManualClock } from "./clock.ts";
export { errorCodes, type ErrorCode, type ErrorCodeEntry } from "./error-codes.ts";
export { errorCode, errorMessage, HebraError, type HebraErrorOptions } from "./errors.ts";
export { escapeControls } from "./escape-controls.ts";
export { assertId, createIdGenerator, deriveId, type IdGenerator } from "./id.ts";
export type { JsonObject, JsonValue } from "./json.ts";
export { assertPeer, loadPeer, type PeerRequest } from "./optional-peer.ts";
export { describeOptionIssue, didYouMean, parseOptions } from "./options.ts";
export { createRedactor, redactText, type Redactor, type RedactorOptions } from "./redact.ts";
export type { RedactionPattern } from "./redact-text.ts";
export { createRedisCalls, type RedisCalls, type RedisCallsOptions } from "./redis-calls.ts";
export { dropRedisConnections, redisFailover, type DroppableRedis } from "./redis-failover.ts";
export { anySignal, throwIfAborted, type CombinedSignal } from "./abort.ts";
export {
  consoleLogger,
  silentLogger,
  withFields,
  type ConsoleLoggerOptions,
  type LogFields,
  type Logger,
  type LogLevel,
} from "./logger.ts";
export { backoffDelay, parseRetryAfter, type BackoffOptions } from "./retry.ts";
export { errorSignature, type ErrorSignature, type ErrorSignatureOptions } from "./signature.ts";
export {
  describeIssues,
  isStandardSchema,
  jsonSchemaOf,
  validateStandard,
  type InferInput,
  type InferOutput,
  type StandardIssue,
  type StandardJsonSchemaOptions,
  type StandardResult,
  type StandardSchema,
} from "./standard-schema.ts";
export { createTelemetry, type TelemetryOptions } from "./telemetry.ts";
export type {
  Counter,
  Histogram,
  MetricOptions,
  SpanKind,
  SpanOptions,
  Telemetry,
  TelemetryAttributes,
  TelemetrySpan,
} from "./telemetry-port.ts";
export { genAi, genAiContent, genAiMetrics, genAiOperations, hebraAttributes } from "./telemetry-names.ts";
export type { TraceCarrier } from "./trace-carrier.ts";
