import type { Telemetry } from "@hebra/core";
import { counterOf, histogramOf } from "./instruments.ts";
import { threadMetrics } from "./thread-metrics.ts";

/** As the conventions advise. */
const callSeconds = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
const turnSeconds = [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 102.4, 204.8, 409.6];
const tokens = [1, 4, 16, 64, 256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216, 67_108_864];
/** From a lease that is free at once to a person who comes back after the weekend. */
const waitSeconds = [0.005, 0.025, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800, 7_200, 43_200, 259_200];

/** The instruments of an engine. */
export type EngineMeter = ReturnType<typeof createEngineMeter>;

export function createEngineMeter(telemetry: Telemetry) {
  return {
    operationDuration: histogramOf(telemetry, threadMetrics.operationDuration, callSeconds),
    tokenUsage: histogramOf(telemetry, threadMetrics.tokenUsage, tokens),
    invokeAgentDuration: histogramOf(telemetry, threadMetrics.invokeAgentDuration, turnSeconds),
    executeToolDuration: histogramOf(telemetry, threadMetrics.executeToolDuration, callSeconds),
    executionDuration: histogramOf(telemetry, threadMetrics.executionDuration, waitSeconds),
    stepDuration: histogramOf(telemetry, threadMetrics.stepDuration, turnSeconds),
    lockWait: histogramOf(telemetry, threadMetrics.lockWait, waitSeconds),
    cost: counterOf(telemetry, threadMetrics.cost),
    actionErrors: counterOf(telemetry, threadMetrics.actionErrors),
    providerErrors: counterOf(telemetry, threadMetrics.providerErrors),
    retries: counterOf(telemetry, threadMetrics.retries),
    resumes: counterOf(telemetry, threadMetrics.resumes),
    injections: counterOf(telemetry, threadMetrics.injections),
    duplicates: counterOf(telemetry, threadMetrics.duplicates),
    fenceRejected: counterOf(telemetry, threadMetrics.fenceRejected),
    leaseLost: counterOf(telemetry, threadMetrics.leaseLost),
  };
}
