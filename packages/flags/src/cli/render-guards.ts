import type { GuardReport } from "../rollout/guards/evaluate.ts";
import type { GuardAction, GuardVerdict } from "../rollout/guards/types.ts";
import { cut, paint, type Colour } from "@hebra/cli-kit";

/** A bar of so many columns; `share` is 0 … 1. */
export function bar(share: number, width: number): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * width);
  return `${"█".repeat(full)}${"░".repeat(width - full)}`;
}

export const percent = (share: number): string => `${(share * 100).toFixed(2)} %`;
export const duration = (ms: number): string =>
  ms >= 2 * 86_400_000
    ? `${(ms / 86_400_000).toFixed(1)} d`
    : ms >= 3_600_000
      ? `${(ms / 3_600_000).toFixed(1)} h`
      : ms >= 60_000
        ? `${Math.floor(ms / 60_000)} min`
        : `${Math.max(0, Math.floor(ms / 1_000))} s`;

const looks: Readonly<Record<GuardAction, { readonly mark: string; readonly colour: Colour | undefined }>> = {
  quiet: { mark: "·", colour: undefined },
  hold: { mark: "…", colour: "cyan" },
  pause: { mark: "!", colour: "yellow" },
  rollback: { mark: "✗", colour: "red" },
};

const METER = 12;

/** E-values grow by multiplication: the meter is logarithmic, from 1 to the last line that they may cross. */
function meter(logE: number, last: number): string {
  return bar(logE / last, METER);
}

const eValue = (logE: number): string => (logE > 9.2 ? `e^${logE.toFixed(0)}` : Math.exp(logE).toPrecision(3));
const line = (logE: number): string => Math.exp(logE).toFixed(0);

/** What a guard saw, against the lines at which it speaks. */
function seen({ guard, values, off }: GuardVerdict): string {
  const value = (name: string): number | undefined => values[name];
  if (off !== undefined) return `${" ".repeat(METER)}  off: ${off}`;
  if (guard === "sample-ratio") {
    const worst = Math.max(value("logEAssigned") ?? 0, value("logEExposed") ?? 0);
    const pauseAt = value("pauseAtLogE");
    if (pauseAt === undefined) return "";
    return `${meter(worst, pauseAt)}  E ${eValue(worst)}, pause at ${line(pauseAt)}; ${percent(value("observed") ?? 0)} of sessions, planned ${percent(value("planned") ?? 0)}`;
  }
  const logE = value("logE");
  if (logE !== undefined) {
    const [pauseAt, rollbackAt, ratio] = [value("pauseAtLogE"), value("rollbackAtLogE"), value("ratio")];
    const lines = [
      pauseAt === undefined ? undefined : `pause at ${line(pauseAt)}`,
      rollbackAt === undefined ? undefined : `roll back at ${line(rollbackAt)}`,
    ]
      .filter((one) => one !== undefined)
      .join(", ");
    const least = value("rollbackAtRatio");
    const compared =
      ratio === undefined
        ? value("share") === undefined
          ? ""
          : `; ${percent(value("share")!)}, limit ${percent(value("limit") ?? 0)}`
        : `; × ${ratio.toFixed(2)}${least === undefined ? "" : ` of × ${least}`}`;
    return `${meter(logE, rollbackAt ?? pauseAt ?? 1)}  E ${eValue(logE)}, ${lines}${compared}`;
  }
  const blank = " ".repeat(METER);
  if (guard === "persistence")
    return `${blank}  ${value("checked") ?? 0} executions verified, ${value("missing") ?? 0} with a missing row; one rolls back`;
  if (guard === "silence")
    return `${blank}  ${value("new") ?? 0} new and ${value("legacy") ?? 0} legacy sessions heard of lately`;
  if (guard === "frozen-baseline") return `${blank}  from a share of 80 % on`;
  if (guard === "critical" && Object.keys(values).length === 0)
    return `${blank}  no listed error, no operation that only fails`;
  const rest = Object.entries(values)
    .map(([name, found]) => `${name} ${found}`)
    .join(", ");
  return `${blank}  ${rest === "" ? "nothing to tell" : rest}`;
}

/** What the guard answers, and what it asks for. */
function answerOf({ answer, action }: GuardVerdict): string {
  return answer === "breach" ? `breach ${action}` : answer;
}

const loudness: Readonly<Record<GuardAction, number>> = { rollback: 0, pause: 1, hold: 2, quiet: 3 };

/** The guards, the loudest first. */
export function renderGuards(report: GuardReport, columns: number): string[] {
  if (report.verdicts.length === 0) return [];
  const width = Math.max(...report.verdicts.map(({ guard }) => guard.length));
  const told =
    report.action === "quiet"
      ? []
      : [`  ${paint(looks[report.action].colour ?? "dim", `→ ${report.action}: ${report.reason}`)}`];
  const lines = [...report.verdicts]
    .sort((a, b) => loudness[a.action] - loudness[b.action])
    .map((verdict) => {
      const { mark, colour } = looks[verdict.off === undefined ? verdict.action : "quiet"];
      const text =
        `  ${mark} ${verdict.guard.padEnd(width)}  ${answerOf(verdict).padEnd(15)}  ${seen(verdict)}`.trimEnd();
      return colour === undefined ? cut(text, columns) : paint(colour, cut(text, columns));
    });
  return ["", paint("dim", "guards"), ...told, ...lines];
}
