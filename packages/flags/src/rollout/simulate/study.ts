import { playScenario, type Moment, type Play } from "./play.ts";
import type { FilledScenario } from "./scenario.ts";
import { clopperPearsonUpper } from "./upper-limit.ts";

/** Sessions of the new engine until something happened; absent quantiles lie beyond the end of the run. */
export interface Until {
  /** Share of runs in which it happened, 0 … 1. */
  readonly share: number;
  readonly median?: number;
  readonly p90?: number;
  /** 90th percentile in hours. */
  readonly p90Hours?: number;
}

/** Many runs of one scenario. */
export interface Study {
  readonly scenario: string;
  readonly title?: string;
  readonly runs: number;
  readonly seed: number;
  /** Runs that a guard rolled back, and the one-sided 95 % upper limit of their share. */
  readonly rollbacks: number;
  readonly rollbacksUpper: number;
  /** Runs that a guard paused. */
  readonly pauses: number;
  /** Which guard acted first, and how often. */
  readonly guards: Readonly<Record<string, number>>;
  /** Runs that were stopped before the differences began; they are left out of the figures below. */
  readonly early: number;
  /** Until the first pause or rollback. */
  readonly found: Until;
  readonly rolledBack: Until;
  /** Until a rule that rolls back at twice the failing share of turns acts. */
  readonly naive: Until;
  readonly sessions: number;
  readonly turns: number;
  readonly ticks: number;
  /** What `expect` asks for and the runs do not show. */
  readonly problems: readonly string[];
}

/** Options of {@link studyScenario}. */
export interface StudyOptions {
  /** @defaultValue 100 */
  readonly runs?: number;
  /** The first run's seed; the others follow. @defaultValue 1 */
  readonly seed?: number;
  readonly onPlay?: (play: Play, done: number) => void;
}

const percent = (share: number): string => `${(share * 100).toFixed(2)} %`;

/** Plays a scenario many times and holds the figures against what it expects. */
export async function studyScenario(scenario: FilledScenario, options: StudyOptions = {}): Promise<Study> {
  const { runs = 100, seed = 1, onPlay } = options;
  const plays: Play[] = [];
  for (let at = 0; at < runs; at++) {
    const play = await playScenario(scenario, seed + at);
    plays.push(play);
    onPlay?.(play, at + 1);
  }
  const first = (play: Play) => play.pause ?? play.rollback;
  const early = plays.filter((play) => scenario.harmful && (first(play)?.hours ?? 0) < 0);
  const late = plays.filter((play) => !early.includes(play));
  const guards: Record<string, number> = {};
  for (const play of plays) {
    const guard = first(play)?.guard;
    if (guard !== undefined) guards[guard] = (guards[guard] ?? 0) + 1;
  }
  const rollbacks = plays.filter((play) => play.rollback !== undefined).length;
  const study = {
    scenario: scenario.name,
    ...(scenario.title === undefined ? {} : { title: scenario.title }),
    runs,
    seed,
    rollbacks,
    rollbacksUpper: clopperPearsonUpper(rollbacks, runs),
    pauses: plays.filter((play) => play.pause !== undefined).length,
    guards,
    early: early.length,
    found: until(late.map(first)),
    rolledBack: until(late.map((play) => play.rollback)),
    naive: until(plays.map((play) => play.naive)),
    sessions: plays.reduce((sum, play) => sum + play.sessions, 0),
    turns: plays.reduce((sum, play) => sum + play.turns, 0),
    ticks: plays.reduce((sum, play) => sum + play.ticks, 0),
  };
  return { ...study, problems: judge(scenario, study) };
}

function until(moments: readonly (Moment | undefined)[]): Until {
  const quantile = (values: readonly number[], q: number): { readonly value?: number } => {
    const value = [...values].sort((a, b) => a - b)[Math.max(0, Math.ceil(q * values.length) - 1)];
    return value === undefined || value === Infinity ? {} : { value };
  };
  const sessions = moments.map((moment) => moment?.newSessions ?? Infinity);
  const hours = moments.map((moment) => moment?.hours ?? Infinity);
  const [median, p90, p90Hours] = [quantile(sessions, 0.5), quantile(sessions, 0.9), quantile(hours, 0.9)];
  return {
    share: moments.length === 0 ? 0 : moments.filter((moment) => moment !== undefined).length / moments.length,
    ...(median.value === undefined ? {} : { median: median.value }),
    ...(p90.value === undefined ? {} : { p90: p90.value }),
    ...(p90Hours.value === undefined ? {} : { p90Hours: Math.round(p90Hours.value * 100) / 100 }),
  };
}

function judge({ expect }: FilledScenario, study: Omit<Study, "problems">): string[] {
  const problems: string[] = [];
  const most = (what: string, found: number, limit: number | undefined) => {
    if (limit !== undefined && found > limit)
      problems.push(`${what}: ${percent(found)}; at most ${percent(limit)} is expected.`);
  };
  most("Rollbacks", study.rollbacks / study.runs, expect.rollbacks);
  most("Upper limit of rollbacks", study.rollbacksUpper, expect.rollbacksUpper);
  most("Runs with a pause", study.pauses / study.runs, expect.pauses);
  if (expect.found !== undefined && study.found.share < expect.found)
    problems.push(`Found in ${percent(study.found.share)} of runs; at least ${percent(expect.found)} is expected.`);
  if (expect.foundWithin !== undefined && (study.found.p90 ?? Infinity) > expect.foundWithin)
    problems.push(
      `Found after ${study.found.p90 ?? "more"} new-arm sessions at the 90th percentile; at most ${expect.foundWithin} are expected.`,
    );
  return problems;
}
