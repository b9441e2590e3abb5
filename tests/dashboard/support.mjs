// What the browser tests stand on: the program under test, headless Chromium, axe-core, and a list of what went wrong.
//
//   SERENE_BIN            the program; needed
//   CHROMIUM              the browser, /usr/bin/chromium
//   SERENE_NODE_MODULES   folder that holds node_modules when it is not this one
//   SERENE_SCREENSHOTS    folder for pictures; none are taken without it
import {spawn} from 'node:child_process';
import fs from 'node:fs';
import {createRequire} from 'node:module';
import os from 'node:os';
import path from 'node:path';
import {fileURLToPath} from 'node:url';

const modules = process.env.SERENE_NODE_MODULES;
const require = createRequire(modules ? `${path.resolve(modules)}/` : import.meta.url);
const root = fileURLToPath(new URL('../..', import.meta.url));  // where configs/ lies
const {chromium} = require('playwright-core');
const axeSource = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

let failures = 0;
let checks = 0;

/** One fact. Goes on after a failure, so that one run tells all. */
export function check(fact, what, detail = '') {
  ++checks;
  if (fact) return;
  ++failures;
  console.error(`FAILED: ${what}${detail ? `\n  ${detail}` : ''}`);
}

export function same(actual, expected, what) {
  const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)];
  check(a === b, what, `got ${a}, expected ${b}`);
}

/** Prints the sum; the status to leave with. */
export function verdict() {
  console.log(`${checks} checks, ${failures} failed`);
  return failures ? 1 : 0;
}

/** Waits until probe() gives something true; fails, and gives null, after `ms`. */
export async function until(probe, what, ms = 30000) {
  const end = Date.now() + ms;
  for (;;) {
    const found = await probe();
    if (found) return found;
    if (Date.now() > end) break;
    await new Promise((done) => setTimeout(done, 100));
  }
  check(false, `${what}: waited ${ms / 1000} s in vain`);
  return null;
}

/**
 * `serene call ... --web` on a free port, or the given one; its events are kept as they come out of stdout. Comes back
 * when the call `id` is on the dashboard.
 */
export async function startCall(id, args, port = 0) {
  const program = process.env.SERENE_BIN;
  if (!program) throw new Error('SERENE_BIN does not name the program');
  const child = spawn(path.resolve(program), ['call', ...args, '--id', id, '--web', '--port', String(port), '--headless', '--no-history'],
    {cwd: root, stdio: ['ignore', 'pipe', 'pipe']});
  const run = {child, lines: [], said: '', base: '', code: null, exited: null};
  run.exited = new Promise((done) => child.on('close', (code) => done(run.code = code ?? -1)));
  let rest = '';
  child.stdout.on('data', (data) => {
    const parts = (rest + data).split('\n');
    rest = parts.pop();
    run.lines.push(...parts.filter(Boolean).map((line) => JSON.parse(line)));
  });
  child.stderr.on('data', (data) => {
    run.said += data;
    run.base ||= run.said.match(/http:\/\/127\.0\.0\.1:\d+/)?.[0] ?? '';
  });
  run.stop = async () => {
    if (run.code === null) child.kill('SIGTERM');
    await run.exited;
  };
  const end = Date.now() + 30000;
  while (!run.base) {
    if (run.code !== null || Date.now() > end) {
      await run.stop();
      throw new Error(`no dashboard came up: ${run.said || 'nothing was said'}`);
    }
    await new Promise((done) => setTimeout(done, 50));
  }
  await until(async () => (await fetch(`${run.base}/api/calls/${id}`).catch(() => ({}))).ok, `the call ${id} is open`);
  return run;
}

/** Chromium with a profile of its own that vanishes afterwards. */
export async function startBrowser() {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync', '--autoplay-policy=no-user-gesture-required', '--mute-audio'],
  });
  return browser;
}

/** A page that reports everything its console calls an error, but for what a test announces in `expected`. */
export async function openPage(browser, url, {width = 1500, height = 1000, theme = 'light'} = {}) {
  const context = await browser.newContext({viewport: {width, height}, colorScheme: theme});
  const page = await context.newPage();
  page.expected = [];
  page.problems = [];
  const note = (text) => {
    if (!page.expected.some((pattern) => pattern.test(text))) page.problems.push(text);
  };
  page.on('console', (message) => message.type() === 'error' && note(`${message.text()} ${message.location().url}`));
  page.on('pageerror', (error) => note(error.stack ?? error.message));
  await page.goto(url);
  return page;
}

export function checkConsole(page, name) {
  check(page.problems.length === 0, `${name}: the console is clean`, page.problems.join('\n  '));
}

/** axe-core on the page as it is, in light and in dark. */
export async function checkAccess(page, name) {
  for (const theme of ['light', 'dark']) {
    await page.emulateMedia({colorScheme: theme});
    await page.waitForTimeout(150);
    await page.evaluate(`if (!globalThis.axe) { ${axeSource} }`);
    const found = await page.evaluate(async () => {
      const {violations, passes} = await globalThis.axe.run(document, {runOnly:
        ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']});
      return {passes: passes.length, violations: violations.map((v) => `${v.id}: ${v.nodes.map((n) => `${n.target} ${n.failureSummary}`).join(' | ')}`)};
    });
    check(found.violations.length === 0, `${name}, ${theme}: no violation found by axe-core`, found.violations.join('\n  '));
    check(found.passes > 5, `${name}, ${theme}: axe-core looked at something`, `${found.passes} rules passed`);
    await picture(page, `${name} ${theme}`);
  }
  await page.emulateMedia({colorScheme: 'light'});
}

export async function picture(page, name, fullPage = false) {
  const folder = process.env.SERENE_SCREENSHOTS;
  if (!folder) return;
  fs.mkdirSync(folder, {recursive: true});
  await page.screenshot({path: path.join(folder, `${name.replaceAll(' ', '_')}.png`), fullPage});
}

export function temporaryFolder() {
  return fs.mkdtempSync(path.join(os.tmpdir(), 'serene-dashboard-'));
}
