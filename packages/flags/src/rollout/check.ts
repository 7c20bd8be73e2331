import { errorMessage, type Clock } from "@hebra/core";
import { nextPhase, legalEvents } from "./machine.ts";
import { gateOf } from "./plan.ts";
import type { RolloutState } from "./state.ts";

/** What a check found. */
export interface CheckVerdict {
  readonly ok: boolean;
  /** One sentence with the figures, without secrets. */
  readonly detail: string;
}

/**
 * Something that a machine can find out at the moment at which an edge is taken: whether a setting is there and works,
 * whether migrations are applied,
 * whether the build that a rollback would bring back can live with them. It is asked at every look, also by screens:
 * keep it cheap.
 *
 * @param signal - aborts when the time for it is over.
 */
export type RolloutCheck = (flag: string, signal: AbortSignal) => CheckVerdict | Promise<CheckVerdict>;

/** How long a check may take, ms. */
const LIMIT_MS = 5_000;

/** The checks that the edges from here ask for, each asked once. What throws, hangs or is not there is a no. */
export async function runChecks(
  state: RolloutState,
  checks: Readonly<Record<string, RolloutCheck>>,
  clock: Clock,
): Promise<Readonly<Record<string, CheckVerdict>>> {
  const forward = legalEvents(state.phase).filter((event) => event === "advance" || event === "cutover");
  const names = new Set(
    forward.flatMap(
      (event) => gateOf(state.plan, nextPhase(state.phase, event, { steps: state.plan.steps.length }))?.checks ?? [],
    ),
  );
  const found = await Promise.all(
    [...names].map(
      async (name) =>
        [
          name,
          await runCheck(name, Object.hasOwn(checks, name) ? checks[name] : undefined, state.flag, clock),
        ] as const,
    ),
  );
  return Object.fromEntries(found);
}

async function runCheck(
  name: string,
  check: RolloutCheck | undefined,
  flag: string,
  clock: Clock,
): Promise<CheckVerdict> {
  if (check === undefined)
    return { ok: false, detail: `Nobody can do it here: give \`checks.${name}\` to createRolloutService.` };
  const limit = new AbortController();
  const over = new Promise<CheckVerdict>((resolve) => {
    limit.signal.addEventListener(
      "abort",
      () => resolve({ ok: false, detail: `It did not answer within ${LIMIT_MS / 1_000} s.` }),
      { once: true },
    );
  });
  const cancel = clock.after(LIMIT_MS, () => limit.abort());
  try {
    const { ok, detail } = await Promise.race([(async () => check(flag, limit.signal))(), over]);
    return { ok: ok === true, detail: String(detail) };
  } catch (error) {
    return { ok: false, detail: `It failed: ${errorMessage(error)}` };
  } finally {
    cancel();
  }
}
