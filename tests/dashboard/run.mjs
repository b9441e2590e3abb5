// Drives the dashboard through a whole call in headless Chromium. The call is recorded (rising_anger.jsonl) and replayed
// on the clock, so that every state comes for certain; with a model at hand (SERENE_MODEL) a scenario is heard as well.
// Prints what failed and leaves with status 1 when anything did. Settings: support.mjs.
import path from 'node:path';
import {fileURLToPath} from 'node:url';
import {check, checkAccess, checkConsole, openPage, picture, same, startBrowser, startCall, temporaryFolder, until, verdict} from './support.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const recorded = path.join(here, 'rising_anger.jsonl');
const root = path.resolve(here, '../..');

const text = (page, selector) => page.locator(selector).first().innerText({timeout: 1000}).catch(() => '');
const appears = (page, selector, what, ms) => until(() => page.locator(selector).first().isVisible(), what, ms);
const acknowledged = (run, alert) => run.lines.find((e) => e.type === 'alert' && e.action === 'acknowledged' && e.alert === alert);

/** The page of the call while anger rises: states, alert, advice, acknowledgement from button and key. */
async function risingAnger(run, page) {
  await until(async () => (await text(page, '.state-card .chip-word')) === 'Neutral', 'the state becomes neutral');
  await until(async () => (await text(page, '.state-card .chip-word')) === 'Angry', 'the state becomes angry');
  await until(async () => /angry/.test(await text(page, '.state-card [role=status]')), 'the change is announced politely');
  await appears(page, '[data-alert="1"].alert-open', 'the alert rises');
  check(/percent|%/.test(await text(page, '[data-alert="1"]')), 'the alert gives its reason');
  check((await text(page, '.advice-text')).length > 10, 'advice is shown with the alert');
  await until(async () => /Critical/.test(await page.locator('.alerts [role=alert]').textContent()), 'the alert is announced');
  await checkAccess(page, 'call with alert');
  await page.locator('[data-alert="1"] [data-test=acknowledge]').click();
  await until(async () => /acknowledged/.test(await text(page, '[data-alert="1"] .alert-state')), 'the alert is acknowledged on the page');
  check(await until(() => acknowledged(run, 1), 'the acknowledgement is among the events'), 'acknowledged in the JSONL');
  await appears(page, '[data-alert="2"].alert-open', 'a second alert rises');
  page.expected.push(/ERR_INTERNET_DISCONNECTED|WebSocket connection/);
  await page.context().setOffline(true);
  await appears(page, '.link-lost', 'the connection is gone');
  await page.locator('main').focus();
  await page.keyboard.press('a');
  await until(async () => /acknowledgement of alert 2 was not sent/.test(await text(page, '[data-test=failed]')),
    'an acknowledgement without connection is said to be lost');
  await page.context().setOffline(false);
  await appears(page, '.link-open', 'the connection is back');
  check(!acknowledged(run, 2), 'nothing is sent by itself');
  await page.keyboard.press('a');
  await until(() => acknowledged(run, 2), 'the key A acknowledges');
  await until(async () => !(await page.locator('[data-test=failed]').count()), 'what was acknowledged is no longer said to be lost');
  page.expected.pop();
}

/** Pause holds the view still while the stream is read on. */
async function pause(page) {
  await page.locator('main').focus();
  await page.keyboard.press(' ');
  await appears(page, '[data-test=pause][aria-pressed=true]', 'the space bar pauses');
  const before = await text(page, '.duration');
  await until(async () => Number.parseInt(await text(page, '[data-test=pause] .count'), 10) > 3, 'events are counted while the view stands');
  same(await text(page, '.duration'), before, 'the paused view stands still');
  await checkAccess(page, 'call paused');
  await page.locator('[data-test=pause]').click();
  await until(async () => (await text(page, '.duration')) !== before, 'the view goes on');
}

