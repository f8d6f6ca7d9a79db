/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * script.js: the page of `romsim serve`.
 *
 * Theory of operation: two streams of events from the server say all that changes: one the
 * instances, as long as the page is open, one the console of the instance that is shown.  What does
 * not change by itself (the plan, what is in the images) is asked for when it is looked at.  The
 * address says what is shown (#/instances/UUID), so that the browser's own keys go through it.
 *
 * Names, files and consoles come from guests and from images: they are put into the page as text
 * nodes, there is no place here that makes markup of a string (the server's Content-Security-Policy
 * forbids it, too), and what would change how other text is read is shown by a sign.
 */
'use strict';

(() => {

/* ---- elements and text ---------------------------------------------------------------------- */

const SVG = 'http://www.w3.org/2000/svg';

/* Attributes that are functions are listeners; those that are false or null are left out, as are
 * such children. */
function fill(element, attributes, children) {
    for (const [name, value] of Object.entries(attributes)) {
        if (typeof value === 'function')
            element.addEventListener(name, value);
        else if (value !== false && value !== null && value !== undefined)
            element.setAttribute(name, value === true ? '' : value);
    }
    put(element, ...children);
    return element;
}

function make(tag, attributes = {}, ...children) {
    return fill(document.createElement(tag), attributes, children);
}

function draw(tag, attributes = {}, ...children) {
    return fill(document.createElementNS(SVG, tag), attributes, children);
}

function put(element, ...children) {
    element.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined &&
                                                            child !== false));
}

function byId(id) {
    return document.getElementById(id);
}

/* For who listens to the page. */
function announce(text) {
    byId('news').textContent = text;
}

/* Controls, and what changes the direction of text. */
const UNSEEN = new RegExp('[\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f\\u061c\\u200b-\\u200f' +
                          '\\u2028-\\u202e\\u2060-\\u2069\\ufeff]', 'g');

/* Foreign text as it can be shown. */
function shown(text) {
    return String(text ?? '').replace(UNSEEN, (sign) => {
        const code = sign.charCodeAt(0);

        if (code < 0x20)
            return String.fromCharCode(0x2400 + code);
        return code === 0x7f ? '\u2421' : `\u27e8U+${code.toString(16).padStart(4, '0')}\u27e9`;
    });
}

function sizeText(bytes) {
    const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
    let value = bytes, unit = 0;

    while (value >= 1024 && unit < units.length - 1) {
        value /= 1024;
        unit++;
    }
    return unit ? `${value.toFixed(1)} ${units[unit]}` : `${value} B`;
}

function countText(count, one, many) {
    return `${count} ${count === 1 ? one : many}`;
}

function durationText(seconds) {
    if (seconds < 120)
        return `${Math.max(0, Math.round(seconds))} s`;
    if (seconds < 7200)
        return `${Math.round(seconds / 60)} min`;
    return seconds < 172800 ? `${Math.round(seconds / 3600)} h`
                            : `${Math.round(seconds / 86400)} days`;
}

function millisecondsText(micros) {
    return micros < 1e6 ? `${Math.round(micros / 1000)} ms` : `${(micros / 1e6).toPrecision(3)} s`;
}

/* A time that the page brings up to date. */
function timeElement(text) {
    const element = make('time', {datetime: text, title: text, class: 'ago'});

    updateTime(element);
    return element;
}

function updateTime(element) {
    const seconds = (Date.now() - Date.parse(element.getAttribute('datetime'))) / 1000;

    element.textContent = Number.isFinite(seconds) ? `${durationText(seconds)} ago` : '?';
}

function modeText(mode) {
    const bits = 'rwxrwxrwx';
    let text = '';

    for (let i = 0; i < 9; i++)
        text += mode & (0o400 >> i) ? bits[i] : '-';
    return text;
}

/* A button that copies what it stands behind. */
function copyButton(text, what) {
    const button = make('button', {type: 'button', class: 'copy', 'aria-label': `Copy ${what}`,
                                   click: async () => {
        try {
            await navigator.clipboard.writeText(text);
            button.dataset.done = '';
            announce(`${what} copied`);
            setTimeout(() => delete button.dataset.done, 1500);
        } catch {
            announce('This browser does not let the page copy');
        }
    }});

    return button;
}

/* ---- asking the server ---------------------------------------------------------------------- */

const TOKEN_KEY = 'romsim-token';
let token = '';

/* What the server, or nobody, answered: `status` is HTTP's, 0 without one. */
class Problem extends Error {
    constructor(status, message) {
        super(message);
        this.status = status;
    }
}

/* An item that failed has the reason; the envelope as a whole may have one, too. */
function envelopeProblem(status, envelope) {
    const lists = Object.values(envelope?.data ?? {}).filter(Array.isArray);
    const failed = lists.flat().find((item) => item?.status === 'error');

    if (failed)
        return new Problem(status, failed.message ?? 'the server refused');
    if (status >= 400 || envelope?.status === 'error')
        return new Problem(status, envelope?.message ?? `the server answered ${status}`);
    return null;
}

async function request(method, path, options = {}) {
    const headers = {Accept: 'application/json'};
    let reply;

    if (token)
        headers.Authorization = `Bearer ${token}`;
    if (options.body)
        headers['Content-Type'] = 'application/json';
    try {
        reply = await fetch(path, {method, headers, signal: options.signal, cache: 'no-store',
                                   credentials: 'omit', redirect: 'error',
                                   body: options.body && JSON.stringify(options.body)});
    } catch (error) {
        throw options.signal?.aborted ? error : new Problem(0, 'romsim does not answer');
    }
    if (reply.status === 401) {
        askForToken(token ? 'This is not the server\u2019s token.' : '');
        throw new Problem(401, 'the server asks for its token');
    }
    return reply;
}

/* The envelope's data. */
async function ask(method, path, options) {
    const reply = await request(method, path, options);
    const envelope = await reply.json().catch(() => null);
    const problem = envelopeProblem(reply.status, envelope);

    if (problem)
        throw problem;
    return envelope?.data;
}

/* ---- streams of events ---------------------------------------------------------------------- */

const SILENCE_MS = 30000; /* the server says something every 10 s */
const RETRY_FIRST_MS = 500, RETRY_MOST_MS = 15000;
const WORK_MS = 15; /* at a time */
const LIVED_MS = 5000; /* a stream that ended later was no failure */

/* Hands a stream's events to `event(type, data)`, until it ends, or that returns false: then that is
 * returned, too. */
async function readEvents(reply, event, alive) {
    const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = '', type = '', data = [], rested = performance.now();

    for (;;) {
        const {value, done} = await reader.read();

        if (done)
            return true;
        alive();
        if (performance.now() - rested > WORK_MS) {
            await new Promise((resolve) => setTimeout(resolve)); /* for the user's own wishes */
            rested = performance.now();
        }
        const lines = (text + value).split('\n');

        text = lines.pop();
        for (const line of lines) {
            if (line.startsWith('event: '))
                type = line.slice(7);
            else if (line.startsWith('data: '))
                data.push(line.slice(6));
            else if (!line && type) {
                if (event(type, data.join('\n')) === false)
                    return false;
                type = '';
                data = [];
            }
        }
    }
}

/* One connection.  Ends when it does; false: nothing more will come. */
async function listen(path, signal, {event, begin}) {
    const own = new AbortController();
    const stop = () => own.abort();
    let watchdog = setTimeout(stop, SILENCE_MS);

    signal.addEventListener('abort', stop);
    try {
        const reply = await request('GET', path, {signal: own.signal});

        if (!reply.ok)
            throw envelopeProblem(reply.status, await reply.json().catch(() => null));
        begin?.();
        return await readEvents(reply, event, () => {
            clearTimeout(watchdog);
            watchdog = setTimeout(stop, SILENCE_MS);
        });
    } finally {
        clearTimeout(watchdog);
        signal.removeEventListener('abort', stop);
        own.abort();
    }
}

/* Waits, but not for who presses "Try now", or comes back to the net. */
const impatience = new EventTarget();

function pause(ms, signal) {
    return new Promise((resolve) => {
        const done = () => {
            clearTimeout(timer);
            impatience.removeEventListener('now', done);
            signal.removeEventListener('abort', done);
            resolve();
        };
        const timer = setTimeout(done, ms);

        impatience.addEventListener('now', done);
        signal.addEventListener('abort', done);
    });
}

/*
 * Follows a stream, and connects again when it is cut, until the signal, until `event` returns
 * false, or until the server says that there is no such thing: then `gone(problem)`.  `lost(ms)` says when it will be tried.
 */
async function follow(path, signal, {event, begin, lost, gone}) {
    let failures = 0;

    while (!signal.aborted) {
        const start = Date.now();
        let problem = null;

        try {
            if (await listen(path, signal, {event, begin}) === false)
                return;
        } catch (error) {
            problem = error;
        }
        if (signal.aborted)
            return;
        if (problem?.status === 401 || (problem?.status >= 400 && problem.status < 500 &&
                                        problem.status !== 429)) {
            gone?.(problem);
            return;
        }
        failures = Date.now() - start > LIVED_MS ? 0 : failures + 1;
        if (failures === 0)
            continue;
        const ms = Math.min(RETRY_MOST_MS, RETRY_FIRST_MS * 2 ** (failures - 1)) *
                   (0.8 + 0.4 * Math.random());

        lost?.(ms);
        await pause(ms, signal);
    }
}

/* ---- the connection, as it is shown --------------------------------------------------------- */

let countdown = 0;

function showLink(kind, text) {
    clearInterval(countdown);
    byId('link').dataset.kind = kind;
    byId('link-text').textContent = text;
    byId('try-now').hidden = kind !== 'lost';
}

function showLost(ms) {
    const end = Date.now() + ms;
    const seconds = () => Math.ceil((end - Date.now()) / 1000);

    showLink('lost', 'No connection');
    byId('link').title = 'romsim does not answer. What is shown may be old.';
    countdown = setInterval(() => {
        byId('try-now').textContent = seconds() > 0 ? `Try now (${seconds()})` : 'Trying';
    }, 250);
}

/* ---- the token ------------------------------------------------------------------------------ */

/* From the address, where nobody should see it for long, or of this tab. */
function takeToken() {
    const given = /^#token=([^&]*)/.exec(location.hash);

    if (given) {
        try {
            token = decodeURIComponent(given[1]);
        } catch {
            token = given[1];
        }
        sessionStorage.setItem(TOKEN_KEY, token);
        history.replaceState(null, '', location.pathname + location.search);
    } else {
        token = sessionStorage.getItem(TOKEN_KEY) ?? '';
    }
}

function askForToken(problem) {
    stopWatching();
    forgetAll();
    token = '';
    sessionStorage.removeItem(TOKEN_KEY);
    showLink('off', 'Not signed in');
    byId('board').hidden = true;
    byId('sign-out').hidden = true;
    byId('skip').hidden = true;
    byId('sign-in').hidden = false;
    byId('sign-in-problem').textContent = problem;
    byId('token').value = '';
    byId('token').focus();
}

function signIn(event) {
    event.preventDefault();
    token = byId('token').value.trim();
    sessionStorage.setItem(TOKEN_KEY, token);
    start();
}

/* ---- the instances -------------------------------------------------------------------------- */

const instances = new Map(); /* uuid to {item, link} */
const told = new Set();      /* those of this connection */
let watch = null;            /* the stream of them, an AbortController */
let detail = null;           /* what is shown of one */

function stateOf(item) {
    return item.restart && item.state === 'stopped' ? 'restarting' : item.state ?? 'unknown';
}

/* Bits of stop_reason. */
const BY_APP = 2, BY_PLATFORM = 4, BY_USER = 8, FORCED = 16;

function endedBadly(item) {
    const reason = item.stop_reason ?? 0;

    return reason !== 0 && !(reason & BY_USER) && (item.exit_code !== 0 || !(reason & BY_APP));
}

/* What a state means for the eye; its name always stands beside it. */
function stateKind(item) {
    const state = stateOf(item);

    if (state === 'running')
        return 'good';
    if (['starting', 'draining', 'stopping', 'restarting'].includes(state))
        return 'busy';
    return state === 'stopped' && endedBadly(item) ? 'bad' : 'off';
}

function badge(item) {
    return make('span', {class: 'badge', 'data-kind': stateKind(item)},
                make('span', {class: 'lamp', 'aria-hidden': 'true'}),
                stateOf(item) + (item.state === 'stopped' && item.exit_code
                                 ? ` (${item.exit_code})` : ''));
}

function portsOf(item) {
    return item.romsim?.ports ?? [];
}

/* "8080 to 80" */
function portText(port) {
    const number = /:(\d+)$/.exec(port.url ?? '');

    return `${number ? number[1] : '?'}\u2192${port.destination_port}`;
}

function fillLink(link, item) {
    const ports = portsOf(item).map(portText).join(' ');

    put(link, make('span', {class: 'name'}, shown(item.name)), badge(item),
        make('span', {class: 'from'}, shown(item.image ?? 'no image')),
        ports && make('span', {class: 'ports'}, ports));
}

function inOrder(a, b) {
    return (a.item.created_at ?? '').localeCompare(b.item.created_at ?? '') ||
           a.item.name.localeCompare(b.item.name);
}

/* Puts the entry where it belongs, without touching the others: one may have the focus. */
function place(entry) {
    const list = byId('instances');
    const others = [...instances.values()].filter((other) => other !== entry).sort(inOrder);
    const next = others.find((other) => inOrder(entry, other) < 0);

    if (entry.row.parentNode !== list || entry.row.nextSibling !== (next?.row ?? null))
        list.insertBefore(entry.row, next?.row ?? null);
}

function countInstances() {
    byId('count').textContent = instances.size || '';
    if (!detail)
        showNothing();
}

function takeItem(item) {
    let entry = instances.get(item.uuid);
    const before = entry && stateOf(entry.item);

    if (!entry) {
        const link = make('a', {href: `#/instances/${item.uuid}`});

        entry = {item, link, row: make('li', {}, link)};
        instances.set(item.uuid, entry);
    }
    entry.item = item;
    told.add(item.uuid);
    fillLink(entry.link, item);
    place(entry);
    countInstances();
    if (before && before !== stateOf(item))
        announce(`${shown(item.name)} is ${stateOf(item)}`);
    if (detail?.uuid === item.uuid)
        detail.update(item);
    else if (!detail)
        showAddress(false);
}

function forget(uuid) {
    const entry = instances.get(uuid);

    if (!entry)
        return;
    const hadFocus = entry.row.contains(document.activeElement);

    entry.row.remove();
    instances.delete(uuid);
    announce(`${shown(entry.item.name)} is gone`);
    if (detail?.uuid === uuid)
        detail.end();
    else if (hadFocus)
        byId('list-title').focus();
    countInstances();
}

function forgetAll() {
    detail?.close();
    detail = null;
    instances.clear();
    put(byId('instances'));
    put(byId('detail'));
    delete byId('detail').dataset.shows;
    byId('count').textContent = '';
}

function takeEvent(type, data) {
    const value = JSON.parse(data);

    if (type === 'instance')
        takeItem(value);
    else if (type === 'gone')
        forget([...instances.values()].find((entry) => entry.item.name === value.name)?.item.uuid);
    else if (type === 'all')
        takeAll();
}

/* All that there are have been told: who came back after a while has others, too. */
function takeAll() {
    for (const uuid of [...instances.keys()])
        if (!told.has(uuid))
            forget(uuid);
    showLink('live', 'Live');
    byId('link').removeAttribute('title');
    byId('board').hidden = false;
    byId('sign-out').hidden = !token;
    byId('skip').hidden = false;
    byId('sign-in').hidden = true;
    showAddress(false);
}

function stopWatching() {
    watch?.abort();
    watch = null;
}

function start() {
    stopWatching();
    watch = new AbortController();
    showLink('wait', 'Connecting');
    follow('romsim/events', watch.signal, {
        event: takeEvent,
        begin: () => told.clear(),
        lost: showLost,
        gone: (problem) => problem.status !== 401 && showLink('lost', problem.message),
    });
}

/* ---- what the address shows ----------------------------------------------------------------- */

function addressed() {
    return /^#\/instances\/([^/]+)$/.exec(location.hash)?.[1];
}

/* `moves`: the user went there. */
function showAddress(moves) {
    const uuid = addressed();
    const entry = instances.get(uuid);

    for (const [key, other] of instances) {
        if (key === uuid)
            other.link.setAttribute('aria-current', 'page');
        else
            other.link.removeAttribute('aria-current');
    }
    if (detail && detail.uuid !== uuid) {
        detail.close();
        detail = null;
    }
    if (!detail && entry)
        detail = openDetail(entry.item);
    document.body.dataset.view = detail ? 'detail' : 'list';
    document.title = detail ? `${shown(detail.name)} \u2013 romsim` : 'romsim';
    if (!detail)
        showNothing();
    if (moves)
        (detail ? byId('detail-title') : byId('list-title')).focus();
}

function command(text) {
    return make('div', {class: 'command'}, make('pre', {tabindex: '0'}, make('code', {}, text)),
                copyButton(text, 'the command'));
}

/* How the first one is made; or that one can be chosen. */
function showNothing() {
    const isEmpty = instances.size === 0;
    const kind = isEmpty ? 'empty' : 'none';

    if (byId('detail').dataset.shows === kind)
        return;
    byId('detail').dataset.shows = kind;
    if (!isEmpty) {
        put(byId('detail'), make('div', {class: 'hint'},
            make('p', {}, 'Choose an instance to see its plan, its ROMs and its console.')));
        return;
    }
    put(byId('detail'), make('div', {class: 'teach'},
        make('h2', {}, 'No instance yet'),
        make('p', {}, 'An instance needs an image from this machine\u2019s store. ',
             make('code', {}, 'romsim image import'), ' takes those of other tools; this builds one ' +
             'from a directory with a Kraftfile:'),
        command('romsim image build ./app -t app:latest'),
        make('p', {}, 'Then create an instance with a ROM, as in the cloud:'),
        command(exampleRequest()),
        make('p', {}, 'It appears here as soon as it is there. ', make('code', {}, 'romsim run'),
             ' and ', make('code', {}, 'romsim create'), ' make instances, too: they are the same.')));
}

function exampleRequest() {
    const body = '{"name": "first", "image": "app:latest", "memory_mb": 128, "autostart": true,\n' +
                 '       "args": ["/bin/cat", "/etc/app/greeting"],\n' +
                 '       "roms": [{"name": "config", "at": "/etc/app",\n' +
                 '                 "files": [{"path": "greeting", "data": "hello"}]}]}';

    return `eval "$(romsim serve --print-env)"\n` +
           `curl ${location.origin}/v1/instances \\\n` +
           `  -H "Authorization: Bearer $UKC_TOKEN" \\\n` +
           `  -d '${body}'`;
}

/* ---- an instance ---------------------------------------------------------------------------- */

function endingText(item) {
    const reason = item.stop_reason ?? 0;

    if (item.stop_code === 0x0c7f04)
        return 'out of memory';
    const who = reason & BY_USER ? 'stopped by the user'
                : reason & BY_PLATFORM ? 'stopped by the platform'
                : reason & BY_APP ? 'ended by itself' : 'ended by the kernel';

    return `${who}${reason & FORCED ? ', by force' : ''}, exit status ${item.exit_code}`;
}

function portElement(port) {
    const isWeb = /^https?:\/\//.test(port.url ?? '');
    const text = shown((port.url ?? '').replace(/^\w+:\/\//, ''));

    return make('span', {class: 'port'},
                isWeb ? make('a', {href: port.url, target: '_blank', rel: 'noopener noreferrer'},
                             text)
                      : make('code', {}, text),
                ` \u2192 ${port.destination_port}`);
}

function fact(term, ...values) {
    return make('div', {class: `fact-${term.toLowerCase().replace(/\W/g, '-')}`}, make('dt', {}, term), make('dd', {}, ...values));
}

function startedFact(item) {
    if (item.state === 'stopped')
        return item.exit_code === undefined
            ? null : fact('Last run', endingText(item), item.stopped_at && [', ',
                          timeElement(item.stopped_at)]);
    if (item.state === 'standby')
        return fact('Standby', 'the next connection wakes it', item.stopped_at && [', since ',
                    timeElement(item.stopped_at)]);
    return item.started_at ? fact('Started', timeElement(item.started_at)) : null;
}

function bootFact(item) {
    if (!item.boot_time_us)
        return null;
    return fact('Boot', `${millisecondsText(item.boot_time_us)} to the app` +
                (item.net_time_us ? `, ${millisecondsText(item.net_time_us)} to its port` : ''));
}

function factsOf(item) {
    const ports = portsOf(item);
    const address = item.private_ip;

    return [
        fact('Image', make('code', {}, shown(item.image ?? 'none'))),
        startedFact(item),
        ports.length > 0 && fact('Ports to the guest\u2019s', ports.map(portElement)),
        fact('Size', `${item.memory_mb} MB, ${countText(item.vcpus, 'vCPU', 'vCPUs')}`),
        bootFact(item),
        fact('Restarts', `${item.restart_count ?? 0}, policy ${item.restart_policy}` +
             (item.restart?.next_at ? `, next at ${item.restart.next_at}` : '')),
        address && fact('Private address', make('code', {}, address), ' ',
                        make('span', {class: 'fine'}, shown(item.private_fqdn ?? ''))),
        fact('Created', timeElement(item.created_at)),
        fact('UUID', make('code', {class: 'uuid'}, item.uuid), copyButton(item.uuid, 'the UUID')),
    ];
}

/* Edits that wait for the stop, and those that failed then. */
function updatesNotice(item) {
    const updates = item.updates ?? [];

    if (!updates.length)
        return null;
    return make('p', {class: 'notice'}, `${countText(updates.length, 'change waits', 'changes wait')}` +
                ' for the next stop: ', updates.map((update, i) =>
                [i ? ', ' : '', make('code', {}, shown(`${update.op ?? ''} ${update.prop ?? ''}`)),
                 update.status === 'error' && ` (${shown(update.message ?? 'failed')})`]));
}

/* Buttons keep the focus when they cannot be used, so they are not really disabled. */
function setUsable(button, isUsable) {
    if (isUsable)
        button.removeAttribute('aria-disabled');
    else
        button.setAttribute('aria-disabled', 'true');
}

function isUsable(button) {
    return !button.hasAttribute('aria-disabled');
}

/* "yes", or not. */
function confirm(title, text) {
    const dialog = byId('confirm');

    byId('confirm-title').textContent = title;
    byId('confirm-text').textContent = text;
    dialog.returnValue = '';
    dialog.showModal();
    return new Promise((resolve) =>
        dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), {once: true}));
}

function openDetail(first) {
    const uuid = first.uuid;
    const life = new AbortController();
    const root = byId('detail');
    const state = make('span', {class: 'state'});
    const facts = make('dl', {class: 'facts'});
    const notice = make('div', {});
    const problem = make('p', {class: 'problem', role: 'alert'});
    const startButton = make('button', {type: 'button', class: 'first', click: () => act('start')},
                             'Start');
    const stopButton = make('button', {type: 'button', click: () => act('stop')}, 'Stop');
    const deleteButton = make('button', {type: 'button', class: 'danger', click: remove}, 'Delete');
    const plan = openPlan(uuid, life.signal);
    const terminal = openConsole(uuid, first.name, life.signal);
    let item = first, isGone = false;

    /* Each button by itself: who has had it stopped may want it deleted before that is answered. */
    async function attempt(button, work) {
        if (!isUsable(button) || button.hasAttribute('aria-busy'))
            return;
        button.setAttribute('aria-busy', 'true');
        problem.textContent = '';
        try {
            await work();
        } catch (error) {
            if (!life.signal.aborted)
                problem.textContent = shown(error.message);
        }
        button.removeAttribute('aria-busy');
    }

    function act(word) {
        const isForced = word === 'stop' && ['stopping', 'draining'].includes(item.state);
        const path = `v1/instances/${encodeURIComponent(uuid)}/${word}`;

        return attempt(word === 'start' ? startButton : stopButton, () =>
            ask('PUT', path, {signal: life.signal, body: isForced ? {force: true} : {}}));
    }

    function remove() {
        return attempt(deleteButton, async () => {
            if (!await confirm(`Delete ${shown(item.name)}?`,
                               'Its VM ends, and its inline ROMs and its console go with it.'))
                return;
            await ask('DELETE', `v1/instances/${encodeURIComponent(uuid)}`, {signal: life.signal});
            forget(uuid);
        });
    }

    function update(next) {
        const word = stateOf(next);

        item = next;
        put(state, badge(item));
        put(facts, factsOf(item));
        put(notice, updatesNotice(item));
        setUsable(startButton, !isGone && ['stopped', 'restarting', 'standby'].includes(word));
        setUsable(stopButton, !isGone && word !== 'stopped');
        stopButton.textContent = ['stopping', 'draining'].includes(word) ? 'Stop by force' : 'Stop';
        plan.update(item);
    }

    /* It was deleted, here or elsewhere. */
    function end() {
        isGone = true;
        update({...item, state: 'deleted', restart: undefined});
        setUsable(deleteButton, false);
        problem.textContent = 'This instance is gone.';
        life.abort();
        byId('detail-title').focus();
    }

    root.dataset.shows = uuid;
    put(root,
        make('a', {class: 'back', href: '#/'}, '\u2190 All instances'),
        make('div', {class: 'head'},
             make('h2', {id: 'detail-title', tabindex: '-1'}, shown(first.name)), state,
             make('p', {class: 'actions'}, startButton, stopButton, deleteButton)),
        problem, notice, facts, terminal.element, plan.figure, plan.images);
    update(first);
    terminal.resume();
    return {uuid, name: first.name, update, end, pause: terminal.pause, resume: terminal.resume,
            close: () => life.abort()};
}

/* ---- the plan, as a picture ----------------------------------------------------------------- */

const ROLE_WORDS = {root: 'root', rom: 'ROM', volume: 'volume'};

function devicesOf(plan) {
    return [plan.root, ...plan.roms, ...plan.volumes].filter((device) => device?.device);
}

/* What one would call it. */
function deviceTitle(device) {
    if (device.role === 'root')
        return 'root image';
    if (device.role === 'volume')
        return device.volume ?? 'new volume';
    return (device.named_device ?? device.device).replace(/^\/dev\/(ukp_rom_)?/, '');
}

function deviceBox(device) {
    return make('li', {class: 'device', 'data-role': device.role},
                make('span', {class: 'kind'}, ROLE_WORDS[device.role]),
                make('span', {class: 'title'}, shown(deviceTitle(device))),
                make('code', {}, shown(device.device)),
                make('span', {class: 'fine'}, `${shown(device.format)}, ${sizeText(device.size)}` +
                     (device.at ? '' : ', not mounted')));
}

/* "/a/b" is under "/a", and all is under "/". */
function isUnder(path, parent) {
    return parent === '/' || path.startsWith(`${parent}/`);
}

/* The mounts in their order, the root first: {path, device, number, under: [...]}. */
function mountTree(plan) {
    const devices = new Map(devicesOf(plan).map((device) => [device.device, device]));
    const all = [{path: '/', device: plan.root, number: 1, under: [], text: 'writable overlay'}];

    for (const mount of plan.mounts) {
        const path = mount.target ?? mount.at;
        const parents = all.filter((other) => isUnder(path, other.path));
        const parent = parents.reduce((a, b) => b.path.length >= a.path.length ? b : a);
        const entry = {path, at: mount.at, device: devices.get(mount.device), number: all.length + 1,
                       under: [], text: `${mount.type}, ${mount.read_only ? 'read-only' : 'writable'}`};

        parent.under.push(entry);
        all.push(entry);
    }
    return all;
}

function stepNumber(number) {
    return make('span', {class: 'number'}, make('span', {class: 'unseen'}, 'Step '), number);
}

function mountBox(entry) {
    const box = make('li', {class: 'mount', 'data-role': entry.device?.role ?? 'rom'},
        make('div', {class: 'mount-head'},
             stepNumber(entry.number),
             make('span', {class: 'path'}, shown(entry.at ?? entry.path)),
             make('span', {class: 'fine'},
                  `${shown(entry.device?.device ?? '?')} \u00b7 ${shown(entry.text)}`)),
        entry.under.length > 0 && make('ol', {}, entry.under.map(mountBox)));

    entry.box = box;
    return box;
}

function appBox(plan, number) {
    const words = plan.command.map((word) => /^[\w%+,\-./:=@]+$/.test(word) ? word : `'${word}'`);

    return make('div', {class: 'app'},
                stepNumber(number),
                make('span', {class: 'kind'}, 'the app starts'),
                make('code', {}, shown(words.join(' '))),
                make('span', {class: 'fine'}, `in ${shown(plan.working_dir ?? '/')}`));
}

/* Lines from each device to where it is mounted; again whenever the boxes move. */
function drawLines(board, lines, pairs) {
    const base = board.getBoundingClientRect();

    put(lines, pairs.map(({from, to, role}) => {
        const a = from.getBoundingClientRect();
        const b = to.querySelector('.mount-head').getBoundingClientRect();
        const x1 = a.right - base.left, y1 = a.top + a.height / 2 - base.top;
        const x2 = b.left - base.left, y2 = b.top + b.height / 2 - base.top;
        const bend = Math.max(12, (x2 - x1) / 2);

        if (x2 <= x1) /* they stand above each other: there is no room */
            return null;
        return draw('path', {'data-role': role,
                             d: `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`});
    }));
}

function planPicture(plan, signal) {
    const mounts = mountTree(plan);
    const boxes = new Map(devicesOf(plan).map((device) => [device, deviceBox(device)]));
    const lines = draw('svg', {class: 'lines', 'aria-hidden': 'true'});
    const guest = make('div', {class: 'guest'}, make('ol', {}, mountBox(mounts[0])),
                       appBox(plan, mounts.length + 1));
    const board = make('div', {class: 'plan-board'}, lines,
                       make('ul', {class: 'devices', 'aria-label': 'Devices, in the order of the request'},
                            [...boxes.values()]), guest);
    const pairs = mounts.filter((mount) => boxes.has(mount.device))
        .map((mount) => ({from: boxes.get(mount.device), to: mount.box, role: mount.device.role}));
    const observer = new ResizeObserver(() => drawLines(board, lines, pairs));

    observer.observe(board);
    signal.addEventListener('abort', () => observer.disconnect());
    return board;
}

function envElement(plan) {
    const entries = Object.entries(plan.env ?? {});

    if (!entries.length)
        return null;
    return make('details', {class: 'env'},
                make('summary', {}, `Environment (${entries.length})`),
                make('dl', {}, entries.map(([name, value]) =>
                    make('div', {}, make('dt', {}, make('code', {}, shown(name))),
                         make('dd', {}, make('code', {}, shown(value)))))));
}

/* The plan's section and that of the images, which are both made of the layout. */
function openPlan(uuid, signal) {
    const body = make('div', {}), list = make('div', {class: 'images'});
    const figure = make('section', {class: 'panel', 'aria-labelledby': 'plan-title'},
                        make('h3', {id: 'plan-title'}, 'Plan'),
                        make('p', {class: 'fine'}, 'Devices, and where the guest mounts them, in ' +
                             'this order, before the app starts'), body);
    const images = make('section', {class: 'panel wide', 'aria-labelledby': 'images-title'},
                        make('h3', {id: 'images-title'}, 'ROMs and other images'), list);
    let shownOf = null;
    let picture = null;

    function show(plan) {
        picture?.abort();
        picture = new AbortController();
        put(body, planPicture(plan, picture.signal), envElement(plan));
        put(list, [...plan.roms, plan.root, ...plan.volumes].filter(Boolean)
            .map((device) => imageCard(uuid, device, signal)));
    }

    async function load() {
        try {
            show(await ask('GET', `romsim/instances/${encodeURIComponent(uuid)}/plan`, {signal}));
        } catch (error) {
            if (!signal.aborted)
                put(body, make('p', {class: 'problem'}, shown(error.message)));
        }
    }

    /* Only an edit changes it. */
    function update(item) {
        const of = JSON.stringify([item.roms, item.volumes, item.image, item.args, item.env,
                                   item.updates?.length]);

        if (of === shownOf || signal.aborted)
            return;
        shownOf = of;
        load();
    }

    signal.addEventListener('abort', () => picture?.abort());
    return {figure, images, update};
}

/* ---- images: what they are, and what is in them --------------------------------------------- */

/* A large image's is computed when somebody wants it: `compute`. */
function digestElement(digest, compute) {
    if (digest === undefined)
        return make('button', {type: 'button', class: 'quiet', click: compute}, 'Compute');
    if (!digest)
        return make('span', {class: 'fine'}, 'not computed: mostly a hole');
    return [make('code', {title: `sha256:${digest}`}, `${digest.slice(0, 12)}\u2026`),
            copyButton(`sha256:${digest}`, 'the digest')];
}

function formatText(device, image) {
    if (image.problem)
        return `${device.format}: ${image.problem}`;
    return image.erofs ? `${device.format}, ${countText(image.erofs.inodes, 'inode', 'inodes')}, ` +
                         `blocks of ${sizeText(image.erofs.block_size)}`
                       : device.format;
}

function imageCard(uuid, device, signal) {
    const name = device.device.replace(/^\/dev\//, '');
    const base = `romsim/instances/${encodeURIComponent(uuid)}/images/${encodeURIComponent(name)}`;
    const title = shown(deviceTitle(device));
    const digest = make('dd', {}, '\u2026'), format = make('dd', {}, shown(device.format));
    const inside = make('div', {class: 'inside', id: `inside-${name}`, hidden: true});
    const isOpen = () => !inside.hidden;
    const button = make('button', {type: 'button', 'aria-expanded': 'false',
                                   'aria-controls': inside.id, 'aria-describedby': `name-${name}`,
                                   click: () => {
        inside.hidden = isOpen();
        button.setAttribute('aria-expanded', String(isOpen()));
        button.textContent = isOpen() ? 'Close' : 'Look inside';
        if (isOpen() && !inside.firstChild)
            put(inside, explorer(base, device, signal));
    }}, 'Look inside');
    const hasBytes = device.role !== 'volume';

    async function load(query) {
        try {
            const image = await ask('GET', `${base}${query}`, {signal});

            put(digest, digestElement(image.sha256, () => load('?digest=always')));
            put(format, shown(formatText(device, image)));
        } catch (error) {
            if (!signal.aborted)
                put(digest, make('span', {class: 'problem'}, shown(error.message)));
        }
    }

    if (hasBytes)
        load('');
    return make('article', {class: 'image', 'data-role': device.role},
        make('div', {class: 'image-head'},
             make('span', {class: 'kind'}, ROLE_WORDS[device.role]),
             make('h4', {id: `name-${name}`}, title),
             device.at && make('span', {class: 'at'}, `at ${shown(device.at)}`),
             hasBytes && button),
        make('dl', {class: 'facts'},
             make('div', {}, make('dt', {}, device.named_device ? 'Devices' : 'Device'),
                  make('dd', {}, make('code', {}, shown(device.device)),
                       device.named_device && [' ', make('code', {}, shown(device.named_device))])),
             make('div', {}, make('dt', {}, 'Size'),
                  make('dd', {}, sizeText(device.size),
                       device.files !== undefined &&
                       `, ${countText(device.files, 'file', 'files')}`)),
             make('div', {}, make('dt', {}, 'Format'), format),
             device.source && make('div', {}, make('dt', {}, 'From'),
                                   make('dd', {}, device.inline ? 'the request (inline)'
                                                                : make('code', {}, shown(device.source)))),
             hasBytes && make('div', {}, make('dt', {}, 'SHA-256'), digest)),
        device.role === 'volume' &&
            make('p', {class: 'fine'}, 'What is in a volume is for the guest alone to know.'),
        inside);
}

function explorer(base, device, signal) {
    const preview = openPreview(base, signal);

    if (device.format !== 'erofs') {
        preview.open({raw: '', name: device.device, size: device.size, type: 'image'});
        return preview.element;
    }
    return make('div', {class: 'explorer'}, openTree(base, signal, preview.open), preview.element);
}

/* ---- the tree of an image ------------------------------------------------------------------- */

/* Names are bytes, so a path is one of escapes: `raw` is "/a%2520b" for what it shows as "/a b". */
function joinPath(directory, entry) {
    return `${directory}/${entry.raw}`;
}

function treeRow(entry) {
    return make('span', {class: 'row'},
                make('span', {class: 'sign', 'aria-hidden': 'true'}),
                make('span', {class: 'name'}, shown(entry.name)),
                entry.target !== undefined && make('span', {class: 'fine'},
                                                   ` \u2192 ${shown(entry.target)}`),
                entry.problem && make('span', {class: 'problem'}, shown(entry.problem)),
                entry.type === 'file' && make('span', {class: 'size'}, sizeText(entry.size)),
                !['file', 'directory', 'symlink'].includes(entry.type) && !entry.problem &&
                    make('span', {class: 'fine'}, ` ${shown(entry.type)}`));
}

/* The ARIA pattern of a tree: one stop for the Tab key, arrows inside. */
function openTree(base, signal, open) {
    const root = make('ul', {role: 'tree', class: 'tree', 'aria-label': 'Files', keydown: onKey,
                             click: onClick});
    const nodes = new WeakMap(); /* li to {entry, path, group} */
    let current = null, selected = null;

    function focusOn(li, moves) {
        current?.setAttribute('tabindex', '-1');
        current = li;
        li.setAttribute('tabindex', '0');
        if (moves)
            li.focus();
    }

    function addNode(group, entry, path) {
        const isDirectory = entry.type === 'directory';
        const li = make('li', {role: 'treeitem', tabindex: '-1', 'data-type': entry.type,
                               'aria-expanded': isDirectory && 'false'}, treeRow(entry));

        nodes.set(li, {entry, path, group: null});
        group.append(li);
        if (!current)
            focusOn(li, false);
        return li;
    }

    /* The names of a directory from a place on; the last node asks for those behind. */
    async function load(group, path, cursor) {
        const list = await ask('GET', `${base}/list?path=${encodeURIComponent(path)}&cursor=${cursor}`,
                               {signal});
        let last = null;

        for (const entry of list.entries) {
            const li = addNode(group, entry, joinPath(path, entry));

            last ??= li;
        }
        if (list.next)
            addMore(group, path, list.next);
        if (list.problem)
            addNode(group, {type: 'damage', name: 'damaged here: ', problem: list.problem}, null);
        if (!group.firstChild)
            addNode(group, {type: 'note', name: '(empty)'}, null);
        return last;
    }

    function addMore(group, path, cursor) {
        const li = addNode(group, {type: 'more', name: 'Show more'}, null);

        nodes.get(li).more = async () => {
            const first = await load(group, path, cursor);

            if (first)
                focusOn(first, true);
            li.remove();
        };
    }

    async function expand(li) {
        const node = nodes.get(li);

        li.setAttribute('aria-expanded', 'true');
        if (node.group) {
            node.group.hidden = false;
            return;
        }
        node.group = make('ul', {role: 'group'});
        li.append(node.group);
        try {
            await load(node.group, node.path, 0);
        } catch (error) {
            if (!signal.aborted)
                addNode(node.group, {type: 'damage', name: '', problem: error.message}, null);
        }
    }

    function collapse(li) {
        li.setAttribute('aria-expanded', 'false');
        if (nodes.get(li).group)
            nodes.get(li).group.hidden = true;
    }

    function toggle(li) {
        if (li.getAttribute('aria-expanded') === 'true')
            collapse(li);
        else
            expand(li);
    }

    function use(li) {
        const node = nodes.get(li);

        if (node.more) {
            node.more().catch(() => announce('The server did not answer'));
        } else if (node.entry.type === 'directory') {
            toggle(li);
        } else if (node.path && !node.entry.problem) {
            selected?.removeAttribute('aria-selected');
            selected = li;
            li.setAttribute('aria-selected', 'true');
            open({...node.entry, raw: node.path});
        }
    }

    function visible() {
        return [...root.querySelectorAll('[role=treeitem]')].filter(
            (li) => !li.parentNode.closest('[hidden]'));
    }

    function onKey(event) {
        const all = visible(), index = all.indexOf(current);
        const isDirectory = nodes.get(current)?.entry.type === 'directory';
        const isExpanded = current?.getAttribute('aria-expanded') === 'true';
        const parent = current?.parentNode.closest('[role=treeitem]');
        const keys = {
            ArrowDown: () => focusOn(all[Math.min(index + 1, all.length - 1)], true),
            ArrowUp: () => focusOn(all[Math.max(index - 1, 0)], true),
            Home: () => focusOn(all[0], true),
            End: () => focusOn(all[all.length - 1], true),
            ArrowRight: () => isDirectory && (isExpanded
                ? focusOn(all[Math.min(index + 1, all.length - 1)], true) : expand(current)),
            ArrowLeft: () => isExpanded ? collapse(current) : parent && focusOn(parent, true),
            Enter: () => use(current),
            ' ': () => use(current),
        };

        if (!current || !(event.key in keys) || event.altKey || event.ctrlKey || event.metaKey)
            return;
        event.preventDefault();
        keys[event.key]();
    }

    function onClick(event) {
        const li = event.target.closest('[role=treeitem]');

        if (!li)
            return;
        focusOn(li, true);
        use(li);
    }

    load(root, '', 0).catch((error) => {
        if (!signal.aborted)
            addNode(root, {type: 'damage', name: '', problem: error.message}, null);
    });
    return make('div', {class: 'tree-box'}, root);
}

/* ---- a file of an image --------------------------------------------------------------------- */

const PIECE = 64 << 10, PREVIEW_MOST = 1 << 20, SAVE_MOST = 64 << 20;

/* Text that a person may read: UTF-8 (its end may be cut), and few controls. */
function textOf(bytes, isWhole) {
    let text;

    if (bytes.includes(0))
        return null;
    try {
        text = new TextDecoder('utf-8', {fatal: true, ignoreBOM: true}).decode(bytes, {stream: !isWhole});
    } catch {
        return null;
    }
    const strange = text.match(/[\u0001-\u0008\u000e-\u001a\u001c-\u001f]/g)?.length ?? 0;

    return strange * 20 > text.length ? null : text;
}

function hexOf(bytes, perRow) {
    const rows = [];

    for (let at = 0; at < bytes.length; at += perRow) {
        const row = bytes.subarray(at, at + perRow);
        let hex = '', signs = '';

        for (let i = 0; i < perRow; i++)
            hex += (i < row.length ? row[i].toString(16).padStart(2, '0') : '  ') +
                   (i % 8 === 7 ? '  ' : ' ');
        for (const byte of row)
            signs += byte > 0x1f && byte < 0x7f ? String.fromCharCode(byte) : '\u00b7';
        rows.push(`${at.toString(16).padStart(8, '0')}  ${hex}${signs}`);
    }
    return rows.join('\n');
}

function joinBytes(a, b) {
    const bytes = new Uint8Array(a.length + b.length);

    bytes.set(a);
    bytes.set(b, a.length);
    return bytes;
}

function fileFacts(file) {
    return [file.mode !== undefined && modeText(file.mode),
            file.uid !== undefined && `${file.uid}:${file.gid}`,
            sizeText(file.size),
            file.mtime].filter(Boolean).map(shown).join(' \u00b7 ');
}

/* Saves bytes as a file of the user's. */
function save(bytes, name) {
    const url = URL.createObjectURL(new Blob([bytes], {type: 'application/octet-stream'}));

    make('a', {href: url, download: shown(name).replace(/\//g, '_')}).click();
    setTimeout(() => URL.revokeObjectURL(url), 60000);
}

function openPreview(base, signal) {
    const element = make('div', {class: 'preview'},
                         make('p', {class: 'hint'}, 'Choose a file to read it.'));
    let turn = 0;

    async function read(file, offset, size) {
        const path = file.type === 'image' ? '' : `path=${encodeURIComponent(file.raw)}&`;
        const reply = await request('GET', `${base}/file?${path}offset=${offset}&size=${size}`, {signal});

        if (!reply.ok)
            throw envelopeProblem(reply.status, await reply.json().catch(() => null));
        return {bytes: new Uint8Array(await reply.arrayBuffer()),
                total: Number(reply.headers.get('Romsim-Size') ?? file.size)};
    }

    function open(file) {
        const own = ++turn;
        const content = make('pre', {class: 'content', tabindex: '0', role: 'region',
                                     'aria-label': `Content of ${shown(file.name)}`});
        const title = make('h5', {}, shown(file.type === 'symlink'
                                           ? `${file.name} \u2192 ${file.target}` : file.name));
        const facts = make('p', {class: 'fine'}, '\u2026'), problem = make('p', {class: 'problem', role: 'alert'});
        const more = make('button', {type: 'button', hidden: true, click: () => load()}, 'Show more');
        const asText = make('button', {type: 'button', 'aria-pressed': 'false', click: () => show(false)}, 'Text');
        const asHex = make('button', {type: 'button', 'aria-pressed': 'false', click: () => show(true)}, 'Hex');
        const saveButton = make('button', {type: 'button', click: () => saveAll()}, 'Save');
        const perRow = element.clientWidth && element.clientWidth < 520 ? 8 : 16;
        let bytes = new Uint8Array(), total = file.size, isHex = null;

        function show(hex) {
            const isWhole = bytes.length >= total;
            const text = hex ? null : textOf(bytes, isWhole) ?? new TextDecoder().decode(bytes);

            isHex = hex;
            asText.setAttribute('aria-pressed', String(!hex));
            asHex.setAttribute('aria-pressed', String(hex));
            content.textContent = hex ? hexOf(bytes, perRow) : shown(text);
            content.classList.toggle('hex', hex);
            facts.textContent = fileFacts({...file, size: total}) +
                (isWhole ? '' : ` \u00b7 the first ${sizeText(bytes.length)} are shown`);
            more.hidden = isWhole || bytes.length >= PREVIEW_MOST;
        }

        async function load() {
            try {
                const piece = await read(file, bytes.length, PIECE);

                if (own !== turn)
                    return;
                bytes = joinBytes(bytes, piece.bytes);
                total = piece.total;
                show(isHex ?? textOf(bytes, bytes.length >= total) === null);
                if (!total)
                    facts.textContent += ' \u00b7 empty';
            } catch (error) {
                if (!signal.aborted && own === turn) {
                    facts.textContent = fileFacts(file);
                    problem.textContent = shown(error.message);
                }
            }
        }

        async function saveAll() {
            try {
                if (total > SAVE_MOST)
                    throw new Problem(0, `The page saves up to ${sizeText(SAVE_MOST)}; ` +
                                         '"romsim rom extract" has no bound');
                let all = bytes;

                while (all.length < total) {
                    const piece = await read(file, all.length, 1 << 20);

                    if (!piece.bytes.length)
                        break;
                    all = joinBytes(all, piece.bytes);
                }
                save(all, file.name);
            } catch (error) {
                if (!signal.aborted)
                    problem.textContent = shown(error.message);
            }
        }

        put(element, make('div', {class: 'preview-head'}, title,
                          make('p', {class: 'actions small'}, asText, asHex, saveButton)),
            facts, problem, content, make('p', {class: 'actions small'}, more));
        load();
    }

    return {element, open};
}

/* ---- the console ---------------------------------------------------------------------------- */

const LINE_MOST = 4096, KEPT_MOST = 256 << 10, STRING_MOST = 4096;

/* What stands between two controls. */
const PLAIN = /[^\u0000-\u001f]+/y;

/*
 * A terminal without a cursor: a line that is written over is, and colours, titles and what else a
 * terminal would obey are left out.  Whole lines go to `lines`, up to what is kept anyway.
 */
class Lines {
    constructor() {
        this.lines = [];
        this.size = 0; /* of them */
        this.current = '';
        this.column = 0;
        this.state = 'text';
        this.string = 0;
        this.sequence = '';
    }

    endLine() {
        this.lines.push(this.current);
        this.size += this.current.length + 1;
        this.current = '';
        this.column = 0;
        if (this.size > 2 * KEPT_MOST)
            this.forget();
    }

    /* Who does not look sees the last ones. */
    forget() {
        let first = 0;

        while (this.size > KEPT_MOST)
            this.size -= this.lines[first++].length + 1;
        this.lines.splice(0, first);
    }

    takeLines() {
        const lines = this.lines;

        this.lines = [];
        this.size = 0;
        return lines;
    }

    write(text) {
        const line = this.current.padEnd(this.column);

        this.current = line.slice(0, this.column) + text + line.slice(this.column + text.length);
        this.column += text.length;
        while (this.current.length >= LINE_MOST) {
            const rest = this.current.slice(LINE_MOST);

            this.current = this.current.slice(0, LINE_MOST);
            this.endLine();
            this.current = rest;
            this.column = rest.length;
        }
    }

    control(sign) {
        if (sign === '\n')
            this.endLine();
        else if (sign === '\r')
            this.column = 0;
        else if (sign === '\b')
            this.column = Math.max(0, this.column - 1);
        else if (sign === '\t')
            this.column = Math.min(LINE_MOST - 1, (this.column | 7) + 1);
        else if (sign === '\x1b')
            this.state = 'escape';
    }

    /* Of the sequences one matters for text: erasing the rest of a line that is written over. */
    endSequence(sign) {
        if (sign === 'K' && (this.sequence === '' || this.sequence === '0'))
            this.current = this.current.slice(0, this.column);
        this.state = 'text';
    }

    feedEscape(sign) {
        this.sequence = '';
        this.string = 0;
        if (sign === '[')
            this.state = 'sequence';
        else if (']P^_X'.includes(sign))
            this.state = 'string';
        else if ('()*+-./ #%'.includes(sign))
            this.state = 'one more';
        else
            this.state = 'text';
    }

    feedSequence(sign) {
        if (sign >= '@' && sign <= '~')
            this.endSequence(sign);
        else if (sign < ' ' || sign > '~' || this.sequence.length > 64) {
            this.state = 'text';
            this.control(sign);
        } else
            this.sequence += sign;
    }

    /* A title, say, up to BEL or ESC \; not for ever. */
    feedString(sign) {
        if (sign === '\x07' || sign === '\x9c' || sign === '\n' || ++this.string > STRING_MOST)
            this.state = 'text';
        else if (sign === '\x1b')
            this.state = 'one more';
    }

    feedOther(sign) {
        if (this.state === 'text')
            this.control(sign);
        else if (this.state === 'escape')
            this.feedEscape(sign);
        else if (this.state === 'sequence')
            this.feedSequence(sign);
        else if (this.state === 'string')
            this.feedString(sign);
        else
            this.state = 'text';
    }

    feed(text) {
        for (let at = 0; at < text.length;) {
            PLAIN.lastIndex = at;
            const plain = this.state === 'text' && PLAIN.exec(text);

            if (plain)
                this.write(shown(plain[0]));
            else
                this.feedOther(text[at]);
            at += plain ? plain[0].length : 1;
        }
    }
}

const FLUSH_MS = 40;

function bytesOf(base64) {
    return Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0));
}

const CONSOLE_WORDS = {
    exit: (value) => `the app ended: exit status ${value.status}`,
    failed: (value) => value.text,
    error: (value) => value.text,
    note: (value) => value.text,
    state: (value) => value.text,
};

function openConsole(uuid, name, signal) {
    const past = make('span', {}), now = make('span', {});
    const screen = make('pre', {class: 'screen', tabindex: '0', role: 'region', scroll: onScroll,
                                'aria-label': `Console of ${shown(name)}`}, past, now);
    const status = make('span', {class: 'fine', role: 'status'}, 'Connecting');
    const end = make('button', {type: 'button', hidden: true, click: () => follows(true)}, 'To the end');
    const wrap = make('button', {type: 'button', 'aria-pressed': 'true', click: () => {
        const wraps = screen.classList.toggle('wraps');

        wrap.setAttribute('aria-pressed', String(wraps));
    }}, 'Wrap lines');
    const element = make('section', {class: 'panel console', 'aria-labelledby': 'console-title'},
                         make('div', {class: 'panel-head'},
                              make('h3', {id: 'console-title'}, 'Console'), status,
                              make('p', {class: 'actions small'}, end, wrap)), screen);
    let lines, decoder, isFollowing = true, timer = 0, kept = 0, pace = FLUSH_MS, stream = null;

    screen.classList.add('wraps');

    function onScroll() {
        const rest = screen.scrollHeight - screen.scrollTop - screen.clientHeight;

        isFollowing = rest < 24;
        end.hidden = isFollowing;
    }

    function follows(now) {
        isFollowing = now;
        end.hidden = true;
        screen.scrollTop = screen.scrollHeight;
        screen.focus();
    }

    function clear() {
        lines = new Lines();
        decoder = new TextDecoder();
        kept = 0;
        put(past);
        put(now);
    }

    /* A piece that is never changed again, so that what the user has marked stays so. */
    function append(node) {
        past.append(node);
        kept += node.textContent.length;
        while (kept > KEPT_MOST && past.childNodes.length > 1) {
            kept -= past.firstChild.textContent.length;
            past.firstChild.remove();
        }
    }

    /* The slower the browser shows it, the less often it has to. */
    function flush() {
        const start = performance.now(), whole = lines.takeLines();

        timer = 0;
        if (whole.length)
            append(document.createTextNode(`${whole.join('\n')}\n`));
        now.textContent = lines.current;
        if (isFollowing)
            screen.scrollTop = screen.scrollHeight;
        pace = Math.min(1000, Math.max(FLUSH_MS, 5 * (performance.now() - start)));
    }

    function mark(text) {
        if (lines.current)
            lines.endLine();
        flush();
        append(make('span', {class: 'mark'}, `${shown(text)}\n`));
        flush();
    }

    function take(type, data) {
        status.textContent = type === 'end' ? 'The instance is gone' : 'Live';
        if (type === 'console') {
            lines.feed(decoder.decode(bytesOf(data), {stream: true}));
            timer ||= setTimeout(flush, pace);
        } else if (type === 'begin') {
            clear(); /* from here on it is said again */
        } else if (type in CONSOLE_WORDS) {
            mark(CONSOLE_WORDS[type](JSON.parse(data)));
        }
        return type !== 'end';
    }

    function pauseConsole() {
        stream?.abort();
        stream = null;
    }

    function resumeConsole() {
        if (stream || signal.aborted)
            return;
        stream = new AbortController();
        follow(`romsim/instances/${encodeURIComponent(uuid)}/console?offset=-131072`, stream.signal, {
            event: take,
            lost: () => { status.textContent = 'No connection'; },
            gone: (problem) => { status.textContent = shown(problem.message); },
        });
    }

    clear();
    signal.addEventListener('abort', pauseConsole);
    return {element, pause: pauseConsole, resume: resumeConsole};
}

/* ---- pages that nobody sees ----------------------------------------------------------------- */

/* A browser has six connections to a server for all of its tabs, and streams hold them. */
const UNSEEN_MS = 5000;
let unseen = 0, isPaused = false;

function onVisibility() {
    clearTimeout(unseen);
    if (document.hidden) {
        unseen = setTimeout(() => {
            isPaused = watch !== null;
            stopWatching();
            detail?.pause();
            if (isPaused)
                showLink('off', 'Paused');
        }, UNSEEN_MS);
    } else if (isPaused) {
        isPaused = false;
        start();
        detail?.resume();
    }
}

/* ---- the beginning -------------------------------------------------------------------------- */

function closeDialog(value) {
    byId('confirm').close(value);
}

byId('where').textContent = location.host;
byId('sign-in-form').addEventListener('submit', signIn);
byId('sign-out').addEventListener('click', () => askForToken(''));
byId('try-now').addEventListener('click', () => impatience.dispatchEvent(new Event('now')));
byId('skip').addEventListener('click', () => (byId('detail-title') ?? byId('list-title')).focus());
byId('confirm-no').addEventListener('click', () => closeDialog(''));
byId('confirm-yes').addEventListener('click', () => closeDialog('yes'));
document.addEventListener('visibilitychange', onVisibility);
addEventListener('online', () => impatience.dispatchEvent(new Event('now')));
addEventListener('hashchange', () => {
    if (location.hash.startsWith('#token=')) {
        takeToken();
        start();
    } else {
        showAddress(true);
    }
});
setInterval(() => document.querySelectorAll('time.ago').forEach(updateTime), 15000);
takeToken();
start();

})();
