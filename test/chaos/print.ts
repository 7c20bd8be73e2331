import type { Bar } from "./bars.ts";
import type { PhaseReport } from "./records.ts";
import type { ScalingReport } from "./scaling.ts";

const left = (text: string) => text.padEnd(20);

export function printPart(name: string, text: string): void {
  console.log(`${left(name)}${text}`);
}

export function printPhase(report: PhaseReport): void {
  const {
    phase,
    messages,
    orderViolations,
    overlaps,
    lost,
    doubleCommits,
    misdelivered,
    repeatedReplies,
    refusedWrites,
    p50,
    p95,
    p99,
    max,
    p95Before,
    p95After,
    settled,
    note,
    examples,
    ms,
  } = report;
  const counts = `order ${orderViolations}  overlaps ${overlaps}  lost ${lost}  double ${doubleCommits}  mixed ${misdelivered}  repeated ${repeatedReplies}  refused ${refusedWrites}`;
  printPart(
    phase,
    `${messages} messages  ${counts}  p50 ${p50}  p95 ${p95} (${p95Before} before, ${p95After} after)  p99 ${p99}  max ${max} ms  in ${Math.round(ms / 100) / 10} s${settled ? "" : "  NOT SETTLED"}`,
  );
  for (const line of [...(note === undefined ? [] : [note]), ...examples]) printPart("", line);
}

export function printScaling(reports: readonly ScalingReport[]): void {
  for (const { size, throughput, p50, p95, capacity } of reports)
    printPart(
      "scaling",
      `${size.padEnd(10)}${throughput} turns/s  p50 ${p50}  p95 ${p95} ms  at most ${capacity} turns/s`,
    );
}

export function printBars(bars: Readonly<Record<string, Bar>>): void {
  for (const [name, { value, bound, unit, ok }] of Object.entries(bars))
    console.log(`${ok ? "ok    " : "MISSED"} ${name} ${value} (bound ${bound} ${unit})`);
}
