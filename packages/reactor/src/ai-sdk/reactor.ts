import { assertPeer, deriveId, loadPeer, parseOptions, systemClock, throwIfAborted } from "@hebra/core";
import type { ReactorEvent } from "../events.ts";
import type { Reactor, ReactorInput } from "../reactor.ts";
import { decidedOf, fromSession } from "./approvals.ts";
import { toModelError } from "./errors.ts";
import { fitLinks, forgivingLinks } from "./links.ts";
import { toPrompt } from "./messages.ts";
import { toModelCall, withInstructions } from "./model-call.ts";
import { assertModel, callable, providerOf, type AnyModel } from "./model.ts";
import { optionsSchema, type AiSdkReactorOptions } from "./options.ts";
import type { ModelCall, ModelStream, StreamPart } from "./specification.ts";
import { askThroughStreamText, needsStreamText } from "./through-stream-text.ts";
import { createTranslator, type Translator } from "./translate.ts";
import { toUsage } from "./usage.ts";
import { logWarnings } from "./warnings.ts";
import { createWatch } from "./watch.ts";

/** Kept once it is loaded: even a module that is there takes the loader's time at every `import()`. */
let sdk: typeof import("ai") | undefined;

const peer = { name: "ai", range: ">=6.0.298 <8", neededBy: "@hebra/reactor/ai-sdk" };

/**
 * A reactor for models of the AI SDK 6 and 7: one call is one model answer. Needs the package `ai`, and a provider's
 * package for models that are not ids. Models are asked by their own interface, without `streamText`, unless
 * `telemetry` or `maxRetries` ask for what `streamText` alone has. Links in the conversation are fetched by `readFile`
 * or by the model's provider, never from here.
 *
 * Failures come as `REACTOR_FAILED`, with `retryable`, `details.status` and `details.retryAfterMs` where the provider
 * says
 * them, and without anything of the request. A prompt that the provider refuses as too long is `PROMPT_TOO_LONG`, with
 * `details.promptTokens` and `details.maxTokens` where it says them; the engine then shortens it and asks once more.
 *
 * @throws HebraError `PEER_MISSING` without `ai`, `INVALID_OPTIONS`, `MODEL_UNSUPPORTED` for a model of another
 * specification than v2, v3 or v4.
 *
 * @example
 * ```ts
 * import { aiSdkReactor } from "@hebra/reactor/ai-sdk";
 *
 * const reactor = aiSdkReactor({ model: "openai/gpt-5", temperature: 0.2 });
 * console.log(reactor.name); // ai-sdk
 * ```
 */
export function aiSdkReactor(options: AiSdkReactorOptions = {}): Reactor {
  parseOptions("aiSdkReactor", optionsSchema, options);
  if (options.model !== undefined) assertModel(options.model);
  assertPeer(peer, import.meta.url);
  return {
    contract: "reactor-v1",
    name: "ai-sdk",
    react: (input) => react(options, input),
    ...(Object.keys(options.providerTools ?? {}).length === 0 ? {} : { runsActions: true }),
  };
}

async function* react(
  options: AiSdkReactorOptions,
  input: ReactorInput,
): AsyncGenerator<ReactorEvent, void, undefined> {
  const clock = options.clock ?? systemClock;
  // Ends the provider's request also when the consumer leaves without an abort.
  const request = new AbortController();
  const watch = createWatch({ signal: input.signal, silenceMs: options.silenceMs ?? 300_000, clock });
  let ended = false;
  let reader: ReadableStreamDefaultReader<StreamPart> | undefined;
  try {
    const { stream, translator } = await watch.wait(ask(options, input, request.signal));
    reader = stream.getReader();
    for (let next = await watch.wait(reader.read()); !next.done; next = await watch.wait(reader.read())) {
      for (const event of translator.accept(next.value)) yield event;
    }
    ended = true;
    reader = undefined;
    for (const event of translator.end()) yield event;
  } catch (error) {
    throw toModelError(error, input.signal, clock.now);
  } finally {
    watch.close();
    if (!ended) request.abort(input.signal.reason);
    // Not waited for: the provider may not notice.
    reader?.cancel().catch(() => {});
  }
}

/** Puts the question. The answer is read from the stream. */
async function ask(
  options: AiSdkReactorOptions,
  input: ReactorInput,
  signal: AbortSignal,
): Promise<{ stream: ModelStream; translator: Translator }> {
  throwIfAborted(input.signal);
  const ai = (sdk ??= await loadPeer(peer, () => import("ai")));
  const chosen = await modelOf(options, input);
  const provider = providerOf(chosen);
  const model = forgivingLinks(callable(ai, chosen));
  const waiting = fromSession(input.session);
  const decided = decidedOf(waiting, input.decisions);
  const messages = await fitLinks(model, await toPrompt(input.transcript, { ...options, provider }, decided));
  const prompt = withInstructions(input.instructions, messages);
  const call: ModelCall = { ...(await toModelCall(ai, options, input)), prompt, abortSignal: signal };
  // The host's own functions took their time: nothing is asked for a turn that has been given up meanwhile.
  throwIfAborted(signal);
  const throughStreamText = needsStreamText(options);
  const stream = throughStreamText
    ? askThroughStreamText(ai, model, call, options)
    : (await model.doStream(call)).stream;
  const translator = createTranslator({
    callId: callIds(input),
    provider: provider ?? "unknown",
    allowed: decided.flatMap(({ call, approved }) => (approved ? [call] : [])),
    forgets: waiting.length > 0,
    callsForbidden: call.toolChoice?.type === "none",
    usage: ({ usage, providerMetadata }, modelId = model.modelId) =>
      toUsage(usage, providerMetadata, { provider, model: modelId }, options.price),
    // `streamText` says them itself.
    warn: (warnings) => throughStreamText || logWarnings(warnings, model),
  });
  return { stream, translator };
}

async function modelOf(options: AiSdkReactorOptions, input: ReactorInput): Promise<AnyModel> {
  const model: unknown =
    options.selectModel === undefined ? (options.model ?? input.model) : await options.selectModel(input);
  assertModel(model);
  return model;
}

/** The model's ids, where they are new: some providers count calls from zero in every answer, or give none. */
function callIds({ transcript, ids }: ReactorInput): (modelId: string) => string {
  const used = new Set(
    transcript.flatMap(({ parts }) => parts.flatMap((part) => (part.kind === "action" ? part.callId : []))),
  );
  let index = 0;
  return (modelId) => {
    const place = index++;
    const sound = modelId !== "" && modelId.length <= 512 && modelId.isWellFormed() && !modelId.includes("\u0000");
    const callId =
      sound && !used.has(modelId) ? modelId : deriveId("ai-sdk-call", ids.executionId, ids.iteration, place);
    used.add(callId);
    return callId;
  };
}
