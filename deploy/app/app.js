// What `hebra gateway` and `hebra worker` load with --app. Replace the definition by your own; the rest may stay.
import { createHash, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import { defineAction, defineThread } from "@hebra/thread";
import { scriptedReactor } from "@hebra/thread/reactor";
import { telegramChannel } from "@hebra/thread/runtime";
import * as z from "zod";

const desk = defineThread({
  name: "desk",
  instructions: "You help customers with their orders.",
  actions: {
    find_order: defineAction({
      description: "Finds an order by its number.",
      input: z.object({ number: z.string() }),
      effect: "read", // may run again after a crash
      execute: ({ number }) => ({ number, status: "shipped" }),
    }),
  },
  // Stands in for a model, so that the deployment can be tried without a key. Leave it out and set `model` to use the
  // AI SDK.
  reactor: scriptedReactor({
    steps: [{ actions: [{ name: "find_order", input: { number: "A-7" } }] }, { text: "It has shipped." }],
  }),
});

/** What can be talked to; gateways and workers load the same list. */
export const threads = [desk];

/** Made in the gateway only. The HTTP channel comes with --port. */
export const channels = () => {
  const token = process.env["TELEGRAM_TOKEN"];
  return token === undefined ? [] : [telegramChannel({ token })];
};

const { API_KEY_FILE } = process.env;
const apiKey = API_KEY_FILE === undefined ? process.env["API_KEY"] : readFileSync(API_KEY_FILE, "utf8").trim();
/** @param {string} text */
const digest = (text) => createHash("sha256").update(text).digest();

/**
 * Who may post to the gateway's port: a backend with the API key, which says whose chat a message is from. For clients
 * of your own return each user's `chat` instead, from a session that you have checked. Without a key nobody may.
 *
 * @type {import("@hebra/thread/runtime").HttpChannelOptions["authorize"]}
 */
export const authorize = (request) => {
  const given = request.headers.get("authorization") ?? "";
  const known = apiKey !== undefined && apiKey !== "" && timingSafeEqual(digest(given), digest(`Bearer ${apiKey}`));
  return known ? { maySet: ["chat", "sender"] } : undefined;
};
