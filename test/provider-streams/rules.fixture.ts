import type { ProviderName } from "./providers.fixture.ts";

type Block = Record<string, unknown>;
const blocks = (value: unknown): Block[] => (Array.isArray(value) ? (value as Block[]) : []);
const text = (value: unknown): string => (typeof value === "string" ? value : "");

/**
 * What a provider would refuse in a request, by its own documents. Written apart from the table that repairs prompts.
 *
 * @param served - the events of the answers that the provider gave before: it knows no other items
 */
export function violations(provider: ProviderName, request: Block, served: readonly string[]): string[] {
  switch (provider) {
    case "anthropic":
      return anthropicViolations(request);
    case "openai":
      return openaiViolations(request, served);
    case "google":
      return googleViolations(request);
  }
}

/**
 * Messages API: https://docs.anthropic.com/en/api/messages, .../agents-and-tools/tool-use/implement-tool-use ("each
 * `tool_use` block must have a corresponding `tool_result` block in the next message"), .../extended-thinking
 * ("thinking blocks must be passed back unmodified", with their signature).
 */
function anthropicViolations(request: Block): string[] {
  const found: string[] = [];
  const messages = blocks(request["messages"]);
  if (messages[0]?.["role"] !== "user") found.push("the first message is not the user's");
  messages.forEach((message, index) => {
    const content = blocks(message["content"]);
    const where = `messages.${index}`;
    if (content.length === 0 && text(message["content"]) === "") found.push(`${where}: no content`);
    for (const block of content) {
      if (block["type"] === "text" && text(block["text"]).trim() === "") found.push(`${where}: blank text`);
      if (block["type"] === "thinking" && text(block["signature"]) === "") found.push(`${where}: no signature`);
      if (block["type"] === "tool_result" && block["is_error"] === true && isEmpty(block["content"]))
        found.push(`${where}: an error without words`);
    }
    const uses = content.filter(({ type }) => type === "tool_use").map(({ id }) => text(id));
    if (new Set(uses).size < uses.length) found.push(`${where}: ids of calls are used twice`);
    const results = blocks(messages[index + 1]?.["content"]).flatMap((block) =>
      block["type"] === "tool_result" ? [text(block["tool_use_id"])] : [],
    );
    for (const id of uses) if (!results.includes(id)) found.push(`${where}: tool_use ${id} without tool_result`);
    const before = blocks(messages[index - 1]?.["content"]);
    for (const block of content)
      if (block["type"] === "tool_result" && !before.some(({ id }) => id === block["tool_use_id"]))
        found.push(`${where}: tool_result without tool_use`);
    if (message["role"] === "assistant") {
      if (content.every(({ type }) => type === "thinking" || type === "redacted_thinking"))
        found.push(`${where}: nothing but thinking`);
      for (const { type, id } of content)
        if (
          (type === "server_tool_use" || type === "mcp_tool_use") &&
          !content.some((other) => other["tool_use_id"] === id && text(other["type"]).endsWith("_tool_result"))
        )
          found.push(`${where}: ${String(type)} ${String(id)} without its result`);
    }
  });
  return found;
}

const isEmpty = (content: unknown): boolean =>
  content === undefined || content === "" || (Array.isArray(content) && content.length === 0);

/**
 * Responses API: https://platform.openai.com/docs/guides/reasoning ("Keeping reasoning items in context"),
 * .../guides/function-calling (each call has one output with its `call_id`), .../api-reference/responses/create
 * (`item_reference` names a stored item; with `store: false` there is none, and reasoning has to come back encrypted).
 * An item that reasoning led to is refused without it ("was provided without its required 'reasoning' item").
 */
