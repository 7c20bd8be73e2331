// Metrics of a process, for Prometheus to fetch: node --import ./telemetry.js …
// Load it before anything else. OTEL_EXPORTER_PROMETHEUS_PORT says where it listens (default 9464),
// OTEL_EXPORTER_PROMETHEUS_HOST on which address.
import { metrics } from "@opentelemetry/api";
import { PrometheusExporter } from "@opentelemetry/exporter-prometheus";
import { MeterProvider } from "@opentelemetry/sdk-metrics";

/** Units as Prometheus has them in names. What stands in braces, and 1, adds nothing. */
const unitNames = { s: "seconds", ms: "milliseconds", By: "bytes" };

/** @param {import("@opentelemetry/sdk-metrics").MetricData} metric */
function withUnit(metric) {
  const { name, unit } = metric.descriptor;
  const suffix = unitNames[/** @type {keyof typeof unitNames} */ (unit)];
  return suffix === undefined || name.endsWith(suffix)
    ? metric
    : { ...metric, descriptor: { ...metric.descriptor, name: `${name}.${suffix}` } };
}

/** The exporter leaves units out of names; the collector, dashboards and alert rules have them in. */
class UnitNamingExporter extends PrometheusExporter {
  /** @override @param {Parameters<PrometheusExporter["collect"]>[0]} [options] */
  async collect(options) {
    const { resourceMetrics, errors } = await super.collect(options);
    const scopeMetrics = resourceMetrics.scopeMetrics.map((scope) => ({
      ...scope,
      metrics: scope.metrics.map(withUnit),
    }));
    return { resourceMetrics: { ...resourceMetrics, scopeMetrics }, errors };
  }
}

// Commands that come and go inside a container inherit NODE_OPTIONS, and have nothing to serve.
if (["gateway", "worker"].includes(process.argv[2] ?? "")) {
  const exporter = new UnitNamingExporter({ withoutScopeInfo: true, withoutTargetInfo: true }, (error) => {
    // A process without metrics still answers: a port that is taken does not stop it.
    if (error instanceof Error) process.stderr.write(`No metrics are served: ${error.message}\n`);
  });
  metrics.setGlobalMeterProvider(new MeterProvider({ readers: [exporter] }));
}
