import { oneLine, oneLineAll, paint, table, type Colour } from "@hebra/cli-kit";
import { quantile } from "../rollout/histogram.ts";
import type { RolloutStatus } from "../rollout/service.ts";
import { gateOf } from "../rollout/plan.ts";
import { nextPhase, type RolloutEvent } from "../rollout/machine.ts";
import type { ArmSum } from "../rollout/counter-row.ts";
import { bar, duration, percent, renderGuards } from "./render-guards.ts";

/** Edges that are always open and lead to safety; they are told in one line. */
const backward: readonly RolloutEvent[] = ["retreat", "pause", "rollback"];

/** A rollout on one screen: arms, counters, guards against their lines, the next edges and what holds them. */
export function renderStatus(flag: string, seen: RolloutStatus, columns: number): string[] {
  const status = oneLineAll(seen);
  const { state, phase, share, gathered, at } = status;
  const lines = [
    `${paint("bold", oneLine(flag))}   ${paint(colourOf(status), phase)}   version ${state.version}, revision ${state.revision}, owner ${state.plan.owner}`,
    `new engine ${paint("green", bar(share, 30))} ${percent(share)}   in this phase for ${duration(at - state.enteredAt)}, ${duration(gathered.observedMs)} of them with traffic`,
    "",
    table([
      ["arm", ">sessions", ">failed", ">unknown", ">actions failed", ">p95"],
      armRow("new", gathered.new),
      armRow("legacy", gathered.legacy),
    ]),
  ];
  if (state.phase.name === "shadow") {
    const { compared, equal, mismatched, onlyNewFailed, timedOut, dropped } = gathered.shadow;
    lines.push(
      "",
      `shadow   ${compared} compared, ${equal} equal, ${mismatched} differ, ${onlyNewFailed} failed, ${timedOut} timed out, ${dropped} dropped`,
    );
  }
  lines.push(...renderPower(status), ...renderBreakdown(status), "", ...renderEdges(status));
  const open = state.postmortems.filter((one) => one.closedAt === undefined);
  for (const one of open)
    lines.push(
      "",
      `postmortem ${one.id} ${at > one.dueAt ? paint("red", "OVERDUE since") : "due"} ${new Date(one.dueAt).toISOString()}`,
    );
  // Last, as there are many of them: what a small terminal cuts off is the quiet ones.
  lines.push(...renderGuards(status.report, columns));
  return lines.flatMap((line) => line.split("\n"));
}

function colourOf({ state: { phase } }: RolloutStatus): Colour {
  if (phase.name === "rolledBack") return "red";
  return phase.name === "paused" ? "yellow" : phase.name === "off" ? "dim" : "cyan";
}

function armRow(name: string, arm: ArmSum): string[] {
  const failed = arm.assigned === 0 ? "0" : `${arm.failed} (${percent(arm.failed / arm.assigned)})`;
  const p95 = quantile(arm.durations, 0.95);
  return [
    name,
    String(arm.assigned),
    arm.failed === 0 ? failed : paint("yellow", failed),
    String(arm.unknown),
    String(arm.actionFailed),
    p95 === undefined ? "–" : `${Math.round(p95)} ms`,
  ];
}

const hours = (of: number): string => (of >= 24 * 365 ? "over a year" : duration(of * 3_600_000));

/** What this traffic can show, and when. */
function renderPower({ power }: RolloutStatus): string[] {
  if (power === undefined) return [];
  const { perHour, base, found, smallest } = power;
  const reach = smallest === undefined ? "nothing up to × 100" : `× ${smallest.toFixed(1)} and more`;
  return [
    "",
    `power    ${perHour.new.toFixed(0)} new and ${perHour.legacy.toFixed(0)} legacy an hour, base ${percent(base)}; this step's window finds ${reach}`,
    `         ${found.map(({ ratio, hours: of }) => `× ${ratio} in about ${hours(of)}`).join(", ")}`,
  ];
}

function renderBreakdown({ breakdown }: RolloutStatus): string[] {
  const { tenants, signatures } = breakdown;
  const lines: string[] = [];
  if (tenants.length > 1 || (tenants[0]?.org ?? "…") !== "…")
    lines.push(
      "",
      table([
        ["tenant", ">new turns", ">failed", ">legacy turns", ">failed"],
        ...tenants.map(({ org, new: fresh, legacy }) => [
          org,
          String(fresh.turns),
          String(fresh.failed),
          String(legacy.turns),
          String(legacy.failed),
        ]),
      ]),
    );
  if (signatures.length > 0)
    lines.push(
      "",
      table([
        ["signature", "code", ">new", ">legacy", "message"],
        ...signatures.map(({ fingerprint, code, new: fresh, legacy, message }) => [
          fingerprint.slice(0, 12),
          code,
          String(fresh),
          String(legacy),
          message.slice(0, 60),
        ]),
      ]),
    );
  return lines;
}

function renderEdges({ state, edges }: RolloutStatus): string[] {
  const lines: string[] = [paint("dim", "next")];
  for (const { event, to, missing } of edges) {
    if (backward.includes(event)) continue;
    const open = missing.length === 0;
    lines.push(
      `  ${open ? paint("green", "✓") : paint("red", "✗")} ${event.padEnd(14)}→ ${to}${event === "advance" && open ? whoLeads(state) : ""}`,
    );
    for (const one of missing) lines.push(`      ${paint("yellow", one.detail)}`);
  }
  const back = edges
    .filter(({ event }) => backward.includes(event))
    .map(({ event, to }) => (event === "retreat" ? `retreat → ${to}` : event));
  if (back.length > 0) lines.push(paint("dim", `  always: ${back.join(", ")}`));
  if (edges.length === 0) lines.push("  no edge leads out of here");
  return lines;
}

/** Whether the controller goes on by itself. */
function whoLeads({ plan, phase }: RolloutStatus["state"]): string {
  const to = nextPhase(phase, "advance", { steps: plan.steps.length });
  const automatic = gateOf(plan, to)?.automatic ?? (phase.name === "canary" && to.name === "canary");
  return automatic ? "   by itself at the controller's next look" : "   when a person says so";
}