function openaiViolations(request: Block, served: readonly string[]): string[] {
  const found: string[] = [];
  const input = blocks(request["input"]);
  const known = storedItems(served);
  const kindOf = (item: Block): string =>
    item["type"] === "item_reference" ? (known.get(text(item["id"])) ?? "unknown") : text(item["type"]) || "message";
  const seen = new Set<string>();
  const thoughts = new Set(input.filter((item) => kindOf(item) === "reasoning").map(({ id }) => text(id)));
  const reasonOf = requiredReasoning(served);
  input.forEach((item, index) => {
    const id = text(item["id"]);
    if (request["store"] === false && item["type"] === "item_reference")
      found.push(`input.${index}: a reference to ${id}, and nothing is stored`);
    if (request["store"] === false && item["type"] === "reasoning" && text(item["encrypted_content"]) === "")
      found.push(`input.${index}: reasoning ${id} without its encrypted content`);
    const reason = item["type"] === "item_reference" ? reasonOf.get(id) : undefined;
    if (reason !== undefined && !thoughts.has(reason))
      found.push(`input.${index}: ${kindOf(item)} ${id} without its required reasoning ${reason}`);
    if (item["type"] === "item_reference") {
      if (!known.has(id)) found.push(`input.${index}: item ${id} not found`);
      if (seen.has(id)) found.push(`input.${index}: item ${id} is there twice`);
      seen.add(id);
    }
    if (kindOf(item) === "reasoning") {
      const next = input[index + 1];
      if (next === undefined || next["role"] === "user" || text(next["type"]).endsWith("_output"))
        found.push(`input.${index}: reasoning ${id} without its required following item`);
    }
    if (Array.isArray(item["content"]) && item["content"].length === 0) found.push(`input.${index}: no content`);
    const type = text(item["type"]);
    if (type.endsWith("_call") && item["call_id"] != null && !type.startsWith("tool_search")) {
      const outputs = input.filter(
        (other) => other["call_id"] === item["call_id"] && text(other["type"]).endsWith("_output"),
      );
      if (outputs.length !== 1)
        found.push(`input.${index}: ${outputs.length} outputs of call ${text(item["call_id"])}`);
    }
    if (type === "function_call_output" || type === "custom_tool_call_output") {
      const stored = served.some((event) => event.includes(`"call_id":${JSON.stringify(item["call_id"])}`));
      const there = input.some((other) => other !== item && other["call_id"] === item["call_id"]);
      const referred = stored && input.some((other) => other["type"] === "item_reference");
      if (!there && !referred) found.push(`input.${index}: an output without its call`);
    }
  });
  return found;
}

/** Of each item that came right after reasoning in its answer: the reasoning, without which it is refused. */
function requiredReasoning(served: readonly string[]): Map<string, string> {
  const reasons = new Map<string, string>();
  let before: Block | undefined;
  for (const event of served) {
    const { type, item } = JSON.parse(event) as { type?: string; item?: Block };
    if (type === "response.created") before = undefined;
    if (type !== "response.output_item.done" || item === undefined) continue;
    if (before?.["type"] === "reasoning" && item["type"] !== "reasoning")
      reasons.set(text(item["id"]), text(before["id"]));
    before = item;
  }
  return reasons;
}

/** The items that were finished, with their types. */
function storedItems(served: readonly string[]): Map<string, string> {
  const items = new Map<string, string>();
  for (const event of served) {
    const { type, item } = JSON.parse(event) as { type?: string; item?: Block };
    if (type === "response.output_item.done" && item !== undefined) items.set(text(item["id"]), text(item["type"]));
  }
  return items;
}

/**
 * Gemini API: https://ai.google.dev/gemini-api/docs/function-calling (as many `functionResponse` parts as
 * `functionCall` parts, right after them) and .../thought-signatures (the first call of a step carries its signature).
 */
function googleViolations(request: Block): string[] {
  const found: string[] = [];
  const contents = blocks(request["contents"]);
  if (contents[0]?.["role"] !== "user") found.push("the first content is not the user's");
  contents.forEach((content, index) => {
    const parts = blocks(content["parts"]);
    if (parts.length === 0) found.push(`contents.${index}: no parts`);
    for (const part of parts) if (part["text"] === "") found.push(`contents.${index}: empty text`);
    const calls = parts.filter((part) => part["functionCall"] !== undefined);
    if (calls.length > 0) {
      const answers = blocks(contents[index + 1]?.["parts"]).filter((part) => part["functionResponse"] !== undefined);
      if (answers.length !== calls.length)
        found.push(`contents.${index}: ${answers.length} responses of ${calls.length} calls`);
      if (contents[index - 1]?.["role"] !== "user")
        found.push(`contents.${index}: calls that do not follow the user's turn`);
    }
  });
  return found;
}
