import { createRequire } from "node:module";

interface Window {
  document: { createElement(name: string): never };
  navigator: object;
}
type JsdomModule = { JSDOM: new (html: string, options: { url: string }) => { window: Window } };

/** A page for React. Its types would bring the browser's globals into everything here. */
const { JSDOM } = createRequire(import.meta.url)("jsdom") as JsdomModule;
const { window } = new JSDOM("<!doctype html>", { url: "http://localhost/" });
Object.assign(globalThis, { window, document: window.document, navigator: window.navigator });

/** Where React draws. */
export const newContainer = () => window.document.createElement("div");
