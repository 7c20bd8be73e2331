import { HebraError, type JsonObject } from "@hebra/core";
import * as z from "zod";
import type { ChannelMessage } from "../../channel.ts";

/** A field of a message that says where it belongs, whom it is from, or what it may do to a running turn. */
export type CallerField = "tenant" | "chat" | "session" | "thread" | "sender" | "interrupt";

/**
 * The identity behind a request. A field that is set here holds for every message of the caller; a request that
 * carries another value is refused with 403. A field that is not set here is refused with 403 too, unless `maySet`
 * names it.
 */
export interface HttpCaller {
  /** @defaultValue "default" */
  tenant?: string | undefined;
  /** The caller's chat. Required unless `maySet` names `chat`. */
  chat?: string | undefined;
  /** The conversation. @defaultValue `<channel>:<chat>` */
  session?: string | undefined;
  /** The definition that answers. @defaultValue as the runtime's `route` says */
  thread?: string | undefined;
  sender?: { id: string; name?: string | undefined } | undefined;
  /** Whether each message cancels the running turn. @defaultValue false */
  interrupt?: boolean | undefined;
  /** Fields that the request itself may choose, for a backend that speaks for many people. @defaultValue none */
  maySet?: readonly CallerField[] | undefined;
}

/** Where a message belongs and whom it is from, after the check. */
export type Address = Pick<ChannelMessage, "chat"> &
  Partial<Pick<ChannelMessage, "tenant" | "session" | "thread" | "sender" | "interrupt">>;

/** The same fields, as a request carries them. */
export interface AskedAddress {
  tenant?: string | undefined;
  chat?: string | undefined;
  session?: string | undefined;
  thread?: string | undefined;
  sender?: { id: string; name?: string | undefined } | undefined;
  interrupt?: boolean | undefined;
  metadata?: JsonObject | undefined;
}

const text = z.string().min(1);
const field = z.enum(["tenant", "chat", "session", "thread", "sender", "interrupt"]);

/** What `authorize` may return. */
export const callerSchema = z.strictObject({
  tenant: text.optional(),
  chat: text.optional(),
  session: text.optional(),
  thread: text.optional(),
  sender: z.strictObject({ id: text, name: z.string().optional() }).optional(),
  interrupt: z.boolean().optional(),
  maySet: z.array(field).readonly().optional(),
});

/** The caller of a channel that lets everybody in: any chat of the default tenant, and no conversation beyond. */
export const anybody: HttpCaller = { maySet: ["chat", "thread", "sender", "interrupt"] };

/** A caller asked for something that is not theirs. */
const forbidden = (name: string, why: string): HebraError =>
  new HebraError("FORBIDDEN", `\`${name}\` ${why}.`, { details: { field: name } });

/**
 * Decides every field of an address from the caller's identity. What the request carries is compared with it, never
 * trusted.
 *
 * @throws HebraError `FORBIDDEN` for a field that the caller may not set
 */
export function addressOf(caller: HttpCaller, asked: AskedAddress, channel: string): Address {
  const free = new Set(caller.maySet ?? []);
  function decide<T>(name: CallerField, own: T | undefined, wanted: T | undefined, same: (a: T, b: T) => boolean) {
    if (own !== undefined) {
      if (wanted !== undefined && !same(own, wanted)) throw forbidden(name, "is not what these credentials are for");
      return own;
    }
    if (wanted !== undefined && !free.has(name)) throw forbidden(name, "may not be set with these credentials");
    return wanted;
  }
  const equal = <T>(a: T, b: T) => a === b;
  const samePerson = (a: NonNullable<HttpCaller["sender"]>, b: NonNullable<HttpCaller["sender"]>) =>
    a.id === b.id && (b.name === undefined || a.name === b.name);

  const tenantIsFree = caller.tenant === undefined && free.has("tenant");
  const tenant = decide("tenant", caller.tenant ?? (tenantIsFree ? undefined : "default"), asked.tenant, equal);
  const chat = decide("chat", caller.chat, asked.chat, equal);
  if (chat === undefined)
    throw forbidden(
      "chat",
      caller.chat === undefined && !free.has("chat") ? "is not given to this caller" : "is missing",
    );
  const usual = `${channel}:${chat}`;
  const sessionIsFree = caller.session === undefined && free.has("session");
  const session = decide("session", caller.session ?? (sessionIsFree ? undefined : usual), asked.session, equal);
  const thread = decide("thread", caller.thread, asked.thread, equal);
  const sender = decide("sender", caller.sender, asked.sender, samePerson);
  const interrupt = decide(
    "interrupt",
    caller.interrupt ?? (free.has("interrupt") ? undefined : false),
    asked.interrupt,
    equal,
  );
  // The sender is stored in the metadata under this name.
  if (asked.metadata !== undefined && Object.hasOwn(asked.metadata, "sender"))
    throw forbidden("metadata.sender", "may not be set; use `sender`");
  return {
    chat,
    ...(tenant === undefined ? {} : { tenant }),
    ...(session === undefined || session === usual ? {} : { session }),
    ...(thread === undefined ? {} : { thread }),
    ...(sender === undefined
      ? {}
      : { sender: { id: sender.id, ...(sender.name === undefined ? {} : { name: sender.name }) } }),
    ...(interrupt === true ? { interrupt } : {}),
  };
}
