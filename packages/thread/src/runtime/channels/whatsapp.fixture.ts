import { createHmac } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Heard, OtherSide } from "../channel.contract.ts";
import type { Locate } from "../channel.ts";
import { whatsappChannel, type WhatsappChannel } from "./whatsapp.ts";

export const NUMBER = "106540352242922";
export const secrets = { accessToken: "EAAG-token", appSecret: "app-secret", verifyToken: "verify-me" };

interface Sent {
  path: string;
  authorization: string | undefined;
  body: { to: string; text: { body: string }; biz_opaque_callback_data?: string } & Record<string, unknown>;
}

/** A server that speaks the Graph API's messages edge, and says no when told to. */
export async function graphApi() {
  const sent: Sent[] = [];
  const refusals: { status: number; body: object; headers?: Record<string, string> }[] = [];
  /** The next message is taken, and its connection closed without an answer. */
  let cutOff = false;
  let changed = () => {};
  const server = createServer((request, response) => {
    void (async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const refusal = refusals.shift();
      if (refusal !== undefined) {
        response.writeHead(refusal.status, { "content-type": "application/json", ...refusal.headers });
        response.end(JSON.stringify(refusal.body));
      } else {
        sent.push({
          path: request.url!,
          authorization: request.headers.authorization,
          body: JSON.parse(Buffer.concat(chunks).toString()) as Sent["body"],
        });
        if (cutOff) request.socket.destroy();
        cutOff = false;
        response.writeHead(200, { "content-type": "application/json" });
        response.end(JSON.stringify({ messaging_product: "whatsapp", messages: [{ id: `wamid.out${sent.length}` }] }));
      }
      changed();
    })().catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    sent,
    refusals,
    cutOffNext: () => void (cutOff = true),
    /** An error as the API words it. */
    refuse(status: number, code: number, details: string, headers: Record<string, string> = {}) {
      refusals.push({
        status,
        headers,
        body: {
          error: {
            message: `(#${code}) refused`,
            type: "OAuthException",
            code,
            error_data: { messaging_product: "whatsapp", details },
            fbtrace_id: "x",
          },
        },
      });
    },
    async until(found: () => boolean) {
      while (!found()) await new Promise<void>((resolve) => (changed = resolve));
    },
    close: () => new Promise<void>((resolve) => (server.close(() => resolve()), server.closeAllConnections())),
  };
}

/** A post of the webhook, signed as the API signs it. */
export function post(body: object | string, signature?: string): Request {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const signed = signature ?? `sha256=${createHmac("sha256", secrets.appSecret).update(text).digest("hex")}`;
  return new Request("https://host/webhook", {
    method: "POST",
    body: text,
    headers: { "content-type": "application/json", "x-hub-signature-256": signed },
  });
}

/** What the API posts around messages and statuses. */
export function change(value: object, number = NUMBER): object {
  const metadata = { display_phone_number: "15550783881", phone_number_id: number };
  return {
    object: "whatsapp_business_account",
    entry: [
      {
        id: "102290129340398",
        changes: [{ field: "messages", value: { messaging_product: "whatsapp", metadata, ...value } }],
      },
    ],
  };
}

/** A text that somebody wrote. */
export const textMessage = (id: string, from: string, body: string) => ({
  from,
  id,
  timestamp: "1749416383",
  type: "text",
  text: { body },
});

/** The channel over a server. */
export const channelOn = (baseUrl: string, locate?: Locate): WhatsappChannel =>
  whatsappChannel({ phoneNumberId: NUMBER, ...secrets, baseUrl, ...(locate === undefined ? {} : { locate }) });

/** The other side for the contract: it posts again what got no 200, as the API does. */
export async function whatsappSide({ locate }: { locate?: Locate }): Promise<OtherSide> {
  const api = await graphApi();
  const channel = channelOn(api.baseUrl, locate);
  let closed = false;
  return {
    channel,
    async say({ id, chat, text, media }) {
      const message =
        media === undefined
          ? textMessage(`wamid.${id}`, chat, text)
          : {
              from: chat,
              id: `wamid.${id}`,
              timestamp: "1749416383",
              type: "image",
              image: { caption: text, mime_type: "image/jpeg", sha256: "aGFzaA==", id: media },
            };
      while (!closed) {
        const { status } = await channel.handler(
          post(change({ contacts: [{ profile: { name: "Ana" }, wa_id: chat }], messages: [message] })),
        );
        if (status === 200) return;
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
    async heard(count) {
      await api.until(() => api.sent.length >= count);
      return api.sent.map(({ body }): Heard => ({
        chat: body.to,
        text: body.text.body,
        ...(body.biz_opaque_callback_data === undefined ? {} : { replyId: body.biz_opaque_callback_data }),
      }));
    },
    refuseNext(refusal) {
      if ("noAnswer" in refusal) api.cutOffNext();
      else if ("forGood" in refusal)
        api.refuse(
          400,
          131047,
          "More than 24 hours have passed since the recipient last replied to the sender number.",
        );
      else api.refuse(429, 130429, "Rate limit hit", { "retry-after": String(refusal.retryAfterMs / 1_000) });
    },
    async close() {
      closed = true;
      await api.close();
    },
  };
}
