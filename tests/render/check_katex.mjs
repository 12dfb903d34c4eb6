// Reads a JSON list of {tex, display} and prints those that KaTeX does not parse, as JSON.
import { readFileSync } from "node:fs";
import katex from "katex";

const bad = [];
for (const { tex, display } of JSON.parse(readFileSync(0, "utf8"))) {
  try {
    katex.renderToString(tex, {
      displayMode: display,
      throwOnError: true,
      strict: "error",
      trust: false,
    });
  } catch (error) {
    bad.push({ tex, reason: String(error.message ?? error) });
  }
}
process.stdout.write(JSON.stringify(bad));
process.exitCode = bad.length > 0 ? 1 : 0;
