// Judges a file of a million keys five times, by the module that it is given, and prints the lines
// that were found, the median of the seconds, and the bytes.
import { readFile } from "node:fs/promises";

const source = await readFile(process.argv[2]);
const { judge } = await import("data:text/javascript;base64," + source.toString("base64"));
const letters = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
let seed = 1n;
const key = () => {
  let text = "";
  for (let i = 0; i < 17; i++) {
    seed = (seed * 6364136223846793005n + 1442695040888963407n) & 0xffffffffffffffffn;
    text += i === 5 || i === 11 ? "-" : letters[Number(seed >> 59n)];
  }
  return text;
};
const file = new TextEncoder().encode(Array.from({ length: 1_000_000 }, key).join("\n") + "\n");
const took = [];
let lines = 0;
for (let round = 0; round < 5; round++) {
  const chunks = (async function* () {
    for (let at = 0; at < file.length; at += 64 << 10) yield file.subarray(at, at + (64 << 10));
  })();
  const began = performance.now();
  lines = (await judge("keys.txt", chunks, () => {})).lines;
  took.push(performance.now() - began);
}
took.sort((a, b) => a - b);
console.log(lines, took[2] / 1000, file.length);
