// Modules of the page, for tests that need no browser.
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

// Some make theirs when they load; nothing here is ever drawn.
globalThis.ResizeObserver = class {};

// `file` is below src/.
export async function load(file) {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(`../src/${file}`, import.meta.url))],
    bundle: true,
    write: false,
    format: "esm",
    define: { EMBEDDED_LICENCES: "[]" },
    logLevel: "error",
  });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`);
}
