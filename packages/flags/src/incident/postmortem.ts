import type { EvidenceRecord } from "../rollout/evidence.ts";
import type { Postmortem } from "../rollout/state.ts";
import type { Incident } from "./incident.ts";

/** What a postmortem is written from. */
export interface PostmortemSources {
  readonly flag: string;
  readonly postmortem: Postmortem;
  readonly evidence: readonly EvidenceRecord[];
  /** Incidents around the rollback. */
  readonly incidents: readonly Incident[];
}

const instant = (ms: number) => new Date(ms).toISOString();

/**
 * A postmortem in Markdown, with everything that the records know filled in and the questions that only people can
 * answer left open.
 */
export function postmortemDocument({ flag, postmortem, evidence, incidents }: PostmortemSources): string {
  const rollback = evidence.find((record) => record.sequence === postmortem.evidence);
  const before = evidence.filter((record) => record.sequence <= postmortem.evidence).slice(-10);
  const lines = [
    `# Postmortem ${postmortem.id}`,
    "",
    `${postmortem.summary}`,
    "",
    `- Flag: \`${flag}\``,
    `- Opened: ${instant(postmortem.openedAt)}`,
    `- Due: ${instant(postmortem.dueAt)}`,
    `- Evidence: record ${postmortem.evidence}, hash \`${rollback?.hash ?? "unknown"}\``,
  ];
  if (rollback?.engines !== undefined)
    lines.push(`- Engines: legacy ${rollback.engines.legacy ?? "?"}, new ${rollback.engines.new ?? "?"}`);
  lines.push("", "## Timeline", "", "| at | event | from | to | by | reason |", "|---|---|---|---|---|---|");
  for (const { at, event, from, to, cause, reason } of before) {
    const by = cause.kind === "operator" ? cause.by : cause.kind === "guard" ? `guard ${cause.guard}` : "schedule";
    lines.push(`| ${at} | ${event} | ${from} | ${to} | ${by} | ${cell(reason)} |`);
  }
  if (rollback?.judgement !== undefined) lines.push(...verdicts(rollback.judgement));
  lines.push("", "## Incidents", "");
  if (incidents.length === 0) lines.push("None was recorded around the rollback.");
  else
    lines.push(
      "| fingerprint | code | count | action | first message |",
      "|---|---|---|---|---|",
      ...byFingerprint(incidents),
    );
  lines.push(
    "",
    "## To be answered",
    "",
    "1. What did users notice, and for how long?",
    "2. What was the cause?",
    "3. Why did it not show in shadow or in an earlier step?",
    "4. What changes, who does it, until when?",
    "",
  );
  return lines.join("\n");
}

const cell = (text: string) => text.replace(/\|/g, "\\|").replace(/\s+/g, " ");

function verdicts(judgement: NonNullable<EvidenceRecord["judgement"]>): string[] {
  const rows = judgement.verdicts.map(({ guard, action, reason }) => `| ${guard} | ${action} | ${cell(reason)} |`);
  return ["", "## What the guards said", "", "| guard | asks for | why |", "|---|---|---|", ...rows];
}

function byFingerprint(incidents: readonly Incident[]): string[] {
  const groups = new Map<string, Incident[]>();
  for (const incident of incidents)
    groups.set(incident.signature.fingerprint, [...(groups.get(incident.signature.fingerprint) ?? []), incident]);
  return [...groups.values()]
    .sort((a, b) => b.length - a.length)
    .map((group) => {
      const { signature, decision } = group[0]!;
      return `| \`${signature.fingerprint.slice(0, 12)}\` | ${signature.code} | ${group.length} | ${decision.action} | ${cell(signature.message)} |`;
    });
}
