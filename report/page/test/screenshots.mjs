// Pictures of a report: node test/screenshots.mjs REPORT.html OUT writes the page light and dark, wide, middling and
// narrow, the first screen and every part of each on its own, and the page as it prints.
import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { launch, open } from "./browser.mjs";

const [report, out] = process.argv.slice(2);
if (!report || !out) {
  console.error("usage: node test/screenshots.mjs REPORT.html OUT");
  process.exit(2);
}
await mkdir(out, { recursive: true });
const url = pathToFileURL(resolve(report)).href;
const browser = await launch();
for (const [name, width, height] of [
  ["wide", 1440, 900],
  ["middling", 900, 900],
  ["narrow", 390, 844],
]) {
  for (const colorScheme of ["light", "dark"]) {
    const { context, page, problems } = await open(browser, url, {
      viewport: { width, height },
      colorScheme,
      deviceScaleFactor: name === "narrow" ? 2 : 1,
    });
    await page.screenshot({ path: join(out, `${name}-${colorScheme}-first.png`) });
    await page.screenshot({ path: join(out, `${name}-${colorScheme}.png`), fullPage: true });
    await page.evaluate(() => document.querySelector(".bar").style.setProperty("position", "static"));
    const parts = page.locator("header, section");
    for (let i = 0; i < (await parts.count()); ++i) {
      const id = await parts.nth(i).getAttribute("id");
      await parts.nth(i).screenshot({ path: join(out, `${name}-${colorScheme}-${id}.png`) });
    }
    for (const problem of problems) console.log(problem);
    await context.close();
  }
}
const { context, page } = await open(browser, url, { colorScheme: "dark" });
await page.pdf({
  path: join(out, "print.pdf"),
  format: "A4",
  margin: { top: "12mm", bottom: "12mm", left: "12mm", right: "12mm" },
});
await context.close();
await browser.close();
