import { describe, expect, it } from "vitest";
import { channelContract } from "../channel.contract.ts";
import { httpSide } from "./http.fixture.ts";
import { telegramSide } from "./telegram.fixture.ts";
import { terminalSide } from "./terminal.fixture.ts";
import { whatsappSide } from "./whatsapp.fixture.ts";

const nobodyRefuses = (what: string) => ({
  "an answer of `later` says when, and the reply is sent then": `${what} refuses nothing`,
  "a reply whose answer never came is of unknown outcome, and is sent again under the same id": `${what} gives no answers`,
  "a reply that will never be taken becomes a dead letter, and the next one goes out": `${what} refuses nothing`,
});

const suites = {
  "the HTTP channel": channelContract({ create: httpSide, skip: nobodyRefuses("a stream of events") }),
  "the Telegram channel": channelContract({
    create: telegramSide,
    skip: { "a reply's id goes with it": "the Bot API has no place for it" },
  }),
  "the WhatsApp channel": channelContract({ create: whatsappSide }),
  "the terminal channel": channelContract({
    create: terminalSide,
    skip: {
      ...nobodyRefuses("a screen"),
      "what it is told is acknowledged only once it was handed over": "a keyboard is told nothing",
      "a second delivery is the same message: one turn and one reply": "a line is typed once",
      "media come by reference, never by value": "a keyboard has none",
      "a reply's id goes with it": "nobody reads ids",
    },
  }),
};

describe.each(Object.entries(suites))("%s", (_name, clauses) => {
  for (const [title, clause] of Object.entries(clauses)) it(title, clause);
});

describe("the contract of channels", () => {
  it("leaves out only what there is, and only for a reason", () => {
    expect(() => channelContract({ create: httpSide, skip: { "no such clause": "why" } as never })).toThrow(
      /there is no clause/,
    );
    expect(() => channelContract({ create: httpSide, skip: { "a reply's id goes with it": " " } })).toThrow(/say why/);
  });
});
