// How fast a report is: node test/measure.mjs REPORT.html opens it from disk ten times in fresh pages and prints the
// medians: until the first screen is painted, all that is seen drawn; and from a click on each filter until the page is
// painted again.
import { statSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { launch } from "./browser.mjs";

const [report] = process.argv.slice(2);
if (!report) {
  console.error("usage: node test/measure.mjs REPORT.html");
  process.exit(2);
}
const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];
const painted = () => new Promise((done) => requestAnimationFrame(() => setTimeout(() => done(performance.now()), 0)));
const url = pathToFileURL(resolve(report)).href;
const browser = await launch();
const opened = [];
const filtered = [];
for (let turn = 0; turn < 10; ++turn) {
  const context = await browser.newContext({ offline: true, viewport: { width: 1280, height: 900 } });
  const page = await context.newPage();
  await page.goto(url); // its clock starts with the navigation
  opened.push(await page.evaluate(painted));
  await page.waitForTimeout(1500); // what is out of sight is drawn by now
  const inputs = await page.locator(".filter-box input").count();
  for (let i = 0; i < Math.min(inputs, 4); ++i) {
    filtered.push(
      await page.evaluate(async (which) => {
        const start = performance.now();
        document.querySelectorAll(".filter-box input")[which].click();
        await new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)));
        return performance.now() - start;
      }, i),
    );
  }
  await context.close();
}
await browser.close();
console.log(`${(statSync(report).size / 1e6).toFixed(2)} MB`);
console.log(`opens in ${median(opened).toFixed(0)} ms`);
console.log(filtered.length > 0 ? `filters in ${median(filtered).toFixed(0)} ms` : "has nothing to filter");
