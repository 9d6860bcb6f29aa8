// Looks at pages as people do, in a real Chromium without a network: `look.mjs PAGE…` prints {"faults": […], "looked": {…}}.
// At the widths of phones and desks, in light and dark: nothing overflows, axe finds nothing. By keyboard alone: each stop
// is seen, each link and each fold works. On paper: what was folded or scrolled is there. And nothing is ever fetched or run.

import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const require = createRequire(process.env.CONSUMERS + "/");
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const faults = [];
const looked = { views: 0, rules: 0, stops: 0, links: 0, folds: 0, scrolled: 0, sheets: 0, refused: 0 };
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });

/** A view of a page, which tells of whatever it asks for or complains about. */
async function view(path, options) {
  const context = await browser.newContext({ offline: true, reducedMotion: "reduce", ...options });
  const page = await context.newPage();
  const address = pathToFileURL(path).href;
  page.on("request", (request) => request.url() !== address && faults.push(`${path}: asks for ${request.url()}`));
  page.on("console", (message) => faults.push(`${path}: says ${message.text()}`));
  page.on("pageerror", (error) => faults.push(`${path}: fails with ${error}`));
  page.on("dialog", (dialog) => faults.push(`${path}: asks ${dialog.message()}`) && dialog.dismiss());
  await page.goto(address);
  return page;
}

/** What sticks out of the page, or of its own place in it; tables scroll in theirs. */
const overflow = () => {
  const out = [];
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > width) out.push(`the page is ${document.documentElement.scrollWidth} wide of ${width}`);
  for (const element of document.querySelectorAll("body *")) {
    if (element.closest(".wide, .hidden, .skip, svg")) continue;
    const box = element.getBoundingClientRect();
    if (element.scrollWidth > element.clientWidth + 1 && getComputedStyle(element).display !== "inline") out.push(`<${element.localName} class="${element.className}"> spills ${element.innerText?.slice(0, 40)}`);
    if (box.width > 0 && (box.right > width + 0.5 || box.left < -0.5)) out.push(`<${element.localName} class="${element.className}"> ${box.left}…${box.right}`);
  }
  return out;
};

