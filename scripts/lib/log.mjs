import { styleText } from "node:util";

/** @param {Parameters<typeof styleText>[0]} style @param {string} text */
export function paint(style, text) {
  const plain = !process.stdout.isTTY || process.env["NO_COLOR"] !== undefined;
  return plain ? text : styleText(style, text);
}

/** @param {number} milliseconds */
export function seconds(milliseconds) {
  return `${(milliseconds / 1000).toFixed(1)} s`;
}
