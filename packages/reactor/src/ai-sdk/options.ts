import * as z from "zod";
import type { Clock, JsonObject } from "@hebra/core";
import type { LanguageModel, streamText, Tool } from "ai";
import type { ReactorInput } from "../reactor.ts";
import type { PromptOptions } from "./prompt-options.ts";
import type { ModelV4 } from "./specification-v4.ts";
import type { PriceUsage } from "./usage.ts";

/** The AI SDK's own options for its telemetry: 6 and 7 name the type differently. */
type TelemetrySettings = NonNullable<Parameters<typeof streamText>[0]["experimental_telemetry"]>;

/** Options of `aiSdkReactor`. */
export interface AiSdkReactorOptions extends Omit<PromptOptions, "provider"> {
  /**
   * The model of every step: an instance from a provider package, or an id for the AI SDK's global provider.
   * @defaultValue the definition's model
   */
  model?: LanguageModel | ModelV4;
  /** Chooses the model of each step, in place of `model`. */
  selectModel?: (input: ReactorInput) => LanguageModel | ModelV4 | Promise<LanguageModel | ModelV4>;
  /** Options for providers, by provider, as the AI SDK has them. */
  providerOptions?: Record<string, JsonObject>;
  /** Headers for the provider's HTTP requests. */
  headers?: Record<string, string>;
  /**
   * Tools that the model's provider defines, e.g. a web search, by name. What the provider runs itself comes as actions
   * that
   * the reactor owns; of one that the host is to run, the action of the same name runs.
   */
  providerTools?: Record<string, Tool>;
  /** At most this many tokens an answer. A limit of the step comes first. @defaultValue the provider's */
  maxOutputTokens?: number;
  /** @defaultValue the provider's */
  temperature?: number;
  /** @defaultValue the provider's */
  topP?: number;
  /** @defaultValue the provider's */
  topK?: number;
  /** @defaultValue the provider's */
  presencePenalty?: number;
  /** @defaultValue the provider's */
  frequencyPenalty?: number;
  /** Texts at which the model stops. @defaultValue none */
  stopSequences?: string[];
  /** For providers that can repeat an answer. @defaultValue none */
  seed?: number;
  /**
   * How often the AI SDK repeats a call that could not be started. The default leaves repeating to the engine, which
   * knows the
   * turn's budget and leases, and is told by the error whether (`retryable`) and when (`details.retryAfterMs`): two
   * layers
   * would multiply. With more than 0 every call goes through `streamText`, which takes some more time.
   *
   * @defaultValue 0
   */
  maxRetries?: number;
  /** Prices an answer where the provider does not say its cost. @defaultValue no cost is reported */
  price?: PriceUsage;
  /**
   * The AI SDK's own telemetry: calls go through `streamText` then, which takes some more time. @defaultValue off: the
   * engine has spans of its own
   */
  telemetry?: TelemetrySettings;
  /**
   * How long the model may be silent, in milliseconds, before the step fails with `TIMEOUT`: before its first word and
   * between
   * words. `Infinity` waits for ever.
   *
   * @defaultValue 300000
   */
  silenceMs?: number;
  /** What `silenceMs` and `retry-after` dates are measured by. @defaultValue the system's clock */
  clock?: Clock;
}

const isFunction = (value: unknown): boolean => typeof value === "function";
const callback = z.custom<never>(isFunction, "must be a function").optional();
const number = z.number().optional();
const record = z.record(z.string(), z.looseObject({})).optional();

/** The schema behind {@link AiSdkReactorOptions}. Models are checked by `assertModel`. */
export const optionsSchema = z
  .strictObject({
    model: z.unknown().optional(),
    selectModel: callback,
    providerOptions: record,
    headers: z.record(z.string(), z.string()).optional(),
    providerTools: record,
    maxOutputTokens: z.int().positive().optional(),
    temperature: number,
    topP: number,
    topK: number,
    presencePenalty: number,
    frequencyPenalty: number,
    stopSequences: z.array(z.string()).optional(),
    seed: z.int().optional(),
    maxRetries: z.int().nonnegative().optional(),
    price: callback,
    telemetry: z.looseObject({}).optional(),
    readFile: callback,
    dataToText: callback,
    laterSystemMessages: z.enum(["user", "system"]).optional(),
    continuation: z.string().min(1).optional(),
    opening: z.string().min(1).optional(),
    silenceMs: z.union([z.number().positive(), z.literal(Infinity)]).optional(),
    clock: z.custom<Clock>((value) => isFunction((value as Clock | null)?.after), "must be a clock").optional(),
  })
  .refine(
    ({ model, selectModel }) => model === undefined || selectModel === undefined,
    "`model` and `selectModel` exclude each other",
  );