for (const path of process.argv.slice(2)) {
  for (const colorScheme of ["light", "dark"]) {
    const page = await view(path, { colorScheme });
    for (const width of [320, 390, 768, 1280, 1920]) {
      await page.setViewportSize({ width, height: 800 });
      for (const what of await page.evaluate(overflow)) faults.push(`${path} at ${width}: ${what}`);
      looked.views += 1;
      // What axe finds depends on the colours, and on the width only where the layout turns.
      if (width === (colorScheme === "light" ? 1280 : 320)) {
        await page.evaluate(axe);
        const { violations, passes } = await page.evaluate(() => globalThis.axe.run());
        for (const { id, nodes } of violations) faults.push(`${path} at ${width}, ${colorScheme}: axe ${id}: ${nodes[0].html.slice(0, 200)} ${nodes[0].failureSummary}`);
        looked.rules += passes.length;
      }
    }
    await page.context().close();
  }

  // By keyboard alone, on a phone, where the tables scroll.
  const page = await view(path, { viewport: { width: 390, height: 800 } });
  const expected = await page.evaluate(() => document.querySelectorAll("a, summary, [tabindex]").length);
  const stops = new Set();
  for (let press = 0; press < expected; press += 1) {
    await page.keyboard.press("Tab");
    const stop = await page.evaluate(() => {
      const at = document.activeElement;
      const style = getComputedStyle(at);
      const box = at.getBoundingClientRect();
      const seen = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2 && box.right > 0 && box.bottom > 0 && box.top < innerHeight;
      return { kind: at.localName, text: (at.innerText || at.getAttribute("aria-labelledby") || "").slice(0, 40), index: [...document.querySelectorAll("*")].indexOf(at), seen, scrolls: at.scrollWidth > at.clientWidth };
    });
    stops.add(stop.index);
    looked.stops += 1;
    if (!stop.seen) faults.push(`${path}: <${stop.kind}> ${stop.text}: nobody sees that the keyboard is there`);
    if (stop.kind === "a") {
      await page.keyboard.press("Enter");
      const at = await page.evaluate(() => {
        const target = document.querySelector(":target");
        const box = target?.getBoundingClientRect();
        return Boolean(box && box.top >= -1 && box.top < innerHeight);
      });
      if (!at) faults.push(`${path}: the link ${stop.text} leads nowhere`);
      looked.links += 1;
      // The next stop is after the link again, not after where it led.
      await page.evaluate((index) => document.querySelectorAll("*")[index].focus(), stop.index);
    } else if (stop.kind === "summary") {
      await page.keyboard.press("Space");
      const open = await page.evaluate(() => document.activeElement.parentElement.open);
      if (!open) faults.push(`${path}: ${stop.text} does not unfold`);
      looked.folds += 1;
    } else if (stop.scrolls) {
      await page.keyboard.press("ArrowRight");
      await page.waitForTimeout(300);
      if (!(await page.evaluate(() => document.activeElement.scrollLeft > 0))) faults.push(`${path}: ${stop.text} does not scroll by keyboard`);
      looked.scrolled += 1;
    }
  }
  if (stops.size !== expected) faults.push(`${path}: the keyboard comes to ${stops.size} of ${expected} places`);
  // What is unfolded fits too.
  for (const what of await page.evaluate(overflow)) faults.push(`${path}, unfolded: ${what}`);
  await page.context().close();

  // On paper, from a dark screen: A4 less its margins.
  const paper = await view(path, { viewport: { width: 688, height: 1000 }, colorScheme: "dark" });
  await paper.emulateMedia({ media: "print", colorScheme: "dark" });
  for (const what of await paper.evaluate(overflow)) faults.push(`${path} on paper: ${what}`);
  const printed = await paper.evaluate(() => ({
    nav: document.querySelector("nav").checkVisibility(),
    folded: [...document.querySelectorAll("details p")].filter((inside) => inside.getBoundingClientRect().height === 0).length,
    cut: [...document.querySelectorAll(".wide")].filter((wide) => wide.scrollWidth > wide.clientWidth + 1).length,
    ink: getComputedStyle(document.documentElement).color,
  }));
  const [red] = printed.ink.match(/\d+/g).map(Number);
  if (printed.nav) faults.push(`${path} on paper: the navigation is there`);
  if (printed.folded) faults.push(`${path} on paper: ${printed.folded} parts are folded`);
  if (printed.cut) faults.push(`${path} on paper: ${printed.cut} tables are cut off`);
  if (red > 80) faults.push(`${path} on paper: ${printed.ink} on white`);
  const sheets = (await paper.pdf({ preferCSSPageSize: true, format: "A4" })).toString("latin1").match(/\/Type \/Page\b/g);
  looked.sheets += sheets.length;
  await paper.context().close();

  // Whatever came into the page could not run, load or send anything.
  const context = await browser.newContext({ offline: true });
  const closed = await context.newPage();
  await closed.goto(pathToFileURL(path).href);
  const refused = await closed.evaluate(async () => {
    const seen = [];
    document.addEventListener("securitypolicyviolation", (event) => seen.push(event.effectiveDirective));
    const add = (kind, fields) => document.body.append(Object.assign(document.createElement(kind), fields));
    add("script", { textContent: "globalThis.ran = true" });
    add("img", { src: "https://example.com/x.png" });
    add("iframe", { src: "https://example.com/" });
    add("link", { rel: "stylesheet", href: "https://example.com/x.css" });
    add("div", { innerHTML: '<b onclick="globalThis.ran = true">x</b>' });
    document.querySelector("b[onclick]").click();
    await fetch("https://example.com/").catch(() => {});
    await new Promise((done) => setTimeout(done, 100));
    return { seen: [...new Set(seen)].sort(), ran: globalThis.ran === true };
  });
  const all = "connect-src,frame-src,img-src,script-src-attr,script-src-elem,style-src-elem";
  if (refused.ran || refused.seen.join() !== all) faults.push(`${path}: its policy stops ${refused.seen}`);
  looked.refused += refused.seen.length;
  await context.close();
}
await browser.close();
console.log(JSON.stringify({ faults, looked }));
