import type { GuardVerdict } from "../rollout/guards/types.ts";
import type { RolloutStatus } from "../rollout/service.ts";

const bar = (share: number, width = 30): string => `${"█".repeat(Math.round(share * width))}${"░".repeat(width - Math.round(share * width))}`;
const percent = (share: number): string => `${(share * 100).toFixed(2)} %`;
const pad = (text: string, width: number): string => text.padEnd(width).slice(0, width);
const duration = (ms: number): string => (ms >= 3_600_000 ? `${(ms / 3_600_000).toFixed(1)} h` : `${(ms / 60_000).toFixed(0)} min`);

/** E-values by the lines they may cross. */
function meter(verdict: GuardVerdict): string {
  const { logE, pauseAtLogE, rollbackAtLogE } = verdict.values;
  if (logE === undefined) return Object.entries(verdict.values).map(([name, value]) => `${name} ${value}`).join(", ");
  const e = logE > 20 ? `e^${logE.toFixed(0)}` : Math.exp(logE).toPrecision(3);
  const lines = [pauseAtLogE === undefined ? undefined : `pause ${Math.exp(pauseAtLogE).toFixed(0)}`, rollbackAtLogE === undefined ? undefined : `roll back ${Math.exp(rollbackAtLogE).toFixed(0)}`].filter((line) => line !== undefined);
  return `E ${e} (${lines.join(", ")})${verdict.values["ratio"] === undefined ? "" : `, × ${verdict.values["ratio"].toFixed(2)}`}`;
}

const marks = { quiet: "·", hold: "…", pause: "!", rollback: "✗" } as const;

/** A rollout on one screen: arms, counters, guards against their lines, the next edge and what holds it. */
export function renderStatus(flag: string, status: RolloutStatus, now: number): string {
  const { state, phase, share, gathered, report, edges } = status;
  const lines = [
    `${flag}   ${phase}   version ${state.version}, revision ${state.revision}   owner ${state.plan.owner}`,
    `new engine ${bar(share)} ${percent(share)}   in this phase for ${duration(now - state.enteredAt)}, ${duration(gathered.observedMs)} with traffic`,
    "",
    `${pad("", 10)}${pad("sessions", 12)}${pad("failed", 18)}${pad("unknown", 10)}${pad("actions failed", 16)}p95`,
  ];
  for (const [name, arm, p95] of [["new", gathered.new, report.verdicts.length === 0 ? undefined : "new"], ["legacy", gathered.legacy, "legacy"]] as const) {
    const share = arm.assigned === 0 ? "" : ` (${percent(arm.failed / arm.assigned)})`;
    const samples = arm.durations.reduce((sum, [, count]) => sum + count, 0);
    let seen = 0;
    const bucket = p95 === undefined ? undefined : arm.durations.find(([, count]) => (seen += count) >= 0.95 * samples)?.[0];
    lines.push(`${pad(name, 10)}${pad(String(arm.assigned), 12)}${pad(`${arm.failed}${share}`, 18)}${pad(String(arm.unknown), 10)}${pad(String(arm.actionFailed), 16)}${bucket === undefined ? "–" : `${Math.round(2 ** ((bucket + 1) / 16))} ms`}`);
  }
  if (state.phase.name === "shadow") {
    const { compared, equal, mismatched, onlyNewFailed, timedOut, dropped } = gathered.shadow;
    lines.push("", `shadow: ${compared} compared, ${equal} equal, ${mismatched} differ, ${onlyNewFailed} failed, ${timedOut} timed out, ${dropped} dropped`);
  }
  if (report.verdicts.length > 0) {
    lines.push("", "guards");
    for (const verdict of report.verdicts) lines.push(`  ${marks[verdict.action]} ${pad(verdict.guard, 17)}${pad(verdict.off === undefined ? verdict.action : "off", 10)}${meter(verdict)}`);
    if (report.action !== "quiet") lines.push(`  → ${report.action}: ${report.reason}`);
  }
  lines.push("", "edges");
  for (const { event, to, missing } of edges) {
    lines.push(`  ${missing.length === 0 ? "✓" : "✗"} ${pad(event, 15)}→ ${to}`);
    for (const one of missing) lines.push(`      ${one.detail}`);
  }
  const open = state.postmortems.filter((one) => one.closedAt === undefined);
  if (open.length > 0) lines.push("", ...open.map((one) => `postmortem ${one.id} ${now > one.dueAt ? "OVERDUE since" : "due"} ${new Date(one.dueAt).toISOString()}`));
  return lines.join("\n");
}

/** Rows as an aligned table. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows.reduce<number[]>((most, row) => row.map((cell, at) => Math.max(most[at] ?? 0, cell.length)), []);
  return rows.map((row) => row.map((cell, at) => cell.padEnd(widths[at]!)).join("  ").trimEnd()).join("\n");
}
