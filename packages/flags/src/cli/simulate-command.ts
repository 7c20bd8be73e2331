import { exitCodes, paint, table, type Report } from "@hebra/cli-kit";
import { didYouMean, HebraError } from "@hebra/core";
import { parseScenario, type FilledScenario } from "../rollout/simulate/scenario.ts";
import { shippedScenarios } from "../rollout/simulate/shipped-scenarios.ts";
import { studyScenario, type Study, type Until } from "../rollout/simulate/study.ts";
import { needed, numberOption, readJsonFile, type FlagCall } from "./call.ts";

/** @throws HebraError `INVALID_OPTIONS` naming each member of the file that is wrong; `PARSE_ERROR` */
async function readScenario(name: string): Promise<unknown> {
  const shipped = Object.hasOwn(shippedScenarios, name) ? shippedScenarios[name] : undefined;
  if (shipped !== undefined) return shipped;
  if (/[./\\]/.test(name)) return readJsonFile(name);
  const near = didYouMean(name, Object.keys(shippedScenarios));
  throw new HebraError(
    "INVALID_OPTIONS",
    `There is no scenario ${name}${near === undefined ? "" : `; did you mean ${near}?`} The package has ${Object.keys(shippedScenarios).join(", ")}. A file needs its path, such as ./${name}.json.`,
  );
}

/** Plays a scenario, and says what the guards made of it. */
export async function simulateRollouts({ given, io, output }: FlagCall): Promise<Report> {
  const name = needed(given, "scenario");
  const found = await readScenario(name);
  const scenario = parseScenario(found, `The scenario ${name}`);
  if (given.print === true)
    return { report: found as object, text: JSON.stringify(found, null, 2), exitCode: exitCodes.done };
  const runs = Math.floor(numberOption(given, "runs", 20, 1));
  const stops: string[] = [];
  const progress = output.progress("simulate", given.json === true);
  const study = await studyScenario(scenario, {
    runs,
    seed: numberOption(given, "seed", 1),
    onPlay: (play, done) => {
      progress.update(done, runs);
      stops.push(
        play.rollback !== undefined ? paint("red", "R") : play.pause !== undefined ? paint("yellow", "P") : "·",
      );
    },
  });
  progress.end();
  return {
    report: study,
    text: describe(scenario, study, stops, io.size().columns),
    exitCode: study.problems.length === 0 ? exitCodes.done : exitCodes.usage,
  };
}

const share = (count: number, of: number): string => `${((count * 100) / Math.max(1, of)).toFixed(1)} %`;
const beyond = "not in time";

function describe(
  { expect, harmful, traffic }: FilledScenario,
  study: Study,
  stops: string[],
  columns: number,
): string {
  const width = Math.max(20, Math.min(columns, 80));
  const lines: string[] = [];
  for (let at = 0; at < stops.length; at += width) lines.push(stops.slice(at, at + width).join(""));
  const until = (what: string, { share: part, median, p90, p90Hours }: Until): string[] => [
    what,
    `${(part * 100).toFixed(1)} %`,
    String(median ?? beyond),
    String(p90 ?? beyond),
    p90Hours === undefined ? "" : `${p90Hours.toFixed(1)} h`,
  ];
  const guards = Object.entries(study.guards).map(([guard, count]) => `${guard} ${count}`);
  return [
    paint("bold", study.title ?? study.scenario),
    `${study.runs} runs, ${traffic.sessionsPerHour} sessions an hour, ${study.turns} turns and ${study.ticks} looks in all`,
    "",
    ...lines,
    paint("dim", "· left alone   P paused   R rolled back"),
    "",
    table([
      ["", ">runs", ">share", ">expected"],
      [
        "rolled back",
        String(study.rollbacks),
        `${share(study.rollbacks, study.runs)} (at most ${(study.rollbacksUpper * 100).toFixed(1)} % at 95 %)`,
        expect.rollbacks === undefined ? "" : `≤ ${(expect.rollbacks * 100).toFixed(1)} %`,
      ],
      [
        "paused",
        String(study.pauses),
        share(study.pauses, study.runs),
        expect.pauses === undefined ? "" : `≤ ${(expect.pauses * 100).toFixed(1)} %`,
      ],
    ]),
    "",
    ...(harmful
      ? [
          table([
            ["sessions of the new engine until", ">share", ">median", ">90 %", ">90 %"],
            until("a pause or rollback", study.found),
            until("a rollback", study.rolledBack),
            until("twice the failing turns (naive rule)", study.naive),
          ]),
        ]
      : [
          `A naive rule (twice the failing turns) would have stopped ${(study.naive.share * 100).toFixed(1)} % of them.`,
        ]),
    ...(guards.length === 0 ? [] : [`First to act: ${guards.join(", ")}.`]),
    ...(study.early === 0 ? [] : [`Stopped before the differences began, and left out: ${study.early}.`]),
    ...study.problems.map((problem) => `${paint("red", "✗")} ${problem}`),
    ...(study.problems.length === 0 ? [paint("green", "ok")] : []),
  ].join("\n");
}
