import { PassThrough, Writable } from "node:stream";
import { errorCode } from "@hebra/core";
import type { Heard, OtherSide } from "../channel.contract.ts";
import type { Channel, Locate } from "../channel.ts";
import { terminalChannel } from "./terminal.ts";

/** Everything that was written, line by line. */
export function lines() {
  const all: string[] = [];
  let rest = "";
  let changed = () => {};
  const output = new Writable({
    write(chunk, _encoding, done) {
      const parts = (rest + String(chunk)).split("\n");
      rest = parts.pop()!;
      all.push(...parts);
      done();
      changed();
    },
  });
  return {
    output,
    all,
    async until(found: () => boolean) {
      while (!found()) await new Promise<void>((resolve) => (changed = resolve));
    },
  };
}

/** What the channel says by itself. */
const notices = [/^It cannot be handed over yet/, /^Not taken/, /^This is the conversation /, /^There is no \//];

/** The other side for the contract: somebody who types, and reads the lines. */
export async function terminalSide({ locate }: { locate?: Locate }): Promise<OtherSide> {
  const input = new PassThrough();
  const screen = lines();
  const terminal = terminalChannel({
    input,
    output: screen.output,
    session: "7",
    ...(locate === undefined ? {} : { locate }),
  });
  let chat = "7";
  /** Ids are the channel's own: what was typed is found by its text. */
  const taken = new Map<string, () => void>();
  const channel: Channel = {
    ...terminal,
    start: (context) =>
      terminal.start({
        ...context,
        async publish(message) {
          const known = () => taken.get(message.text ?? "")?.();
          try {
            const done = await context.publish(message);
            known();
            return done;
          } catch (error) {
            if (errorCode(error) !== "UNREACHABLE") known();
            throw error;
          }
        },
      }),
  };
  return {
    channel,
    async say(said) {
      const done = new Promise<void>((resolve) => taken.set(said.text, resolve));
      if (said.chat !== chat) input.write(`/session ${said.chat}\n`);
      chat = said.chat;
      input.write(`${said.text}\n`);
      await done;
    },
    async heard(count) {
      const heard = (): Heard[] => {
        let at = "7";
        return screen.all.flatMap((line) => {
          at = /^This is the conversation (.*)\.$/.exec(line)?.[1] ?? at;
          if (notices.some((notice) => notice.test(line))) return [];
          const [, other, text] = /^\[([^\]]+)\] (.*)$/.exec(line) ?? [undefined, at, line];
          return [{ chat: other!, text: text! }];
        });
      };
      await screen.until(() => heard().length >= count);
      return heard();
    },
    async close() {
      input.end();
    },
  };
}
