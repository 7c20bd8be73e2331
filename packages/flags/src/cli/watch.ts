import { errorCode, errorMessage } from "@hebra/core";
import type { RolloutStatus } from "../rollout/service.ts";
import { ask, numberOption, type Call } from "./call.ts";
import { Refused } from "./client.ts";
import type { FlagList } from "./flag-commands.ts";
import type { ExitCode } from "./io.ts";
import { cut } from "./paint.ts";
import { renderStatus } from "./render-status.ts";

/** The terminal's second screen, without a cursor; what was on the first comes back at the end. */
const ENTER = "\u001b[?1049h\u001b[?25l";
const LEAVE = "\u001b[?25h\u001b[?1049l";
const HOME = "\u001b[H";
const LINE_END = "\u001b[K\r\n";
const REST = "\u001b[J";

interface Look {
  readonly status: RolloutStatus;
  /** Why nobody gets the new engine in spite of the rollout. */
  readonly killed: string | undefined;
  /** When it was seen, on this machine's clock. */
  readonly seenAt: number;
}

async function look(call: Call): Promise<Look> {
  const path = `/v1/flags/${encodeURIComponent(call.operand)}/rollout`;
  const [{ body: status }, { body: list }] = await Promise.all([
    ask<RolloutStatus>(call, "GET", path),
    ask<FlagList>(call, "GET", "/v1/flags"),
  ]);
  const own = list.flags.find(({ key }) => key === call.operand)?.rollout?.kill;
  const kill = list.everything?.kill ?? own;
  return {
    status,
    killed: kill ? `KILLED by ${kill.by} at ${kill.at}: ${kill.reason}` : undefined,
    seenAt: Date.now(),
  };
}

/** Whether asking again may help. */
function passes(error: unknown): boolean {
  return error instanceof Refused ? error.refusal.status >= 500 : errorCode(error) === "UNREACHABLE";
}

/** The live view of a rollout. */
export async function watch(call: Call): Promise<ExitCode> {
  const { io, given, paint } = call;
  const every = numberOption(given, "every", 5, 0.5) * 1_000;
  const once = given.once === true;
  const live = io.terminal && !once && given.json !== true;
  let last: Look | undefined;
  let entered = false;

  function draw(failure: string | undefined): void {
    if (last === undefined) return;
    const { columns, rows } = io.size();
    const head = [
      ...(failure === undefined
        ? []
        : [
            paint("red", `${failure} Asking again; what is below was seen at ${new Date(last.seenAt).toISOString()}.`),
            "",
          ]),
      ...(last.killed === undefined ? [] : [paint("red", last.killed), ""]),
    ];
    const foot = live
      ? ["", paint("dim", `seen ${new Date(last.seenAt).toISOString()}, every ${every / 1_000} s, Ctrl-C ends`)]
      : [];
    const lines = [...head, ...renderStatus(call.operand, last.status, { paint, columns }), ...foot].map((line) =>
      cut(line, columns),
    );
    if (!live) return io.out(`${lines.join("\n")}\n`);
    const room = rows - 1;
    const shown =
      lines.length <= room
        ? lines
        : [...lines.slice(0, room - 1), paint("dim", `… ${lines.length - room + 1} more lines: enlarge the terminal`)];
    // Written over what stands there, line by line: clearing first would flicker.
    io.out(`${entered ? "" : ENTER}${HOME}${shown.join(LINE_END)}${LINE_END}${REST}`);
    entered = true;
  }

  try {
    for (;;) {
      let failure: string | undefined;
      try {
        last = await look(call);
      } catch (error) {
        // A first look that fails is a mistake of the command line rather than an outage.
        if (io.signal.aborted) return 0;
        if (once || last === undefined || !passes(error)) throw error;
        failure = errorMessage(error);
      }
      if (given.json === true)
        io.out(
          `${JSON.stringify(failure === undefined ? { ...last!.status, killed: last!.killed ?? null } : { code: "UNREACHABLE", detail: failure })}\n`,
        );
      else if (failure !== undefined && !live) io.err(`${failure} Asking again.\n`);
      else draw(failure);
      if (once || io.signal.aborted) return 0;
      await io.sleep(every);
      if (io.signal.aborted) return 0;
    }
  } finally {
    if (entered) {
      io.out(LEAVE);
      const seen = last as Look | undefined;
      if (seen !== undefined)
        io.out(
          `${renderStatus(call.operand, seen.status, { paint, columns: io.size().columns })
            .map((line) => cut(line, io.size().columns))
            .join("\n")}\n`,
        );
    }
  }
}
