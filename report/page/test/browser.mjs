// Debian's Chromium without a network, and the page filled with a results document as norma_report fills it.
import { existsSync } from "node:fs";
import { chromium } from "playwright-core";

// Without a window of its own Chromium opens a page in half the time; the whole browser serves as well.
const installed = ["/usr/bin/chromium-headless-shell", "/usr/bin/chromium"];
export const chromiumPath = process.env.NORMA_CHROMIUM || installed.find((path) => existsSync(path)) || installed[0];
export const hasChromium = existsSync(chromiumPath);

// A fresh browser with an empty profile of its own, which goes when it closes.
export function launch() {
  return chromium.launch({
    executablePath: chromiumPath,
    args: [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

// Opens a file in a page that records what goes wrong and what it asks for: { page, problems, requests }.
export async function open(browser, url, options = {}) {
  const context = await browser.newContext({ offline: true, acceptDownloads: true, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  const problems = [];
  const requests = [];
  page.on("console", (message) => problems.push(`console ${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => problems.push(`page error: ${error.message}`));
  page.on("request", (request) => requests.push(request.url()));
  await page.goto(url);
  await page.waitForFunction(() =>
    [...document.querySelectorAll(".canvas")].every(
      (box) => box.firstElementChild || box.closest("details:not([open])"),
    ),
  );
  return { context, page, problems, requests };
}
