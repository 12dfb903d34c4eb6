// Reads a JSON list of {tex, display} and prints those that MathJax does not parse, as JSON.
// The packages are those a Markdown host can be expected to load; "noundefined" and
// "noerrors" stay out, because they turn a fault into red text.
import { readFileSync } from "node:fs";
import { mathjax } from "mathjax-full/js/mathjax.js";
import { TeX } from "mathjax-full/js/input/tex.js";
import { STATE } from "mathjax-full/js/core/MathItem.js";
import { liteAdaptor } from "mathjax-full/js/adaptors/liteAdaptor.js";
import { RegisterHTMLHandler } from "mathjax-full/js/handlers/html.js";
import "mathjax-full/js/input/tex/ams/AmsConfiguration.js";
import "mathjax-full/js/input/tex/boldsymbol/BoldsymbolConfiguration.js";
import "mathjax-full/js/input/tex/color/ColorConfiguration.js";
import "mathjax-full/js/input/tex/newcommand/NewcommandConfiguration.js";

RegisterHTMLHandler(liteAdaptor());

const packages = ["base", "ams", "boldsymbol", "color", "newcommand"];
const bad = [];
for (const { tex, display } of JSON.parse(readFileSync(0, "utf8"))) {
  // A fresh reader for each formula, so that labels and macros of one do not reach the next.
  const input = new TeX({
    packages,
    formatError: (_, error) => {
      throw error;
    },
  });
  try {
    const root = mathjax.document("", { InputJax: input }).convert(tex, {
      display,
      end: STATE.CONVERT,
    });
    root.walkTree((node) => {
      if (node.isKind("merror")) throw new Error("an merror node");
    });
  } catch (error) {
    bad.push({ tex, reason: String(error.message ?? error) });
  }
}
process.stdout.write(JSON.stringify(bad));
process.exitCode = bad.length > 0 ? 1 : 0;
