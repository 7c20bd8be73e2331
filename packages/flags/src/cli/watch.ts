import { cut, oneLineAll, paint } from "@hebra/cli-kit";
import { errorMessage } from "@hebra/core";
import type { RolloutStatus } from "../rollout/service.ts";
import { ask, numberOption, type FlagCall } from "./call.ts";
import type { FlagList } from "./flag-commands.ts";
import { isAway } from "./client.ts";
import { renderStatus } from "./render-status.ts";

interface Look {
  readonly status: RolloutStatus;
  /** Why nobody gets the new engine despite the rollout. */
  readonly killed: string | undefined;
  /** When it was seen, on this machine's clock. */
  readonly seenAt: number;
}

async function look(call: FlagCall): Promise<Look> {
  const path = `/v1/flags/${encodeURIComponent(call.operand)}/rollout`;
  const [{ body: status }, { body: list }] = await Promise.all([
    ask<RolloutStatus>(call, "GET", path),
    ask<FlagList>(call, "GET", "/v1/flags"),
  ]);
  const own = list.flags.find(({ key }) => key === call.operand)?.rollout?.kill;
  const kill = oneLineAll(list.everything?.kill ?? own);
  return {
    status,
    killed: kill ? `KILLED by ${kill.by} at ${kill.at}: ${kill.reason}` : undefined,
    seenAt: Date.now(),
  };
}

/** What a look shows, under what went wrong with the one after it. */
function view(call: FlagCall, last: Look, failure: string | undefined, foot: readonly string[]): string[] {
  const { columns } = call.io.size();
  const stale = `${failure} Asking again; what is below was seen at ${new Date(last.seenAt).toISOString()}.`;
  const head = [
    ...(failure === undefined ? [] : [paint("red", stale), ""]),
    ...(last.killed === undefined ? [] : [paint("red", last.killed), ""]),
  ];
  return [...head, ...renderStatus(call.operand, last.status, columns), ...foot].map((line) => cut(line, columns));
}

/** The live view of a rollout. */
export async function watch(call: FlagCall): Promise<undefined> {
  const { io, given, output } = call;
  const every = numberOption(given, "every", 5, 0.5) * 1_000;
  const once = given.once === true;
  const screen = io.terminal && !once && given.json !== true ? output.screen() : undefined;
  let last: Look | undefined;

  function tell(failure: string | undefined): void {
    if (given.json === true)
      return output.json(
        failure === undefined
          ? { ...last!.status, killed: last!.killed ?? null }
          : { code: "UNREACHABLE", message: failure },
      );
    if (screen !== undefined) {
      const seen = `seen ${new Date(last!.seenAt).toISOString()}, every ${every / 1_000} s, Ctrl-C ends`;
      return screen.draw(view(call, last!, failure, ["", paint("dim", seen)]));
    }
    if (failure === undefined) output.print(view(call, last!, failure, []).join("\n"));
    else output.note(`${failure} Asking again.`);
  }

  try {
    for (;;) {
      let failure: string | undefined;
      try {
        last = await look(call);
      } catch (error) {
        // A first look that fails is a mistake of the command line rather than an outage.
        if (io.signal.aborted) return undefined;
        if (once || last === undefined || !isAway(error)) throw error;
        failure = errorMessage(error);
      }
      tell(failure);
      if (once || io.signal.aborted) return undefined;
      await io.sleep(every);
      if (io.signal.aborted) return undefined;
    }
  } finally {
    if (screen !== undefined && last !== undefined) {
      screen.leave();
      const { columns } = io.size();
      output.print(
        renderStatus(call.operand, last.status, columns)
          .map((line) => cut(line, columns))
          .join("\n"),
      );
    }
  }
}
