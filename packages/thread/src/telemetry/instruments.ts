import type { Counter, Histogram, Telemetry } from "@hebra/core";
import type { MetricDescription } from "./thread-metrics.ts";

/** A metric's instrument, as its description says. */
export function histogramOf(
  telemetry: Telemetry,
  { name, unit, description }: MetricDescription,
  boundaries: readonly number[],
): Histogram {
  return telemetry.histogram(name, { unit, description, boundaries });
}

/** As {@link histogramOf}. */
export function counterOf(telemetry: Telemetry, { name, unit, description }: MetricDescription): Counter {
  return telemetry.counter(name, { unit, description });
}

/** As {@link histogramOf}. */
export function gaugeOf(telemetry: Telemetry, { name, unit, description }: MetricDescription): Histogram {
  return telemetry.gauge(name, { unit, description });
}
