import type { Counter, Histogram, Telemetry, TelemetrySpan } from "./telemetry-port.ts";

const nothing = (): void => {};

const span: TelemetrySpan = {
  recording: false,
  setAttributes: nothing,
  addEvent: nothing,
  recordError: nothing,
  fail: nothing,
  rename: nothing,
  run: (fn) => fn(),
  carrier: () => ({}),
  end: nothing,
};
const counter: Counter = { add: nothing };
const histogram: Histogram = { record: nothing };

/** What stands in when OpenTelemetry is not installed: the same shape, and no effect but running what is passed in. */
export const noopTelemetry: Telemetry = {
  enabled: false,
  span: (_name, _options, fn) => fn(span),
  startSpan: () => span,
  inject: () => ({}),
  extract: (_carrier, fn) => fn(),
  counter: () => counter,
  histogram: () => histogram,
  gauge: () => histogram,
};
