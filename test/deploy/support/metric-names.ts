import { flagMetrics } from "@hebra/flags/rollout";
import { threadMetrics, type MetricDescription } from "@hebra/thread";

/** A series as Prometheus has it, and the labels that it may be asked for. */
export type Series = ReadonlyMap<string, ReadonlySet<string>>;

const unitNames: Readonly<Record<string, string>> = { s: "_seconds", By: "_bytes" };
const prometheus = (name: string) => name.replaceAll(/[^a-zA-Z0-9]/g, "_");

/** The names that an exporter makes of one metric: dots to underscores, the unit, and what its kind adds. */
export function seriesOf({ name, kind, unit }: Pick<MetricDescription, "name" | "kind" | "unit">): string[] {
  const base = prometheus(name) + (unitNames[unit] ?? "");
  if (kind === "counter") return [`${base}_total`];
  return kind === "gauge" ? [base] : ["_bucket", "_count", "_sum"].map((suffix) => base + suffix);
}

/** What a scraper adds itself. */
const scraped = ["job", "instance"];

/** Every series that Hebra's processes can have. */
export function knownSeries(): Series {
  const found = new Map<string, ReadonlySet<string>>([["up", new Set(scraped)]]);
  for (const metric of Object.values(threadMetrics)) {
    for (const series of seriesOf(metric))
      found.set(
        series,
        new Set([...metric.labels.map(prometheus), ...scraped, ...(series.endsWith("_bucket") ? ["le"] : [])]),
      );
  }
  return found;
}

/** Those of the flags have a dashboard of their own. */
export const isFlagSeries = (name: string): boolean =>
  Object.values(flagMetrics).some((metric) => name.startsWith(prometheus(metric)));
