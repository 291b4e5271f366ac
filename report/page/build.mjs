// Builds a page: node build.mjs PAGE OUT writes OUT/PAGE.html, one file with every style and script inside and a
// placeholder for its document, and OUT/PAGE_html.cpp, the same page as C++.
//
// A page's content security policy allows nothing but its own two inline parts and, in the report, the one style sheet
// that the chart library puts into each chart, all by their hashes.
import { createHash } from "node:crypto";
import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const home = fileURLToPath(new URL(".", import.meta.url));
const placeholder = '{"placeholder":"document"}'; // as in ../page_html.h
// `limit`, in bytes, is of the page without its document: a report may have 2 MB, and its data want room.
const pages = {
  report: {
    folder: "src",
    title: "Norma report",
    noscript: "This report draws itself with JavaScript, which is switched off here.",
    limit: 1_000_000,
    styles: [chartStyle],
  },
  explain: {
    folder: "src/explain",
    title: "Who shares statistics? · Norma",
    noscript:
      "This page draws itself with JavaScript, which is switched off here; norma explain says it in the terminal.",
    limit: 100_000,
    styles: [],
  },
};

const sourceHash = (text) => `'sha256-${createHash("sha256").update(text, "utf8").digest("base64")}'`;

async function bundle(entry, options = {}) {
  const result = await build({
    absWorkingDir: home,
    entryPoints: [entry],
    bundle: true,
    minify: true,
    write: false,
    metafile: true,
    charset: "utf8",
    legalComments: "none",
    target: ["es2020", "chrome100", "firefox100", "safari15"],
    logLevel: "warning",
    outdir: "unused",
    ...options,
  });
  if (result.warnings.length > 0) throw new Error("build.mjs: the bundler warns, see above");
  return { text: result.outputFiles[0].text.trim(), inputs: Object.values(result.metafile.outputs)[0].inputs };
}

// What is in the bundle, Norma first, with its licence in full.
async function licences(inputs) {
  const folders = new Set();
  for (const [file, { bytesInOutput }] of Object.entries(inputs)) {
    const folder = file.match(/^node_modules\/(?:@[^/]+\/)?[^/]+/);
    if (folder && bytesInOutput > 0) folders.add(folder[0]);
  }
  const own = await readFile(join(home, "../../LICENSE"), "utf8");
  const found = [{ name: "Norma", license: "MIT", text: own.trim() }];
  for (const folder of [...folders].sort()) {
    const { name, version, license } = JSON.parse(await readFile(join(home, folder, "package.json"), "utf8"));
    const file = (await readdir(join(home, folder))).find((entry) => /^licen[cs]e/i.test(entry));
    const text = file ? (await readFile(join(home, folder, file), "utf8")).trim() : "";
    found.push({ name: `${name} ${version}`, license, text });
  }
  return found;
}

// What the chart library writes into the <style> of each chart: a template in its source, with the class name that
// src/charts/frame.ts gives. The policy needs its hash.
async function chartStyle() {
  const library = await readFile(join(home, "node_modules/@observablehq/plot/src/plot.js"), "utf8");
  const template = library.match(/`(:where\(\.\$\{className\}\)[^`]*)`/);
  const frame = await readFile(join(home, "src/charts/frame.ts"), "utf8");
  const name = frame.match(/chartClass = "([a-z]+)"/);
  if (!template || !name) throw new Error("build.mjs: the style of the charts is not where it was");
  return template[1].replaceAll("${className}", name[1]);
}

// Text for inside <script> or <style>: there is nothing in it that would end the element.
function inline(text, element) {
  if (new RegExp(`</${element}|<!--`, "i").test(text)) throw new Error(`build.mjs: the ${element} would end early`);
  return text;
}

function replaceOnce(text, mark, replacement) {
  if (text.split(mark).length !== 2) throw new Error(`build.mjs: expected ${mark} once in the page`);
  return text.replace(mark, () => replacement);
}

async function buildPage({ folder, title, noscript, limit, styles }) {
  const style = inline((await bundle(`${folder}/style.css`)).text, "style");
  // Twice: the licences of what is inside are known after the first pass.
  const define = (list) => ({ define: { EMBEDDED_LICENCES: JSON.stringify(list) }, format: "iife" });
  const { inputs } = await bundle(`${folder}/main.ts`, define([]));
  const script = inline((await bundle(`${folder}/main.ts`, define(await licences(inputs)))).text, "script");

  const hashes = [style, ...(await Promise.all(styles.map((make) => make())))].map(sourceHash);
  const policy = [
    "default-src 'none'",
    `script-src ${sourceHash(script)}`,
    `style-src ${hashes.join(" ")}`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ");
  let html = await readFile(join(home, "src/common/page.html"), "utf8");
  const parts = { TITLE: title, NOSCRIPT: noscript, POLICY: policy, STYLE: style, SCRIPT: script };
  for (const [mark, text] of Object.entries(parts)) html = replaceOnce(html, `%${mark}%`, text);
  if (html.split(placeholder).length !== 2) throw new Error("build.mjs: expected the placeholder once in the page");
  if (Buffer.byteLength(html) > limit) throw new Error(`build.mjs: the page has ${Buffer.byteLength(html)} bytes`);
  return html;
}

// In pieces: compilers warn about longer literals, and no piece may cut an escape in two.
function cpp(name, html) {
  const pieces = [];
  const bytes = Buffer.from(html, "utf8");
  for (let start = 0; start < bytes.length; start += 16_000) {
    let piece = "";
    for (const byte of bytes.subarray(start, start + 16_000)) {
      const c = String.fromCharCode(byte);
      if (c === '"' || c === "\\" || c === "?") piece += `\\${c}`;
      else if (byte >= 32 && byte < 127) piece += c;
      else piece += `\\${byte.toString(8).padStart(3, "0")}`;
    }
    pieces.push(`    "${piece}",`);
  }
  return `// Made by page/build.mjs.
#include "page_html.h"

namespace norma::report {

std::string ${name}_template() {
  static constexpr const char* kPieces[] = {
${pieces.join("\n")}
  };
  std::string page;
  page.reserve(${bytes.length});
  for (const char* piece : kPieces) page += piece;
  return page;
}

}  // namespace norma::report
`;
}

const [name, out] = process.argv.slice(2);
if (!Object.hasOwn(pages, name ?? "") || !out) {
  console.error(`usage: node build.mjs PAGE OUT, PAGE: ${Object.keys(pages).join(", ")}`);
  process.exit(2);
}
const html = await buildPage(pages[name]);
await mkdir(out, { recursive: true });
await writeFile(join(out, `${name}.html`), html);
await writeFile(join(out, `${name}_html.cpp`), cpp(name, html));
