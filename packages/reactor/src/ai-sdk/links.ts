import { BlockList, isIP } from "node:net";
import { fileNote } from "./files.ts";
import type { Model, ModelCall, PromptMessage } from "./specification.ts";

type Prompt = ModelCall["prompt"];
type Part = Exclude<PromptMessage["content"], string>[number];
type Link = Extract<Part, { type: "file" }> & { data: URL };
type SupportedUrls = Awaited<Model["supportedUrls"]>;

/**
 * Addresses that mean something only inside a network: nobody is sent there by what a user wrote. An IPv4 address that
 * is written as IPv6 is checked as what it stands for.
 */
const inside = new BlockList();
for (const [address, bits] of [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.168.0.0", 16],
] as const)
  inside.addSubnet(address, bits, "ipv4");
for (const [address, bits] of [
  ["::", 96],
  ["64:ff9b::", 96],
  ["fc00::", 7],
  ["fe80::", 10],
] as const)
  inside.addSubnet(address, bits, "ipv6");

/**
 * The prompt with the links that the model's provider fetches itself; of the others the model is told that they cannot
 * be shown. Nothing is ever fetched from here, nor by the AI SDK.
 */
export async function fitLinks(model: Model, prompt: Prompt): Promise<Prompt> {
  if (!hasLink(prompt)) return prompt;
  const supported = await model.supportedUrls;
  return withoutLinks(prompt, (link) => !isFetched(link, supported));
}

/**
 * The model, asked a second time without the links when its provider refuses the question: one that has expired would
 * else fail every later turn.
 */
export function forgivingLinks(model: Model): Model {
  return {
    specificationVersion: "v3",
    provider: model.provider,
    modelId: model.modelId,
    supportedUrls: model.supportedUrls,
    doGenerate: (call) => model.doGenerate(call),
    async doStream(call) {
      try {
        return await model.doStream(call);
      } catch (error) {
        if (!hasLink(call.prompt) || !isRefusal(error)) throw error;
        return await model.doStream({ ...call, prompt: withoutLinks(call.prompt, () => true) });
      }
    },
  };
}

/** Whether a prompt has a link that somebody would have to fetch. */
export function hasLink(prompt: Prompt): boolean {
  return prompt.some(({ content }) => typeof content !== "string" && content.some(isLink));
}

/** The request itself is refused, and not the caller, the rate or the address. */
function isRefusal(error: unknown): boolean {
  const status = (error as { statusCode?: unknown } | null)?.statusCode;
  return status === 400 || status === 415 || status === 422;
}

function withoutLinks(prompt: Prompt, refused: (link: Link) => boolean): Prompt {
  return prompt.map((message) => {
    if (typeof message.content === "string" || !message.content.some(isLink)) return message;
    const content = (message.content as Part[]).map((part) =>
      isLink(part) && refused(part) ? { type: "text", text: fileNote(part) } : part,
    );
    return { ...message, content } as PromptMessage;
  });
}

function isLink(part: Part): part is Link {
  return part.type === "file" && part.data instanceof URL;
}

function isFetched({ data, mediaType }: Link, supported: SupportedUrls): boolean {
  if (isInside(data.hostname)) return false;
  const type = mediaType.toLowerCase();
  const url = data.href.toLowerCase();
  return Object.entries(supported).some(([pattern, urls]) => {
    const [wanted, subtype = "*"] = pattern.toLowerCase().split("/");
    const fits = wanted === "*" || (subtype === "*" ? type.split("/")[0] === wanted : type === `${wanted}/${subtype}`);
    return fits && urls.some((each) => new RegExp(each.source, each.flags.replace(/[gy]/g, "")).test(url));
  });
}

/** `URL` has written decimal, octal and short addresses out by now. */
function isInside(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "");
  const version = isIP(host);
  if (version !== 0) return inside.check(host, version === 4 ? "ipv4" : "ipv6");
  return host === "localhost" || /\.(localhost|local|internal)$/.test(host) || !host.includes(".");
}