/** Everything a page loads before it stands, counted as it comes over the wire, heads and events included. */
async function weight(run, browser, id) {
  for (const [name, address, shown] of [['call', `/call/${id}`, '.state-card .chip'], ['wall', '/', `[data-call="${id}"]`]]) {
    const page = await openPage(browser, 'about:blank');
    const wire = await page.context().newCDPSession(page);
    const all = {bytes: 0, answers: 0};
    wire.on('Network.loadingFinished', ({encodedDataLength}) => { all.bytes += encodedDataLength; ++all.answers; });
    await wire.send('Network.enable');
    await page.goto(`${run.base}${address}`);
    await appears(page, shown, `the ${name} page stands`);
    const bodies = await page.evaluate(() => [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
      .reduce((sum, e) => sum + e.encodedBodySize, 0));
    console.log(`${name} page: ${all.bytes} bytes in ${all.answers} answers, ${bodies} without their heads`);
    check(all.answers > 10 && bodies > 10000, `the answers of the ${name} page are counted`);
    check(Math.max(all.bytes, bodies) < 150000, `the ${name} page travels in less than 150 kB`, `${all.bytes} bytes`);
    await page.context().close();
  }
}

/** Cuts the network under the page and gives it back; the view stays, and nothing is missing afterwards. */
async function reconnect(run, page) {
  const points = () => page.evaluate(() => [...globalThis.serene.calls.values()][0].points.length);
  const before = await points();
  page.expected.push(/ERR_INTERNET_DISCONNECTED|WebSocket connection|Failed to fetch/);
  await page.context().setOffline(true);
  await appears(page, '.link-lost', 'the loss of the connection is said');
  check((await text(page, 'h1')).length > 0 && (await points()) >= before, 'the view stays while the connection is lost');
  await picture(page, 'call connection lost');
  await pressedInVain(page);
  await page.waitForTimeout(1500);
  await page.context().setOffline(false);
  await appears(page, '.link-open', 'the page connects again');
  await until(async () => /press again/.test(await text(page, '[data-test=failed]')), 'what was not sent is still said');
  await page.getByRole('button', {name: 'Objects'}).click();
  await until(async () => run.lines.some((e) => e.type === 'consent' && e.action === 'withdrawn'), 'pressed again, the objection arrives');
  await until(async () => !(await page.locator('[data-test=failed]').count()), 'what was done is no longer said');
  await page.getByRole('button', {name: 'Agrees'}).click();
  await until(async () => run.lines.some((e) => e.type === 'consent' && e.action === 'given'), 'the agreement arrives');
  page.expected.pop();
}

/** An objection without a connection is said to be lost. */
async function pressedInVain(page) {
  await page.getByRole('button', {name: 'Objects'}).click();
  await until(async () => /objection was not sent/.test(await text(page, '[data-test=failed]')), 'an objection without connection is said to be lost');
  await checkAccess(page, 'call pressed in vain');
}

/** Every number once and in order, every event of the program in the page. */
async function nothingMissing(run, page, id) {
  const seen = await page.evaluate(() => globalThis.serene.seen);
  check(seen.length > 0 && seen.every((n, i) => i === 0 || n === seen[i - 1] + 1), 'no number is missing or comes twice',
    `${seen.length} numbers from ${seen[0]} to ${seen.at(-1)}`);
  const kept = await (await fetch(`${run.base}/api/calls/${id}`)).json();
  same(kept.events.map((e) => e.seq), run.lines.map((e) => e.seq), 'the server keeps the events of the stream');
  const view = await page.evaluate(() => {
    const v = [...globalThis.serene.calls.values()][0];
    return {points: v.points.length, alerts: v.alerts.length, advice: v.adviceLog.length, customer: v.speech.customer.length};
  });
  const count = (type, action) => run.lines.filter((e) => e.type === type && (!action || e.action === action)).length;
  same(view, {points: count('emotion'), alerts: count('alert', 'raised'), advice: count('advice', 'shown'),
    customer: run.lines.filter((e) => e.type === 'speech' && e.leg === 'customer' && e.action === 'start').length},
  'the page holds all events');
}

/** Walks by Tab alone: everything can be reached, everything that has the focus shows it. */
async function keyboard(page) {
  await page.locator('body').evaluate(() => { document.activeElement?.blur(); scrollTo(0, 0); });
  const names = [];
  for (let i = 0; i < 70; ++i) {
    await page.keyboard.press('Tab');
    const at = await page.evaluate(() => {
      const e = document.activeElement;
      if (!e || e === document.body) return null;
      const style = getComputedStyle(e);
      return {name: (e.getAttribute('aria-label') || e.innerText || e.title || '').replace(/\s+/g, ' ').trim(),
        shown: style.outlineStyle !== 'none' && Number.parseFloat(style.outlineWidth) > 0};
    });
    if (!at) continue;  // the browser's own controls, between the end and the beginning
    if (names.length > 2 && at.name === names[0]) break;
    check(at.shown, `the focus is seen on "${at.name}"`);
    names.push(at.name);
  }
  for (const wanted of [/Skip to the content/, /All calls/, /Theme/, /Help/, /1 min/, /Angry/, /Position in the call/, /States as a table/]) {
    check(names.some((name) => wanted.test(name)), `Tab reaches ${wanted}`, names.join(', '));
  }
  await page.locator('main').focus();
  await page.keyboard.press('?');
  await appears(page, 'dialog[open]', 'the help opens by its key');
  await checkAccess(page, 'help');
  await page.keyboard.press('Escape');
  await until(async () => !(await page.locator('dialog[open]').count()), 'Escape closes the help');
  await page.locator('input[type=range]').focus();
  await page.keyboard.press('ArrowLeft');
  const position = await text(page, '.readout .figure');
  check(/^\d+:\d\d$/.test(position), 'the arrows move the position', position);
}

async function wall(run, browser, id) {
  const page = await openPage(browser, `${run.base}/`);
  await appears(page, `.live-table [data-call="${id}"]`, 'the wall shows the call');
  await until(async () => /Angry/.test(await text(page, `[data-call="${id}"]`)), 'the wall shows the state');
  await appears(page, '.row-urgent .badge-critical', 'the wall shows the critical alert');
  await checkAccess(page, 'wall');
  await page.locator('main').focus();
  await page.keyboard.press('ArrowDown');
  same(await page.evaluate(() => document.activeElement.getAttribute('href')), `/call/${id}`, 'the arrows walk the rows');
  return page;
}

async function widget(run, browser, id) {
  const page = await openPage(browser, `${run.base}/widget/${id}`, {width: 320, height: 180});
  await appears(page, '.widget .widget-advice', 'the widget shows the advice');
  const fits = await page.evaluate(() => document.documentElement.scrollWidth <= 320 && document.documentElement.scrollHeight <= 180
    && [...document.querySelectorAll('.widget-text')].every((e) => e.scrollHeight <= e.clientHeight + 1));
  check(fits, 'the widget fits 320 by 180 pixels');
  await checkAccess(page, 'widget');
  return page;
}

async function narrow(run, browser, id) {
  const page = await openPage(browser, `${run.base}/call/${id}`, {width: 400, height: 900});
  await appears(page, '.state-card .chip', 'the narrow page is there');
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  check(wide <= 400, 'nothing runs out of a window of 400 pixels', `${wide} pixels wide`);
  await picture(page, 'call narrow', true);
  checkConsole(page, 'narrow');
  await page.context().close();
}

async function afterwards(page) {
  await appears(page, '.after', 'the end of the call is shown', 90000);
  check((await text(page, '.after')).includes('Share of time by state'), 'the shares of the states are shown');
  const summaries = page.locator('.folds summary');
  for (let i = 0; i < await summaries.count(); ++i) await summaries.nth(i).click();
  check(await page.locator('.folds table tbody tr').count() > 20, 'the charts have tables beside them');
  await checkAccess(page, 'call ended');
  for (let i = 0; i < await summaries.count(); ++i) await summaries.nth(i).click();
  await picture(page, 'call ended whole', true);
}

/** The recorded call, from the first neutral word to the figures at its end. */
async function replayed(browser) {
  const id = 'rising';
  const run = await startCall(id, ['--replay', recorded, '--speed', '2.5', '--hold', '120']);
  try {
    await weight(run, browser, id);
    const page = await openPage(browser, `${run.base}/call/${id}`);
    const [, wallPage, widgetPage] = await Promise.all([risingAnger(run, page), wall(run, browser, id), widget(run, browser, id)]);
    await pause(page);
    await reconnect(run, page);
    await narrow(run, browser, id);
    await keyboard(page);
    await afterwards(page);
    await nothingMissing(run, page, id);
    await appears(wallPage, `[data-call="${id}"]`, 'the wall keeps the ended call');
    await until(async () => !(await wallPage.locator('.live-table').count()), 'no call is live on the wall');
    await checkAccess(wallPage, 'wall ended');
    for (const [p, name] of [[page, 'call'], [wallPage, 'wall'], [widgetPage, 'widget']]) checkConsole(p, name);
  } finally {
    await run.stop();
  }
}

/** A page of a call that is not there says so. */
async function unknownCall(browser) {
  const run = await startCall('other', ['--replay', recorded, '--speed', 'max', '--hold', '60']);
  try {
    const page = await openPage(browser, 'about:blank');
    page.expected.push(/404/);
    await page.goto(`${run.base}/call/nobody`);
    await until(async () => /no such call/.test(await text(page, 'main')), 'a call that is not there is named');
    await checkAccess(page, 'no such call');
    checkConsole(page, 'no such call');
  } finally {
    await run.stop();
  }
}

/** The program is started again on the same port: what the old one showed gives way to what the new one has. */
async function restarted(browser) {
  const args = ['--replay', recorded, '--speed', 'max', '--hold', '60'];
  const before = await startCall('before', args);
  const page = await openPage(browser, `${before.base}/`);
  page.expected.push(/ERR_CONNECTION_REFUSED|WebSocket connection/);
  await appears(page, '[data-call="before"]', 'the wall shows the first program');
  await before.stop();
  await appears(page, '.link-lost', 'the end of the program is said');
  check(await page.locator('[data-call="before"]').count() === 1, 'the view stays without the program');
  const after = await startCall('after', args, Number(new URL(before.base).port));
  try {
    await appears(page, '[data-call="after"]', 'the wall shows the second program');
    check(await page.locator('[data-call="before"]').count() === 0, 'what the first program showed is gone');
    checkConsole(page, 'restarted');
  } finally {
    await after.stop();
  }
}

/** A scenario heard by a model: states come, sound plays in step, documents are there at the end. */
async function heard(browser) {
  const scenario = path.join(root, 'configs/call/scenarios/rising_anger.json');
  const run = await startCall('heard', [scenario, '--model', path.resolve(process.env.SERENE_MODEL), '--speed', '4', '--hold', '120', 
    '--out', temporaryFolder()]);
  try {
    const page = await openPage(browser, `${run.base}/call/heard`);
    await until(async () => !['', 'No speech'].includes(await text(page, '.state-card .chip-word')), 'a state is heard');
    await page.locator('[data-test=sound]').click();
    await until(async () => /Stop sound/.test(await text(page, '[data-test=sound]')), 'the sound plays');
    const at = () => page.evaluate(() => document.querySelector('.scrubber .figure').textContent);
    const before = await at();
    await until(async () => (await at()) !== before, 'the position moves with the sound');
    await page.locator('[data-test=sound]').click();
    check(!/cannot/.test(await text(page, '.scrubber')), 'the sound has no problem');
    await picture(page, 'call heard');
    await page.getByRole('button', {name: 'Objects'}).click();
    await until(async () => (await text(page, '.state-card .chip-word')) === 'Recognition off', 'an objection turns recognition off');
    check(run.lines.some((e) => e.type === 'consent' && e.action === 'withdrawn'), 'the objection is among the events');
    await page.getByRole('button', {name: 'Agrees'}).click();
    await until(async () => (await text(page, '.state-card .chip-word')) !== 'Recognition off', 'agreement turns it on again');
    await appears(page, '.after', 'the heard call ends', 120000);
    await appears(page, '.documents a[href$="report.html"]', 'the report is offered');
    const report = await fetch(new URL(await page.locator('.documents .primary').getAttribute('href'), run.base));
    check(report.ok && (await report.text()).includes('<html'), 'the report can be read');
    await checkAccess(page, 'call heard ended');
    checkConsole(page, 'heard');
  } finally {
    await run.stop();
  }
}

const browser = await startBrowser();
try {
  await replayed(browser);
  await unknownCall(browser);
  await restarted(browser);
  if (process.env.SERENE_MODEL) await heard(browser);
  else console.log('no SERENE_MODEL: the scenario is not heard');
} catch (error) {
  check(false, 'the test ran to its end', error.stack);
} finally {
  await browser.close();
}
process.exitCode = verdict();
